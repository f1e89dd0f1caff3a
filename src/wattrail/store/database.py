"""What the store needs of a database, whichever holds it. The store's SQL is written once, above this.

SQL is that of SQLite: ``?`` or ``:name`` for values, ``RETURNING`` for ids, ``ON CONFLICT (column)`` with the column
named. What another database says differently is translated by its own module, in one table. Write transactions follow
each other: a second one waits for the first, whichever process it is in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from wattrail.database_address import DatabaseAddress
from wattrail.store.reading_journal import ReadingJournal

__all__ = ["Cursor", "Database", "ExclusiveUse", "Session"]

Result = TypeVar("Result")


class Cursor(Protocol):
    """Carries out statements, one after the other; a cursor of ``sqlite3`` is one."""

    @property
    def rowcount(self) -> int:
        """Rows that the last statement changed."""
        ...

    def execute(self, sql: str, values: Any = ..., /) -> Cursor:  # noqa: ANN401 a sequence or a mapping
        """Carry out one statement."""
        ...

    def executemany(self, sql: str, rows: Any, /) -> Cursor:  # noqa: ANN401 any iterable of values
        """Carry out one statement for each row of values."""
        ...

    def fetchone(self) -> Any:  # noqa: ANN401 columns are of any type
        """The next row of the result; None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """The rows of the result that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Session(Protocol):
    """A connection to a database, shared between threads that wait for each other. Raises StoreError."""

    def transaction(self, *, durable: bool, wait_s: float | None = None) -> AbstractContextManager[Cursor]:
        """All or nothing, and alone. Where it is ``durable``, a power cut after it loses nothing of it.

        ``wait_s`` is how long it waits for another that writes, or for a server that is away; 5 and 10 s if left out.
        """
        ...

    def write(self, work: Callable[[Cursor], Result], *, durable: bool, wait_s: float | None = None) -> Result:
        """Carry out ``work`` in a transaction; again where the server goes away meanwhile, and it is not stored."""
        ...

    def cursor(self) -> AbstractContextManager[Cursor]:
        """Each statement by itself."""
        ...

    def wait_until_idle(self) -> None:
        """Return once nothing is under way."""
        ...

    def close(self) -> None:
        """Close the connection; a second time does nothing."""
        ...


class ExclusiveUse(Protocol):
    """The place where the one gateway of a database shows itself. It is free again once its process has ended."""

    def take(self) -> bool:
        """Whether the place is ours now. Raises StoreError where that cannot be known."""
        ...

    def write(self, text: str) -> None:
        """Leave a text for whoever comes second."""
        ...

    def read(self) -> str | None:
        """The text of whoever has the place."""
        ...

    def read_held(self) -> str | None:
        """The text of whoever has the place now, without taking it; None where nobody has."""
        ...

    def release(self) -> None:
        """Free the place; a second time does nothing."""
        ...


class Database(Protocol):
    """One database. Its methods raise StoreError."""

    @property
    def address(self) -> DatabaseAddress:
        """Where it is."""
        ...

    def open(self, use: ExclusiveUse | None = None) -> tuple[Session, Session]:
        """A writer and a reader; the database is made, or brought up to date, before.

        What is written belongs to ``use`` where it is given, and fails once another has it.
        """
        ...

    def journal(self, use: ExclusiveUse | None) -> ReadingJournal | None:
        """Where the gateway that has ``use`` keeps readings until their entry; None where each is stored by itself."""
        ...

    def own_session(self, what: str, *, read_only: bool) -> Session:
        """A session for one user of a database that ``open`` has prepared; ``what`` it holds is named in errors."""
        ...

    def snapshot(self) -> AbstractContextManager[Cursor]:
        """What it holds at one moment, for reading; it is neither made nor brought up to date."""
        ...

    def alone(self) -> AbstractContextManager[Cursor]:
        """A transaction while no gateway, nor any writer, has the database open."""
        ...

    def unguarded(self, cursor: Cursor, table: str, trigger: str) -> AbstractContextManager[None]:
        """Let a transaction of ``alone`` edit a table in spite of its trigger, which is back afterwards."""
        ...

    def problems(self, cursor: Cursor) -> tuple[str, ...]:
        """What the database engine finds wrong with what it holds."""
        ...

    def gateway_use(self) -> ExclusiveUse:
        """The place of its one gateway."""
        ...
