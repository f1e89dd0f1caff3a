"""Rows of a meter in pages: a slow reader keeps no transaction open, which would let the log of the file grow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from wattrail.ledger import EntryKind, LedgerSlice
from wattrail.store import queries
from wattrail.store.database import Cursor
from wattrail.store.rows import ENTRY_LIST, QUANTITY_COLUMNS, entry_from_row, microseconds
from wattrail.store.sum_table import SHAPELESS

__all__ = [
    "PAGE_ROWS", "READING_COLUMNS", "EntryFilter", "entries_page", "in_order", "newest_entries", "readings_page",
    "remarkable_entries",
]  # fmt: skip

READING_COLUMNS: Final = ("at", "id", "energy_count", "export_count", *QUANTITY_COLUMNS)
"""Columns of a page of readings: time in microseconds and id, counts, then thousandths and millionths of units."""

PAGE_ROWS: Final = 5_000
"""Rows that whoever reads all of them has in memory at a time. An entry takes 0.4 kB there, a year of them 200 MB."""

_Row = TypeVar("_Row")


def in_order(rows: Iterable[_Row], after: int | tuple[int, int], key: Callable[[_Row], Any]) -> list[_Row]:
    """The rows of a page, each of which comes after the one before it, the first after ``after``.

    Raises ValueError where one does not: in a file of which one page stands in the place of another, a search may lead
    to rows that were read before, and whoever asked for the page after those would never come to an end.
    """
    page, last = list(rows), after
    for row in page:
        number = key(row)
        if number <= last:
            raise ValueError(f"number {number} comes after number {last}")
        last = number
    return page


def readings_page(
    cursor: Cursor, meter_id: int, start: datetime, end: datetime, after: tuple[int, int] | None, limit: int
) -> list[tuple[int | None, ...]]:
    """Readings of ``[start, end)`` in order of time, ``limit`` at most; ``after`` is time and id of the one before."""
    at, number = after or (microseconds(start), -1)
    sql = f"""
        SELECT {", ".join(READING_COLUMNS)} FROM reading
        WHERE meter_id = ? AND at >= ? AND at < ? AND (at > ? OR id > ?) ORDER BY at, id LIMIT ?
    """
    rows = cursor.execute(sql, (meter_id, at, microseconds(end), at, number, limit))
    return in_order(rows, (at, number), lambda row: (row[0], row[1]))


def entries_page(cursor: Cursor, meter_id: int, after: int, limit: int) -> LedgerSlice:
    """Entries with a number above ``after``, ``limit`` at most; all epochs and manual entries."""
    sql = f"SELECT {ENTRY_LIST} FROM entry WHERE meter_id = ? AND sequence > ? ORDER BY sequence LIMIT ?"
    rows = in_order(map(entry_from_row, cursor.execute(sql, (meter_id, after, limit))), after, lambda row: row.sequence)
    return LedgerSlice(
        entries=tuple(rows), epochs=queries.epochs(cursor, meter_id),
        stated=queries.stated(cursor, meter_id),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """Which entries: with a number below ``before``, that end in ``[start, end)``, of a kind, or not counted ones."""

    before: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    kind: EntryKind | None = None
    is_remarkable: bool = False


def newest_entries(cursor: Cursor, meter_id: int, wanted: EntryFilter, limit: int) -> LedgerSlice:
    """The newest entries of a filter, ``limit`` at most, oldest first, and all epochs; without manual entries."""
    conditions: list[tuple[str, int | str]] = [("meter_id = ?", meter_id)]
    if wanted.before is not None:
        conditions.append(("sequence < ?", wanted.before))
    if wanted.kind is not None:
        conditions.append(("kind = ?", wanted.kind.value))
    start = microseconds(wanted.start) if wanted.start else 0
    if wanted.start or wanted.is_remarkable or wanted.kind not in {None, EntryKind.COUNTED}:
        conditions.append(("ended_at >= ?", start))  # a range, so that an index is used
    if wanted.end:
        conditions.append(("ended_at < ?", microseconds(wanted.end)))
    where = " AND ".join(text for text, _ in conditions)
    if wanted.is_remarkable or wanted.kind not in {None, EntryKind.COUNTED}:
        where += f" AND {SHAPELESS}"
    sql = f"SELECT {ENTRY_LIST} FROM entry WHERE {where} ORDER BY sequence DESC LIMIT ?"
    rows = cursor.execute(sql, (*(value for _, value in conditions), limit)).fetchall()
    return LedgerSlice(
        entries=tuple(entry_from_row(row) for row in reversed(rows)), epochs=queries.epochs(cursor, meter_id)
    )


def remarkable_entries(cursor: Cursor, meter_id: int, start: datetime, end: datetime, limit: int) -> LedgerSlice:
    """What ended in ``[start, end)`` but for counted energy: gaps, restarts, calibrations, clocks, manual entries."""
    sql = f"""
        SELECT {ENTRY_LIST} FROM entry WHERE meter_id = ? AND ended_at >= ? AND ended_at < ? AND {SHAPELESS}
        ORDER BY ended_at DESC, sequence DESC LIMIT ?
    """
    rows = cursor.execute(sql, (meter_id, microseconds(start), microseconds(end), limit)).fetchall()
    stated = [entry for entry in queries.stated(cursor, meter_id) if start <= entry.end < end]
    return LedgerSlice(
        entries=tuple(entry_from_row(row) for row in reversed(rows)), epochs=queries.epochs(cursor, meter_id),
        stated=tuple(stated[-limit:]),
    )  # fmt: skip
