"""A meter's power beside what a person read off a reference, at one load of an accuracy test. Pure.

Both are watts. The last digit that the reference shows says how finely it was read; its class says how far it may be
off. A meter's own step is that of its power register, or of the digits that a network meter sends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final, Self

from wattrail.errors import WattrailError
from wattrail.metrology.accuracy import COVERAGE, PointResult, power_figure
from wattrail.metrology.calibrate import STEADY_WITHIN, Given
from wattrail.metrology.iec62053 import LoadPoint

__all__ = ["AccuracyError", "ReferencePower", "decimal_step", "point_result", "unsteady_power"]

_PHASE_WITHIN: Final = 0.05
"""How far a power factor may be from that of a test point."""

_LOAD_WITHIN: Final = 0.1
"""How far a load may be from a test point, as a fraction, and still stand for it."""

_MAX_DECIMALS: Final = 3


class AccuracyError(WattrailError, ValueError):
    """Numbers that give no error of a meter."""


@dataclass(frozen=True, slots=True)
class ReferencePower:
    """Watts by a reference, negative for export, and their uncertainty in per cent (95 %)."""

    watts: float
    percent: float
    power_factor: float | None = None

    @classmethod
    def typed(cls, *, watts: str, volts: str, amps: str, power_factor: str, class_percent: float) -> Self:
        """What a person read off: watts, or volts, amperes and power factor; empty where it is not known.

        A power factor of 1 is taken to be exact: a resistive load. Raises AccuracyError, CalibrationError.
        """
        factor = None if not power_factor else _power_factor(power_factor)
        if watts:
            shown = Given.typed(watts)
            value, fraction = shown.value, shown.error / abs(shown.value)
        elif volts and amps and factor:
            parts = [Given.typed(volts), Given.typed(amps), factor]
            if any(part.value < 0 for part in parts):
                raise AccuracyError("only watts have a sign", hint="type the watts: negative is export")
            value = math.prod(part.value for part in parts)
            fraction = math.hypot(*(part.error / part.value for part in parts))
        else:
            raise AccuracyError(
                "the reference's power is not known: no watts, and not all of volts, amperes and power factor",
                hint="type the watts that it shows, or volts, amperes and power factor",
            )
        percent = math.hypot(100 * COVERAGE * fraction, class_percent)
        return cls(value, percent, factor.value if factor else None)

    def point(self, asked: LoadPoint) -> LoadPoint:
        """The point that the load stands for: the one asked for, or one of its own where the current is another.

        Raises AccuracyError for another kind of load.
        """
        wanted = asked.phase.power_factor
        if self.power_factor is not None and abs(self.power_factor - wanted) > _PHASE_WITHIN:
            raise AccuracyError(
                f"the power factor is {self.power_factor:g}, and this test point has {asked.phase}",
                hint="set the load of this point, or skip it",
            )
        amps = abs(self.watts) / (asked.volts * wanted)
        near = abs(amps / asked.amps - 1) <= _LOAD_WITHIN
        return asked if near else LoadPoint(asked.volts, round(amps, 3), asked.phase)


def unsteady_power(watts: Sequence[float], step: float) -> str | None:
    """By how much the power moved, if that was too far; up to two steps of a reading are not a movement."""
    width, size = max(watts) - min(watts), abs(fmean(watts))
    # Two steps: a value on the edge between two shows now the one, now the other.
    if width <= STEADY_WITHIN * size + 2 * step:
        return None
    by = f"{100 * width / size:.1f} %" if size else f"{width:g} W"
    return f"the power moved by {by} within {len(watts)} readings, and {100 * STEADY_WITHIN:g} % is allowed"


def decimal_step(watts: Sequence[float]) -> float:
    """The step of readings that come as decimals: the last digit that one of them has, to a thousandth."""
    return min(10.0 ** -len(f"{one:.{_MAX_DECIMALS}f}".rstrip("0").partition(".")[2]) for one in watts)


def point_result(point: LoadPoint, watts: Sequence[float], step: float, reference: ReferencePower) -> PointResult:
    """The error of several readings at one load."""
    mean = fmean(watts)
    scatter = stdev(watts) / math.sqrt(len(watts)) if len(watts) > 1 else 0.0
    power = power_figure(mean, reference.watts, scatter=scatter, step=step, reference_percent=reference.percent)
    return PointResult(
        point=point, reference_watts=reference.watts, watts=mean, power=power,
        energy=None, counts=0, seconds=0.0, one_count=None,
    )  # fmt: skip


def _power_factor(text: str) -> Given:
    found = Given.typed(text)
    if not 0 < found.value <= 1:
        raise AccuracyError(f"{text!r} is not a power factor", hint="type it as a number above 0, and at most 1: 0.5")
    # Typed as "1" it would be uncertain by a whole unit; a resistive load has no doubt in it.
    return Given(1.0) if found.value == 1 else found
