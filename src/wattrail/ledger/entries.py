"""What the ledger is made of: raw counts over half-open UTC intervals, with the evidence they rest on.

Nothing here is energy yet. Energy is derived, by the calibration epoch an entry belongs to, whenever it is asked for;
so a new calibration does not rewrite the past, and nothing rounded is ever summed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from wattrail.energy_register import BootEvidence, EnergyRegister
from wattrail.ledger.timeline import CLOCK_SLACK

__all__ = ["BEGINNING", "STATED", "THE_END", "Entry", "EntryKind", "Epoch", "Observation", "Totals"]

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""Where the interval of an opening entry starts: before any account."""

THE_END = datetime.max.replace(tzinfo=UTC)
"""After every entry, also those of a clock that is ahead."""


class EntryKind(StrEnum):
    """Why an entry was written."""

    START = "start"  # the first reading: where counting begins, no energy
    COUNTED = "counted"  # the counter moved as it should, watched all along
    RESTART = "restart"  # the counter began again; only what it shows since is booked
    GAP = "gap"  # nobody watched; what the counter proves over it is booked, without a shape
    EPOCH = "epoch"  # from here on another calibration holds; no energy
    CLOCK = "clock"  # from here on the wall clock shows another time; no energy
    OPENING = "opening"  # stated: what an older meter showed before the first reading
    ADJUSTED = "adjusted"  # stated: energy that was never counted, or that the register began again (is_reset)
    ASSIGNED = "assigned"  # stated: counts of a gap get a direction
    REVERSED = "reversed"  # stated: another manual entry was wrong, and counts no longer


STATED = frozenset({EntryKind.OPENING, EntryKind.ADJUSTED, EntryKind.ASSIGNED, EntryKind.REVERSED})
"""Entries that a person states. They have a row of numbers of their own, so that they never meet the counter's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One reading of the registers that are booked.

    ``elapsed_us`` is the time since the reading before on a monotonic clock, in microseconds, or None when no such
    clock spans the two (the host restarted). ``count`` is what the first register of the epoch shows, ``export_count``
    what the second one does. ``watt`` is signed power: milliwatts, or the power count of a chip; None if not known.

    ``restarted`` says that a setting was found at its reset value, a sign of a restart, and ``boot`` whatever else the
    device says of its restarts. ``algebraic`` says that the register counts export downwards, ``last_pulse_negative``
    the direction of its last pulse. ``mode`` and ``status`` are kept as evidence.
    """

    at: datetime
    elapsed_us: int | None
    count: int
    watt: int | None
    mode: int = 0
    status: int = 0
    restarted: bool = False
    algebraic: bool = False
    last_pulse_negative: bool = False
    export_count: int | None = None
    boot: BootEvidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """The time during which one calibration holds.

    ``registers`` are the one or two that are booked, in the same exact step: what a count is worth in it, and how the
    register can fall. ``inverted`` says that the device's positive direction is export.
    """

    number: int
    registers: tuple[EnergyRegister, ...]
    inverted: bool = False

    def __post_init__(self) -> None:
        # One step for both: then import, export and what is left of a split are sums of integers.
        if len({register.step_mwh for register in self.registers}) != 1 or len(self.registers) > 2:
            raise ValueError(f"an epoch has one or two registers of one step, got {self.registers}")

    @property
    def step_mwh(self) -> Fraction:
        """Exact energy of one count, in milliwatt-hours."""
        return self.registers[0].step_mwh

    @property
    def is_estimated(self) -> bool:
        """Whether its counts are an estimate by power."""
        return any(register.is_estimated for register in self.registers)

    def milliwatt_hours(self, counts: int) -> Fraction:
        """Exact energy of a number of counts, in milliwatt-hours."""
        return counts * self.registers[0].step_mwh


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger, never edited.

    ``positive`` and ``negative`` are counts by the device's own sign of power, ``undirected`` those whose direction
    nothing proves. ``count`` is the register at ``end``, ``export_count`` the second one, ``mark`` and ``export_mark``
    are former values to which they may jump back.

    The rest is evidence: how long it took on a monotonic clock (0 for a gap or a restart that none spans), power
    integrated by sign (power times microseconds), what the split carries over to the next entry, the power at ``end``
    (None where it was not kept), on which the direction of a gap depends, and what the device said of its restarts.
    ``algebraic`` is None in entries of versions that did not keep it.

    A manual entry says besides who stated it and when, with the reason as its note. ``import_mwh`` and ``export_mwh``
    are exact milliwatt-hours and touch no counts; ``about`` is the sequence of the gap whose counts it gives a
    direction, from ``undirected`` (negative) to ``positive`` or ``negative``, or the last entry before a reset. One of
    kind ``REVERSED`` has the numbers of the manual entry ``about`` with the other sign, and lies at the same time.
    """

    sequence: int
    kind: EntryKind
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
    export_count: int | None = None
    mark: int | None = None
    export_mark: int | None = None
    algebraic: bool | None = False
    boot: BootEvidence | None = None
    import_mwh: int = 0
    export_mwh: int = 0
    about: int = 0
    who: str = ""
    stated_at: datetime | None = None

    @property
    def is_reset(self) -> bool:
        """Whether it states that the register began again after the entry ``about``: reset, or another meter."""
        return self.kind is EntryKind.ADJUSTED and self.about > 0

    @property
    def is_opening(self) -> bool:
        """Whether it holds from the beginning of the account: an opening, or what reverses one."""
        return self.kind in {EntryKind.OPENING, EntryKind.REVERSED} and self.start == BEGINNING

    @property
    def observation(self) -> Observation:
        """What the counter showed where it ends."""
        return Observation(
            at=self.end, elapsed_us=None, count=self.count, watt=self.watt, mode=self.mode, status=self.status,
            export_count=self.export_count, boot=self.boot,
        )  # fmt: skip

    @property
    def shaped(self) -> bool:
        """Whether its energy may be spread evenly over its interval: counted, and as long as it took.

        A gap has no shape. Neither has a counted entry whose interval is not the time that passed.
        """
        if self.kind is not EntryKind.COUNTED:
            return False
        return abs((self.end - self.start) - timedelta(microseconds=self.elapsed_us)) <= CLOCK_SLACK

    def is_over(self, at: datetime) -> bool:
        """Whether all of it lies before a moment. What happens in an instant belongs to the time after it."""
        return self.end < at or (self.end == at and self.start < at)


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
