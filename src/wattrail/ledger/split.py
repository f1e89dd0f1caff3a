"""Telling import from export with a counter that only knows their sum.

In absolute mode the chip counts energy of either direction upwards, and one count is a third of a watt-hour: between
two counts power may have changed its sign many times. Between counts we integrate the power register by sign; when
the counter moves, its counts are shared out in proportion to the two integrals, and the fraction of a count that is
left is carried to the next time. So the two sides always add up to exactly what the chip counted, and the power
register, which is less exact and a refresh old, only decides about the proportion.

Everything is an integer: the carry in 2**-32 of a count, power times time in WATT counts times microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["ONE", "Split"]

ONE = 1 << 32
"""One count in the unit of the carry."""

_HALF: Final = ONE // 2


@dataclass(slots=True)
class Split:
    """State between readings: the integrals since the counter last moved, and the carry of the positive side."""

    watt_us_positive: int = 0
    watt_us_negative: int = 0
    carry: int = 0

    def integrate(self, watt: int, elapsed_us: int) -> None:
        """Add power over time: the power register holds for the time since the reading before."""
        if watt >= 0:
            self.watt_us_positive += watt * elapsed_us
        else:
            self.watt_us_negative -= watt * elapsed_us

    def share(self, counts: int, *, last_pulse_negative: bool) -> tuple[int, int]:
        """Share counts out to (positive, negative); together they are exactly ``counts``.

        Where the power register saw nothing at all, the direction of the chip's last pulse decides.
        """
        if counts == 0:
            return 0, 0
        seen = self.watt_us_positive + self.watt_us_negative
        if seen:
            wanted = counts * ONE * self.watt_us_positive // seen + self.carry
        else:
            wanted = (0 if last_pulse_negative else counts * ONE) + self.carry
        positive = (wanted + _HALF) // ONE
        if not 0 <= positive <= counts:
            positive = 0 if positive < 0 else counts
        # What was cut off stays: without it each step of the counter would round towards the same side.
        self.carry = wanted - positive * ONE
        self.watt_us_positive = self.watt_us_negative = 0
        return positive, counts - positive
