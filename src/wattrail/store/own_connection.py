"""A connection of its own for one user of the database, who waits for nobody else's lock in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Self

from wattrail.database_address import DatabaseAddress
from wattrail.store.database import Cursor
from wattrail.store.engines import database_at

__all__ = ["OwnConnection"]


class OwnConnection:
    """A connection to a database that ``open_store`` has migrated. ``what`` it holds is named in errors.

    Raises StoreError.
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
