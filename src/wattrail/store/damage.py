"""What a damaged database is reported as: an error as text, with the way to recover what can be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from wattrail.errors import StoreError, WattrailError
from wattrail.sanitize import printable

__all__ = ["RECOVER", "as_damage", "integrity_problems"]

RECOVER: Final = (
    "it was left untouched. Stop everything that uses it, keep a copy, then recover what can be read: "
    "sqlite3 {path} .recover | sqlite3 {path}.recovered, and try the new file"
)

MAX_PROBLEMS: Final = 20
"""Problems of a file that are listed; a reader learns nothing from the hundredth."""


@contextmanager
def as_damage(path: Path) -> Iterator[None]:
    """Rows that cannot be what this program wrote, as StoreError. Use it around reading rows, and nothing else."""
    try:
        yield
    except (WattrailError, sqlite3.Error):
        raise
    except (ValueError, TypeError, ArithmeticError, LookupError) as error:
        raise StoreError(
            f"{path} is damaged: a row holds what this program never writes ({printable(str(error), limit=120)})",
            hint=RECOVER.format(path=path),
        ) from error


def integrity_problems(cursor: sqlite3.Cursor) -> tuple[str, ...]:
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
