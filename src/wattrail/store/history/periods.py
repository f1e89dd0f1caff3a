"""What every format of history amounts to: periods of energy in UTC, in order, none over another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Final

from wattrail.errors import FileError

__all__ = [
    "MAX_BYTES",
    "History",
    "HistoryPeriod",
    "in_order",
    "local_times",
    "milliwatt_hours_of",
    "periods_of",
    "unit_factor",
]

MAX_BYTES: Final = 64 << 20
"""Of a file that is read as a whole: the 88,000 hours of ten years are 18 MB as JSON, of 200 bytes each."""


_MWH_PER: Final = {"Wh": Decimal(1_000), "kWh": Decimal(1_000_000), "MWh": Decimal(1_000_000_000)}
"""Milliwatt-hours in a unit. The capital M is mega; case is kept for that reason."""

_MAX_PERIOD: Final = timedelta(days=400)
_MAX_MWH: Final = 10**15
"""A million kilowatt-hours: more than any household uses in a period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPeriod:
    """Energy of ``[start, end)`` in UTC, in milliwatt-hours; None for a direction that the source does not say."""

    start: datetime
    end: datetime
    import_mwh: int | None
    export_mwh: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a file says: its origin, its periods, and a sentence for each kind of row that was left out."""

    origin: str
    periods: tuple[HistoryPeriod, ...]
    left_out: tuple[str, ...] = ()


def periods_of(
    energies: Iterable[tuple[tuple[datetime, datetime], Sequence[int | None]]],
) -> Iterator[HistoryPeriod]:
    """A period for each span with its import and its export."""
    for (start, end), (imported, exported) in energies:
        yield HistoryPeriod(start=start, end=end, import_mwh=imported, export_mwh=exported)


def unit_factor(unit: str | None, where: str) -> Decimal:
    """Milliwatt-hours in a unit. Raises FileError for one that does not measure energy."""
    if unit not in _MWH_PER:
        raise FileError(f"{where}: {unit!r} is not a unit of energy; known: {', '.join(_MWH_PER)}")
    return _MWH_PER[unit]


def milliwatt_hours_of(text: str | float, factor: Decimal, where: str) -> int:
    """A number of some unit in whole milliwatt-hours. Raises FileError for anything else than an energy."""
    try:
        value = Decimal(str(text).strip()) * factor
        number = int(value.to_integral_value()) if value.is_finite() else None
    except InvalidOperation:
        number = None
    if number is None or not 0 <= number <= _MAX_MWH:
        raise FileError(f"{where}: {text!r} is not an energy of one period", hint="energy is a number, not below zero")
    return number


def in_order(periods: Iterable[HistoryPeriod], where: str) -> tuple[HistoryPeriod, ...]:
    """Periods by their start. Raises FileError where one is empty, too long, or lies over another."""
    ordered = sorted(periods, key=lambda period: period.start)
    for period in ordered:
        if not timedelta() < period.end - period.start <= _MAX_PERIOD:
            raise FileError(f"{where}: no period lasts from {period.start} to {period.end}")
    for first, second in pairwise(ordered):
        if first.end > second.start:
            raise FileError(
                f"{where}: the period from {second.start} begins before the one from {first.start} ends",
                hint="export each time once",
            )
    return tuple(ordered)


def local_times(moments: Sequence[datetime], zone: tzinfo) -> Iterator[datetime]:
    """Moments in UTC. One without an offset is local; the second of two equal ones is the hour that is repeated."""
    before: datetime | None = None
    for moment in moments:
        if moment.tzinfo is None:
            fold = int(before is not None and moment <= before and before - moment < timedelta(hours=1))
            before = moment
            yield moment.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        else:
            yield moment.astimezone(UTC)
