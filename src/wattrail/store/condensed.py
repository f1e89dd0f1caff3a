"""A whole ledger in as few entries as some moments need: at each of them its registers are the same.

Between two moments the entries with a shape are added up and stand there as one. An entry that lies on both sides of a
moment stays, as do all without a shape, the first and the last, and those that a manual entry is about. So
``by_interval`` and ``bills`` divide a year, from a few hundred rows, as they would divide it from half a million.

Pages, downloads, lists and exports get the energy of periods here, from one function.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from wattrail.ledger import Counts, CountSeries, Entry, EntryKind, Interval, LedgerSlice, by_counts, with_imported
from wattrail.store import queries
from wattrail.store.database import Cursor
from wattrail.store.hour_sums import are_hours, hourly_counts
from wattrail.store.imported_hours import imported_over, imported_since
from wattrail.store.quarter_sums import (
    CountSums,
    batched_values,
    longest_us,
    open_quarter,
    shaped_sums,
    shapeless_sums,
    sums_between,
)
from wattrail.store.rows import ENTRY_LIST, entry_from_row, from_microseconds, microseconds
from wattrail.store.sum_table import SHAPED, SHAPELESS

__all__ = ["condensed_slice", "count_series", "energy_by_period", "energy_since"]


_CUT: Final = f"""
    SELECT {ENTRY_LIST} FROM entry
    WHERE meter_id = ? AND ended_at > ? AND ended_at <= ? AND started_at < ? AND {SHAPED}
"""
_ALL_CUT: Final = f"""
    SELECT place, epoch, positive, negative, undirected, moment - started_at, ended_at - started_at
    FROM mark CROSS JOIN entry
    WHERE meter_id = ? AND ended_at > moment AND ended_at <= moment + ? AND started_at < moment AND {SHAPED}
"""
_WITHOUT_SHAPE: Final = f"""
    SELECT {ENTRY_LIST} FROM entry
    WHERE meter_id = ? AND ended_at >= ? AND (started_at < ? OR ended_at <= ?) AND {SHAPELESS}
"""
_ENDS: Final = f"""
    SELECT {ENTRY_LIST} FROM entry WHERE meter_id = ?
    AND (sequence = 1 OR sequence = (SELECT MAX(sequence) FROM entry WHERE meter_id = ?))
"""
_CLOCK: Final = (
    f"SELECT {ENTRY_LIST} FROM entry WHERE meter_id = ? AND ended_at >= 0 AND {SHAPELESS} AND kind = 'clock'"
)
"""With a range of the index of entries without a shape: by the kind alone every entry of the meter was looked at."""

_NUMBERED: Final = f"SELECT {ENTRY_LIST} FROM entry WHERE meter_id = ? AND sequence = ?"


def condensed_slice(cursor: Cursor, meter_id: int, moments: Iterable[datetime]) -> LedgerSlice:
    """The ledger of a meter for questions about these moments, of which there is at least one."""
    marks = sorted({microseconds(moment) for moment in moments})
    stated = queries.stated(cursor, meter_id)
    opened = open_quarter(cursor, meter_id)
    kept = {entry.sequence: entry for entry in _kept(cursor, meter_id, marks, opened, _counted_about(stated))}
    parts = _Parts(marks, _before(cursor, meter_id, marks[0], opened), [
        *sums_between(cursor, meter_id, marks, opened=opened)
    ])  # fmt: skip
    for entry in kept.values():
        parts.take_away(entry)
    return LedgerSlice(
        entries=(*parts.entries(), *(kept[sequence] for sequence in sorted(kept))),
        epochs=queries.epochs(cursor, meter_id), stated=stated, before=parts.before.counts,
    )  # fmt: skip


def count_series(cursor: Cursor, meter_id: int, boundaries: Sequence[datetime]) -> CountSeries:
    """The same ledger as sums of counts at boundaries, which are in order, for ``by_counts``."""
    marks = [microseconds(moment) for moment in boundaries]
    stated = queries.stated(cursor, meter_id)
    opened = open_quarter(cursor, meter_id)
    kept = {entry.sequence: entry for entry in _uncut(cursor, meter_id, marks, _counted_about(stated))}
    others = LedgerSlice(
        entries=tuple(kept[sequence] for sequence in sorted(kept)), epochs=queries.epochs(cursor, meter_id),
        stated=stated,
    )  # fmt: skip
    hours, between, cuts, began = _between(cursor, meter_id, marks, opened)
    starts = [] if began is None else [began]
    starts += [marks[place] - passed for place, *_, passed, _ in cuts]
    starts += [] if others.began is None else [microseconds(others.began)]
    return CountSeries(
        boundaries=boundaries, before=_before(cursor, meter_id, marks[0], opened).counts,
        hours=hours, between=between, cuts=cuts, others=others,
        began=from_microseconds(min(starts)) if starts else None,
    )  # fmt: skip


def energy_by_period(cursor: Cursor, meter_id: int, boundaries: Sequence[datetime]) -> tuple[Interval, ...]:
    """Energy of a meter between each two neighbouring boundaries: of its ledger, and imported before that began."""
    imported = imported_over(cursor, meter_id, boundaries[0], boundaries[-1])
    series = count_series(cursor, meter_id, boundaries)
    return with_imported(by_counts(series), imported, series.others, began=series.began)


def energy_since(cursor: Cursor, meter_id: int) -> datetime | None:
    """The earliest moment of which energy of a meter is known, imported or counted; None if there is none."""
    known = queries.adjustable_entries(cursor, meter_id).began, imported_since(cursor, meter_id)
    return min((moment for moment in known if moment is not None), default=None)


_Rows = list[tuple[int, ...]]


def _between(
    cursor: Cursor, meter_id: int, marks: Sequence[int], opened: int | None
) -> tuple[_Rows, _Rows, _Rows, int | None]:
    """Rows of hours, counts between marks, the entries that marks cut, and when the first of these began."""
    # Hours of zones that are off by half an hour are none of UTC, and go the longer way.
    if are_hours(marks):
        hourly = hourly_counts(cursor, meter_id, marks, opened=opened)
        unknown = [(place, marks[place]) for place in hourly.unknown]
        return hourly.hours, hourly.between, _cuts(cursor, meter_id, unknown, opened), hourly.began
    sums = sums_between(cursor, meter_id, marks, opened=opened)
    between: list[tuple[int, ...]] = [
        (place, epoch, *counts) for place, one in enumerate(sums, start=1) for epoch, counts in one.counts.items()
    ]
    starts = [max(first, began) for first, one in zip(marks, sums, strict=False) for began in one.began.values()]
    return [], between, _cuts(cursor, meter_id, list(enumerate(marks)), opened), min(starts, default=None)


def _counted_about(stated: Iterable[Entry]) -> set[int]:
    """The numbers of the counted entries that manual ones are about: a reversal is about a manual one."""
    return {entry.about for entry in stated if entry.kind is not EntryKind.REVERSED} - {0}


def _cuts(cursor: Cursor, meter_id: int, marks: Sequence[tuple[int, int]], opened: int | None) -> list[tuple[int, ...]]:
    """Entries with a shape that a mark cuts, by its place, as a ``CountSeries`` has them."""
    found: list[tuple[int, ...]] = []
    longest = longest_us(cursor, meter_id, marks[0][1], opened=opened) if marks else 0
    for some in batched_values(marks):
        found += cursor.execute(f"WITH mark (place, moment) AS (VALUES {some}) {_ALL_CUT}", (meter_id, longest))
    return found


def _kept(
    cursor: Cursor, meter_id: int, marks: Sequence[int], opened: int | None, about: Iterable[int]
) -> Iterator[Entry]:
    """The entries that stay as they are; some come twice."""
    yield from _uncut(cursor, meter_id, marks, about)
    longest = longest_us(cursor, meter_id, marks[0], opened=opened)
    for mark in marks:
        for row in cursor.execute(_CUT, (meter_id, mark, mark + longest, mark)):
            yield entry_from_row(row)


def _uncut(cursor: Cursor, meter_id: int, marks: Sequence[int], about: Iterable[int]) -> Iterator[Entry]:
    questions: list[tuple[str, tuple[int, ...]]] = [
        (_ENDS, (meter_id, meter_id)),
        (_CLOCK, (meter_id,)),  # when an account began depends on them
        (_WITHOUT_SHAPE, (meter_id, marks[0], marks[-1], marks[-1])),
        *((_NUMBERED, (meter_id, sequence)) for sequence in about),
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
