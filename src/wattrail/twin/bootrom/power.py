"""Whether the chip may run: the reset line, and the rail if it is modelled."""

from __future__ import annotations

from collections import deque
from typing import Final

from wattrail.twin.bootrom.deeds import Step
from wattrail.twin.bootrom.phase import Phase, activity_of
from wattrail.twin.bootrom.rail import Rail
from wattrail.twin.bootrom.supply import Supply
from wattrail.twin.bootrom.work import NEVER

__all__ = ["Power"]

NOMINAL_VOLTS: Final = 3.3
MOST_RESETS: Final = 4096
"""Brown-outs that are remembered: a chip that resets for ever must not fill the memory."""


class Power:
    """What feeds one chip. ``held``: CEN is low. Without a model the rail is ideal, and free."""

    def __init__(self, supply: Supply | None, seed: int) -> None:
        self._rail = Rail(supply, seed) if supply is not None else None
        self._doing: Phase | Step | None = None
        self._connected = True
        self.held = False
        self.turns_at = NEVER
        self.resets: deque[tuple[float, str]] = deque(maxlen=MOST_RESETS)

    @property
    def good(self) -> bool:
        """Whether nothing keeps the chip in reset."""
        return self._connected and not self.held and (self._rail is None or self._rail.up)

    def volts(self, now: float) -> float:
        """The rail."""
        if self._rail is not None:
            return self._rail.volts(now)
        return NOMINAL_VOLTS if self._connected else 0.0

    def connect(self, on: bool, now: float) -> None:
        """The source is connected, or taken away."""
        self._connected = on
        if self._rail is not None:
            self._rail.connect(on, now)
            self.turns_at = self._rail.turns_at

    def follow(self, step: Step | None, phase: Phase, now: float) -> None:
        """This is what the chip is at: if it is something new, the rail has a new load."""
        if self._rail is None:
            return
        doing = step if step is not None and step.kind != "other" else phase
        if doing is not self._doing:
            self._doing = doing
            self._draw(activity_of(doing), now)

    def rest(self, activity: str, now: float) -> None:
        """The application phase draws this, not what a start does."""
        self._doing = Phase.APP
        self._draw(activity, now)

    def turn(self, phase: Phase) -> bool:
        """The rail has crossed a threshold. True if that is a brown-out of a chip that was running."""
        if self._rail is None:
            return False
        at, fell = self.turns_at, self._rail.up
        doing = self._rail.turn()
        self.turns_at = self._rail.turns_at
        if not fell or phase is Phase.OFF:
            return False
        self.resets.append((at, doing))
        return True

    def _draw(self, activity: str, now: float) -> None:
        if self._rail is not None:
            self._rail.draw(activity, now)
            self.turns_at = self._rail.turns_at
