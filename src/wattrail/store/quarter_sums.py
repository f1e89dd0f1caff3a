"""Counted entries added up by quarter hours, so that the energy of a year does not need every minute of it.

A row follows from the entries that end in its quarter hour, as counts by epoch, and holds no energy: a manual entry or
another calibration changes none. The quarter hour of a meter's last entry is open and has no row. Where a clock was set
back, an entry opens an earlier one again: its row goes, and is made again when another quarter hour follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from wattrail.ledger import Counts, Entry
from wattrail.store.database import Cursor
from wattrail.store.rows import microseconds
from wattrail.store.sum_table import SHAPED, SHAPELESS, SumTable

__all__ = [
    "QUARTER_SUMS",
    "QUARTER_US",
    "CountSums",
    "batched_values",
    "follow_entry",
    "longest_us",
    "open_quarter",
    "shaped_sums",
    "shapeless_sums",
    "sums_between",
]

QUARTER_US: Final = 900_000_000

_SUMS: Final = "SUM(positive), SUM(negative), SUM(undirected)"

QUARTER_SUMS: Final = SumTable(
    "quarter_sum", "quarter hour", QUARTER_US,
    (
        ("positive", "SUM(positive)"), ("negative", "SUM(negative)"), ("undirected", "SUM(undirected)"),
        ("first_start", "MIN(started_at)"), ("longest_us", "MAX(ended_at - started_at)"),
    ),
)  # fmt: skip

_BETWEEN: Final = """
    meter_id = ? AND ended_at >= ? AND ended_at <= ?
    AND (ended_at > ? OR started_at >= ?) AND (ended_at < ? OR started_at < ?)
"""
"""What was not over at the first moment and is at the second, as the ledger's ``registers_at`` has it."""

_OF_ENTRIES: Final = f"SELECT epoch, {_SUMS}, MIN(started_at) FROM entry WHERE {_BETWEEN} AND {SHAPED} GROUP BY epoch"

_OF_QUARTERS: Final = f"""
    SELECT epoch, {_SUMS}, MIN(first_start) FROM quarter_sum
    WHERE meter_id = ? AND started_at >= ? AND started_at < ? GROUP BY epoch
"""


_VALUES: Final = 400
"""Rows of one list of values: SQLite takes 500 in any form of it."""


@dataclass(slots=True)
class CountSums:
    """Counts by epoch, and when the first entry of each epoch began."""

    counts: dict[int, Counts] = field(default_factory=dict)
    began: dict[int, int] = field(default_factory=dict)

    def add(self, rows: Iterable[tuple[int, ...]]) -> None:
        """Add rows of an epoch, its three counts and the earliest start."""
        for epoch, positive, negative, undirected, began in rows:
            self._add(int(epoch), int(positive), int(negative), int(undirected))
            self.began[epoch] = min(int(began), self.began.get(epoch, int(began)))

    def take_away(self, entry: Entry) -> None:
        """Leave out an entry that is among them."""
        self._add(entry.epoch, -entry.positive, -entry.negative, -entry.undirected)

    def _add(self, epoch: int, positive: int, negative: int, undirected: int) -> None:
        had = self.counts.get(epoch, Counts(0, 0, 0))
        self.counts[epoch] = Counts(had.positive + positive, had.negative + negative, had.undirected + undirected)


def follow_entry(cursor: Cursor, meter_id: int, entry: Entry) -> tuple[int, int] | None:
    """Bring the sums up to date with an entry that was just inserted, in the same transaction.

    Returns the quarter hour that it left and the one that it opened; None where these are one.
    """
    sql = "SELECT started_at, ended_at FROM entry WHERE meter_id = ? AND sequence = ?"
    before = cursor.execute(sql, (meter_id, entry.sequence - 1)).fetchone()
    if before is None:
        return None
    left, opened = _quarter_of(*before), _quarter_of(microseconds(entry.start), microseconds(entry.end))
    if left == opened:
        return None
    QUARTER_SUMS.remove(cursor, meter_id, opened, opened)
    QUARTER_SUMS.make(cursor, meter_id, left, left)
    return left, opened


def shaped_sums(cursor: Cursor, meter_id: int, first: int | None, last: int, *, opened: int | None) -> CountSums:
    """What entries with a shape add up to that end between two moments in microseconds; from the beginning for None.

    ``opened`` is the quarter hour that is open.
    """
    sums = CountSums()
    begin = 0 if first is None else -(-first // QUARTER_US) * QUARTER_US
    end = last // QUARTER_US * QUARTER_US
    if begin >= end:
        sums.add(_of_entries(cursor, meter_id, 0 if first is None else first, last))
        return sums
    # Whole quarter hours from their sums and both ends from entries: a year by month took 13.6 s from every entry, and
    # takes 31 ms (docs/numbers.md).
    sums.add(cursor.execute(_OF_QUARTERS, (meter_id, begin, end)))
    if first is not None and first < begin:
        sums.add(_of_entries(cursor, meter_id, first, begin))
    if end < last:
        sums.add(_of_entries(cursor, meter_id, end, last))
    if opened is not None and begin <= opened < end:
        sums.add(_of_entries(cursor, meter_id, opened, opened + QUARTER_US))
    return sums


def sums_between(cursor: Cursor, meter_id: int, marks: Sequence[int], *, opened: int | None) -> list[CountSums]:
    """``shaped_sums`` between each two neighbouring moments: in one question for many, where they are quarter hours."""
    spans = list(pairwise(marks))
    whole = [
        (place, *span) for place, span in enumerate(spans)
        if not (span[0] % QUARTER_US or span[1] % QUARTER_US or (opened is not None and span[0] <= opened < span[1]))
    ]  # fmt: skip
    found = {place: CountSums() for place, *_ in whole}
    for some in batched_values(whole):
        sql = f"""
            WITH span (place, first, last) AS (VALUES {some})
            SELECT place, epoch, {_SUMS}, MIN(first_start) FROM span CROSS JOIN quarter_sum
            WHERE meter_id = ? AND started_at >= first AND started_at < last GROUP BY place, epoch
        """
        for place, epoch, positive, negative, undirected, began in cursor.execute(sql, (meter_id,)):
            sums = found[place]  # a row is all of an epoch
            sums.counts[epoch], sums.began[epoch] = Counts(positive, negative, undirected), began
    return [
        found[place] if place in found else shaped_sums(cursor, meter_id, *span, opened=opened)
        for place, span in enumerate(spans)
    ]


def batched_values(rows: Sequence[tuple[int, ...]]) -> Iterator[str]:
    """Rows of whole numbers as a list of values of SQL, some hundreds at a time."""
    for start in range(0, len(rows), _VALUES):
        yield str(rows[start : start + _VALUES])[1:-1]  # tuples of numbers look alike in both languages


def shapeless_sums(cursor: Cursor, meter_id: int, last: int) -> CountSums:
    """What entries without a shape add up to that ended before a moment."""
    sums = CountSums()
    sql = f"""
        SELECT epoch, {_SUMS}, MIN(started_at) FROM entry
        WHERE meter_id = ? AND ended_at <= ? AND (ended_at < ? OR started_at < ?) AND {SHAPELESS} GROUP BY epoch
    """
    sums.add(cursor.execute(sql, (meter_id, last, last, last)))
    return sums


def longest_us(cursor: Cursor, meter_id: int, since: int, *, opened: int | None) -> int:
    """The length of the longest entry with a shape that ends at a moment or later, or of a longer one."""
    begin = since // QUARTER_US * QUARTER_US
    sql = "SELECT COALESCE(MAX(longest_us), 0) FROM quarter_sum WHERE meter_id = ? AND started_at >= ?"
    (closed,) = cursor.execute(sql, (meter_id, begin)).fetchone()
    if opened is None:
        return int(closed)
    sql = f"""
        SELECT COALESCE(MAX(ended_at - started_at), 0) FROM entry
        WHERE meter_id = ? AND ended_at >= ? AND ended_at <= ? AND {SHAPED}
    """
    (still,) = cursor.execute(sql, (meter_id, opened, opened + QUARTER_US)).fetchone()
    return max(int(closed), int(still))


def _of_entries(cursor: Cursor, meter_id: int, first: int, last: int) -> Cursor:
    return cursor.execute(_OF_ENTRIES, (meter_id, first, last, first, first, last, last))


def open_quarter(cursor: Cursor, meter_id: int) -> int | None:
    """The quarter hour of the last entry, which has no row; None for a meter without entries."""
    sql = "SELECT started_at, ended_at FROM entry WHERE meter_id = ? ORDER BY sequence DESC LIMIT 1"
    last = cursor.execute(sql, (meter_id,)).fetchone()
    return None if last is None else _quarter_of(*last)


def _quarter_of(started_at: int, ended_at: int) -> int:
    return (ended_at - (started_at < ended_at)) // QUARTER_US * QUARTER_US
