"""A copy of a database while a gateway writes into it: of one moment, read slowly, checked, then given its name."""

from __future__ import annotations

import dataclasses
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattrail.errors import StoreError
from wattrail.store.damage import explained
from wattrail.store.disk import flush, new_file, require_room
from wattrail.store.file_check import FileContent, file_bytes, open_file, require_ours, require_sound
from wattrail.store.reading_journal import journal_content
from wattrail.store.recent_readings import copy_recent
from wattrail.store.schema import migrations
from wattrail.whole_file import flush_folder, give_name

__all__ = [
    "MAX_BYTES_PER_S",
    "DatabaseBackup",
    "add_waiting",
    "back_up",
    "write_backup",
]

MAX_BYTES_PER_S: Final = 16 << 20
"""How fast a backup reads at most: an SD card that gives 40 MB/s keeps more than half of it for the gateway."""

_STEP_PAGES: Final = 512
_SPARE_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseBackup:
    """A backup that was written and checked; its content says up to which entry it goes."""

    content: FileContent
    seconds: float


def back_up(
    database: Path, target: Path, *, replace: bool = False, max_bytes_per_s: int = MAX_BYTES_PER_S,
    pause: Callable[[float], None] = time.sleep, progress: Callable[[int, int], None] | None = None,
) -> DatabaseBackup:  # fmt: skip
    """Copy a database into ``target``, mode 0600. Raises StoreError; then nothing has the target's name.

    An existing target is refused unless ``replace``. ``progress`` gets pages copied and pages in all.
    """
    if target.resolve() == database.resolve():
        raise StoreError(f"{target} is the database itself", hint="give the backup another name")
    waiting = journal_content(database)  # before the moment of the copy: what it lacks meanwhile, the database has
    with open_file(database) as source:
        require_ours(source, database)
        size = file_bytes(source)
        throttled = _throttled(size, max_bytes_per_s, pause, progress)
        return write_backup(
            str(database), size, target, lambda beside: _copy(source, beside, throttled, waiting), replace=replace
        )


def write_backup(
    what: str, size: int, target: Path, copy: Callable[[Path], None], *, replace: bool = False
) -> DatabaseBackup:
    """Let ``copy`` write a database of about ``size`` bytes into a new file, check it, and give it the target's name.

    Raises StoreError; then nothing has that name.
    """
    begun = time.monotonic()
    if target.exists() and not replace:
        raise StoreError(f"{target} exists, and a backup replaces nothing unasked", hint="give it another name")
    for side in ("-wal", "-journal"):
        if (log := target.with_name(target.name + side)).exists():
            raise StoreError(f"{log} exists: {target} is in use as a database", hint="give the backup another name")
    beside = target.with_name(f".{target.name}.part")
    try:
        require_room(target.parent, size + _SPARE_BYTES, f"a backup of {what}")
        new_file(beside)
        copy(beside)
        content = require_sound(beside)
        flush(beside)
        if replace:
            beside.replace(target)
        else:
            give_name(beside, target)
        flush_folder(target.parent)
    except OSError as error:
        raise StoreError(
            f"{target} cannot be written: {error.strerror}", hint="check the folder and its space"
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink()
    seconds = time.monotonic() - begun
    return DatabaseBackup(content=dataclasses.replace(content, path=target), seconds=seconds)


def _copy(
    source: sqlite3.Connection, beside: Path, progress: Callable[[int, int, int], None], waiting: bytes
) -> None:  # fmt: skip
    """The pages of the moment at which the source's transaction began, and the readings that waited beside them.

    Without that transaction each write of the gateway would start the copy again from the first page.
    """
    with explained(beside), closing(sqlite3.connect(beside, isolation_level=None)) as copy:
        source.backup(copy, pages=_STEP_PAGES, progress=progress)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file that can lie on a read-only disk
        add_waiting(copy, waiting)


def add_waiting(copy: sqlite3.Connection, waiting: bytes) -> None:
    """Put readings that waited beside a database into a copy of it, unless that is of an older version."""
    (version,) = copy.execute("PRAGMA user_version").fetchone()
    if waiting and version == len(migrations()):
        with closing(copy.cursor()) as cursor:
            cursor.execute("BEGIN")
            copy_recent(cursor, waiting)
            cursor.execute("COMMIT")


def _throttled(
    size: int, max_bytes_per_s: int, pause: Callable[[float], None], progress: Callable[[int, int], None] | None
) -> Callable[[int, int, int], None]:
    def step(_status: int, remaining: int, total: int) -> None:
        if progress is not None:
            progress(total - remaining, total)
        if remaining:
            pause(_STEP_PAGES * size / max(total, 1) / max_bytes_per_s)

    return step
