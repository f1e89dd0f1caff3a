"""The store in a schema of a PostgreSQL database, behind the same calls as the file.

Readings do not wait for the server's disk (``synchronous_commit = off``), ledger entries do and take every reading
before them along. Write transactions wait for each other by an advisory lock, as they do in SQLite: ids become visible
in their order, so a reader that remembers the last id misses none.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Final

import psycopg
from psycopg import errors

from wattrail.database_address import PostgresAddress
from wattrail.errors import StoreError
from wattrail.store.database import Cursor, ExclusiveUse, Session
from wattrail.store.gateway_holder import holder_in
from wattrail.store.postgres_connection import Connection, advisory_key, connect
from wattrail.store.postgres_dialect import PostgresCursor
from wattrail.store.postgres_errors import as_store_error
from wattrail.store.postgres_schema import migrate, require_current
from wattrail.store.postgres_session import PostgresSession

__all__ = ["PostgresDatabase", "PostgresUse"]

_ENDED_WITHIN_S: Final = 2.0
"""How long the place of a gateway is waited for: a server notices a moment later that a client was killed."""

_PAUSE_S: Final = 0.05
_MAX_PROBLEMS: Final = 20

_PROBLEMS: Final = """
    SELECT 'the guard ' || tgname || ' is disabled' FROM pg_catalog.pg_trigger
    JOIN pg_catalog.pg_class ON pg_class.oid = tgrelid
    WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal AND tgenabled = 'D'
    UNION ALL SELECT 'the index ' || relname || ' is incomplete' FROM pg_catalog.pg_index
    JOIN pg_catalog.pg_class ON pg_class.oid = indexrelid
    WHERE relnamespace = current_schema()::regnamespace AND NOT indisvalid
    UNION ALL SELECT 'the rule ' || conname || ' was never checked' FROM pg_catalog.pg_constraint
    WHERE connamespace = current_schema()::regnamespace AND NOT convalidated
"""
_HOLDER: Final = "SELECT holder, token FROM gateway_holder"
_LEAVE: Final = (
    "INSERT INTO gateway_holder (holder, token) VALUES (?, ?) "
    "ON CONFLICT (only_row) DO UPDATE SET holder = excluded.holder, token = excluded.token"
)
_HELD: Final = """
    FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND classid::bigint = %s AND objid::bigint = %s
    AND objsubid = 1 AND granted
    AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
"""
_IS_HELD: Final = f"SELECT count(*) {_HELD}"
_END_HOLDER: Final = f"SELECT pg_terminate_backend(pid) {_HELD}"


class PostgresDatabase:
    """The database in a schema of a server, see ``Database``."""

    def __init__(self, address: PostgresAddress) -> None:
        self.address = address

    def open(self, use: ExclusiveUse | None = None) -> tuple[Session, Session]:
        """See ``Database``. A gateway writes through the connection that holds its place: both end together."""
        if isinstance(use, PostgresUse) and use.session is not None:
            return use.session, PostgresSession(self.address, read_only=True)
        with self._connected() as connection:
            migrate(connection, self.address)
        writer = PostgresSession(self.address)
        try:
            return writer, PostgresSession(self.address, read_only=True)
        except BaseException:
            writer.close()
            raise

    def journal(self, use: ExclusiveUse | None) -> None:
        """See ``Database``: a server writes its own log, and the gateway's disk holds nothing."""

    def own_session(self, what: str, *, read_only: bool) -> Session:
        """See ``Database``."""
        return PostgresSession(self.address, what, read_only=read_only)

    @contextmanager
    def snapshot(self) -> Iterator[Cursor]:
        """See ``Database``."""
        with self._connected(read_only=True) as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            require_current(connection, self.address)
            with connection.cursor() as cursor:
                yield PostgresCursor(cursor)

    @contextmanager
    def alone(self) -> Iterator[Cursor]:
        """See ``Database``. Refused while a gateway runs; verbs that write wait until it is over."""
        with self._connected() as connection, connection.transaction():
            gateway, writer = (advisory_key(self.address, is_gateway=is_gateway) for is_gateway in (True, False))
            row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (gateway,)).fetchone()
            if row is None or not row[0]:
                raise StoreError(
                    f"{self.address} is in use by a gateway, which would book under the old name; nothing was renamed",
                    hint="stop wattrail run; then repeat",
                )
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (writer,))
            require_current(connection, self.address)
            with connection.cursor() as cursor:
                yield PostgresCursor(cursor)

    @contextmanager
    def unguarded(self, cursor: Cursor, table: str, trigger: str) -> Iterator[None]:
        """See ``Database``."""
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        yield
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")

    def problems(self, cursor: Cursor) -> tuple[str, ...]:
        """See ``Database``: what a restore or a person left open. The server itself takes care of its pages."""
        return tuple(str(text) for (text,) in cursor.execute(_PROBLEMS).fetchall()[:_MAX_PROBLEMS])

    def gateway_use(self) -> ExclusiveUse:
        """See ``Database``."""
        return PostgresUse(self)

    @contextmanager
    def _connected(self, *, read_only: bool = False) -> Iterator[Connection]:
        with closing(connect(self.address, str(self.address), read_only=read_only)) as connection:
            try:
                yield connection
            except psycopg.Error as error:
                raise as_store_error(error, str(self.address), self.address, is_lost=connection.closed) from error


class _Taken(StoreError):
    """Another gateway has the place."""


class PostgresUse:
    """An advisory lock that lasts as long as its connection, see ``ExclusiveUse``.

    ``session`` is that connection. A new one in its place takes the lock again before anything is written; the ghost
    of the former one, of which the server does not know yet that it is lost, is ended.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database, self._address = database, database.address
        self._token = secrets.token_hex(8)
        self.session: PostgresSession | None = None

    def take(self) -> bool:
        """See ``ExclusiveUse``. Whoever has the place makes the tables, for the name of the gateway stands in one."""
        try:
            self.session = PostgresSession(self._address, on_connect=self._hold)
        except _Taken:
            return False
        return True

    def write(self, text: str) -> None:
        """See ``ExclusiveUse``. A full disk costs the text only; the lock holds."""
        if self.session is None:
            return
        with suppress(StoreError), self.session.cursor() as cursor:
            cursor.execute(_LEAVE, (text, self._token))

    def read(self) -> str | None:
        """See ``ExclusiveUse``."""
        with self._database._connected(read_only=True) as connection:
            return _holder(connection)[0]

    def read_held(self) -> str | None:
        """See ``ExclusiveUse``."""
        key = advisory_key(self._address, is_gateway=True)
        with self._database._connected(read_only=True) as connection:
            row = connection.execute(_IS_HELD, (key >> 32, key & 0xFFFFFFFF)).fetchone()
            return _holder(connection)[0] if row is not None and row[0] else None

    def release(self) -> None:
        """See ``ExclusiveUse``."""
        if self.session is not None:
            self.session.close()

    def _hold(self, connection: Connection) -> None:
        """Take the lock on a new connection. Raises _Taken."""
        # A lock of the very connection that writes: who loses it cannot write, and who writes has it. Its holder stands
        # in a table, for application_name has 63 bytes (ADR 40).
        key, until = advisory_key(self._address, is_gateway=True), time.monotonic() + _ENDED_WITHIN_S
        while True:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()
            if row is not None and row[0]:
                migrate(connection, self._address)
                return
            holder, token = _holder(connection)
            if token == self._token:
                connection.execute(_END_HOLDER, (key >> 32, key & 0xFFFFFFFF))
            if time.monotonic() >= until:
                name = holder_in(holder) or "a process that has not given its name yet"
                raise _Taken(f"another gateway uses {self._address} now: {name}", hint="stop that one, or this one")
            time.sleep(_PAUSE_S)


def _holder(connection: Connection) -> tuple[str | None, str | None]:
    """What the last gateway said of itself, and the token of its run."""
    try:
        row = connection.execute(_HOLDER).fetchone()
    except errors.UndefinedTable:  # the first gateway is about to make it
        row = None
    return (None, None) if row is None else (str(row[0]), str(row[1]))
