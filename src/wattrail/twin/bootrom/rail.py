"""The rail: a capacitor between a source and what the chip draws, calculated from event to event.

Between two events the load is constant and the source is on one of its straight lines, so that the voltage is an
exponential, and the moment at which it meets a level is a logarithm. There are no time steps:

    C dV/dt = min(a + b V over the source's lines) - load

A draw that repeats itself is followed until one period ends as it began; from there on nothing new can happen.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wattrail.twin.bootrom.supply import BROWN_OUT_VOLTS, DRAWS, RELEASE_S, RESTART_VOLTS, SPREAD, Draw, Supply
from wattrail.twin.bootrom.work import NEVER

__all__ = ["Circuit", "Course", "Rail"]

_TINY: Final = 1e-9
_SETTLED: Final = 1e-6
"""Volts by which the ends of two periods may differ when nothing changes any more."""
_OFF: Final = ((0.0, 0.0),)


@dataclass(frozen=True, slots=True)
class Course:
    """Where the rail stands at the end, whether and when it met the level, and what was being done then."""

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
        """Under a steady load: the voltage at the end, and after how long it meets the level (NEVER: not at all)."""
        amps += self.board_amps
        spent = 0.0
        while True:
            rises = self._net(volts, amps) > 0
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

    def follow(self, volts: float, activity: str, seconds: float, level: float = NEVER, peak: float = 1.0) -> Course:
        """Through an activity and what comes after it. ``peak``: the factor by which its peaks are off."""
        spent = 0.0
        while spent < seconds and activity:
            draw = DRAWS[activity]
            lasts = min(draw.lasts_s, seconds - spent)
            volts, met = self._through(volts, draw, lasts, level, peak)
            if met < NEVER:
                return Course(volts, spent + met, activity)
            spent += lasts
            activity = draw.then if spent < seconds else activity
        return Course(volts, NEVER, activity)

    def _through(self, volts: float, draw: Draw, lasts: float, level: float, peak: float) -> tuple[float, float]:
        spent = 0.0
        while spent < lasts:
            before = volts
            for amps, seconds in _stretches(draw, lasts - spent, peak):
                volts, met = self.steady(volts, amps, seconds, level)
                if met < NEVER:
                    return volts, spent + met
                spent += seconds
            if abs(volts - before) < _SETTLED and spent < lasts:
                if lasts == NEVER:
                    break
                spent += math.floor((lasts - spent) / draw.period_s) * draw.period_s
        return volts, NEVER

    # ---- one line

    def _net(self, volts: float, amps: float) -> float:
        return min(offset + slope * volts for offset, slope in self.lines) - amps

    def _goal(self, volts: float, level: float, rises: bool) -> float:
        """What comes next in the direction of movement: a corner of the source, the level, or nothing left."""
        goals = [*self._corners(), level]
        if rises:
            return min((goal for goal in goals if goal > volts + _TINY), default=NEVER)
        return max((goal for goal in goals if 0.0 < goal < volts - _TINY), default=0.0)

    def _corners(self) -> Iterator[float]:
        for place, (offset, slope) in enumerate(self.lines):
            for other, steep in self.lines[:place]:
                if slope != steep:
                    yield (other - offset) / (slope - steep)

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

    ``up`` is what the chip's reset circuit thinks of it, ``turns_at`` when that will change its mind (NEVER: not).
    """

    def __init__(self, supply: Supply, seed: int) -> None:
        self._fed = Circuit(supply.lines, supply.farads, supply.board_amps)
        self._cut = Circuit(_OFF, supply.farads, supply.board_amps)
        self._circuit = self._fed
        self._chance = random.Random(seed)
        self._began = 0.0
        self._activity = "in reset"
        self._peak = 1.0
        self.up = True
        self._volts = self._circuit.follow(supply.volts, "waiting", NEVER).volts
        self.turns_at = NEVER

    def volts(self, now: float) -> float:
        """The voltage at the pin."""
        return self._at(now).volts

    def draw(self, activity: str, now: float) -> None:
        """This is what the chip does from now on."""
        self._settle(now)
        self._activity = activity
        self._peak = self._chance.gauss(1.0, SPREAD)
        self._foresee()

    def connect(self, on: bool, now: float) -> None:
        """The source is connected or taken away; the capacitor keeps its charge."""
        self._settle(now)
        self._circuit = self._fed if on else self._cut
        self._foresee()

    def turn(self) -> str:
        """The moment ``turns_at`` has come. What was being done then."""
        now = self.turns_at
        doing = self._at(now).activity
        self._settle(now)
        self.up = not self.up
        self._foresee()
        return doing

    def _at(self, now: float) -> Course:
        return self._circuit.follow(self._volts, self._activity, max(0.0, now - self._began), peak=self._peak)

    def _settle(self, now: float) -> None:
        course = self._at(now)
        self._volts, self._activity, self._began = course.volts, course.activity, max(now, self._began)

    def _foresee(self) -> None:
        level = BROWN_OUT_VOLTS if self.up else RESTART_VOLTS
        if self.up is (self._volts < level):
            met = 0.0
        else:
            met = self._circuit.follow(self._volts, self._activity, NEVER, level, self._peak).met_at
        self.turns_at = self._began + met + (0.0 if self.up else RELEASE_S)
