"""Gives the space of deleted rows back to the disk, while no gateway runs."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from wattrail.errors import StoreError
from wattrail.store.damage import explained
from wattrail.store.disk import require_room
from wattrail.store.restore import require_unused, without_gateway
from wattrail.store.schema import require_current

__all__ = ["Vacuumed", "vacuum"]


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """Sizes of the file in bytes."""

    before: int
    after: int


def vacuum(database: Path) -> Vacuumed:
    """Write a database again without its free pages. Raises StoreError; then it is as it was.

    Refused while a gateway, or any other program, has it open, and where the disk has no room for two copies: the
    database engine writes one into a temporary file in the database's folder, and one into its log.
    """
    if not database.is_file():
        raise StoreError(f"the database {database} does not exist")
    with without_gateway(database, "it is as it was"), _temporary_files_in(database.absolute().parent):
        require_unused(database, "it is as it was")
        before = database.stat().st_size
        require_room(database.parent, 2 * before, f"vacuuming {database}")
        with explained(database), closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
            require_current(connection, database)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Vacuumed(before, database.stat().st_size)


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """On a small computer /tmp is often in memory, and smaller than the database."""
    before = os.environ.get("SQLITE_TMPDIR")
    os.environ["SQLITE_TMPDIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["SQLITE_TMPDIR"]
        else:
            os.environ["SQLITE_TMPDIR"] = before
