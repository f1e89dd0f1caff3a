"""What is asked of a meter for active energy: test points, limits of error, starting current, no load. Data only.

Classes 1 and 2 are those of IEC 62053-21:2003, table 6; class 0.5 S is that of IEC 62053-22:2003, table 4, made for
meters behind transformers and used here as a yardstick with the basic current in the place of the rated one. The
second edition of part 21 (2020) has a class 0.5 of its own, which is not in these tables. A report made with them
does not replace a type test, which asks for temperature, fields, supply, self-heating and more, and for an accredited
laboratory.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = [
    "CLASSES",
    "AccuracyClass",
    "BasicRange",
    "Limit",
    "LoadPhase",
    "LoadPoint",
    "limit_at",
    "no_load_minutes",
    "points_for",
]


class LoadPhase(StrEnum):
    """The three kinds of load at which a meter is tested."""

    UNITY = "1"
    INDUCTIVE = "0.5 inductive"
    CAPACITIVE = "0.8 capacitive"

    @property
    def power_factor(self) -> float:
        """As a number."""
        return {LoadPhase.UNITY: 1.0, LoadPhase.INDUCTIVE: 0.5, LoadPhase.CAPACITIVE: 0.8}[self]

    @property
    def leads(self) -> bool:
        """Whether the current runs ahead of the voltage."""
        return self is LoadPhase.CAPACITIVE


@dataclass(frozen=True, slots=True)
class Limit:
    """The largest error in per cent from ``begins`` times the basic current on, up to where the next one begins."""

    phase: LoadPhase
    begins: float
    percent: float


@dataclass(frozen=True, slots=True)
class AccuracyClass:
    """An accuracy class. ``starts`` is its starting current over the basic one, ``no_load`` a constant of its test."""

    name: str
    standard: str
    limits: tuple[Limit, ...]
    starts: float
    no_load: float


@dataclass(frozen=True, slots=True)
class BasicRange:
    """What a meter is built for: reference voltage, basic and largest current."""

    volts: float = 230.0
    basic_amps: float = 5.0
    max_amps: float = 50.0


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """One load to put on a meter."""

    volts: float
    amps: float
    phase: LoadPhase

    @property
    def watts(self) -> float:
        """Active power."""
        return self.volts * self.amps * self.phase.power_factor


U, L, C = LoadPhase.UNITY, LoadPhase.INDUCTIVE, LoadPhase.CAPACITIVE

# fmt: off
CLASSES: Final = (
    AccuracyClass("0.5 S", "IEC 62053-22:2003", (
        Limit(U, 0.01, 1.0), Limit(U, 0.05, 0.5),
        Limit(L, 0.02, 1.0), Limit(L, 0.10, 0.6),
        Limit(C, 0.02, 1.0), Limit(C, 0.10, 0.6),
    ), starts=0.001, no_load=600e6),
    AccuracyClass("1", "IEC 62053-21:2003", (
        Limit(U, 0.05, 1.5), Limit(U, 0.10, 1.0),
        Limit(L, 0.10, 1.5), Limit(L, 0.20, 1.0),
        Limit(C, 0.10, 1.5), Limit(C, 0.20, 1.0),
    ), starts=0.004, no_load=600e6),
    AccuracyClass("2", "IEC 62053-21:2003", (  # asks nothing at 0.8 capacitive
        Limit(U, 0.05, 2.5), Limit(U, 0.10, 2.0),
        Limit(L, 0.10, 2.5), Limit(L, 0.20, 2.0),
    ), starts=0.005, no_load=480e6),
)
# fmt: on
"""From the strictest to the mildest."""

_UNITY = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
_SHIFTED = (0.02, 0.1, 0.2, 0.5, 1.0)
"""Shares of the basic current, at which some limit begins, and a few between; half and all of the largest follow."""

NO_LOAD_VOLTS: Final = 1.15
"""Share of the reference voltage in the test without load."""


def points_for(range_: BasicRange) -> tuple[LoadPoint, ...]:
    """Every point, phase by phase, from the smallest current to the largest."""
    found = []
    for phase in LoadPhase:
        shares = _UNITY if phase is LoadPhase.UNITY else _SHIFTED
        amps = {round(share * range_.basic_amps, 6) for share in shares}
        amps |= {range_.max_amps / 2, range_.max_amps}
        found += [LoadPoint(range_.volts, i, phase) for i in sorted(amps) if i <= range_.max_amps]
    return tuple(found)


def limit_at(class_: AccuracyClass, point: LoadPoint, range_: BasicRange) -> float | None:
    """The largest error in per cent at a point; None where the class asks for nothing."""
    share = point.amps / range_.basic_amps
    # A share is a quotient of decimals, and may miss a limit's beginning by a rounding.
    fitting = [limit for limit in class_.limits if limit.phase is point.phase and share >= limit.begins - 1e-9]
    return max(fitting, key=lambda limit: limit.begins).percent if fitting else None


def no_load_minutes(class_: AccuracyClass, range_: BasicRange, counts_per_kwh: float) -> float:
    """How long the test without load lasts at least, in which not more than one count may come."""
    return class_.no_load / (counts_per_kwh * range_.volts * range_.max_amps)
