"""The two kinds of database a store can be in: which of them an address means, and a connection of one's own to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Self

from wattrail.database_address import DatabaseAddress, parse_address
from wattrail.errors import needs_library
from wattrail.store.database import Cursor, Database

__all__ = ["OwnConnection", "database_at"]


def database_at(address: DatabaseAddress | str) -> Database:
    """The database at an address, also as text; nothing is opened yet. Raises MissingExtra, UrlError."""
    if isinstance(address, str):
        address = parse_address(address)
    if isinstance(address, Path):
        from wattrail.store.sqlite_database import SqliteDatabase

        return SqliteDatabase(address)
    with needs_library(f"the database {address}", "psycopg", extra="postgres"):
        from wattrail.store.postgres_database import PostgresDatabase
    return PostgresDatabase(address)


class OwnConnection:
    """For one user of a database that ``open_store`` has migrated, who waits for nobody else's lock in this process.

    ``what`` it holds is named in errors. Raises StoreError.
    """

    _is_durable: ClassVar = True
    """Whether its transactions wait for the disk."""

    def __init__(self, path: DatabaseAddress, what: str, *, read_only: bool = False) -> None:
        self._path = path
        self._session = database_at(path).own_session(what, read_only=read_only)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        """All or nothing."""
        with self._session.transaction(durable=self._is_durable) as cursor:
            yield cursor

    @contextmanager
    def _cursor(self) -> Iterator[Cursor]:
        """Each statement by itself."""
        with self._session.cursor() as cursor:
            yield cursor
