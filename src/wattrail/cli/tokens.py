"""``wattrail token create``, ``list`` and ``revoke``."""

from __future__ import annotations

from datetime import timedelta
from json import dumps
from typing import Annotated

from cyclopts import Parameter, validators

from wattrail.access import Scope, Token
from wattrail.access.tokens import new_token, token_hash, token_prefix
from wattrail.cli import clock, output
from wattrail.cli.access_book import ScopeOption, audit_record, checked_name, local_time, opened
from wattrail.cli.ledger.account import BooksOptions
from wattrail.cli.option_types import Json

__all__ = ["create", "list_tokens", "revoke"]


def create(
    name: Annotated[str, Parameter(help="Name of the program that gets it.")],
    *,
    scope: ScopeOption = Scope.READ,
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
    checked_name(name)
    secret, record = new_token(), audit_record("token create", f"{name}, scope {scope}, {days} days")
    hashed = token_hash(secret)
    assert hashed is not None
    token = Token(
        name=name, prefix=token_prefix(secret), scope=scope, created_at=record.at,
        expires_at=record.at + timedelta(days=days),
    )  # fmt: skip
    with opened(options, makes_one=True) as book:
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
    with opened(options) as book:
        tokens = book.tokens()
    now = clock.CLOCK.now()
    if json:
        print(dumps([{**_fields(token), "state": token.state(now)} for token in tokens]))
        return
    lines = [
        f"{token.prefix}  {token.name:<24}  {token.scope:<6}  {token.state(now):<7}  "
        f"until {local_time(token.expires_at, options)}  last used {local_time(token.used_at, options)}"
        for token in tokens
    ]
    print("\n".join(lines) or "there is no token")


def revoke(
    name: Annotated[str, Parameter(help="Name of the token, or its first letters as 'token list' shows them.")],
    *,
    options: BooksOptions | None = None,
) -> None:
    """Revoke a token at once."""
    with opened(options) as book:
        book.revoke_token(name, audit_record("token revoke", name))
    print(f"{name} is revoked")


def _fields(token: Token) -> dict[str, object]:
    moments = {"created_at": token.created_at, "expires_at": token.expires_at, "revoked_at": token.revoked_at,
               "used_at": token.used_at}  # fmt: skip
    return {"name": token.name, "prefix": token.prefix, "scope": token.scope} | {
        field: None if moment is None else moment.isoformat() for field, moment in moments.items()
    }
