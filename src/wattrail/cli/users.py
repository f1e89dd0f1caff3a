"""``wattrail user add``, ``list``, ``passwd``, ``remove`` and ``audit``."""

from __future__ import annotations

import getpass
import sys
from json import dumps
from typing import Annotated, Final

from cyclopts import Parameter, validators

from wattrail.access import Scope, User
from wattrail.access.passwords import MAX_PASSWORD, check_password, hash_password
from wattrail.cli import output
from wattrail.cli.access_book import ScopeOption, audit_record, checked_name, database_for, local_time, opened
from wattrail.cli.exits import UsageError
from wattrail.cli.ledger.account import BooksOptions
from wattrail.cli.option_types import Json
from wattrail.sanitize import printable

__all__ = ["add", "change_password", "list_users", "remove", "show_audit"]

_MAX_SHOWN: Final = 10**6


def add(
    name: Annotated[str, Parameter(help="Name with which the person signs in.")],
    *,
    scope: ScopeOption = Scope.READ,
    options: BooksOptions | None = None,
) -> None:
    """Make a user, who signs in with a password.

    The password is asked for, or read as one line of stdin; it is never an argument, where every program of this
    machine could read it.
    """
    checked_name(name)
    with opened(options, makes_one=True) as book:
        if book.user(name) is not None:
            raise UsageError(f"there is a user {name!r} already", hint=f"wattrail user passwd {name}")
        password_hash = hash_password(_new_password(name))
        record = audit_record("user add", f"{name}, scope {scope}")
        book.add_user(
            User(name=name, scope=scope, password_hash=password_hash, created_at=record.at, password_at=record.at),
            record,
        )
    print(f"{name} may sign in, with the scope {scope}")
    output.note(f"as a user of {database_for(options)}")


def list_users(*, json: Json = False, options: BooksOptions | None = None) -> None:
    """List the users and what they may do."""
    with opened(options) as book:
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
    lines = [f"{user.name:<24}  {user.scope:<6}  password of {local_time(user.password_at, options)}" for user in users]
    print("\n".join(lines) or "there is no user")


def change_password(
    name: Annotated[str, Parameter(help="Name of the user.")], *, options: BooksOptions | None = None
) -> None:
    """Give a user another password, and end all sessions.

    The password is asked for, or read as one line of stdin.
    """
    with opened(options) as book:
        if book.user(name) is None:
            known = ", ".join(user.name for user in book.users())
            raise UsageError(f"there is no user {printable(name)!r}; known: {known or 'none'}")
        password_hash = hash_password(_new_password(name))
        book.set_password(name, password_hash, audit_record("user passwd", name))
    print(f"{name} has another password, and every session has ended")


def remove(name: Annotated[str, Parameter(help="Name of the user.")], *, options: BooksOptions | None = None) -> None:
    """Remove a user, and end all sessions.

    What the user did stays in the audit log.
    """
    with opened(options) as book:
        book.remove_user(name, audit_record("user remove", name))
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
    with opened(options) as book:
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
    lines = [
        f"{local_time(one.at, options)}  {one.who or 'a stranger'} ({one.origin or 'the page'})  "
        f"{one.action}{f' {one.subject}' if one.subject else ''}: {one.result}"
        for one in records
    ]
    print("\n".join(map(printable, lines)) or "the audit log is empty")


def _new_password(user: str) -> str:
    """Typed twice at a terminal, else one line of stdin. Raises UsageError."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ", stream=sys.stderr)
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
