"""Energy by period, as differences of the cumulative registers.

Registers are rounded down once, at each boundary; a period is the difference of two such numbers. So the periods of any
span add up to exactly the difference of the registers at its ends, however it is divided.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from wattrail.ledger.entries import THE_END, Entry, EntryKind, Totals
from wattrail.ledger.ledger_slice import Energy, LedgerSlice
from wattrail.ledger.register_at import SeriesPoint, registers_at

__all__ = [
    "ImportedPart",
    "Interval",
    "Point",
    "RunningInterval",
    "Untimed",
    "by_interval",
    "intervals_between",
    "is_hole",
]

_NOTHING: Final = Totals(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedPart:
    """Energy that other programs counted, in milliwatt-hours; None for a direction that none of them says."""

    import_mwh: int | None
    export_mwh: int | None
    origins: tuple[str, ...]


class Interval(NamedTuple):
    """Energy of ``[start, end)`` in milliwatt-hours, and the registers at its end.

    ``gaps`` and ``stated`` are parts of ``energy``: what was booked in it without anyone knowing when it flowed, and
    what a person stated. So is ``imported``, energy of the time before the ledger began; it is in no register, and None
    where there is none. ``complete`` says that it was watched from end to end.
    """

    start: datetime
    end: datetime
    energy: Totals
    gaps: Totals
    stated: Totals
    register: Totals
    complete: bool
    imported: ImportedPart | None = None


class Untimed:
    """The times of which nobody knows when within them energy flowed, and those outside the account."""

    def __init__(self, ledger_slice: LedgerSlice, *, began: datetime | None = None) -> None:
        self._began, self._until = began or ledger_slice.began, ledger_slice.booked_until
        holes = sorted((entry for entry in ledger_slice.entries if is_hole(entry)), key=lambda entry: entry.end)
        self._starts = [entry.start for entry in holes]
        self._ends = [entry.end for entry in holes]
        self._first_start = [*accumulate(reversed(self._starts), min)][::-1]
        """The earliest start from each place on: where a clock was set, starts are not in order."""

    def touches(self, start: datetime, end: datetime) -> bool:
        """Whether ``[start, end)`` meets any of them."""
        if self._began is None or self._until is None or start < self._began or end > self._until:
            return True
        place = bisect_left(self._ends, start)
        while place < len(self._ends) and self._first_start[place] < end:
            # one that ends where the span begins does not touch it, unless it is an instant
            if self._starts[place] < end and (self._ends[place] > start or self._starts[place] == start):
                return True
            place += 1
        return False

    def complete(self, boundaries: Sequence[datetime]) -> list[bool]:
        """Whether each span between neighbouring boundaries meets none of them, as ``touches`` says of one."""
        count = len(boundaries) - 1
        if self._began is None or self._until is None:
            return [False] * count
        first, last = bisect_left(boundaries, self._began), bisect_right(boundaries, self._until) - 1
        # Not `touches` for each: a year by hour has 8,760 spans, and a few holes.
        found = [first <= place < last for place in range(count)]
        for start, end in zip(self._starts, self._ends, strict=True):
            place = max(bisect_right(boundaries, start) - 1, 0)
            while place < count and (boundaries[place] < end or boundaries[place] == start):
                found[place] = False
                place += 1
        return found


Point = tuple[Totals, Totals, Totals, Totals]
"""All energy up to a moment, what of it are gaps and manual entries, and what the registers show."""


def by_interval(ledger_slice: LedgerSlice, boundaries: Sequence[datetime]) -> tuple[Interval, ...]:
    """Energy between each two neighbouring boundaries, which are in order and in UTC."""
    points = _rounded(registers_at(ledger_slice, boundaries))
    return intervals_between(boundaries, points, Untimed(ledger_slice).complete(boundaries))


def intervals_between(
    boundaries: Sequence[datetime], points: Iterable[Point], complete: Iterable[bool]
) -> tuple[Interval, ...]:
    """The differences of what is known at each boundary: the one place where a period becomes a number."""
    neighbours = zip(pairwise(boundaries), pairwise(points), complete, strict=True)
    return tuple(
        Interval(
            start, end,
            # in most periods nothing was stated, and no gap ended: then both are the same object
            _NOTHING if total is total_before else total.less(total_before),
            _NOTHING if gaps is gaps_before else gaps.less(gaps_before),
            _NOTHING if stated is stated_before else stated.less(stated_before),
            register, is_complete,
        )
        for (start, end), ((total_before, gaps_before, stated_before, _), (total, gaps, stated, register)), is_complete
        in neighbours
    )  # fmt: skip


def _rounded(points: Sequence[SeriesPoint]) -> Iterator[Point]:
    columns = zip(
        points, _rounded_down(at.total for at in points), _rounded_down(at.gaps for at in points),
        _rounded_down(at.stated for at in points), strict=True,
    )  # fmt: skip
    for at, total, gaps, stated in columns:
        yield total, gaps, stated, at.register.rounded_down() if any(at.left) else total


def _rounded_down(energies: Iterable[Energy]) -> Iterator[Totals]:
    """Registers in whole milliwatt-hours; energy that did not change since the moment before is the same object."""
    last, rounded = None, _NOTHING
    for energy in energies:
        if energy is not last:
            last, rounded = energy, energy.rounded_down()
        yield rounded


def is_hole(entry: Entry) -> bool:
    """Whether nobody knows when within its interval its energy flowed."""
    return not entry.shaped and entry.kind not in {EntryKind.START, EntryKind.EPOCH}


class RunningInterval:
    """The energy of a span that is still being counted, such as today, for whoever asks every second.

    What ``by_interval`` says of it: the registers at its ends are made once from the entries, and from then on one
    subtraction is enough. It holds until a clock is set, or a person states an entry.
    """

    def __init__(self, ledger_slice: LedgerSlice, start: datetime, end: datetime) -> None:
        self._start, self._end = start, end
        first, last, whole = registers_at(ledger_slice, (start, end, THE_END))
        self._before = first.total.rounded_down()
        later = whole.total.less(last.total)  # by a clock that was ahead
        self._booked_later = later if any(later) else None

    def covers(self, moment: datetime) -> bool:
        """Whether a moment lies within."""
        return self._start <= moment < self._end

    def energy(self, registers: Energy) -> Totals:
        """The energy of the span, where the registers show that now."""
        own = registers if self._booked_later is None else registers.less(self._booked_later)
        return own.rounded_down().less(self._before)
