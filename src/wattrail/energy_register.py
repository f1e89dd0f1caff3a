"""Energy registers of any meter: what one count is, how the register can fall, and what a boot leaves as evidence.

A register is what a device shows as its energy so far: the pulse counter of a metering chip, "total" of a firmware,
1.8.0 of a utility meter. They differ in the step, in what they add up, and above all in when they fall without any
energy having flowed back; the ledger books all of them by one rule, from what stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

__all__ = [
    "MWH_PER_KWH",
    "BootEvidence",
    "Direction",
    "EnergyRegister",
    "Freshness",
    "Persistence",
    "RegisterCount",
    "fastest",
]

_US_PER_HOUR: Final = 3_600_000_000

MWH_PER_KWH: Final = 1_000_000
"""Energy is counted in milliwatt-hours and shown in kilowatt-hours."""


class Direction(StrEnum):
    """What a register adds up."""

    IMPORT = "import"
    EXPORT = "export"
    SUM = "sum"  # import + export: absolute counters, firmware without a sign
    NET = "net"  # import - export: algebraic counters; it falls while exporting


class Persistence(StrEnum):
    """What a power cut does to a register."""

    KEPT = "A"  # billing or non-volatile: a fall is an error, never a reset
    SAVED = "B"  # falls back to a former value of its own
    VOLATILE = "C"  # begins at 0 with each boot
    PERIODIC = "D"  # 0 at a known local time or on command
    UNKNOWN = "E"  # as SAVED, with every fall confirmed by a second reading


class Freshness(StrEnum):
    """How a value came to us, and thereby how old it may be."""

    POLLED = "polled"  # asked for, and measured after the question
    PUSHED = "pushed"  # sent by the device when it was measured
    RETAINED = "retained"  # kept by a broker: of unknown age
    CACHED = "cached"  # repeated by a device or bridge that need not have asked its meter


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyRegister:
    """One register of one meter.

    ``step_mwh`` is the exact energy of one count in milliwatt-hours. ``modulus`` is the number of counts after which
    it begins again at 0, None where it has no such end. ``slack`` is how many counts it may fall without meaning
    anything. ``max_counts_per_us`` is how fast it can count at most.

    ``is_confirmed``: every count was read twice before it is given (a chip on a wire), so that none waits for a second
    one. ``may_rise``: after a power cut it may show more than it counted (Tasmota#16791; a difference of registers).
    ``is_estimated``: the device counts no energy, and whoever reads it has added up its power over the time watched.
    """

    name: str
    step_mwh: Fraction
    direction: Direction
    persistence: Persistence
    max_counts_per_us: Fraction
    modulus: int | None = None
    slack: int = 0
    is_confirmed: bool = False
    may_rise: bool = False
    is_estimated: bool = False

    def __post_init__(self) -> None:
        if self.step_mwh <= 0 or self.max_counts_per_us <= 0:
            raise ValueError(f"register {self.name}: step and speed must be positive")

    def __hash__(self) -> int:
        """Of a part, which equal registers share: to hash its fractions takes as long as to book a reading."""
        return hash((self.name, self.direction, self.step_mwh.numerator))

    def milliwatt_hours(self, counts: int) -> Fraction:
        """Exact energy of a number of counts."""
        return counts * self.step_mwh


@dataclass(frozen=True, slots=True)
class RegisterCount:
    """What a register shows, in its own counts."""

    register: EnergyRegister
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BootEvidence:
    """What a device says about its own restarts; None or empty for what it does not say.

    ``is_reset`` is True where a setting was found at its reset value (a metering chip), one sign of a restart.
    ``uptime_age_s`` is how much earlier than its reading the uptime was read, at most. ``start_stamp`` is since when a
    firmware says that its total counts. ``revision`` changes with the configuration or the firmware: counts never cross
    such a change.
    """

    is_reset: bool = False
    uptime_s: float | None = None
    uptime_age_s: float = 0.0
    boot_count: int | None = None
    reset_reason: str = ""
    is_power_on: bool | None = None
    start_stamp: str = ""
    revision: str = ""


def fastest(watts_max: int, step_mwh: Fraction) -> Fraction:
    """The most counts per microsecond of a register behind a supply of at most ``watts_max`` watts."""
    return watts_max * 1000 / step_mwh / _US_PER_HOUR
