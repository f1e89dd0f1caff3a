"""What the ledger is made of: raw counts over half-open UTC intervals, with the evidence they rest on.

Nothing here is energy yet. Energy is derived, by the calibration epoch an entry belongs to, whenever it is asked for;
so a new calibration does not rewrite the past, and nothing rounded is ever summed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from wattrail.ledger.timeline import CLOCK_SLACK

__all__ = ["BEGINNING", "CF_UNIT_US", "STATED", "Entry", "Epoch", "Kind", "Observation", "Totals"]

CF_UNIT_US = 419_430_400_000
"""WATT counts times microseconds in one count of the energy counter. Source: bl0942-ds/energy."""

_MWH_PER_COUNT = Fraction(CF_UNIT_US, 3_600_000)
"""Milliwatt-hours times counts per watt in one count of the energy counter."""

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""Where the interval of an opening entry starts: before any account."""


class Kind(StrEnum):
    """Why an entry was written."""

    START = "start"  # the first look at the counter: where counting begins, no energy
    COUNTED = "counted"  # the counter moved as it should, watched all along
    RESTART = "restart"  # the counter began again; only what it shows since is booked
    GAP = "gap"  # nobody watched; what the counter proves over it is booked, without a shape
    EPOCH = "epoch"  # from here on another calibration holds; no energy
    CLOCK = "clock"  # from here on the wall clock shows another time; no energy
    OPENING = "opening"  # stated: what an older meter showed before the first look
    ADJUSTED = "adjusted"  # stated: energy that belongs to the account and was never counted
    ASSIGNED = "assigned"  # stated: counts of a gap get a direction


STATED = frozenset({Kind.OPENING, Kind.ADJUSTED, Kind.ASSIGNED})
"""Entries that a person states. They have a row of numbers of their own, so that they never meet the counter's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One look at the energy counter.

    ``elapsed_us`` is the time since the look before on a monotonic clock, in microseconds, or None when no such
    clock spans the two (the host restarted). ``count`` is the 24-bit counter, ``watt`` the signed power count,
    ``restarted`` says that MODE was found at its reset value, a sign of a restart; ``algebraic`` that it counts
    export downwards, ``last_pulse_negative`` the direction of its last pulse. ``mode`` and ``status`` are kept as
    evidence.
    """

    at: datetime
    elapsed_us: int | None
    count: int
    watt: int
    mode: int = 0
    status: int = 0
    restarted: bool = False
    algebraic: bool = False
    last_pulse_negative: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """The time during which one calibration holds.

    ``micro_counts_per_watt`` is an integer (counts per watt, times a million), so that energy is exact.
    ``inverted`` says that the chip's positive direction is export.
    """

    number: int
    micro_counts_per_watt: int
    inverted: bool = False

    def __post_init__(self) -> None:
        if self.micro_counts_per_watt <= 0:
            raise ValueError(f"counts per watt must be positive, got {self.micro_counts_per_watt} millionths")

    @classmethod
    def of(cls, number: int, counts_per_watt: float, *, inverted: bool = False) -> Epoch:
        """An epoch from a calibration constant in counts per watt."""
        return cls(number=number, micro_counts_per_watt=round(counts_per_watt * 1_000_000), inverted=inverted)

    def milliwatt_hours(self, counts: int) -> Fraction:
        """Exact energy of a number of counts, in milliwatt-hours."""
        return counts * _MWH_PER_COUNT * 1_000_000 / self.micro_counts_per_watt


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger, never edited.

    ``positive`` and ``negative`` are counts by the chip's own sign of power, ``undirected`` are counts whose direction
    nothing proves. ``count`` is the counter at ``end``. The rest is evidence: how long it took on a monotonic clock (0
    for a gap or a restart that none spans),
    power integrated by sign (WATT counts times microseconds), what the split carries over to the next entry, and the
    power register at ``end`` (None where it was not kept), on which the direction of a gap depends.

    A stated entry says besides who stated it and when, with the reason as its note. ``import_mwh`` and ``export_mwh``
    are exact milliwatt-hours and touch no counts; ``about`` is the sequence of the gap whose counts it gives a
    direction, from ``undirected`` (negative) to ``positive`` or ``negative``.
    """

    sequence: int
    kind: Kind
    start: datetime
    end: datetime
    epoch: int
    count: int
    positive: int = 0
    negative: int = 0
    undirected: int = 0
    elapsed_us: int = 0
    readings: int = 0
    watt_us_positive: int = 0
    watt_us_negative: int = 0
    carry: int = 0
    mode: int = 0
    status: int = 0
    watt: int | None = None
    note: str = ""
    import_mwh: int = 0
    export_mwh: int = 0
    about: int = 0
    who: str = ""
    stated_at: datetime | None = None

    @property
    def shaped(self) -> bool:
        """Whether its energy may be spread evenly over its interval: counted, and as long as it took.

        A gap has no shape. Neither has a counted entry whose interval is not the time that passed.
        """
        if self.kind is not Kind.COUNTED:
            return False
        return abs((self.end - self.start) - timedelta(microseconds=self.elapsed_us)) <= CLOCK_SLACK


@dataclass(frozen=True, slots=True)
class Totals:
    """Energy registers in whole milliwatt-hours, rounded down once. Import is OBIS 1.8.0, export 2.8.0."""

    import_mwh: int
    export_mwh: int
    undirected_mwh: int = 0

    @property
    def net_mwh(self) -> int:
        """Import less export."""
        return self.import_mwh - self.export_mwh

    def less(self, earlier: Totals) -> Totals:
        """What the registers moved by since an earlier moment."""
        return Totals(
            self.import_mwh - earlier.import_mwh,
            self.export_mwh - earlier.export_mwh,
            self.undirected_mwh - earlier.undirected_mwh,
        )
