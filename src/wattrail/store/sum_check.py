"""Every sum of counts against the entries that it was made of, and how it is made of them again.

A week at a time, so memory does not grow with the ledger. Making again deletes and inserts derived rows, and touches
no entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Final, NamedTuple

from wattrail.store.database import Cursor
from wattrail.store.hour_sums import HOUR_SUMS
from wattrail.store.quarter_sums import QUARTER_SUMS, open_quarter
from wattrail.store.rows import from_microseconds
from wattrail.store.sum_table import ALL_TIME, SumTable

__all__ = [
    "SUM_TABLES",
    "differing_spans",
    "make_sums_again",
    "moment_text",
    "nobodys_sums",
    "remove_sums_of_nobody",
    "sum_findings",
]

SUM_TABLES: Final = (QUARTER_SUMS, HOUR_SUMS)

MAX_NAMED: Final = 10
"""Sums of a table that are named, of each meter; a reader learns nothing from the hundredth."""

_SPAN_US: Final = timedelta(days=7) // timedelta(microseconds=1)
_SHOWN: Final = 3
"""Columns that say what a sum is: its counts."""


_NOBODY: Final = "meter_id NOT IN (SELECT id FROM meter)"


class SumDifference(NamedTuple):
    """A row that is not as its entries make it: None where there is none, or should be none."""

    started_at: int
    epoch: int
    got: tuple[int | None, ...] | None
    wanted: tuple[int | None, ...] | None


def sum_findings(cursor: Cursor, meter_id: int) -> Iterator[str]:
    """Every sum of a meter that differs from its entries; the first ones by their time, the others counted."""
    for table in SUM_TABLES:
        found = (one for span in _spans(cursor, meter_id, table) for one in _differing(cursor, meter_id, table, *span))
        for one in islice(found, MAX_NAMED):
            yield _described(table, one)
        if more := sum(1 for _ in found):
            yield f"sums of {table.period}s: {more} more differ"


def differing_spans(cursor: Cursor, meter_id: int, table: SumTable) -> Iterator[tuple[int, int]]:
    """The spans, from first to last beginning of a period, in which any sum differs."""
    for span in _spans(cursor, meter_id, table):
        if any(True for _ in _differing(cursor, meter_id, table, *span)):
            yield span


def make_sums_again(cursor: Cursor, meter_id: int, table: SumTable, first: int, last: int) -> int:
    """Make the sums of a span again, in a transaction; returns how many differed."""
    count = sum(1 for _ in _differing(cursor, meter_id, table, first, last))
    if count:
        table.remove(cursor, meter_id, first, last)
        table.make(cursor, meter_id, first, last)
        if (opened := _open_period(cursor, meter_id, table)) is not None and first <= opened <= last:
            table.remove(cursor, meter_id, opened, opened)
    return count


def _spans(cursor: Cursor, meter_id: int, table: SumTable) -> Iterator[tuple[int, int]]:
    """Spans that hold entries or rows, wherever a damaged row lies in time."""
    since = ALL_TIME[0]
    while (found := table.next_start(cursor, meter_id, since)) is not None:
        if found < since:
            raise ValueError(f"{table.name} and entries are out of order")  # a damaged index: it would never end
        first = max(found - table.width_us, since) // _SPAN_US * _SPAN_US  # an entry that ends on a boundary
        last = min(first + _SPAN_US - 1, ALL_TIME[-1])
        yield max(first, ALL_TIME[0]), last
        if last == ALL_TIME[-1]:
            return
        since = last + 1


def _differing(cursor: Cursor, meter_id: int, table: SumTable, first: int, last: int) -> Iterator[SumDifference]:
    opened = _open_period(cursor, meter_id, table)
    wanted = table.made(cursor, meter_id, first, last)
    wanted = {key: row for key, row in wanted.items() if key[0] != opened}
    stored = table.stored(cursor, meter_id, first, last)
    for key in sorted(wanted.keys() | stored.keys()):
        got, should = stored.get(key), wanted.get(key)
        if got != should:
            yield SumDifference(*key, got, should)


def _open_period(cursor: Cursor, meter_id: int, table: SumTable) -> int | None:
    """That of the last entry, which has no row."""
    quarter = open_quarter(cursor, meter_id)
    return None if quarter is None else quarter // table.width_us * table.width_us


def _described(table: SumTable, one: SumDifference) -> str:
    name = f"sum of the {table.period} {moment_text(one.started_at)}, epoch {one.epoch}"
    if one.got is None or one.wanted is None:
        return f"{name}: it is {_counts(table, one.got)}, should be {_counts(table, one.wanted)}"
    columns = zip(table.names, one.got, one.wanted, strict=True)
    column, got, wanted = next(column for column in columns if column[1] != column[2])
    return f"{name}: {column} is {got}, should be {wanted}"


def _counts(table: SumTable, row: tuple[int | None, ...] | None) -> str:
    if row is None:
        return "missing"
    return ", ".join(f"{name} {value}" for name, value in zip(table.names[:_SHOWN], row, strict=False))


def moment_text(at_us: int) -> str:
    """A moment for people, whatever a damaged row says."""
    try:
        at = from_microseconds(at_us)
    except (OverflowError, ValueError):
        return f"{at_us} µs after 1970"
    return f"{at:%Y-%m-%d %H:%M} UTC" if at_us % 60_000_000 == 0 else f"{at:%Y-%m-%d %H:%M:%S.%f} UTC"


def nobodys_sums(cursor: Cursor) -> Iterator[str]:
    """Sums of meters that are not there."""
    for table in SUM_TABLES:
        (count,) = cursor.execute(f"SELECT count(*) FROM {table.name} WHERE {_NOBODY}").fetchone()
        if count:
            yield f"{table.name}: {count} sums of a meter that is not there"


def remove_sums_of_nobody(cursor: Cursor) -> dict[str, int]:
    """Delete them, in a transaction; returns how many, by table."""
    return {table.name: cursor.execute(f"DELETE FROM {table.name} WHERE {_NOBODY}").rowcount for table in SUM_TABLES}
