"""A connection of its own for one user of the database, who waits for nobody else's lock in this process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from wattrail.errors import StoreError
from wattrail.store.damage import remedy

__all__ = ["OwnConnection"]

_BUSY_S: Final = 5.0


class OwnConnection:
    """A connection to a database that ``open_store`` has migrated. ``what`` it holds is named in errors.

    Raises StoreError.
    """

    def __init__(self, path: Path, what: str, *, read_only: bool = False) -> None:
        self._path, self._what = path, what
        with self._explained():
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}", uri=True, timeout=_BUSY_S,
                isolation_level=None, check_same_thread=False,
            )  # fmt: skip

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        """All or nothing."""
        with self._cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    cursor.execute("ROLLBACK")
                raise

    @contextmanager
    def _cursor(self) -> Iterator[sqlite3.Cursor]:
        """Each statement by itself."""
        with self._explained(), closing(self._connection.cursor()) as cursor:
            yield cursor

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self._what} in {self._path}: {error}", hint=remedy(str(error))) from error
