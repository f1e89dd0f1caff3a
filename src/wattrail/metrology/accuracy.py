"""What an accuracy test found, and what follows: the class that holds, and the causes that explain the errors. Pure.

Errors are in per cent of the reference, uncertainties are for 95 %. The energy error carries the sign of the power
register, because that is what divides energy into import and export.

Causes are told apart by how the error depends on the phase of the load. A ratio error r and a lead d of the current
channel (a transformer's phase error) make

    error = (1 + r) cos(phi - d) / cos(phi) - 1  =  r + d tan(phi)  for small ones

so the difference between 0.5 inductive (phi = 60 degrees, tan = 1.732) and 0.8 capacitive (phi = -36.87, tan = -0.75)
gives d, and unity gives r.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Final

from wattrail.metrology.iec62053 import CLASSES, AccuracyClass, BasicRange, LoadPhase, LoadPoint, limit_at

__all__ = [
    "COVERAGE",
    "Figure",
    "NoLoad",
    "PointResult",
    "Start",
    "Verdict",
    "best_class",
    "causes",
    "judge",
    "phase_lead_degrees",
    "power_figure",
]

COVERAGE: Final = 2.0
"""Standard deviations in every uncertainty: 95 %."""

_TAN: Final = {LoadPhase.INDUCTIVE: math.tan(math.acos(0.5)), LoadPhase.CAPACITIVE: -math.tan(math.acos(0.8))}

_NEAR = 5.0
"""Per cent within which an error is taken for a wiring that gives 0, -1, 2, 3... times the current."""

_MIN_LEAD = 0.05
_MIN_RATIO = 0.1
"""Degrees and per cent below which an error is not worth a cause."""


class Verdict(StrEnum):
    """Whether a limit is kept: for certain, for certain not, or not to be decided within the uncertainty."""

    HOLDS = "holds"
    OPEN = "open"
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Figure:
    """An error and its uncertainty, both in per cent."""

    error: float
    uncertainty: float

    def __str__(self) -> str:
        error = f"{self.error:+.2f}"
        return f"{'0.00' if float(error) == 0 else error} ± {self.uncertainty:.2f}"

    def against(self, limit: float) -> Verdict:
        """Whether it keeps a limit."""
        if abs(self.error) + self.uncertainty <= limit:
            return Verdict.HOLDS
        return Verdict.FAILS if abs(self.error) - self.uncertainty > limit else Verdict.OPEN


def power_figure(
    watts: float, reference: float, *, scatter: float, step: float, reference_percent: float = 0.0
) -> Figure:
    """The error of a mean of readings against a reference other than 0, all in watts.

    ``scatter`` is the standard deviation of the mean, ``step`` the least step of a reading, ``reference_percent`` the
    uncertainty of the reference (95 %).
    """
    own = 100 * COVERAGE * math.hypot(scatter, step / math.sqrt(12)) / abs(reference)
    return Figure(100 * (watts - reference) / reference, math.hypot(own, reference_percent))


@dataclass(frozen=True, slots=True, kw_only=True)
class PointResult:
    """One load: what really flowed, what the meter said, by power register and by energy counter.

    ``energy`` is None where the counter was not waited for. ``counts`` whole counts in ``seconds`` were timed from
    edge to edge; ``one_count`` is the share of one of them in per cent, the error of a test that counts without timing.
    """

    point: LoadPoint
    reference_watts: float
    watts: float
    power: Figure
    energy: Figure | None
    counts: int
    seconds: float
    one_count: float | None

    @property
    def figure(self) -> Figure:
        """The error that a class is judged by: energy, else power."""
        return self.energy or self.power


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A starting-current test: whether the counter moved, and within what time it had to."""

    class_name: str
    amps: float
    started: bool
    counts: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NoLoad:
    """The test without load: not more than one count may come."""

    volts: float
    minutes: float
    counts: int

    @property
    def passed(self) -> bool:
        """Whether the meter stood still."""
        return self.counts <= 1


def judge(
    class_: AccuracyClass,
    range_: BasicRange,
    points: Iterable[PointResult],
    starts: Iterable[Start],
    no_load: NoLoad | None,
) -> tuple[Verdict, tuple[str, ...]]:
    """Whether a class holds as far as it was tested, and what speaks against it."""
    verdicts, against = [], []
    for result in points:
        limit = limit_at(class_, result.point, range_)
        if limit is None:
            continue
        verdicts.append(verdict := result.figure.against(limit))
        if verdict is not Verdict.HOLDS:
            against.append(f"{result.point.amps:g} A at {result.point.phase}: {result.figure} %, limit {limit:g} %")
    for start in starts:
        if start.class_name == class_.name and not start.started:
            verdicts.append(Verdict.FAILS)
            against.append(f"does not start at {start.amps * 1000:g} mA")
    if no_load is not None and not no_load.passed:
        verdicts.append(Verdict.FAILS)
        against.append(f"{no_load.counts} counts without load")
    if not verdicts:
        return Verdict.OPEN, ("nothing was measured that this class has a limit for",)
    worst = next(v for v in (Verdict.FAILS, Verdict.OPEN, Verdict.HOLDS) if v in verdicts)
    return worst, tuple(against)


def best_class(
    range_: BasicRange, points: Sequence[PointResult], starts: Sequence[Start], no_load: NoLoad | None
) -> AccuracyClass | None:
    """The strictest class that holds as far as it was tested."""
    return next((c for c in CLASSES if judge(c, range_, points, starts, no_load)[0] is Verdict.HOLDS), None)


def phase_lead_degrees(points: Iterable[PointResult]) -> float | None:
    """By how many degrees the current channel leads the voltage channel; None if reactive points are missing."""
    usual = {phase: _usual(points, phase) for phase in LoadPhase} if (points := tuple(points)) else {}
    lagging, leading = usual.get(LoadPhase.INDUCTIVE), usual.get(LoadPhase.CAPACITIVE)
    if lagging is None or leading is None:
        return None
    # exact for one angle: (1+e) = (1+r)(cos d + tan(phi) sin d), and both share r and cos d
    # At -100 % nothing was seen, and no angle follows from nothing.
    ratio = (1 + lagging / 100) / (1 + leading / 100) if leading > -99 else math.inf
    # No turned current puts the two so far apart: then a load or a wire was not what was said.
    if not 0.5 < ratio < 2:
        return None
    tangent = (ratio - 1) / (_TAN[LoadPhase.INDUCTIVE] - ratio * _TAN[LoadPhase.CAPACITIVE])
    return math.degrees(math.atan(tangent))


def causes(points: Sequence[PointResult]) -> tuple[str, ...]:
    """What the errors look like, a sentence each, with what cannot be known from here."""
    unity = _usual(points, LoadPhase.UNITY)
    if unity is None:
        return ()
    found = [] if (falls_off := _clipping(points, unity)) is None else [falls_off]
    # A gross error hides the small ones, so no phase and no ratio are named beside it.
    if (wiring := _wiring(unity)) is not None:
        return (wiring, *found)
    # Apart from the ratio, for a calibration takes that away and leaves this: half a degree is enough to lose class 1
    # at 0.5 inductive (docs/accuracy.md).
    lead = phase_lead_degrees(points)
    if lead is not None and abs(lead) >= _MIN_LEAD:
        found.append(
            f"the current channel {'leads' if lead > 0 else 'lags'} by {abs(lead):.2f}°: nothing at power factor 1, "
            f"{100 * _TAN[LoadPhase.INDUCTIVE] * math.radians(lead):+.1f} % at 0.5 inductive. It is the phase error of "
            "the transformer and its filter; the chip has no register to correct it"
        )
    if abs(unity) >= _MIN_RATIO:
        found.append(
            f"a ratio error of {unity:+.2f} %: burden, divider and reference voltage have tolerances, a wire off the "
            "middle of the hole adds a little. A calibration takes it away"
        )
    return tuple(found)


def _wiring(unity: float) -> str | None:
    """A gross error that looks like wires, as text."""
    times = 1 + unity / 100
    nearest = round(times)
    if nearest == 1 or abs(times - nearest) * 100 > _NEAR * max(1, abs(nearest)):
        return None
    if nearest == 0:
        return (
            "nothing is seen: line and neutral both pass the hole and their fields cancel, or no wire passes it. "
            "A transformer sees the difference of what passes; thread the line alone"
        )
    if nearest == -1:
        return (
            "the sign is turned: the wire passes the hole the other way, or the neutral is threaded in the place of "
            "the line; a transformer cannot tell these two apart. Turn the wire, or set inverted = true"
        )
    way = ", and the other way" if nearest < 0 else ""
    return f"{abs(nearest)} times the current: the wire passes the hole {abs(nearest)} times{way}"


def _clipping(points: Sequence[PointResult], unity: float) -> str | None:
    """The largest current falling behind the others, as text."""
    largest = max((p for p in points if p.point.phase is LoadPhase.UNITY), key=lambda p: p.point.amps)
    if abs(1 + largest.figure.error / 100) >= 0.98 * abs(1 + unity / 100):
        return None
    return f"at {largest.point.amps:g} A it falls behind: the chip's input has reached its limit"


def _usual(points: Iterable[PointResult], phase: LoadPhase) -> float | None:
    """The usual error at the points of a phase that are certain to a fifth of a per cent; else at its surest."""
    figures = [p.figure for p in points if p.point.phase is phase]
    sure = [f.error for f in figures if f.uncertainty <= 0.2]
    if sure:
        return median(sure)
    return min(figures, key=lambda f: f.uncertainty).error if figures else None
