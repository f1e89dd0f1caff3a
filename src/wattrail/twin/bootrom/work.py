"""What a chip is at: steps one after the other, each with its time, and the supply failing in the midst of one."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from wattrail.twin.bootrom.deeds import Step
from wattrail.twin.bootrom.faults import BootFaults

__all__ = ["NEVER", "Work"]

NEVER: Final = math.inf


class Work:
    """The steps of one chip. Times are the twin's seconds; NEVER stands for no moment."""

    def __init__(self, faults: BootFaults) -> None:
        self._faults = faults
        self._steps: deque[Step] = deque()
        self._began = 0.0
        self.ends = NEVER
        self.fails_at = NEVER
        self.power_returns = True

    def __bool__(self) -> bool:
        """Whether the chip is at work."""
        return bool(self._steps)

    @property
    def step(self) -> Step | None:
        """The one under way."""
        return self._steps[0] if self._steps else None

    def start(self, step: Step, now: float) -> None:
        """One more step behind those that wait; it begins now if none does."""
        self._steps.append(step)
        if len(self._steps) == 1:
            self._begin(now)

    def then(self, *steps: Step) -> None:
        """Steps behind the others, from within a step's act."""
        self._steps.extend(steps)

    def next(self, step: Step) -> None:
        """A step in front of the others, from within a step's act."""
        self._steps.appendleft(step)

    def finish(self, now: float) -> None:
        """The step under way is done: carry it out, and begin the next."""
        step = self._steps.popleft()
        self.ends = NEVER
        step.act()
        if self._steps and self.ends == NEVER:
            self._begin(now)

    def tear(self, now: float) -> None:
        """The supply is gone: the step under way is torn where it stands, the others never happen."""
        if self._steps and self.ends != NEVER:
            step = self._steps[0]
            part = (now - self._began) / step.seconds if step.seconds else 0.0
            step.torn(min(max(part, 0.0), 1.0))
        self.drop()

    def drop(self) -> None:
        """Nothing is to be done any more."""
        self._steps.clear()
        self.ends = self.fails_at = NEVER

    def _begin(self, now: float) -> None:
        step = self._steps[0]
        self._began, self.ends = now, now + step.seconds
        returns = self._faults.strikes(step.kind)
        if returns is not None:
            self.fails_at, self.power_returns = now + step.seconds / 2, returns
