"""Errors of the database engine, and rows that are damaged, as StoreError with what helps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError, WattrailError
from wattrail.sanitize import printable
from wattrail.store.database import Cursor

__all__ = ["OTHER_FILE", "RECOVER", "RESTORE", "as_damage", "explained", "integrity_problems", "remedy"]

RECOVER: Final = (
    "it was left untouched. Stop everything that uses it, keep a copy, then put a backup in its place (wattrail store "
    "restore FILE), or recover what can be read: sqlite3 {path} .recover | sqlite3 {path}.recovered, and try the new "
    "file"
)

OTHER_FILE: Final = (
    "name another file: database=FILE. If it was the database, put a backup in its place: wattrail store restore"
)

RESTORE: Final = "stop everything that uses it, keep a copy (pg_dump), and restore a backup into another database"

MAX_PROBLEMS: Final = 20
"""Problems of a file that are listed; a reader learns nothing from the hundredth."""


@contextmanager
def as_damage(path: DatabaseAddress) -> Iterator[None]:
    """Rows that cannot be what this program wrote, as StoreError. Use it around reading rows, and nothing else."""
    try:
        yield
    except (WattrailError, sqlite3.Error):
        raise
    except (ValueError, TypeError, ArithmeticError, LookupError) as error:
        raise StoreError(
            f"{path} is damaged: a row holds what this program never writes ({printable(str(error), limit=120)})",
            hint=RECOVER.format(path=path) if isinstance(path, Path) else RESTORE,
        ) from error


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Database errors as StoreError, with the remedy where the cause is plain."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise StoreError(
            f"{path} refuses a row: {error}", hint="does another gateway write into the same file? stop one of them"
        ) from error
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path}: {error}", hint=remedy(str(error))) from error
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB:
            raise StoreError(f"{path} is not a database, or its first page is damaged", hint=OTHER_FILE) from error
        raise StoreError(f"{path} is damaged: {error}", hint=RECOVER.format(path=path)) from error
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: {error}") from error


def remedy(text: str) -> str | None:
    """What helps against an error of the database engine, by its text; None where nothing certain does."""
    if "full" in text:
        return "free some space on the disk; readings are kept in order again once there is room"
    if "locked" in text:
        return "another program holds the file; close it"
    if "unable to open" in text or "readonly" in text:
        return "check that the folder exists, that you may write there, and that the name is not that of a folder"
    return None


def integrity_problems(cursor: Cursor) -> tuple[str, ...]:
    """What the database engine finds wrong with the file, indexes and references included; empty if nothing."""
    problems: list[str] = []
    try:
        rows = cursor.execute(f"PRAGMA integrity_check({MAX_PROBLEMS})").fetchall()
        problems += [str(text) for (text,) in rows if text != "ok"]
        rows = cursor.execute("PRAGMA foreign_key_check").fetchall()
        problems += [f"a row of {table} belongs to no row of {parent}" for table, _, parent, _ in rows[:MAX_PROBLEMS]]
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # its own messages quote the damage
        problems.append(str(error))
    return tuple(printable(line, limit=200) for text in problems for line in text.splitlines())
