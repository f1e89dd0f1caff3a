"""Errors of a PostgreSQL server as StoreError, with what helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import psycopg
from psycopg import errors

from wattrail.database_address import PostgresAddress
from wattrail.errors import StoreError, StoreUnavailable
from wattrail.sanitize import printable

__all__ = ["as_store_error"]

_LOGIN_HINT: Final = (
    "store the login as docs/store.md says, PostgreSQL: [{login}] in secrets.toml, or PGUSER and PGPASSWORD, or .pgpass"
)
_SET_UP_HINT: Final = "docs/store.md, PostgreSQL, has the statements that make role, database and rights"

_HINTS: Final[Mapping[type[psycopg.Error], str]] = {
    errors.InvalidPassword: _LOGIN_HINT,
    errors.InvalidAuthorizationSpecification: _LOGIN_HINT,
    errors.InvalidCatalogName: _SET_UP_HINT,
    errors.InsufficientPrivilege: _SET_UP_HINT,
    errors.UndefinedTable: "restore the whole schema from a backup, or name another one (?schema=)",
    errors.DiskFull: "free some space on the disk of the server; readings are kept in order again once there is room",
    errors.TooManyConnections: "raise max_connections of the server: a gateway takes two, and each publisher two more",
    errors.LockNotAvailable: "another program holds the tables; end it (pg_stat_activity names it)",
    errors.QueryCanceled: "raise statement_timeout of the role at the server",
    errors.ReadOnlySqlTransaction: "name the primary server: this one is a standby, or the role may only read",
}

_PASSING: Final = (
    errors.DiskFull, errors.TooManyConnections, errors.LockNotAvailable, errors.QueryCanceled,
    errors.ReadOnlySqlTransaction, errors.CannotConnectNow, errors.OutOfMemory, errors.IoError,
)  # fmt: skip
"""The same statement may succeed later."""

_SAID: Final = (
    # The server's answer to a connection has no code that libpq hands on, so its text decides.
    ("password", errors.InvalidPassword),
    ("authentication", errors.InvalidPassword),
    ("pg_hba.conf", errors.InvalidAuthorizationSpecification),
    ("role ", errors.InvalidAuthorizationSpecification),
    ("database ", errors.InvalidCatalogName),
    ("permission denied", errors.InsufficientPrivilege),
    ("too many", errors.TooManyConnections),
    ("remaining connection slots", errors.TooManyConnections),
)
_AWAY_HINT: Final = "start the server, and check the host and the port in the URL"


def as_store_error(
    error: psycopg.Error, subject: str, address: PostgresAddress, *, is_connecting: bool = False, is_lost: bool = False
) -> StoreError:
    """The error in the store's words. ``is_lost``: the connection ended with it."""
    text = printable(error.diag.message_primary or _last_line(str(error)))
    if is_connecting:
        return _refused(text, subject, address)
    if isinstance(error, errors.IntegrityError):
        return StoreError(
            f"{subject} refuses a row: {text}", hint="does another gateway write into the same database? stop one"
        )
    if is_lost:
        return StoreUnavailable(f"{subject}: the connection to the server is lost: {text}", hint=_AWAY_HINT)
    hint = next((hint for kind, hint in _HINTS.items() if isinstance(error, kind)), None)
    kind_of_error = StoreUnavailable if isinstance(error, _PASSING) else StoreError
    return kind_of_error(f"{subject}: {text}", hint=hint and hint.format(login=_login_of(address)))


def _refused(text: str, subject: str, address: PostgresAddress) -> StoreError:
    _, fatal, said = text.partition("FATAL:")
    if fatal and not any(word in said for word in ("starting up", "shutting down", "recovery")):
        kind = next((kind for word, kind in _SAID if word in said), None)
        hint = _HINTS[kind].format(login=_login_of(address)) if kind else None
        return StoreError(f"{subject}: the server refuses the connection: {said.strip()}", hint=hint)
    return StoreUnavailable(f"{subject}: the server cannot be reached: {text}", hint=_AWAY_HINT)


def _login_of(address: PostgresAddress) -> str:
    return address.login or address.host or "localhost"


def _last_line(text: str) -> str:
    """The last thing that was tried, without psycopg's introduction and libpq's own question."""
    lines = [line.strip().removeprefix("connection failed: ") for line in text.splitlines()]
    lines = [line.removeprefix("connection is bad: ") for line in lines if line and not line.startswith("Is the ")]
    return lines[-1] if lines else text
