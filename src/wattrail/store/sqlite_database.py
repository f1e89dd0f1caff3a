"""The store in one SQLite file: one writer at a time, readers that see a moment, and nothing to set up.

Durability. A transaction that returned survives the death of the process at any moment (WAL). Against a power cut, each
durable one waits for the disk, and takes every one before it along.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from wattrail.errors import StoreError
from wattrail.store.damage import RECOVER, as_damage, explained, integrity_problems, remedy
from wattrail.store.database import Cursor, ExclusiveUse, Session
from wattrail.store.file_use import FileUse
from wattrail.store.reading_journal import ReadingJournal, journal_content
from wattrail.store.recent_readings import open_journal, shadow_readings
from wattrail.store.schema import migrate, require_current

__all__ = ["SqliteDatabase", "SqliteSession", "exclusive_connection"]

_BUSY_S: Final = 5.0
"""Seconds that a statement waits for another process which writes."""

Result = TypeVar("Result")


class SqliteSession:
    """A connection to a file. ``what`` it holds is named in its errors."""

    def __init__(self, connection: sqlite3.Connection, path: Path, what: str | None = None) -> None:
        self._connection, self._path, self._what = connection, path, what
        self._lock = threading.Lock()

    @contextmanager
    def transaction(self, *, durable: bool, wait_s: float | None = None) -> Iterator[Cursor]:
        """See ``Session``."""
        with self._own_cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {round((_BUSY_S if wait_s is None else wait_s) * 1000)}")
            # Before it begins: inside a transaction SQLite refuses this pragma.
            cursor.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            # Not deferred: a transaction that reads first and then writes is refused at once, whatever the busy
            # time-out, where another has written meanwhile (SQLITE_BUSY_SNAPSHOT).
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    cursor.execute("ROLLBACK")
                raise

    def write(self, work: Callable[[Cursor], Result], *, durable: bool, wait_s: float | None = None) -> Result:
        """See ``Session``; a file does not go away and come back."""
        with self.transaction(durable=durable, wait_s=wait_s) as cursor:
            return work(cursor)

    def cursor(self) -> AbstractContextManager[Cursor]:
        """See ``Session``."""
        return self._own_cursor()

    def wait_until_idle(self) -> None:
        """See ``Session``; it blocks for as long as a write hangs."""
        with self._lock:
            pass

    def close(self) -> None:
        """See ``Session``."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _own_cursor(self) -> Iterator[sqlite3.Cursor]:
        with self._lock, self._explained(), closing(self._connection.cursor()) as cursor:
            yield cursor

    @contextmanager
    def _explained(self) -> Iterator[None]:
        if self._what is None:
            with explained(self._path):
                yield
            return
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self._what} in {self._path}: {error}", hint=remedy(str(error))) from error


class SqliteDatabase:
    """The database in a file, see ``Database``."""

    def __init__(self, path: Path) -> None:
        self.address = path

    def open(self, use: ExclusiveUse | None = None) -> tuple[Session, Session]:
        """See ``Database``. The lock beside the file lasts as long as its process, so nothing is asked of ``use``."""
        path = self.address
        if str(path) == ":memory:":
            raise StoreError("the store needs a file: its reader is a connection of its own", hint="give a path")
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            writer = _connect(path)
            try:
                with as_damage(path):
                    migrate(writer, path)
                    writer.execute("PRAGMA journal_mode = WAL")
                writer.execute("PRAGMA foreign_keys = ON")
                reader = _connect(path)
                reader.execute("PRAGMA query_only = ON")
                return SqliteSession(writer, path), SqliteSession(reader, path)
            except BaseException:
                writer.close()
                raise

    def journal(self, use: ExclusiveUse | None) -> ReadingJournal | None:
        """See ``Database``. Only where the system's lock says that no other gateway has one."""
        return open_journal(self.address) if isinstance(use, FileUse) and use.is_certain else None

    def own_session(self, what: str, *, read_only: bool) -> Session:
        """See ``Database``."""
        try:
            connection = _connect_existing(self.address, "ro" if read_only else "rw")
            connection.execute("PRAGMA user_version")  # the first access: another kind of file is refused here
            return SqliteSession(connection, self.address, what)
        except sqlite3.Error as error:
            raise StoreError(f"{what} in {self.address}: {error}", hint=remedy(str(error))) from error

    @contextmanager
    def snapshot(self) -> Iterator[Cursor]:
        """See ``Database``."""
        path = self.address
        if not path.is_file():
            raise StoreError(
                f"the database {path} does not exist", hint="wattrail run makes one; database=FILE names another"
            )
        recent = journal_content(path)
        try:
            with closing(_connect_existing(path, "ro")) as connection, closing(connection.cursor()) as cursor:
                with as_damage(path):
                    require_current(connection, path)
                connection.execute("PRAGMA temp_store = MEMORY")
                cursor.execute("BEGIN")
                if recent:
                    shadow_readings(cursor, recent)
                yield cursor
        except sqlite3.OperationalError as error:
            raise StoreError(f"{path}: {error}", hint="check that you may read it, and write in its folder") from error
        except sqlite3.Error as error:
            raise StoreError(f"{path} is damaged: {error}", hint=RECOVER.format(path=path)) from error

    @contextmanager
    def alone(self) -> Iterator[Cursor]:
        """See ``Database``. Refused while any other connection has the file open."""
        path = self.address
        try:
            with exclusive_connection(path) as connection:
                require_current(connection, path)
                with closing(connection.cursor()) as cursor:
                    yield cursor
                    cursor.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise StoreError(
                    f"{path} is in use, and a running gateway would book under the old name; nothing was renamed",
                    hint="stop wattrail run, and every program that has the database open; then repeat",
                ) from error
            raise StoreError(f"{path}: {error}; nothing was renamed", hint="check that you may write there") from error
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{path}: {error}; nothing was renamed", hint="wattrail ledger verify checks it"
            ) from error

    @contextmanager
    def unguarded(self, cursor: Cursor, table: str, trigger: str) -> Iterator[None]:
        """See ``Database``."""
        sql = "SELECT sql FROM sqlite_schema WHERE name = ? AND tbl_name = ?"
        (guard,) = cursor.execute(sql, (trigger, table)).fetchone()
        # SQLite cannot switch a trigger off. Its schema is part of the transaction, so a failure brings the trigger
        # back.
        cursor.execute(f"DROP TRIGGER {trigger}")
        yield
        cursor.execute(guard)

    def problems(self, cursor: Cursor) -> tuple[str, ...]:
        """See ``Database``; takes as long as reading the whole file."""
        return integrity_problems(cursor)

    def gateway_use(self) -> ExclusiveUse:
        """See ``Database``."""
        return FileUse(self.address)


@contextmanager
def exclusive_connection(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection in a transaction, while no other has the file open.

    Raises OperationalError with the word ``locked`` where another has.
    """
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        # Set before the first access, it locks the file itself, of which each other connection holds a share.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN EXCLUSIVE")
        yield connection


def _connect(path: Path) -> sqlite3.Connection:
    # Threads share it, and a session has its own lock: the check of the module would refuse them.
    return sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)


def _connect_existing(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_BUSY_S, isolation_level=None,
        check_same_thread=False,
    )  # fmt: skip
