"""``wattrail user`` and ``wattrail token``: who may use the page, and which programs."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from json import dumps
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter, validators

from wattrail.access import AuditRecord, Scope, Token, User
from wattrail.access.passwords import MAX_PASSWORD, check_password, hash_password
from wattrail.access.records import check_access_name
from wattrail.access.tokens import new_token, token_hash, token_prefix
from wattrail.cli import clock, output
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import BooksOptions, Json
from wattrail.cli.person import person
from wattrail.database_address import DatabaseAddress, is_there
from wattrail.sanitize import printable
from wattrail.store import open_store, open_to_read
from wattrail.store.access import AccessBook

__all__ = [
    "add",
    "change_password",
    "create",
    "list_tokens",
    "list_users",
    "remove",
    "revoke",
    "show_audit",
]


_ScopeOption = Annotated[
    Scope, Parameter(help="What it may do: read, adjust (also acknowledge alarms) or admin (also read the audit log).")
]


@contextmanager
def _opened(options: BooksOptions | None, *, makes_one: bool = False) -> Iterator[AccessBook]:
    """The users and tokens that ``wattrail run`` takes with the same options. Raises UsageError, StoreError."""
    path = (options or BooksOptions()).running()
    if not is_there(path) and not makes_one:
        raise UsageError(f"there is no database {path}", hint="wattrail user add makes one")
    if makes_one:
        _make(path)
    with open_to_read(path):
        pass  # it is ours, and of this version
    with AccessBook(path) as book:
        yield book


def _make(path: DatabaseAddress) -> None:
    """A database. A file made by root belongs to the owner of its folder: a service that is not root must write it."""
    is_new = not is_there(path)
    open_store(path).close()
    if not is_new or not isinstance(path, Path) or os.geteuid() != 0:
        return
    folder = path.absolute().parent.stat()
    if folder.st_uid != 0:
        for part in path.parent.glob(f"{path.name}*"):
            os.chown(part, folder.st_uid, folder.st_gid)


def _checked_name(name: str) -> str:
    """The name of a user or token. Raises UsageError."""
    try:
        return check_access_name(name)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _audit_record(action: str, subject: str) -> AuditRecord:
    """What is written down about a command on this machine."""
    return AuditRecord(at=clock.CLOCK.now(), who=person(), origin="command line", action=action, subject=subject)


def _local_time(moment: datetime | None, zone: tzinfo) -> str:
    return "-" if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S%z}"


# ---- users


_MAX_SHOWN: Final = 10**6


def add(
    name: Annotated[str, Parameter(help="Name with which the person signs in.")],
    *,
    scope: _ScopeOption = Scope.READ,
    options: BooksOptions | None = None,
) -> None:
    """Make a user, who signs in with a password.

    The password is asked for, or read as one line of stdin; it is never an argument, where every program of this
    machine could read it.
    """
    _checked_name(name)
    with _opened(options, makes_one=True) as book:
        if book.user(name) is not None:
            raise UsageError(f"there is a user {name!r} already", hint=f"wattrail user passwd {name}")
        password_hash = hash_password(_new_password(name))
        record = _audit_record("user add", f"{name}, scope {scope}")
        book.add_user(
            User(name=name, scope=scope, password_hash=password_hash, created_at=record.at, password_at=record.at),
            record,
        )
    print(f"{name} may sign in, with the scope {scope}")
    output.note(f"as a user of {(options or BooksOptions()).running()}")


def list_users(*, json: Json = False, options: BooksOptions | None = None) -> None:
    """List the users and what they may do."""
    with _opened(options) as book:
        users = book.users()
    if json:
        fields = [
            {
                "name": user.name, "scope": user.scope, "created_at": user.created_at.isoformat(),
                "password_at": user.password_at.isoformat(),
            }
            for user in users
        ]  # fmt: skip
        print(dumps(fields))
        return
    zone = (options or BooksOptions()).zone()
    lines = [f"{user.name:<24}  {user.scope:<6}  password of {_local_time(user.password_at, zone)}" for user in users]
    print("\n".join(lines) or "there is no user")


def change_password(
    name: Annotated[str, Parameter(help="Name of the user.")], *, options: BooksOptions | None = None
) -> None:
    """Give a user another password, and end all sessions.

    The password is asked for, or read as one line of stdin.
    """
    with _opened(options) as book:
        if book.user(name) is None:
            known = ", ".join(user.name for user in book.users())
            raise UsageError(f"there is no user {printable(name)!r}; known: {known or 'none'}")
        password_hash = hash_password(_new_password(name))
        book.set_password(name, password_hash, _audit_record("user passwd", name))
    print(f"{name} has another password, and every session has ended")


def remove(name: Annotated[str, Parameter(help="Name of the user.")], *, options: BooksOptions | None = None) -> None:
    """Remove a user, and end all sessions.

    What the user did stays in the audit log.
    """
    with _opened(options) as book:
        book.remove_user(name, _audit_record("user remove", name))
    print(f"{name} may no longer sign in")


def show_audit(
    *,
    count: Annotated[
        int, Parameter(help="The last so many records (50).", validator=validators.Number(gte=1, lte=_MAX_SHOWN))
    ] = 50,
    json: Json = False,
    options: BooksOptions | None = None,
) -> None:
    """List who did what, from where and when.

    The newest comes first.
    """
    with _opened(options) as book:
        records = book.audit(count)
    if json:
        fields = [
            {
                "id": one.id, "at": one.at.isoformat(), "who": one.who, "origin": one.origin, "action": one.action,
                "subject": one.subject, "result": one.result,
            }
            for one in records
        ]  # fmt: skip
        print(dumps(fields))
        return
    zone = (options or BooksOptions()).zone()
    lines = [
        f"{_local_time(one.at, zone)}  {one.who or 'a stranger'} ({one.origin or 'the page'})  "
        f"{one.action}{f' {one.subject}' if one.subject else ''}: {one.result}"
        for one in records
    ]
    print("\n".join(map(printable, lines)) or "the audit log is empty")


def _new_password(user: str) -> str:
    """Typed twice at a terminal, else one line of stdin. Raises UsageError."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ", stream=sys.stderr)
        # Typed twice: nobody sees what is typed, and a slip would lock its owner out.
        if getpass.getpass("The same again: ", stream=sys.stderr) != password:
            raise UsageError("the two passwords differ", hint="run the command again")
    else:
        password = sys.stdin.readline(4 * MAX_PASSWORD).rstrip("\r\n")
    if not password:
        raise UsageError("no password was given", hint="type it when asked, or send it as one line to stdin")
    try:
        return check_password(password, user=user)
    except ValueError as error:
        raise UsageError(str(error)) from error


# ---- tokens


def create(
    name: Annotated[str, Parameter(help="Name of the program that gets it.")],
    *,
    scope: _ScopeOption = Scope.READ,
    days: Annotated[
        int, Parameter(help="Days for which it is valid (365).", validator=validators.Number(gte=1, lte=3650))
    ] = 365,
    json: Json = False,
    options: BooksOptions | None = None,
) -> None:
    """Make a token for a program; it is shown once.

    The database has its hash alone. The program sends it in the header
    'Authorization: Bearer TOKEN'.
    """
    _checked_name(name)
    secret, record = new_token(), _audit_record("token create", f"{name}, scope {scope}, {days} days")
    hashed = token_hash(secret)
    assert hashed is not None
    token = Token(
        name=name, prefix=token_prefix(secret), scope=scope, created_at=record.at,
        expires_at=record.at + timedelta(days=days),
    )  # fmt: skip
    with _opened(options, makes_one=True) as book:
        book.add_token(token, hashed, record)
    if json:
        print(dumps({**_fields(token), "token": secret}))
        return
    output.note(f"The token of {name}, scope {scope}, {days} days. Keep it now: it is not shown again.")
    print(secret)


def list_tokens(*, json: Json = False, options: BooksOptions | None = None) -> None:
    """List the tokens and what they may do.

    Each line has its first letters, until when it is valid, and when it was last used.
    """
    with _opened(options) as book:
        tokens = book.tokens()
    now = clock.CLOCK.now()
    if json:
        print(dumps([{**_fields(token), "state": token.state(now)} for token in tokens]))
        return
    zone = (options or BooksOptions()).zone()
    lines = [
        f"{token.prefix}  {token.name:<24}  {token.scope:<6}  {token.state(now):<7}  "
        f"until {_local_time(token.expires_at, zone)}  last used {_local_time(token.used_at, zone)}"
        for token in tokens
    ]
    print("\n".join(lines) or "there is no token")


def revoke(
    name: Annotated[str, Parameter(help="Name of the token, or its first letters as 'token list' shows them.")],
    *,
    options: BooksOptions | None = None,
) -> None:
    """Revoke a token at once."""
    with _opened(options) as book:
        book.revoke_token(name, _audit_record("token revoke", name))
    print(f"{name} is revoked")


def _fields(token: Token) -> dict[str, object]:
    moments = {"created_at": token.created_at, "expires_at": token.expires_at, "revoked_at": token.revoked_at,
               "used_at": token.used_at}  # fmt: skip
    return {"name": token.name, "prefix": token.prefix, "scope": token.scope} | {
        field: None if moment is None else moment.isoformat() for field, moment in moments.items()
    }
