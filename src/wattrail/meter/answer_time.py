"""How long to wait for an answer: a first limit by the kind of carrier, then one that follows the measured round trips.

A wire answers within 0.1 s. A bridge over Wi-Fi takes 0.25 s and more, and pauses where a packet is sent again
(esp-link #275, ESPEasy #4983): there a limit made for wires turns whole answers into silence, and a late answer would
be taken for that to the next question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wattrail.errors import UrlError
from wattrail.transport import crosses_network

__all__ = ["NETWORK", "WIRE", "AnswerTime", "Bounds", "bounds_of"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a carrier in seconds: never less than ``shortest_s``, never more than ``longest_s``.

    ``silent_s`` is the limit while a chip has never answered; ``noticed_s`` how late an answer may be and still be
    reported as late.
    """

    shortest_s: float
    silent_s: float
    longest_s: float
    noticed_s: float


WIRE: Final = Bounds(shortest_s=0.2, silent_s=0.2, longest_s=0.6, noticed_s=2.0)
"""A packet takes 52 ms at 4800 baud, and USB adapters hold bytes back for 16 ms; Bluetooth and tunnels take longer."""

NETWORK: Final = Bounds(shortest_s=0.5, silent_s=1.0, longest_s=3.0, noticed_s=5.0)
"""A lost packet is sent again after 0.2 to 1 s, twice at most in this time."""

_SMOOTHING: Final = 0.125
_SPREAD_SMOOTHING: Final = 0.25
_SPREADS: Final = 4.0
"""Smoothed round trip and its mean deviation, and how many deviations a limit allows, as in RFC 6298."""


def bounds_of(url: str) -> Bounds:
    """The bounds of the carrier that a URL names."""
    try:
        return NETWORK if crosses_network(url) else WIRE
    except UrlError:
        # A meter that was opened by a program has whatever name that gave it.
        return WIRE


class AnswerTime:
    """The limit for one chip. ``patient``: the first question waits longest, so that a late chip is noticed."""

    def __init__(self, bounds: Bounds, *, patient: bool = True) -> None:
        self.bounds = bounds
        self.limit_s = bounds.longest_s if patient else bounds.silent_s
        self._smoothed: float | None = None
        self._spread = 0.0
        self._misses = 0
        self._late = False

    @property
    def grace_s(self) -> float:
        """How long to wait after a miss, so that a late answer is not taken for that to the next question."""
        if self._late:
            return self.bounds.noticed_s
        # Once, after the first silence: a chip that is later than any limit shows itself there.
        if self._smoothed is None and self._misses == 1:
            return self.bounds.noticed_s - self.bounds.longest_s
        if self._smoothed is None or self.bounds.shortest_s < NETWORK.shortest_s:
            return 0.0  # nothing is there, or a wire on which a lost answer is lost
        return max(self.bounds.longest_s - self.limit_s, self.bounds.shortest_s)

    def came_late(self) -> None:
        """An answer came after its limit."""
        self._late = True

    def answered(self, after_s: float) -> None:
        """An answer was complete after so long."""
        # A first round trip says nothing of its spread: half of it is assumed, as in RFC 6298.
        if self._smoothed is None:
            self._smoothed, self._spread = after_s, after_s / 2
        else:
            self._spread += _SPREAD_SMOOTHING * (abs(after_s - self._smoothed) - self._spread)
            self._smoothed += _SMOOTHING * (after_s - self._smoothed)
        self.limit_s = self._bounded(self._smoothed + _SPREADS * self._spread)

    def missed(self) -> None:
        """No answer came within the limit."""
        self._misses += 1
        # Doubled, as RFC 6298 does: a network that pauses outlasts a limit that quiet round trips have made.
        self.limit_s = self.bounds.silent_s if self._smoothed is None else self._bounded(2 * self.limit_s)

    def _bounded(self, seconds: float) -> float:
        return min(max(seconds, self.bounds.shortest_s), self.bounds.longest_s)
