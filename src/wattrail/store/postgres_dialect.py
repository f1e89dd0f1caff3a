"""The store's SQL as PostgreSQL takes it, and its values as the store takes them: everything that differs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

import psycopg
from psycopg.adapt import Buffer, Dumper, Loader
from psycopg.types.numeric import Int8Dumper

__all__ = ["PostgresCursor", "adapt", "translated"]

_WORDS: Final = (
    (re.compile(r"\bINDEXED BY \w+"), ""),  # the planner has statistics of its own
    (re.compile(r"\bmeter IS (?=\w+\.meter\b)"), "meter IS NOT DISTINCT FROM "),
    (re.compile(r"\bMAX(?=\([^()]+,)"), "GREATEST"),  # of two values; of one it is an aggregate in both
)
"""What SQLite says, and PostgreSQL says differently."""

_PARTS: Final = re.compile(r"'(?:[^']|'')*'|\?|(?<!:):(?P<name>[a-z_]+)|%")
"""Quoted texts, places of values, and the sign that begins such a place for psycopg."""


@lru_cache(maxsize=512)
def translated(sql: str) -> bytes:
    """A statement of the store, in the words and with the places for values of psycopg."""
    for pattern, words in _WORDS:
        sql = pattern.sub(words, sql)
    return _PARTS.sub(_place, sql).encode()


def _place(part: re.Match[str]) -> str:
    if part["name"]:
        return f"%({part['name']})s"
    return "%s" if part[0] == "?" else part[0].replace("%", "%%")


class PostgresCursor:
    """Takes the store's SQL, see ``Cursor``."""

    __slots__ = ("_cursor",)

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        """Rows that the last statement changed."""
        return self._cursor.rowcount

    def execute(self, sql: str, values: Any = (), /) -> PostgresCursor:  # noqa: ANN401 a sequence or a mapping
        """Carry out one statement."""
        self._cursor.execute(translated(sql), values)
        return self

    def executemany(self, sql: str, rows: Iterable[Any], /) -> PostgresCursor:
        """Carry out one statement for each row of values."""
        self._cursor.executemany(translated(sql), rows)
        return self

    def fetchone(self) -> Any:  # noqa: ANN401 columns are of any type
        """The next row of the result; None after the last."""
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        """The rows of the result that are left."""
        return self._cursor.fetchall()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)


def adapt(connection: psycopg.Connection[Any]) -> None:
    """Flags are 0 and 1 in the tables, and a sum of whole numbers is a whole number.

    Every integer is sent as one of 8 bytes: by its size it would be one of three types, and each combination of types
    another statement to be prepared.
    """
    connection.adapters.register_dumper(int, Int8Dumper)
    # Columns are smallint as in SQLite, so that the hashes over rows are the same (ADR 40).
    connection.adapters.register_dumper(bool, _FlagDumper)
    connection.adapters.register_loader("numeric", _NumberLoader)


class _FlagDumper(Dumper):
    oid = Int8Dumper.oid

    def dump(self, obj: bool) -> Buffer | None:
        return b"1" if obj else b"0"


class _NumberLoader(Loader):
    """Sums and means of 8-byte integers come as numeric: exact, and without a point where they are whole."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data)
        return float(text) if b"." in text or b"N" in text else int(text)
