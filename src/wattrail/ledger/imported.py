"""Energy of the time before a ledger began, as other programs counted it, joined to the intervals of the ledger.

A period that lies over a boundary is divided evenly, as a counted entry is, and rounded down there: so the sum of any
span is the same however it is divided. Both intervals are incomplete then, for nobody knows its course.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from typing import Final

from wattrail.ledger.entries import Totals
from wattrail.ledger.intervals import ImportedPart, Interval, Untimed
from wattrail.ledger.ledger_slice import LedgerSlice

__all__ = ["ImportedEnergy", "with_imported"]

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedEnergy:
    """Energy of ``[start, end)`` in milliwatt-hours as ``origin`` says; None where it does not say a direction."""

    start: datetime
    end: datetime
    import_mwh: int | None
    export_mwh: int | None
    origin: str


def with_imported(
    intervals: Iterable[Interval],
    periods: Iterable[ImportedEnergy],
    ledger_slice: LedgerSlice,
    *,
    began: datetime | None = None,
) -> tuple[Interval, ...]:
    """The intervals of a ledger, with the energy of imported periods that do not overlap each other, oldest first.

    ``began`` is the earliest start of its entries, where the slice has only those of a ``CountSeries``.

    A period that reaches into the time of the ledger is left out whole: no time is counted twice. Registers stay those
    of the ledger.
    """
    periods = tuple(periods)
    if not periods:
        return tuple(intervals)
    known = [moment for moment in (began, _began(ledger_slice)) if moment]
    before = [period for period in periods if not known or period.end <= min(known)]
    return tuple(_joined(intervals, _ImportedSum(before), Untimed(ledger_slice, began=began)))


def _began(ledger_slice: LedgerSlice) -> datetime | None:
    """The earliest time the ledger has counted: where a clock was set back, that is when it went on."""
    return min((min(entry.start, entry.end) for entry in ledger_slice.entries), default=None)


def _joined(intervals: Iterable[Interval], imported: _ImportedSum, untimed: Untimed) -> Iterator[Interval]:
    for interval in intervals:
        periods = imported.periods_over(interval.start, interval.end)
        if not periods:
            yield interval
            continue
        # Divided evenly over a boundary: booked whole at its end a day would be the bar of one hour, and left out the
        # sums of hours and of days would differ (ADR 39).
        energy = imported.between(interval.start, interval.end)
        yield interval._replace(
            energy=Totals(
                interval.energy.import_mwh + energy.import_mwh, interval.energy.export_mwh + energy.export_mwh,
                interval.energy.undirected_mwh,
            ),
            imported=ImportedPart(
                import_mwh=None if all(period.import_mwh is None for period in periods) else energy.import_mwh,
                export_mwh=None if all(period.export_mwh is None for period in periods) else energy.export_mwh,
                origins=tuple(dict.fromkeys(period.origin for period in periods)),
            ),
            complete=_is_complete(interval, periods, untimed),
        )  # fmt: skip


def _is_complete(interval: Interval, periods: Sequence[ImportedEnergy], untimed: Untimed) -> bool:
    """Whether periods that are not divided, and then the ledger, cover an interval, all with the same directions."""
    until = periods[-1].end
    said = {(period.import_mwh is None, period.export_mwh is None) for period in periods}
    if until < interval.end:
        said.add((False, False))  # the ledger says both
    return (
        periods[0].start == interval.start
        and all(earlier.end == later.start for earlier, later in pairwise(periods))
        and (until == interval.end or (until < interval.end and not untimed.touches(until, interval.end)))
        and len(said) == 1
    )


class _ImportedSum:
    """Sums of imported periods up to any moment."""

    def __init__(self, periods: Sequence[ImportedEnergy]) -> None:
        self._periods = periods
        self._starts = [period.start for period in periods]
        self._ends = [period.end for period in periods]
        self._import = [*accumulate((period.import_mwh or 0 for period in periods), initial=0)]
        self._export = [*accumulate((period.export_mwh or 0 for period in periods), initial=0)]

    def periods_over(self, start: datetime, end: datetime) -> Sequence[ImportedEnergy]:
        """The periods that lie in ``[start, end)``, at least with a part."""
        return self._periods[bisect_right(self._ends, start) : bisect_left(self._starts, end)]

    def between(self, start: datetime, end: datetime) -> Totals:
        """The energy of ``[start, end)``."""
        return self._until(end).less(self._until(start))

    def _until(self, at: datetime) -> Totals:
        place = bisect_right(self._ends, at)  # those before it are over
        import_mwh, export_mwh = self._import[place], self._export[place]
        if place < len(self._periods) and self._starts[place] < at:
            cut = self._periods[place]
            passed, whole = (at - cut.start) // _MICROSECOND, (cut.end - cut.start) // _MICROSECOND
            import_mwh += (cut.import_mwh or 0) * passed // whole
            export_mwh += (cut.export_mwh or 0) * passed // whole
        return Totals(import_mwh, export_mwh)
