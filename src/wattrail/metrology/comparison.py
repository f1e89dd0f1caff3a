"""Deviation of one meter from another that measure the same conductor side by side, with its uncertainty. Pure.

Method: JCGM 100:2008 (GUM), uncertainties expanded by k = 2, about 95 %; the two agree where the normalised error
E_n = |deviation| / uncertainty is at most 1 (ISO/IEC 17043). Only what both have seen is compared.

Power. The samples of one are interpolated to the times of the other, and the differences averaged: a load that changes
cancels out. Their noise is of type A, s / sqrt(n), with n reduced by the lag-1 autocorrelation r to
n (1 - r) / (1 + r): neighbours on a slope are not independent. The step of shown values is of type B, step / sqrt(12).

Energy. Both registers are interpolated to a common begin and end. Each end knows its register to one step
(step / sqrt(12)), the age of its value to ``age_s`` (power there times age / sqrt(12), around half that age), and a
load that changes between two samples there to a quarter of it (change times interval / 4 sqrt(3)). Two ends
of two meters.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from statistics import fmean, stdev
from types import MappingProxyType
from typing import Final

from wattrail.energy_register import Direction, RegisterCount
from wattrail.metrology.accuracy import COVERAGE
from wattrail.units import Reading

__all__ = ["Agreement", "MeterComparison", "MeterDeviation", "MeterSeries", "compare"]

MIN_PAIRS: Final = 5
"""Pairs of power below which their scatter is not known."""

MAX_OPEN_PERCENT: Final = 5.0
"""An uncertainty beyond which agreement says nothing."""

_AIM_PERCENT: Final = 1.0
_MAX_PERCENT: Final = 1000.0
_CAUSES: Final[Mapping[float, str]] = MappingProxyType(
    {
        1000.0: "about 1000 times more: a unit is mistaken",
        0.001: "about 1000 times less: a unit is mistaken",
        -1.0: "the other sign: one of the two is wired, or set, the other way round",
    }
)
_RECTANGULAR: Final = math.sqrt(12)
_MAX_AUTOCORRELATION: Final = 0.99


class Agreement(StrEnum):
    """What a deviation says: E_n at most 1, above 1, or an uncertainty too large to say."""

    AGREE = "agree"
    DIFFER = "differ"
    OPEN = "open"


class MeterSeries:
    """What one meter has shown: power in watts, energy in milliwatt-hours, by seconds of one monotonic clock.

    ``age_s`` is how old a shown value may be; on average it belongs to half that time before.
    """

    def __init__(self, *, age_s: float = 1.0) -> None:
        self.age_s = age_s
        self.power: list[tuple[float, float]] = []
        self.energy: list[tuple[float, Fraction]] = []
        self.step_mwh = Fraction(0)
        self.directions: frozenset[Direction] = frozenset()
        self.has_fallen = False
        self._counts: dict[str, int] = {}
        self._rise_mwh = Fraction(0)

    def add(self, reading: Reading) -> None:
        """Take a reading. All its energy registers together are compared; a wrap is undone, a fall is remembered."""
        at = reading.monotonic - self.age_s / 2
        # Strictly later: two values of one moment have no line between them.
        if reading.watts is not None and (not self.power or at > self.power[-1][0]):
            self.power.append((at, reading.watts))
        # An estimated register is power times time: compared as energy, power would count twice.
        if reading.registers and not reading.is_estimated and (not self.energy or at > self.energy[-1][0]):
            self._rise_mwh += sum(map(self._rise, reading.registers))
            self.energy.append((at, self._rise_mwh))

    def _rise(self, count: RegisterCount) -> Fraction:
        register = count.register
        self.directions |= {register.direction}
        self.step_mwh = max(self.step_mwh, register.step_mwh)
        rise = count.count - self._counts.get(register.name, count.count)
        self._counts[register.name] = count.count
        # A register of net falls while energy flows back, and nothing is wrong with it.
        if rise < 0 and register.direction is not Direction.NET:
            if register.modulus:
                rise += register.modulus
            elif -rise > register.slack:
                self.has_fallen = True
        return register.milliwatt_hours(rise)


@dataclass(frozen=True, slots=True)
class MeterDeviation:
    """Two values of one quantity, and what lies between them; ``uncertainty`` is expanded, of ``difference``."""

    reference: float
    other: float
    uncertainty: float
    samples: int

    @property
    def difference(self) -> float:
        """The other less the reference."""
        return self.other - self.reference

    @property
    def percent(self) -> float | None:
        """Of the reference; None where that is 0."""
        return 100 * self.difference / abs(self.reference) if self.reference else None

    @property
    def uncertainty_percent(self) -> float | None:
        """Of the reference; None where that is 0."""
        return 100 * self.uncertainty / abs(self.reference) if self.reference else None

    @property
    def normalised(self) -> float:
        """E_n: the size of the difference over its uncertainty."""
        return abs(self.difference) / self.uncertainty if self.uncertainty else math.inf

    @property
    def agreement(self) -> Agreement:
        """Whether the two agree within the uncertainty."""
        if self.normalised > 1:
            return Agreement.DIFFER
        percent = self.uncertainty_percent
        return Agreement.OPEN if percent is None or percent > MAX_OPEN_PERCENT else Agreement.AGREE


@dataclass(frozen=True, slots=True)
class MeterComparison:
    """What two meters have shown side by side; a quantity that cannot be compared is None, and ``reasons`` say why."""

    seconds: float
    power: MeterDeviation | None
    energy: MeterDeviation | None
    reasons: tuple[str, ...] = ()

    @property
    def agreement(self) -> Agreement:
        """A difference in either quantity is one; else what the better known of them says."""
        known = [one for one in (self.energy, self.power) if one is not None]
        if any(one.agreement is Agreement.DIFFER for one in known):
            return Agreement.DIFFER
        return Agreement.AGREE if any(one.agreement is Agreement.AGREE for one in known) else Agreement.OPEN

    @property
    def verdict(self) -> str:
        """One sentence about the other meter against the reference."""
        known = [(name, one) for name, one in (("energy", self.energy), ("power", self.power)) if one is not None]
        differing = [pair for pair in known if pair[1].agreement is Agreement.DIFFER]
        if differing:
            name, one = differing[0]
            return f"they differ in {name}: {_written(one)}{_cause(one)}"
        agreeing = [pair for pair in known if pair[1].agreement is Agreement.AGREE]
        if agreeing:
            name, one = min(agreeing, key=lambda pair: pair[1].uncertainty_percent or math.inf)
            return f"they agree within the uncertainty: {name} {_written(one)}"
        return f"too little to judge{self._advice()}"

    def _advice(self) -> str:
        watts = abs(self.power.reference) if self.power else 0.0
        if self.energy is None or watts < 1:
            return ": compare for longer, with a load"
        minutes = math.ceil(self.energy.uncertainty / (watts * _AIM_PERCENT / 100) * 60)
        return f": at this load, {minutes} minutes give an uncertainty of {_AIM_PERCENT:g} % in energy"


def compare(reference: MeterSeries, other: MeterSeries) -> MeterComparison:
    """The deviation of ``other`` from ``reference`` over the time that both have seen."""
    reasons: list[str] = []
    power = _compare_power(reference, other, reasons)
    energy, seconds = _compare_energy(reference, other, reasons)
    span = _common(reference.power, other.power)
    return MeterComparison(seconds or (span[1] - span[0] if span else 0.0), power, energy, tuple(reasons))


def _compare_power(reference: MeterSeries, other: MeterSeries, reasons: list[str]) -> MeterDeviation | None:
    span = _common(reference.power, other.power)
    # The fewer samples are kept as they are: interpolation of many to few invents nothing.
    dense, sparse = sorted((reference.power, other.power), key=len, reverse=True)
    times = [at for at, _ in sparse if span and span[0] <= at <= span[1]]
    if len(times) < MIN_PAIRS:
        reasons.append(f"power is not compared: {len(times)} pairs of readings, at least {MIN_PAIRS} are needed")
        return None
    at_dense, at_sparse = [_at(dense, at) for at in times], [_at(sparse, at) for at in times]
    ours, theirs = (at_dense, at_sparse) if dense is reference.power else (at_sparse, at_dense)
    noise = _mean_uncertainty([b - a for a, b in zip(ours, theirs, strict=True)])
    steps = [_step_of(value for _, value in series) / _RECTANGULAR for series in (reference.power, other.power)]
    return MeterDeviation(fmean(ours), fmean(theirs), COVERAGE * math.hypot(noise, *steps), len(times))


def _compare_energy(
    reference: MeterSeries, other: MeterSeries, reasons: list[str]
) -> tuple[MeterDeviation | None, float | None]:
    if reason := _obstacle(reference, other):
        reasons.append(f"energy is not compared: {reason}")
        return None, None
    span = _common(reference.energy, other.energy)
    if span is None:
        reasons.append("energy is not compared: no register was seen twice by both in the same time")
        return None, None
    seconds, rises, variance = span[1] - span[0], [], 0.0
    watts = [*reference.power, *other.power]
    for series in (reference, other):
        rise_mwh = _at(series.energy, span[1]) - _at(series.energy, span[0])
        rises.append(rise_mwh / 1000)
        mean_watts = abs(rise_mwh) / 1000 / seconds * 3600
        variance += sum(_end_variance(series, end, watts, mean_watts) for end in span)
    samples = min(len(reference.energy), len(other.energy))
    return MeterDeviation(rises[0], rises[1], COVERAGE * math.sqrt(variance), samples), seconds


def _end_variance(series: MeterSeries, at: float, power: Sequence[tuple[float, float]], mean_watts: float) -> float:
    """Variance of a register at one end of the comparison, in Wh squared."""
    interval = (series.energy[-1][0] - series.energy[0][0]) / (len(series.energy) - 1)
    reach = max(interval, series.age_s)
    near = [abs(watts) for when, watts in power if abs(when - at) <= reach] or [mean_watts]
    # Anywhere within a step, or an age, is as likely: rectangular distributions. Source: jcgm/gum
    step = float(series.step_mwh) / 1000 / _RECTANGULAR
    age = max(near) * series.age_s / 3600 / _RECTANGULAR
    between = (max(near) - min(near)) * interval / 3600 / 4 / math.sqrt(3)
    return step**2 + age**2 + between**2


def _obstacle(reference: MeterSeries, other: MeterSeries) -> str:
    if not reference.energy or not other.energy:
        return "one of the two shows no energy register"
    if reference.has_fallen or other.has_fallen:
        return "a register fell meanwhile"
    watts = [value for _, value in (*reference.power, *other.power)]
    is_exporting = bool(watts) and min(watts) < 0
    gross = [_is_gross(series.directions) for series in (reference, other)]
    # Without export net, sum and import are the same number.
    if is_exporting and not (all(gross) or reference.directions == other.directions):
        sums = [", ".join(sorted(series.directions)) for series in (reference, other)]
        return f"energy flows back, and the registers add up different things: {sums[0]} and {sums[1]}"
    return ""


def _is_gross(directions: frozenset[Direction]) -> bool:
    return directions in ({Direction.SUM}, {Direction.IMPORT, Direction.EXPORT})


def _common(
    one: Sequence[tuple[float, float | Fraction]], two: Sequence[tuple[float, float | Fraction]]
) -> tuple[float, float] | None:
    """The time that both series cover, None where it has no length."""
    if not one or not two:
        return None
    begin, end = max(one[0][0], two[0][0]), min(one[-1][0], two[-1][0])
    return (begin, end) if end > begin else None


def _at(series: Sequence[tuple[float, float | Fraction]], at: float) -> float:
    """A series at a time within it, by linear interpolation."""
    index = min(max(bisect_right(series, at, key=lambda point: point[0]), 1), len(series) - 1)
    (before_at, before), (after_at, after) = series[index - 1], series[index]
    share = (at - before_at) / (after_at - before_at)
    return float(before) + float(after - before) * share


def _mean_uncertainty(values: Sequence[float]) -> float:
    """Standard uncertainty of the mean of values that may depend on their neighbours."""
    scatter = stdev(values)
    if not scatter:
        return 0.0
    mean = fmean(values)
    products = sum((one - mean) * (two - mean) for one, two in pairwise(values))
    # A load that ramps makes neighbours alike: counted as independent they would claim more certainty than there is.
    correlation = min(max(products / (scatter**2 * (len(values) - 1)), 0.0), _MAX_AUTOCORRELATION)
    independent = max(len(values) * (1 - correlation) / (1 + correlation), 1.0)
    return scatter / math.sqrt(independent)


def _step_of(values: Iterable[float]) -> float:
    """The step in which values are shown: the largest power of ten of which all of them are multiples, 0 for none."""
    shown = list(values)
    for decimals in range(4):
        if all(abs(value - round(value, decimals)) < 1e-9 for value in shown):
            return float(10.0**-decimals)
    return 0.0


def _written(one: MeterDeviation) -> str:
    if one.percent is None or one.uncertainty_percent is None:
        return f"{one.difference:+.3g} ± {one.uncertainty:.2g}"
    if abs(one.percent) > _MAX_PERCENT:
        return f"{one.other / one.reference:.0f} times the reference"
    return f"{one.percent:+.2f} % ± {one.uncertainty_percent:.2f} %"


def _cause(one: MeterDeviation) -> str:
    """What a round ratio points to, or nothing."""
    for factor, words in _CAUSES.items():
        expected = factor * one.reference
        if one.reference and abs(one.other - expected) <= min(abs(expected), 0.1 * abs(expected) + one.uncertainty):
            return f"; {words}"
    return ""
