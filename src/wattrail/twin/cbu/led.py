"""What an LED shows, read from the edges at its pin."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from wattrail.twin.cbu.device_clock import TickClock
from wattrail.twin.cbu.gpio import PinBlock
from wattrail.twin.cbu.peripheral import TICKS_PER_SECOND

__all__ = ["LedRecorder", "SeenLedPattern"]

_MAX_EDGES: Final = 10_000
_ALIKE: Final = 0.15
"""How much the periods of a regular blinking differ, as a part of the mean: a firmware blinks by its ticks."""


@dataclass(frozen=True, slots=True)
class SeenLedPattern:
    """What was seen over some time. ``period_s`` is 0 for a light that did not change, None for an irregular one.

    ``duty`` is the part of the time that it was on.
    """

    duty: float
    period_s: float | None = 0.0

    def __str__(self) -> str:
        if self.period_s == 0:
            return "on" if self.duty else "off"
        if self.period_s is None:
            return f"flickers, on {self.duty:.0%} of the time"
        return f"blinks every {self.period_s:.2f} s, on {self.duty:.0%} of the time"


class LedRecorder:
    """Watches one pin. ``lights_at`` is the level at which the LED is on."""

    def __init__(self, pins: PinBlock, clock: TickClock, pin: int, *, lights_at: bool) -> None:
        self._pins, self._clock, self._pin, self._lights_at = pins, clock, pin, lights_at
        self.edges: list[tuple[int, bool]] = []
        """Ticks of the changes, and whether it is on from then."""
        pins.listen(self._changed)

    @property
    def is_on(self) -> bool:
        """Whether it is lit now."""
        return self._pins.level(self._pin) is self._lights_at

    def pattern(self, seconds: float) -> SeenLedPattern:
        """What it showed over the last seconds of device time."""
        end = self._clock.now
        start = end - round(seconds * TICKS_PER_SECOND)
        inside = [(tick, on) for tick, on in self.edges if tick > start]
        if not inside:
            return SeenLedPattern(1.0 if self.is_on else 0.0)
        marks = [(start, not inside[0][1]), *inside, (end, inside[-1][1])]
        lit = sum(after - tick for (tick, on), (after, _) in pairwise(marks) if on)
        return SeenLedPattern(lit / (end - start), _period([tick for tick, on in inside if on]))

    def _changed(self, pin: int, level: bool) -> None:
        if pin == self._pin:
            self.edges.append((self._clock.now, level is self._lights_at))
            del self.edges[:-_MAX_EDGES]


def _period(beginnings: list[int]) -> float | None:
    spans = [after - before for before, after in pairwise(beginnings)]
    if not spans:
        return None
    mean = sum(spans) / len(spans)
    regular = all(abs(span - mean) <= _ALIKE * mean for span in spans)
    return mean / TICKS_PER_SECOND if regular else None
