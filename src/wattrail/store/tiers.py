"""The widths over which readings are summed up, what a row of them holds, and how long each is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta, tzinfo
from enum import Enum, StrEnum
from typing import Final, NamedTuple

from wattrail.ledger import local_day
from wattrail.store.rows import from_microseconds, microseconds

__all__ = ["NOTHING", "Retention", "RollupStats", "SeriesQuantity", "Tier", "bucket", "zone_name"]

_SECOND_US: Final = 1_000_000


class SeriesQuantity(StrEnum):
    """What a series can be of."""

    POWER = "power"
    VOLTAGE = "voltage"
    FREQUENCY = "frequency"

    @property
    def column(self) -> str:
        """The column of a reading, in thousandths of the unit; those of a rollup begin with it."""
        return {"power": "milliwatts", "voltage": "millivolts", "frequency": "millihertz"}[self.value]

    @property
    def unit(self) -> str:
        """The unit of a point."""
        return {"power": "W", "voltage": "V", "frequency": "Hz"}[self.value]


class Tier(Enum):
    """A width of rollups. The value is its length in seconds; an hour or a day in which clocks are set differs."""

    MINUTE = 60
    QUARTER_HOUR = 900
    HOUR = 3600
    DAY = 86_400

    @property
    def width(self) -> timedelta:
        """Its usual length."""
        return timedelta(seconds=self.value)

    @property
    def finer(self) -> Tier | None:
        """The tier that it is made of; None for one that is made of readings."""
        return {Tier.QUARTER_HOUR: Tier.MINUTE, Tier.HOUR: Tier.QUARTER_HOUR, Tier.DAY: Tier.HOUR}.get(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long readings and each tier are kept, in time with readings; None keeps for ever. Entries always are."""

    readings: timedelta | None = timedelta(days=14)
    minutes: timedelta | None = timedelta(days=90)
    quarter_hours: timedelta | None = timedelta(days=3 * 366)
    hours: timedelta | None = None
    days: timedelta | None = None

    def of(self, tier: Tier) -> timedelta | None:
        """That of a tier."""
        return {
            Tier.MINUTE: self.minutes, Tier.QUARTER_HOUR: self.quarter_hours, Tier.HOUR: self.hours,
            Tier.DAY: self.days,
        }[tier]  # fmt: skip


class RollupStats(NamedTuple):
    """Readings, lowest, sum and highest of one quantity; None where no reading gave it."""

    readings: int
    lowest: int | None
    total: int | None
    highest: int | None

    def merged(self, other: RollupStats) -> RollupStats:
        """Those of both times together."""
        if not (self.readings and other.readings):
            return self if self.readings else other
        assert self.lowest is not None
        assert self.total is not None
        assert self.highest is not None
        assert other.lowest is not None
        assert other.total is not None
        assert other.highest is not None
        return RollupStats(
            self.readings + other.readings, min(self.lowest, other.lowest), self.total + other.total,
            max(self.highest, other.highest),
        )  # fmt: skip


NOTHING: Final = RollupStats(0, None, None, None)


def bucket(tier: Tier, at_us: int, zone: tzinfo) -> tuple[int, int]:
    """Start and end of the time of a tier that a moment lies in, all in microseconds.

    Minutes and quarter hours are those of UTC, and so of every zone in use. Hours are counted from local midnight, as
    the ledger does, and a day is a local one.
    """
    width = tier.value * _SECOND_US
    if tier in {Tier.MINUTE, Tier.QUARTER_HOUR}:
        start = at_us // width * width
        return start, start + width
    # Local, not of UTC: a day of the chart would begin at 02:00 (ADR 38).
    first, last = (microseconds(moment) for moment in local_day(from_microseconds(at_us), zone))
    if tier is Tier.DAY:
        return first, last
    start = first + (at_us - first) // width * width
    return start, min(start + width, last)


def zone_name(zone: tzinfo) -> str:
    """The name of a zone as it is stored; empty for that of the machine."""
    return str(getattr(zone, "key", ""))
