"""A copy of a database beside it before its schema is changed, so that the program before can be put back.

The copy is made by the database engine's own backup, holds what was committed, and gets its name when it is whole. The
last two are kept.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from wattrail.errors import StoreError
from wattrail.store.disk import flush, new_file
from wattrail.whole_file import flush_folder

__all__ = ["copy_before_migration", "forget_old_copies", "older_copy"]

_KEPT: Final = 2
_INFIX: Final = ".before-version-"
_MEGABYTE: Final = 1_000_000


def copy_before_migration(connection: sqlite3.Connection, path: Path, *, version: int, target: int) -> Path:
    """Copy a database of one schema version before it is brought to another; returns the path of the copy.

    A copy of a still older version stays: a migration of several steps was cut short, and that one was the state before
    it. Raises StoreError where there is no room, or the copy cannot be written; the database is then as it was.
    """
    copy = path.with_name(f"{path.name}{_INFIX}{target}")
    earlier = _version_of(copy)
    if earlier is not None and 0 < earlier < version:
        return copy
    _require_room(connection, path)
    unfinished = path.with_name(f".{copy.name}.unfinished")
    try:
        _write(connection, unfinished)
        unfinished.chmod(path.stat().st_mode & 0o777)
        unfinished.replace(copy)
        flush_folder(path.parent)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise StoreError(
            f"{path} must be copied to {copy.name} before this version changes it, and cannot be: {error}",
            hint=f"make room in {path.parent}, and check that you may write there; the database is as it was",
        ) from error
    return copy


def forget_old_copies(path: Path) -> None:
    """Delete all copies of a database but the last two. One that cannot be deleted stays."""
    for _, copy in sorted(_copies(path))[:-_KEPT]:
        with suppress(OSError):
            copy.unlink()


def older_copy(path: Path, known: int) -> tuple[Path, int] | None:
    """The newest copy whose schema a program knows that knows versions up to ``known``, and its version."""
    for _, copy in sorted(_copies(path), reverse=True):
        version = _version_of(copy)
        if version is not None and 0 < version <= known:
            return copy, version
    return None


def _copies(path: Path) -> Iterator[tuple[int, Path]]:
    pattern = re.compile(re.escape(path.name + _INFIX) + r"(\d{1,6})")
    with suppress(OSError):
        for file in path.parent.iterdir():
            if found := pattern.fullmatch(file.name):
                yield int(found[1]), file


def _version_of(copy: Path) -> int | None:
    if not copy.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error:
        return None


def _require_room(connection: sqlite3.Connection, path: Path) -> None:
    pages, page_bytes = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size")
    )
    needed, free = pages * page_bytes, shutil.disk_usage(path.parent).free
    if free < needed:
        raise StoreError(
            f"{path} must be copied before this version changes it: {needed / _MEGABYTE:.1f} MB are needed in "
            f"{path.parent}, {free / _MEGABYTE:.1f} MB are free",
            hint="free some space and start again, or start the version before; the database is as it was",
        )


def _write(connection: sqlite3.Connection, copy: Path) -> None:
    new_file(copy)
    # Not a copy of the file: what was committed may still stand in its log.
    with closing(sqlite3.connect(copy)) as written:
        connection.backup(written)
        written.execute("PRAGMA journal_mode = DELETE")  # one file, which can be moved
    flush(copy)
