"""A connection that outlives the server's restarts, and transactions that happen once.

A server restarts now and then, and a connection can be cut at any moment:

    between transactions    the next one connects again first, and waits RECONNECT_WITHIN_S for the server
    inside a transaction    nothing of it is stored; ``write`` carries its work out once more, anything else is an error
    during COMMIT           its answer is lost: the transaction is looked up by its id before it is repeated

Where the server stays away it is StoreUnavailable, and nothing is stored; it is StoreUncertain during COMMIT, and the
next write looks that one up. If it is stored after all, that is a StoreError: what follows is decided by whoever knows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, TypeVar

import psycopg

from wattrail.database_address import PostgresAddress
from wattrail.errors import StoreError, StoreUnavailable, StoreUncertain
from wattrail.store.database import Cursor
from wattrail.store.postgres_connection import Connection, advisory_key, connect, is_alive
from wattrail.store.postgres_dialect import PostgresCursor
from wattrail.store.postgres_errors import as_store_error

__all__ = ["PostgresSession"]

RECONNECT_WITHIN_S: Final = 10.0
"""How long a lost server is waited for: a restart takes some seconds. A third of it is below every watchdog."""

_PAUSE_S: Final = 0.1

Result = TypeVar("Result")


class _Interrupted(StoreUnavailable):
    """The connection was lost inside a transaction, of which nothing is stored."""


class PostgresSession:
    """See ``Session``. ``on_connect`` gets each new connection before it is used, and may refuse it."""

    def __init__(
        self,
        address: PostgresAddress,
        what: str | None = None,
        *,
        read_only: bool = False,
        on_connect: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        self._address, self._read_only, self._on_connect = address, read_only, on_connect
        self.subject = f"{what} in {address}" if what else str(address)
        self._lock = threading.Lock()
        self._is_closed = False
        self._unsettled: str | None = None
        self._connection = self._connect()

    @contextmanager
    def transaction(self, *, durable: bool, wait_s: float | None = None) -> Iterator[Cursor]:
        """See ``Session``."""
        with self._lock:
            try:
                connection, transaction_id = self._begin(durable=durable, wait_s=wait_s)
            except _Interrupted:  # nothing was done yet
                connection, transaction_id = self._begin(durable=durable, wait_s=wait_s)
            try:
                with self._explained(connection, inside=True), connection.cursor() as cursor:
                    yield PostgresCursor(cursor)
            except BaseException:
                with suppress(psycopg.Error):
                    connection.execute("ROLLBACK")
                raise
            self._commit(connection, transaction_id)

    def write(self, work: Callable[[Cursor], Result], *, durable: bool, wait_s: float | None = None) -> Result:
        """See ``Session``."""
        try:
            with self.transaction(durable=durable, wait_s=wait_s) as cursor:
                return work(cursor)
        except _Interrupted:
            pass
        with self.transaction(durable=durable, wait_s=wait_s) as cursor:
            return work(cursor)

    @contextmanager
    def cursor(self) -> Iterator[Cursor]:
        """See ``Session``."""
        with self._lock:
            connection = self._alive()
            with self._explained(connection), connection.cursor() as cursor:
                yield PostgresCursor(cursor)

    def wait_until_idle(self) -> None:
        """See ``Session``; it blocks for as long as a write waits for the server."""
        with self._lock:
            pass

    def close(self) -> None:
        """See ``Session``. A thread that waits for the server gives up."""
        self._is_closed = True
        with self._lock:
            self._connection.close()

    def _connect(self) -> Connection:
        connection = connect(self._address, self.subject, read_only=self._read_only)
        try:
            with self._explained(connection):
                self._on_connect(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _alive(self, wait_s: float | None = None) -> Connection:
        """The connection, or a new one in its place. Raises StoreUnavailable once the server was waited for."""
        if self._is_closed:
            raise StoreError(f"{self.subject}: the connection is closed")
        if is_alive(self._connection):
            return self._connection
        self._connection.close()
        until = time.monotonic() + (RECONNECT_WITHIN_S if wait_s is None else wait_s)
        while True:
            try:
                self._connection = self._connect()
            except StoreUnavailable:
                if self._is_closed or time.monotonic() >= until:
                    raise
                time.sleep(_PAUSE_S)
            else:
                return self._connection

    def _begin(self, *, durable: bool, wait_s: float | None) -> tuple[Connection, str]:
        """Begin a transaction once no other writes, in one round trip; gives its id, by which it can be looked up."""
        connection = self._alive(wait_s)
        self._settle(connection)
        patience = "" if wait_s is None else f"SET LOCAL lock_timeout = {max(1, round(wait_s * 1000))}; "
        # The lock lets one write at a time: readers of events and of the outbox remember the last id, and of two at
        # once the smaller could become visible later and be missed. The id of the transaction is for pg_xact_status,
        # where the answer to COMMIT is lost (ADR 40).
        sql = (
            f"BEGIN; SET LOCAL synchronous_commit = {'on' if durable else 'off'}; {patience}SELECT "
            f"pg_advisory_xact_lock({advisory_key(self._address, is_gateway=False)}), pg_current_xact_id()::text"
        )
        try:
            with self._explained(connection, inside=True), connection.cursor() as cursor:
                cursor.execute(sql.encode())
                while cursor.nextset():
                    pass
                row = cursor.fetchone()
        except StoreError:
            with suppress(psycopg.Error):
                connection.execute("ROLLBACK")
            raise
        assert row is not None  # a SELECT without FROM has one
        return connection, str(row[1])

    def _commit(self, connection: Connection, transaction_id: str) -> None:
        try:
            status = connection.execute("COMMIT").statusmessage
        except psycopg.Error as error:
            if not connection.closed:
                raise as_store_error(error, self.subject, self._address) from error
            self._unsettled = transaction_id
            if not self._is_settled_as_stored():
                raise _Interrupted(f"{self.subject}: the connection to the server is lost during COMMIT") from error
        else:
            if status != "COMMIT":
                raise StoreError(f"{self.subject}: a statement failed, and its transaction was rolled back")

    def _is_settled_as_stored(self) -> bool:
        """Raises StoreUncertain if nobody can say. It waits as long as it may: not to know costs more than time."""
        try:
            return self._was_committed(self._alive())
        except StoreError as error:
            raise StoreUncertain(str(error), hint=error.hint) from error

    def _settle(self, connection: Connection) -> None:
        """Raises StoreError if a transaction is stored that its caller takes for lost: it must not be repeated."""
        if self._unsettled is not None and self._was_committed(connection):
            raise StoreError(
                f"{self.subject}: what was written before the connection was lost is stored, as is seen only now",
                hint="read the store again and go on; a gateway does so by itself",
            )

    def _was_committed(self, connection: Connection) -> bool:
        """Whether the transaction whose COMMIT got no answer is stored. Raises StoreUnavailable if nobody can say."""
        until = time.monotonic() + RECONNECT_WITHIN_S
        while True:
            with self._explained(connection):
                row = connection.execute("SELECT pg_xact_status(%s::text::xid8)", (self._unsettled,)).fetchone()
            status = row[0] if row is not None else None
            if status != "in progress":
                self._unsettled = None
                return bool(status == "committed")
            if time.monotonic() >= until:
                raise StoreUnavailable(f"{self.subject}: the server still works on the transaction before")
            time.sleep(_PAUSE_S)

    @contextmanager
    def _explained(self, connection: Connection, *, inside: bool = False) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            found = as_store_error(error, self.subject, self._address, is_lost=connection.closed)
            if inside and connection.closed:
                raise _Interrupted(str(found), hint=found.hint) from error
            raise found from error
