"""A whole ledger in as few entries as some moments need: at each of them its registers are the same.

Between two moments the entries with a shape are added up and stand there as one. An entry that lies on both sides of a
moment stays, as do all without a shape, the first and the last, and those that a manual entry is about. So
``by_interval`` and ``bills`` divide a year, from a few hundred rows, as they would divide it from half a million.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from wattrail.ledger import Counts, Entry, EntryKind, LedgerSlice
from wattrail.store import queries
from wattrail.store.database import Cursor
from wattrail.store.quarter_sums import (
    SHAPED,
    SHAPELESS,
    CountSums,
    longest_us,
    open_quarter,
    shaped_sums,
    shapeless_sums,
)
from wattrail.store.rows import ENTRY_COLUMNS, LATER_COLUMNS, entry_from_row, from_microseconds, microseconds

__all__ = ["condensed_slice"]

_ENTRY: Final = ", ".join(ENTRY_COLUMNS + LATER_COLUMNS)

_CUT: Final = f"""
    SELECT {_ENTRY} FROM entry
    WHERE meter_id = ? AND ended_at > ? AND ended_at <= ? AND started_at < ? AND {SHAPED}
"""
_WITHOUT_SHAPE: Final = f"""
    SELECT {_ENTRY} FROM entry
    WHERE meter_id = ? AND ended_at >= ? AND (started_at < ? OR ended_at <= ?) AND {SHAPELESS}
"""
_ENDS: Final = f"""
    SELECT {_ENTRY} FROM entry WHERE meter_id = ?
    AND (sequence = 1 OR sequence = (SELECT MAX(sequence) FROM entry WHERE meter_id = ?))
"""
_CLOCK: Final = f"SELECT {_ENTRY} FROM entry WHERE meter_id = ? AND ended_at >= 0 AND {SHAPELESS} AND kind = 'clock'"
"""With a range of the index of entries without a shape: by the kind alone every entry of the meter was looked at."""

_NUMBERED: Final = f"SELECT {_ENTRY} FROM entry WHERE meter_id = ? AND sequence = ?"


def condensed_slice(cursor: Cursor, meter_id: int, moments: Iterable[datetime]) -> LedgerSlice:
    """The ledger of a meter for questions about these moments, of which there is at least one."""
    marks = sorted({microseconds(moment) for moment in moments})
    stated = queries.stated(cursor, meter_id)
    opened = open_quarter(cursor, meter_id)
    kept = {
        entry.sequence: entry for entry in _kept(cursor, meter_id, marks, opened, {one.about for one in stated} - {0})
    }
    parts = _Parts(marks, _before(cursor, meter_id, marks[0], opened), [
        shaped_sums(cursor, meter_id, *span, opened=opened) for span in pairwise(marks)
    ])  # fmt: skip
    for entry in kept.values():
        parts.take_away(entry)
    return LedgerSlice(
        entries=(*parts.entries(), *(kept[sequence] for sequence in sorted(kept))),
        epochs=queries.epochs(cursor, meter_id), stated=stated, before=parts.before.counts,
    )  # fmt: skip


def _kept(
    cursor: Cursor, meter_id: int, marks: Sequence[int], opened: int | None, about: Iterable[int]
) -> Iterator[Entry]:
    """The entries that stay as they are; some come twice."""
    longest = longest_us(cursor, meter_id, marks[0], opened=opened)
    questions: list[tuple[str, tuple[int, ...]]] = [
        (_ENDS, (meter_id, meter_id)),
        (_CLOCK, (meter_id,)),  # when an account began depends on them
        (_WITHOUT_SHAPE, (meter_id, marks[0], marks[-1], marks[-1])),
        *((_NUMBERED, (meter_id, sequence)) for sequence in about),
        *((_CUT, (meter_id, mark, mark + longest, mark)) for mark in marks),
    ]
    for sql, values in questions:
        for row in cursor.execute(sql, values):
            yield entry_from_row(row)


def _before(cursor: Cursor, meter_id: int, first: int, opened: int | None) -> CountSums:
    sums = shaped_sums(cursor, meter_id, None, first, opened=opened)
    others = shapeless_sums(cursor, meter_id, first)
    sums.add((epoch, *counts, others.began[epoch]) for epoch, counts in others.counts.items())
    return sums


@dataclass(slots=True)
class _Parts:
    """Sums before the first of the marks, and between each two."""

    marks: Sequence[int]
    before: CountSums
    between: list[CountSums]

    def take_away(self, entry: Entry) -> None:
        """Leave out an entry that stays by itself, wherever it was added up."""
        start, end = microseconds(entry.start), microseconds(entry.end)
        # the first mark at which it is over: one at which it ends counts, unless the entry is an instant
        place = bisect_left(self.marks, end if start < end else end + 1)
        if place == 0:
            self.before.take_away(entry)
        elif place < len(self.marks) and entry.shaped:
            self.between[place - 1].take_away(entry)

    def entries(self) -> Iterator[Entry]:
        """One entry for each epoch between two marks."""
        for (first, last), sums in zip(pairwise(self.marks), self.between, strict=True):
            for epoch, counts in sorted(sums.counts.items()):
                if epoch in sums.began:
                    yield _as_entry(max(first, sums.began[epoch]), last, epoch, counts)


def _as_entry(start: int, end: int, epoch: int, counts: Counts) -> Entry:
    return Entry(
        sequence=0, kind=EntryKind.COUNTED, start=from_microseconds(start), end=from_microseconds(end), epoch=epoch,
        count=0, positive=counts.positive, negative=counts.negative, undirected=counts.undirected,
        elapsed_us=end - start,
    )  # fmt: skip
