"""The chip's power: the reset line, and the rail, a capacitor between a source and what the chip draws.

The rail is calculated from event to event, without time steps. Between two events the load is constant and the source
is on one of its straight lines, so that the voltage is an exponential, and the time at which it meets a level is a
logarithm:

    C dV/dt = min(a + b V over the source's lines) - load

A draw that repeats itself is followed until one period ends as it began; nothing new can happen after that.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from wattrail.twin.bootrom.activity import NEVER, BootPhase, StepKind, WorkStep
from wattrail.twin.bootrom.supply import BROWN_OUT_VOLTS, DRAWS, RELEASE_S, RESTART_VOLTS, SPREAD, Draw, PowerSupply

__all__ = ["Circuit", "Power", "Rail", "RailState"]

_TINY: Final = 1e-9
_SETTLED: Final = 1e-6
"""Volts by which the ends of two periods may differ when nothing changes any more."""
_OFF: Final = ((0.0, 0.0),)


@dataclass(frozen=True, slots=True)
class RailState:
    """The rail at the end of a span, when it met the level (NEVER: not), and the activity at that time."""

    volts: float
    met_at: float
    activity: str


@dataclass(frozen=True, slots=True)
class Circuit:
    """A source by its lines, the capacitor, and the load that is always there."""

    lines: tuple[tuple[float, float], ...]
    farads: float
    board_amps: float = 0.0

    def steady(self, volts: float, amps: float, seconds: float, level: float = NEVER) -> tuple[float, float]:
        """Under a steady load: the voltage at the end, and after how long it meets the level (NEVER: not)."""
        amps += self.board_amps
        spent = 0.0
        while True:
            rises = self._net(volts, amps) > 0
            # An empty capacitor has nothing left to give: the exponential would go below zero.
            if volts <= 0.0 and not rises:
                return 0.0, NEVER
            offset, slope = min(self.lines, key=lambda line: line[0] + line[1] * (volts + _TINY * (1 if rises else -1)))
            goal = self._goal(volts, level, rises)
            takes = self._until(volts, goal, offset - amps, slope)
            if not spent + takes < seconds:
                return self._after(volts, offset - amps, slope, seconds - spent), NEVER
            spent, volts = spent + takes, goal
            if volts == level:
                return volts, spent

    def follow(self, volts: float, activity: str, seconds: float, level: float = NEVER, peak: float = 1.0) -> RailState:
        """Through an activity and those that follow it. ``peak``: the factor on its peak currents."""
        spent = 0.0
        while spent < seconds and activity:
            draw = DRAWS[activity]
            lasts = min(draw.lasts_s, seconds - spent)
            volts, met = self._through(volts, draw, lasts, level, peak)
            if met < NEVER:
                return RailState(volts, spent + met, activity)
            spent += lasts
            activity = draw.then if spent < seconds else activity
        return RailState(volts, NEVER, activity)

    def _through(self, volts: float, draw: Draw, lasts: float, level: float, peak: float) -> tuple[float, float]:
        spent = 0.0
        while spent < lasts:
            before = volts
            for amps, seconds in _stretches(draw, lasts - spent, peak):
                volts, met = self.steady(volts, amps, seconds, level)
                if met < NEVER:
                    return volts, spent + met
                spent += seconds
            # A beacon interval is followed for hours otherwise, a tenth of a second at a time.
            if abs(volts - before) < _SETTLED and spent < lasts:
                if lasts == NEVER:
                    break
                spent += math.floor((lasts - spent) / draw.period_s) * draw.period_s
        return volts, NEVER

    # ---- one line

    def _net(self, volts: float, amps: float) -> float:
        return min(offset + slope * volts for offset, slope in self.lines) - amps

    def _goal(self, volts: float, level: float, rises: bool) -> float:
        """The next voltage of interest in the direction of movement: a corner of the source, the level, or zero."""
        goals = [*self._corners(), level]
        if rises:
            return min((goal for goal in goals if goal > volts + _TINY), default=NEVER)
        return max((goal for goal in goals if 0.0 < goal < volts - _TINY), default=0.0)

    def _corners(self) -> Iterator[float]:
        for index, (offset, slope) in enumerate(self.lines):
            for other_offset, other_slope in self.lines[:index]:
                if slope != other_slope:
                    yield (other_offset - offset) / (slope - other_slope)

    def _until(self, volts: float, goal: float, amps: float, slope: float) -> float:
        if slope == 0:
            return max(0.0, (goal - volts) * self.farads / amps) if amps else NEVER
        rest = -amps / slope
        if goal == NEVER or abs(volts - rest) < _TINY:
            return NEVER
        ratio = (goal - rest) / (volts - rest)
        takes = math.log(ratio) * self.farads / slope if ratio > 0 else NEVER
        return takes if takes >= 0 else NEVER

    def _after(self, volts: float, amps: float, slope: float, seconds: float) -> float:
        if slope == 0:
            return volts + amps * seconds / self.farads if amps else volts
        rest = -amps / slope
        if abs(volts - rest) < _TINY:
            return volts
        return rest + (volts - rest) * math.exp(slope * seconds / self.farads)


def _stretches(draw: Draw, left: float, peak: float) -> Iterator[tuple[float, float]]:
    """One period: amperes and for how long."""
    if draw.peak_s:
        yield draw.amps + (draw.peak_amps - draw.amps) * peak, min(draw.peak_s, left)
    if left > draw.peak_s:
        yield draw.amps, min(draw.period_s, left) - draw.peak_s


class Rail:
    """The rail of one chip over time; times are the twin's seconds.

    ``is_up``: whether the chip's reset circuit lets it run; ``crosses_at``: when that will change (NEVER: not).
    """

    def __init__(self, supply: PowerSupply, seed: int) -> None:
        self._fed = Circuit(supply.lines, supply.farads, supply.board_amps)
        self._cut = Circuit(_OFF, supply.farads, supply.board_amps)
        self._circuit = self._fed
        self._chance = random.Random(seed)
        self._began = 0.0
        self._activity = "in reset"
        self._peak = 1.0
        self.is_up = True
        self._volts = self._circuit.follow(supply.volts, "waiting", NEVER).volts
        self.crosses_at = NEVER

    def volts(self, now: float) -> float:
        """The voltage at the pin."""
        return self._at(now).volts

    def draw(self, activity: str, now: float) -> None:
        """The chip's activity from now on."""
        self._settle(now)
        self._activity = activity
        # Peaks differ from one activity to the next: users report that a write fails at another sector each time.
        self._peak = self._chance.gauss(1.0, SPREAD)
        self._predict()

    def connect(self, on: bool, now: float) -> None:
        """The source is connected or taken away; the capacitor keeps its charge."""
        self._settle(now)
        self._circuit = self._fed if on else self._cut
        self._predict()

    def cross(self) -> str:
        """``crosses_at`` has come; returns the activity at that time."""
        now = self.crosses_at
        activity = self._at(now).activity
        self._settle(now)
        self.is_up = not self.is_up
        self._predict()
        return activity

    def _at(self, now: float) -> RailState:
        return self._circuit.follow(self._volts, self._activity, max(0.0, now - self._began), peak=self._peak)

    def _settle(self, now: float) -> None:
        state = self._at(now)
        self._volts, self._activity, self._began = state.volts, state.activity, max(now, self._began)

    def _predict(self) -> None:
        level = BROWN_OUT_VOLTS if self.is_up else RESTART_VOLTS
        if self.is_up is (self._volts < level):
            met = 0.0
        else:
            met = self._circuit.follow(self._volts, self._activity, NEVER, level, self._peak).met_at
        self.crosses_at = self._began + met + (0.0 if self.is_up else RELEASE_S)


_PHASES: Final[Mapping[BootPhase, str]] = MappingProxyType(
    {
        BootPhase.OFF: "in reset",
        BootPhase.STARTING: "starting",
        BootPhase.WINDOW: "listening",
        BootPhase.LINKED: "waiting",
        BootPhase.APP: "booting",
    }
)
_STEPS: Final[Mapping[StepKind, str]] = MappingProxyType(
    {"page": "programming", "erase": "erasing", "crc": "checking", "rate": "changing rate", "send": "sending"}
)

NOMINAL_VOLTS: Final = 3.3
MAX_RESETS: Final = 4096
"""Brown-outs that are remembered: a chip that resets without end must not fill the memory."""


class Power:
    """Whether the chip may run. ``held``: CEN is low. Without a supply the rail is ideal and needs no calculation."""

    def __init__(self, supply: PowerSupply | None, seed: int) -> None:
        self._rail = Rail(supply, seed) if supply is not None else None
        self._source: BootPhase | WorkStep | None = None
        self._connected = True
        self.held = False
        self.resets: deque[tuple[float, str]] = deque(maxlen=MAX_RESETS)

    @property
    def is_good(self) -> bool:
        """Whether nothing keeps the chip in reset."""
        return self._connected and not self.held and (self._rail is None or self._rail.is_up)

    @property
    def crosses_at(self) -> float:
        """When the rail crosses a threshold next; NEVER: not under the present load."""
        return NEVER if self._rail is None else self._rail.crosses_at

    def volts(self, now: float) -> float:
        """The rail."""
        if self._rail is not None:
            return self._rail.volts(now)
        return NOMINAL_VOLTS if self._connected else 0.0

    def connect(self, on: bool, now: float) -> None:
        """Connect the source, or take it away."""
        self._connected = on
        if self._rail is not None:
            self._rail.connect(on, now)

    def follow(self, step: WorkStep | None, phase: BootPhase, now: float) -> None:
        """The chip's step and phase; a new one is a new load: that of the step if it has one, else of the phase."""
        if self._rail is None:
            return
        source = step if step is not None and step.kind != "other" else phase
        if source is not self._source:
            self._source = source
            activity = _PHASES[source] if isinstance(source, BootPhase) else _STEPS[source.kind]
            self._rail.draw(activity, now)

    def run_app(self, activity: str, now: float) -> None:
        """The application draws this, and not what its start draws."""
        self._source = BootPhase.APP
        if self._rail is not None:
            self._rail.draw(activity, now)

    def cross(self, phase: BootPhase) -> bool:
        """The rail crosses a threshold. True if that is a brown-out of a chip that was running."""
        if self._rail is None:
            return False
        at, fell = self._rail.crosses_at, self._rail.is_up
        activity = self._rail.cross()
        if not fell or phase is BootPhase.OFF:
            return False
        self.resets.append((at, activity))
        return True
