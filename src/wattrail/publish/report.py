"""The report of one local day or month: energy, peak, gaps, restarts, cost, and the period before.

Pure: a slice of the ledger goes in. Energy comes from the same series as every other period, in whole milliwatt-hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final

from wattrail.errors import LedgerError
from wattrail.ledger import (
    NEVER_ESTIMATED,
    Bill,
    By,
    Entry,
    EntryKind,
    EstimatedTimes,
    Interval,
    LedgerSlice,
    Tariff,
    bills,
    boundaries,
    by_interval,
    midnight,
)
from wattrail.ledger.periods import period_start

__all__ = ["EnergyReport", "PeakPower", "ReportedMeter", "energy_report", "period_before"]

_ONE_DAY: Final = timedelta(days=1)
_QUARTERS_PER_HOUR: Final = 4
_WATT_HOUR: Final = 1000
"""Milliwatt-hours in a watt-hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedMeter:
    """Whose report it is, the local time of its site, and when its energy is estimated by power."""

    name: str
    simulated: bool
    zone: tzinfo
    estimated: EstimatedTimes = NEVER_ESTIMATED


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakPower:
    """The quarter hour with the most import, and its mean power in watts."""

    start: datetime
    watts: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyReport:
    """What happened in one period.

    ``before`` is the period before it, None if nothing of that is booked. ``peak`` is None if no quarter hour with
    import was watched from end to end. ``gaps`` and ``restarts`` count the entries that reach into the period. ``bill``
    is the month at the tariff; a day has none, since standing charges belong to months.
    """

    meter: ReportedMeter
    by: By
    period: Interval
    before: Interval | None
    peak: PeakPower | None
    gaps: int
    restarts: int
    bill: Bill | None

    @property
    def is_estimated(self) -> bool:
        """Whether some of its energy is estimated by power."""
        return self.meter.estimated.touches(self.period.start, self.period.end)


def period_before(by: By, first_day: date) -> date:
    """The first day of the day or month before the one that begins on ``first_day``."""
    last = first_day - _ONE_DAY
    return period_start(last) if by is By.MONTH else last


def energy_report(
    ledger_slice: LedgerSlice, meter: ReportedMeter, by: By, day: date, *, tariff: Tariff | None = None
) -> EnergyReport:
    """The report of the day, or of the month that ``day`` lies in.

    The slice reaches back to the start of the period before. Raises LedgerError if nothing of the period is booked,
    ValueError for a period that is neither a day nor a month.
    """
    if by not in {By.DAY, By.MONTH}:
        raise ValueError(f"a report is of a day or a month, not of {by}")
    first_day = period_start(day) if by is By.MONTH else day
    start = midnight(first_day, meter.zone)
    end = boundaries(by, start, start + timedelta(microseconds=1), meter.zone)[1]
    if not _has_booked(ledger_slice, start, end):
        raise LedgerError(f"nothing is booked for {meter.name!r} in the {by} of {first_day}")
    earlier = midnight(period_before(by, first_day), meter.zone)
    before, period = by_interval(ledger_slice, (earlier, start, end))
    quarters = by_interval(ledger_slice, boundaries(By.QUARTER_HOUR, start, end, meter.zone))
    return EnergyReport(
        meter=meter,
        by=by,
        period=period,
        before=before if _has_booked(ledger_slice, earlier, start) else None,
        peak=_peak(quarters),
        gaps=_count(ledger_slice.entries, EntryKind.GAP, start, end),
        restarts=_count(ledger_slice.entries, EntryKind.RESTART, start, end),
        bill=_bill(ledger_slice, tariff, period, meter.zone) if by is By.MONTH else None,
    )


def _has_booked(ledger_slice: LedgerSlice, start: datetime, end: datetime) -> bool:
    began, until = ledger_slice.began, ledger_slice.booked_until
    return began is not None and until is not None and began < end and until > start


def _peak(quarters: Sequence[Interval]) -> PeakPower | None:
    """Of quarter hours that were watched: energy of a gap has no shape, so it has no peak."""
    watched = [quarter for quarter in quarters if quarter.complete and _counted(quarter) > 0]
    if not watched:
        return None
    highest = max(watched, key=_counted)
    return PeakPower(start=highest.start, watts=Decimal(_counted(highest) * _QUARTERS_PER_HOUR) / _WATT_HOUR)


def _counted(quarter: Interval) -> int:
    # Without what a person stated: that has an amount and no power.
    return quarter.energy.import_mwh - quarter.stated.import_mwh


def _count(entries: Sequence[Entry], kind: EntryKind, start: datetime, end: datetime) -> int:
    return sum(entry.kind is kind and entry.start < end and entry.end > start for entry in entries)


def _bill(ledger_slice: LedgerSlice, tariff: Tariff | None, period: Interval, zone: tzinfo) -> Bill | None:
    """The bill of the calendar month, whatever the billing day of the tariff."""
    if tariff is None:
        return None
    (bill,) = bills(ledger_slice, replace(tariff, billing_day=1), period.start, period.end, zone)
    return bill
