"""The chain over the ledger: each row's hash covers the row and the hash before it, and the last one is kept twice.

A row that was changed does not fit its hash, a row that is gone leaves a number out, and a tail that is cut off is
missed by the table ``chain``. It guards against damage, not against a forger who can write the whole file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Final

from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.ledger import AuditFinding
from wattrail.store.database import Cursor
from wattrail.store.rows import ENTRY_COLUMNS, LATER_COLUMNS, STATED_COLUMNS

__all__ = ["BOOKS", "broken_links", "extend", "hash_existing", "require_whole"]

BOOKS: Final = {
    "epoch": (
        "number", "micro_counts_per_volt", "micro_counts_per_amp", "micro_counts_per_watt", "inverted", "began_at",
        "evidence",
    ),
    "entry": (*ENTRY_COLUMNS, "reading_id"),
    "stated": STATED_COLUMNS,
}  # fmt: skip
"""The columns that a hash covers; the first is the row's number, from 1 on without a gap."""

_LATER: Final = {"epoch": ("registers",), "entry": LATER_COLUMNS, "stated": ()}
"""Columns that version 5 added. A row in which all of them are NULL is hashed without them, as older versions did."""

_NAMES: Final = {
    "epoch": ("calibration epoch", "calibration epochs"),
    "entry": ("entry", "entries"),
    "stated": ("manual entry", "manual entries"),
}
_BEFORE_ALL: Final = bytes(32)

_text: Final = json.JSONEncoder(default=repr, separators=(",", ":")).encode
"""The text of a row over which its hash goes."""


def extend(cursor: Cursor, book: str, meter_id: int, row: Sequence[object]) -> bytes:
    """The hash of a row that is about to be inserted, by now the end of its chain.

    ``row`` has the columns that a hash covers, as they are inserted: what is read back gives the same hash.
    """
    head = cursor.execute("SELECT hash FROM chain WHERE meter_id = ? AND book = ?", (meter_id, book)).fetchone()
    # As it is read back from either database, where a flag is 0 or 1 (ADR 40); JSON would write true.
    stored = [int(value) if isinstance(value, bool) else value for value in row]
    link = _link(head[0] if head else _BEFORE_ALL, book, meter_id, stored)
    cursor.execute(
        "INSERT INTO chain (meter_id, book, length, hash) VALUES (?, ?, 1, ?) "
        "ON CONFLICT (meter_id, book) DO UPDATE SET length = chain.length + 1, hash = excluded.hash",
        (meter_id, book, link),
    )
    return link


def hash_existing(cursor: Cursor) -> None:
    """Give every row that an older version wrote its hash, in order."""
    for (meter_id,) in cursor.execute("SELECT id FROM meter ORDER BY id").fetchall():
        for book, columns in BOOKS.items():
            link, length = _BEFORE_ALL, 0
            sql = f"SELECT {', '.join(columns)} FROM {book} WHERE meter_id = ? ORDER BY {columns[0]}"
            for row in cursor.execute(sql, (meter_id,)).fetchall():
                link, length = _link(link, book, meter_id, row), length + 1
                where = f"WHERE meter_id = ? AND {columns[0]} = ?"
                cursor.execute(f"UPDATE {book} SET hash = ? {where}", (link, meter_id, row[0]))
            if length:
                cursor.execute("INSERT INTO chain VALUES (?, ?, ?, ?)", (meter_id, book, length, link))


def require_whole(cursor: Cursor, meter_id: int, path: DatabaseAddress) -> None:
    """Raises StoreError unless every book ends where its chain says: nothing is counted on after a torn page."""
    for book, (key, *_) in BOOKS.items():
        head = cursor.execute(
            "SELECT length, hash FROM chain WHERE meter_id = ? AND book = ?", (meter_id, book)
        ).fetchone() or (0, None)
        # All of them, not only the last: one flipped bit hid 90 of 102 entries, and the quick check of the engine
        # passed (ADR 23).
        (rows,) = cursor.execute(f"SELECT count(*) FROM {book} WHERE meter_id = ?", (meter_id,)).fetchone()
        sql = f"SELECT {key}, hash FROM {book} WHERE meter_id = ? ORDER BY {key} DESC LIMIT 1"
        last = cursor.execute(sql, (meter_id,)).fetchone() or (0, None)
        if (rows, *last) != (head[0], *head):
            raise StoreError(
                f"{path} is damaged: it holds {rows} {_NAMES[book][1]} up to number {last[0]}, and {head[0]} were "
                f"written",
                hint=f"nothing was written to it. wattrail ledger verify, with database={path}, names what is missing; "
                "keep a copy, put a backup in its place, or begin with another (database=FILE)",
            )


def broken_links(cursor: Cursor, meter_id: int) -> Iterator[AuditFinding]:
    """Every row of the ledger that is missing or altered, by its number."""
    for book in BOOKS:
        yield from _broken(cursor, meter_id, book)


def _broken(cursor: Cursor, meter_id: int, book: str) -> Iterator[AuditFinding]:
    head = cursor.execute(
        "SELECT length, hash FROM chain WHERE meter_id = ? AND book = ?", (meter_id, book)
    ).fetchone() or (0, _BEFORE_ALL)
    columns = BOOKS[book] + _LATER[book]
    sql = f"SELECT hash, {', '.join(columns)} FROM {book} WHERE meter_id = ? ORDER BY {columns[0]}"
    before, seen, present = _BEFORE_ALL, 0, set[int]()
    for stored, *row in cursor.execute(sql, (meter_id,)):
        if not isinstance(row[0], int):
            yield _finding(book, 0, 0, "a number", repr(row[0]), "a whole number")
            continue
        if row[0] == seen + 1 and stored != _link(before, book, meter_id, row):
            yield _finding(book, row[0], row[0], "its content", "altered", "what was written")
        present.add(row[0])
        before, seen = stored if isinstance(stored, bytes) else b"", row[0]
    missing = [number for number in range(1, head[0] + 1) if number not in present]
    for _, run in groupby(enumerate(missing), key=lambda pair: pair[1] - pair[0]):
        numbers = [number for _, number in run]
        wanted = f"{len(numbers)} rows" if len(numbers) > 1 else "its row"
        yield _finding(book, numbers[0], numbers[-1], "what the database holds", "nothing", wanted)
    beyond = sorted(number for number in present if not 1 <= number <= head[0])
    if beyond:
        wanted = f"{head[0]}, as the end of the chain says"
        yield _finding(book, beyond[-1], beyond[-1], "the number of the last", str(beyond[-1]), wanted)
    elif not missing and before != head[1]:
        yield _finding(book, head[0], head[0], "its hash", "another", "that of the end of the chain")


def _finding(book: str, first: int, last: int, check: str, got: str, wanted: str) -> AuditFinding:
    one, many = _NAMES[book]
    name = f"{one} {first}" if first == last else f"{many} {first} to {last}"
    return AuditFinding(first, check, got, wanted, stated=book == "stated", name=name)


def _link(before: bytes, book: str, meter_id: int, row: Sequence[object]) -> bytes:
    later = row[len(BOOKS[book]) :]
    if later.count(None) == len(later):
        row = row[: len(BOOKS[book])]
    return sha256(before + _text([book, meter_id, row]).encode()).digest()
