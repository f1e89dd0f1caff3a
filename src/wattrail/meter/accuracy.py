"""Testing a meter against a reference: load after load, by the power register and by the energy counter.

A load source sets the load and knows what really flows: a twin's own truth, another meter, or a person who reads
one. At each load the meter first settles; then its power is read over several refreshes together with the reference;
then the energy counter is timed, from the moment it takes one step to the moment it has taken many more. Timing whole
steps leaves of its grain (a third of a watt-hour) only the time between two samples of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean, stdev
from typing import Final, Protocol

from wattrail.calibration import Calibration
from wattrail.chips.protocol import MeteringChip
from wattrail.errors import LinkError
from wattrail.meter.meter import Meter
from wattrail.metrology.accuracy import COVERAGE, Figure, NoLoad, PointResult, Start, power_figure
from wattrail.metrology.iec62053 import (
    CLASSES,
    NO_LOAD_VOLTS,
    BasicRange,
    LoadPhase,
    LoadPoint,
    no_load_minutes,
    points_for,
)

__all__ = ["AccuracyPlan", "AccuracyReport", "LoadSource", "run", "usual_range"]

_SETTLING_REFRESHES: Final = 3
"""After a change of the load: the refresh it falls into, a whole one, and one to spare."""

_MAX_AMPS: Final = (5, 10, 16, 20, 25, 30, 40, 50, 60, 80, 100)
"""Largest currents that meters are sold for."""

_INTERVAL_SHARE: Final = 1e-4
"""Time between two samples at the counter, as a share of the whole count."""

_MIN_INTERVAL_S: Final = 0.001
_PATIENCE: Final = 3.0
"""Periods without a step after which the counter is taken to stand still."""

_RESTART: Final = 1 << 20
"""Counts that cannot come between two samples: the counter has begun again."""


class LoadSource(Protocol):
    """Who sets the load, and knows what really flows."""

    @property
    def name(self) -> str:
        """What the reference is."""
        ...

    @property
    def uncertainty(self) -> float | None:
        """Of the reference, per cent, 95 %; None if nobody stated it."""
        ...

    def set_load(self, point: LoadPoint, what: str) -> bool:
        """Bring a load about; False leaves it out. ``what`` says which test it is for. Raises EOFError to stop."""
        ...

    def watts(self) -> float:
        """Active power now."""
        ...

    def watt_hours(self) -> float | None:
        """Energy so far, None where nobody counts it: then power times time is used."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyPlan:
    """What to test, and how long. ``energy_s`` is the least time for the counter at each load, 0 for none of it."""

    range: BasicRange = field(default_factory=BasicRange)
    readings: int = 6
    energy_s: float = 60.0
    counts: int = 10
    longest_s: float = 3600.0
    starts: bool = True
    no_load: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyReport:
    """Everything one test found."""

    meter: str
    simulated: bool
    begun: datetime
    ended: datetime
    range: BasicRange
    reference: str
    reference_uncertainty: float | None
    wh_per_count: float
    planned: int
    points: tuple[PointResult, ...]
    starts: tuple[Start, ...]
    no_load: NoLoad | None


def usual_range(
    calibration: Calibration, chip: MeteringChip, *, basic_amps: float = 5.0, max_amps: float | None = None
) -> BasicRange:
    """What a meter of this scale is tested at: up to the largest usual current within its registers."""
    scaling = chip.scaling
    watts = scaling.max_watt / calibration.counts_per_watt
    full = min(scaling.i_full_scale / calibration.counts_per_amp, watts / BasicRange().volts)
    usual = max((amps for amps in _MAX_AMPS if amps <= full), default=full)
    return BasicRange(basic_amps=basic_amps, max_amps=float(max_amps or usual))


def run(
    meter: Meter, loads: LoadSource, plan: AccuracyPlan, *, progress: Callable[[str], object] = lambda _: None
) -> AccuracyReport:
    """Test a connected meter; ``progress`` is called with each result. Raises what ``Meter.read`` raises.

    An EOFError from the loads ends the test: the report holds what was measured until then.
    """
    clock = meter.clock
    begun = clock.now()
    wanted = points_for(plan.range)
    points: list[PointResult] = []
    starts: list[Start] = []
    still: list[NoLoad] = []
    try:
        for number, point in enumerate(wanted, start=1):
            if loads.set_load(point, f"point {number} of {len(wanted)}"):
                points.append(result := _at_point(meter, loads, plan, point))
                progress(_words(number, len(wanted), result))
        if plan.starts:
            starts.extend(_starting(meter, loads, plan))
        if plan.no_load:
            still.extend(_without_load(meter, loads, plan))
    except EOFError:
        progress("ended before its last point; the report holds what was measured")
    return AccuracyReport(
        meter=meter.url,
        simulated=meter.simulated,
        begun=begun,
        ended=clock.now(),
        range=plan.range,
        reference=loads.name,
        reference_uncertainty=loads.uncertainty,
        wh_per_count=meter.wh_per_count,
        planned=len(wanted),
        points=tuple(points),
        starts=tuple(starts),
        no_load=still[0] if still else None,
    )


def _words(number: int, total: int, result: PointResult) -> str:
    point, power = result.point, result.power
    energy = f", energy {result.energy} %" if result.energy else ""
    load = f"{point.amps:g} A at {point.phase}"
    return f"{number:2} of {total}  {load:<24} power {power} %{energy}"


def _at_point(meter: Meter, loads: LoadSource, plan: AccuracyPlan, point: LoadPoint) -> PointResult:
    meter.clock.sleep(_SETTLING_REFRESHES * meter.chip.refresh_s)
    said, true = _paired(meter, loads, plan.readings)
    reference, watts = fmean(true), fmean(said)
    off = [s - t for s, t in zip(said, true, strict=True)]
    scatter = stdev(off) / math.sqrt(len(off)) if len(off) > 1 else 0.0
    base = loads.uncertainty or 0.0
    step = 1 / meter.calibration.counts_per_watt
    power = power_figure(watts, reference, scatter=scatter, step=step, reference_percent=base)
    counted = _counted(meter, loads, plan, reference) if plan.energy_s else None
    energy = None
    if counted is not None:
        energy = _energy_figure(counted, meter.wh_per_count, reference, math.copysign(1.0, watts or 1.0), base)
    return PointResult(
        point=point,
        reference_watts=reference,
        watts=watts,
        power=power,
        energy=energy,
        counts=counted.counts if counted else 0,
        seconds=counted.seconds if counted else 0.0,
        one_count=100 / counted.counts if counted and counted.counts else None,
    )


def _watts(meter: Meter) -> float:
    if (watts := meter.read().watts) is None:
        raise LinkError(f"{meter.url}: the meter gives no power", hint="wait until it has measured a whole period")
    return watts


def _paired(meter: Meter, loads: LoadSource, readings: int) -> tuple[list[float], list[float]]:
    """Power of the meter and of the reference, a refresh apart."""
    pairs = []
    for turn in range(readings):
        if turn:
            # Read faster, the registers only repeat themselves. Source: bl0942-ds/registers
            meter.clock.sleep(meter.chip.refresh_s)
        pairs.append((_watts(meter), loads.watts()))
    return [said for said, _ in pairs], [true for _, true in pairs]


@dataclass(frozen=True, slots=True)
class _Edge:
    """The counter has stepped to ``count`` at some moment up to ``slack`` before ``at``."""

    at: float
    slack: float
    count: int
    watt_hours: float | None


@dataclass(frozen=True, slots=True)
class _Counted:
    counts: int
    seconds: float
    slack: float
    watt_hours: float | None


def _counted(meter: Meter, loads: LoadSource, plan: AccuracyPlan, watts: float) -> _Counted:
    """Time the counter over enough whole steps at a steady load."""
    period = 3600 * meter.wh_per_count / abs(watts)
    counts = max(plan.counts, math.ceil(plan.energy_s / period))
    # At a small load ten counts would take hours: then as many as fit into the longest time, one at least.
    counts = max(1, min(counts, int(plan.longest_s / period)))
    interval = max(_MIN_INTERVAL_S, min(counts * period * _INTERVAL_SHARE, period / 3))
    clock = meter.clock
    begun = clock.monotonic()
    first = _edge(meter, loads, _count(meter), 1, interval, period)
    if first is None:
        return _Counted(0, clock.monotonic() - begun, 0.0, None)
    last = _edge(meter, loads, first.count, counts, interval, period)
    if last is None:
        return _Counted(0, clock.monotonic() - begun, 0.0, None)
    hours = last.watt_hours - first.watt_hours if None not in (first.watt_hours, last.watt_hours) else None  # type: ignore[operator]
    return _Counted(
        abs(meter.chip.counts_between(first.count, last.count)),
        # Each step came somewhere within its slack, half of it before we saw it on average.
        last.at - first.at - (last.slack - first.slack) / 2,
        math.hypot(first.slack, last.slack),
        hours,
    )


def _edge(meter: Meter, loads: LoadSource, since: int, steps: int, interval: float, period: float) -> _Edge | None:
    """The moment at which the counter has taken so many steps; None if it stands still.

    It is sampled four times a period until one step is missing, then finely.
    """
    clock = meter.clock
    moved_at = before = clock.monotonic()
    taken, expected = 0, since
    while clock.monotonic() - moved_at <= _PATIENCE * period + 1:
        clock.sleep(interval if steps - taken <= 1 else max(interval, period / 4))
        now = clock.monotonic()
        count = _count(meter, unless=expected)
        if (seen := abs(meter.chip.counts_between(since, count))) != taken:
            if seen > _RESTART:
                raise LinkError(f"{meter.url}: the energy counter restarted during the test", hint="test again")
            taken, moved_at, expected = seen, now, count
        if taken >= steps:
            return _Edge(clock.monotonic(), clock.monotonic() - before, count, loads.watt_hours())
        before = now
    return None


def _count(meter: Meter, *, unless: int | None = None) -> int:
    """The energy counter; a value that surprises is read twice."""
    if (energy := meter.chip.energy) is None:
        raise LinkError(f"{meter.url}: the {meter.chip.title} has no register for its energy", hint="test power alone")
    count = meter.client.read_register(energy)
    # The checksum is eight bits wide and may pass a wrong count, which would end the timing.
    while count != unless and (again := meter.client.read_register(energy)) != count:
        count = again
    return count


def _energy_figure(counted: _Counted, wh_per_count: float, watts: float, sign: float, base: float) -> Figure:
    if not counted.counts:
        # It stood still while energy flowed: all of it is missing.
        return Figure(-100.0, base)
    true = counted.watt_hours if counted.watt_hours is not None else watts * counted.seconds / 3600
    said = sign * counted.counts * wh_per_count
    # two samples, each somewhere within its slack: rectangular
    timing = 100 * COVERAGE * counted.slack / math.sqrt(12) / counted.seconds
    return Figure(100 * (said - true) / true, math.hypot(timing, base))


def _starting(meter: Meter, loads: LoadSource, plan: AccuracyPlan) -> Iterator[Start]:
    """Each class's starting current: a count must come within one and a half times its period."""
    for class_ in CLASSES:
        point = LoadPoint(plan.range.volts, class_.starts * plan.range.basic_amps, LoadPhase.UNITY)
        if not loads.set_load(point, f"starting current, class {class_.name}"):
            continue
        meter.clock.sleep(_SETTLING_REFRESHES * meter.chip.refresh_s)
        allowed = 1.5 * 3600 * meter.wh_per_count / point.watts
        counts, seconds = _waited(meter, allowed, until=1)
        yield Start(class_name=class_.name, amps=point.amps, started=counts > 0, counts=counts, seconds=seconds)


def _without_load(meter: Meter, loads: LoadSource, plan: AccuracyPlan) -> Iterator[NoLoad]:
    point = LoadPoint(round(plan.range.volts * NO_LOAD_VOLTS, 1), 0.0, LoadPhase.UNITY)
    if not loads.set_load(point, "no load"):
        return
    meter.clock.sleep(_SETTLING_REFRESHES * meter.chip.refresh_s)
    counts_per_kwh = meter.chip.scaling.counts_per_kwh(meter.calibration)
    minutes = max(no_load_minutes(c, plan.range, counts_per_kwh) for c in CLASSES)
    # A thousand counts leave no doubt that something flows: nobody has to wait out the rest.
    counts, seconds = _waited(meter, 60 * minutes, until=1000)
    yield NoLoad(volts=point.volts, minutes=seconds / 60, counts=counts)


def _waited(meter: Meter, seconds: float, *, until: int) -> tuple[int, float]:
    """Counts, and the time waited: at most ``seconds``, or until so many counts have come."""
    clock = meter.clock
    begun, start = clock.monotonic(), _count(meter)
    counts = 0
    while clock.monotonic() - begun < seconds and counts < until:
        clock.sleep(seconds / 200)
        counts = abs(meter.chip.counts_between(start, _count(meter)))
    return counts, clock.monotonic() - begun
