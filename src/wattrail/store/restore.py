"""A backup put in the place of a database. The replaced one stays beside it, and what is lost between them is said."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.store.backup import add_waiting
from wattrail.store.damage import explained
from wattrail.store.disk import flush, new_file, require_room
from wattrail.store.file_check import FileContent, MeterContent, content_of, open_file, require_sound
from wattrail.store.gateway_lock import GatewayLock, GatewayRunning
from wattrail.store.reading_journal import journal_content
from wattrail.store.schema import migrate
from wattrail.store.sqlite_database import exclusive_connection
from wattrail.whole_file import flush_folder

__all__ = [
    "DatabaseInUse",
    "LostPart",
    "Restored",
    "copy_and_migrate",
    "lost_parts",
    "require_unused",
    "restore",
    "without_gateway",
]

_LOGS: Final = ("-wal", "-journal", ".readings")
"""What belongs to the replaced database and not to the backup; the last are readings that wait for their entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LostPart:
    """What only the replaced database holds of one meter. ``backup`` is None for a meter that the backup lacks."""

    replaced: MeterContent
    backup: MeterContent | None

    @property
    def entries(self) -> int:
        """Entries that only the replaced database has."""
        return self.replaced.entries - (self.backup.entries if self.backup else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What stands now, where the replaced database is, and what only that one holds.

    ``kept_as`` is None where there was none; ``unread`` says why the replaced one could not be compared.
    """

    content: FileContent
    migrated_from: int
    kept_as: DatabaseAddress | None
    lost: tuple[LostPart, ...] = ()
    unread: str | None = None


def restore(backup: Path, database: Path, *, at: datetime) -> Restored:
    """Put a backup in the place of a database. Raises StoreError; then the database is as it was.

    Refused while a gateway, or any other program, has the database open.
    """
    if database.exists() and backup.resolve() == database.resolve():
        raise StoreError(f"{backup} is the database itself", hint="give a file that wattrail store backup wrote")
    checked = require_sound(backup)
    require_room(database.parent, 2 * checked.size_bytes, f"restoring {backup}")
    beside = database.with_name(f".{database.name}.restoring")
    try:
        with without_gateway(database, "nothing was restored"):
            copy_and_migrate(backup, beside)
            content = require_sound(beside)
            lost, unread = _compare(database, content)
            kept_as = _swap(beside, database, f"replaced-{at:%Y%m%dT%H%M%S}")
    except OSError as error:
        raise StoreError(
            f"{database} cannot be replaced: {error.strerror}", hint="check that you may write in its folder"
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink()
    content = replace(content, path=database)
    return Restored(content=content, migrated_from=checked.version, kept_as=kept_as, lost=lost, unread=unread)


@contextmanager
def without_gateway(database: DatabaseAddress, outcome: str) -> Iterator[None]:
    """No gateway starts on the database inside the block. Raises StoreError with the name of one that runs."""
    try:
        with GatewayLock(database):
            yield
    except GatewayRunning as error:
        raise StoreError(f"{error}; {outcome}", hint="stop that gateway, then repeat") from error


class DatabaseInUse(StoreError):
    """Another connection has the database open."""


def require_unused(database: Path, outcome: str) -> None:
    """Fold the log into the file. Raises DatabaseInUse while any connection has it open, StoreError for a damaged one.

    ``outcome`` says in the message what was not done.
    """
    try:
        with explained(database), exclusive_connection(database) as connection:
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except StoreError as error:
        if "locked" in str(error):
            raise DatabaseInUse(
                f"{database} is in use by another program; {outcome}",
                hint="stop wattrail run, and every program that has the database open; then repeat",
            ) from error
        raise


def copy_and_migrate(backup: Path, beside: Path) -> None:
    """A copy of a backup, of this program's version. Raises StoreError."""
    new_file(beside)
    waiting = journal_content(backup)  # of a database that was replaced itself
    with explained(beside), closing(sqlite3.connect(beside, isolation_level=None)) as copy:
        with open_file(backup) as source:  # not the bytes of the file: a log may stand beside it
            source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        add_waiting(copy, waiting)
        migrate(copy, beside)
    flush(beside)


def _compare(database: Path, content: FileContent) -> tuple[tuple[LostPart, ...], str | None]:
    if not database.exists():
        return (), None
    try:
        with open_file(database) as connection:
            before = content_of(connection, database)
    except StoreError as error:
        return (), str(error)
    return lost_parts(before, content), None


def lost_parts(before: FileContent, after: FileContent) -> tuple[LostPart, ...]:
    """What only the former content holds of each meter."""
    known = {meter.name: meter for meter in after.meters}
    parts = (LostPart(replaced=meter, backup=known.get(meter.name)) for meter in before.meters)
    return tuple(part for part in parts if part.entries > 0)


def _swap(beside: Path, database: Path, mark: str) -> Path | None:
    """Give the copy its name, and the replaced file another. A cut at any moment leaves a whole file at the name."""
    kept_as = database.with_name(f"{database.name}.{mark}")
    if kept_as.exists():
        raise StoreError(f"{kept_as} exists", hint="repeat in a second")
    was_there = database.exists()
    if was_there:
        try:
            require_unused(database, "nothing was restored")
        except DatabaseInUse:
            raise
        except StoreError:
            pass  # a damaged one is kept as it is, with its log
    database.with_name(f"{database.name}-shm").unlink(missing_ok=True)  # an index of the log, made again at any time
    for side in _LOGS:  # a log beside another file would be played into it
        log = database.with_name(database.name + side)
        if log.exists():
            log.rename(kept_as.with_name(kept_as.name + side))
    if was_there:
        try:
            os.link(database, kept_as)
        except OSError:  # a file system without hard links: two steps, and the copy keeps its own name in between
            database.rename(kept_as)
    beside.replace(database)
    flush_folder(database.parent)
    return kept_as if was_there else None
