"""The watchdog, 0x802900: what is not fed resets the chip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wattrail.twin.cbu.peripheral import TICKS_PER_SECOND, DeviceClock, FactOrigin, RegisterBlock, mapped
from wattrail.wire.register import Field

__all__ = ["Watchdog"]

CONTROL = mapped(
    0x00, "control", "period with key 0x5A, then the same with key 0xA5: feeds, and starts it", FactOrigin.DOCUMENTED,
    Field("period", 0, 16), Field("key", 16, 8),
)  # fmt: skip
PERIOD_UNIT: Final = TICKS_PER_SECOND // 1000
"""One unit of the period: a millisecond, as the SDK's own comments and its callers have it."""


class Watchdog(RegisterBlock):
    """A period of 0 switches it off."""

    name = "watchdog"
    registers = (CONTROL,)
    kept = ("armed",)

    def __init__(self, clock: DeviceClock, bite: Callable[[], None]) -> None:
        self._clock = clock
        self._alarm = clock.alarm("watchdog", bite)
        self.armed: int | None = None
        super().__init__()

    @property
    def due(self) -> int | None:
        """The tick at which it resets the chip, if it is on."""
        return self._alarm.due

    def write(self, offset: int, value: int) -> None:
        """The second key counts only after the first, with the same period."""
        super().write(offset, value)
        if offset != CONTROL.address:
            return
        key, period = value >> 16 & 0xFF, value & 0xFFFF
        if key == 0x5A:
            self.armed = period
        elif key == 0xA5 and self.armed == period:
            self.armed = None
            if period:
                self._alarm.set(self._clock.now + period * PERIOD_UNIT)
            else:
                self._alarm.cancel()

    def reset(self) -> None:
        """Off, until the firmware starts it."""
        super().reset()
        self.armed = None
        self._alarm.cancel()
