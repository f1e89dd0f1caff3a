"""Timers, 0x802A00: three at 26 MHz, three at 32 kHz, of which timer 3 is FreeRTOS's tick; the watchdog, 0x802900."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from wattrail.twin.cbu.device_clock import TickClock
from wattrail.twin.cbu.peripheral import (
    TICKS_PER_SECOND,
    FactOrigin,
    InterruptLines,
    RegisterBlock,
    mapped,
)
from wattrail.wire.register import Field

__all__ = ["TimerBlock", "Watchdog"]

SOURCE: Final = 8
SLOW_HERTZ: Final = 32_000
_ENDLESS: Final = 1 << 32
"""Counts of a period whose end value is 0. Seen: a firmware starts such a timer, and hangs if it expires at once."""

_SDK: Final = FactOrigin.DOCUMENTED
_CONTROL_BITS: Final = (Field("enable", 0, 3), Field("divider", 3, 3), Field("expired", 7, 3))
_FAST_CONTROL, _SLOW_CONTROL = 0x0C, 0x4C
_EXPIRED: Final = 7 << 7
_DIVIDER: Final = 7 << 3
_RUNNING: Final = 7 | _DIVIDER

ENDS: Final = (0x00, 0x04, 0x08, 0x40, 0x44, 0x48)
"""Offsets of the end values of the six timers."""


class TimerBlock(RegisterBlock):
    """Each counts up to its end value, sets its bit, interrupts and begins again."""

    name = "timers"
    size = 0x80
    registers = (
        *(mapped(offset, f"end_{n}", "counts of a period", _SDK) for n, offset in enumerate(ENDS)),
        mapped(
            _FAST_CONTROL,
            "control_0_2",
            "divider is what it divides by, minus 1; write 1 to clear expired",
            _SDK,
            *_CONTROL_BITS,
        ),
        mapped(0x10, "latch_0_2", "timer number * 4 + 1 latches its count; bit 0 clears itself", _SDK),
        mapped(0x14, "count_0_2", "the count that was latched", _SDK),
        mapped(_SLOW_CONTROL, "control_3_5", "the same for timers 3 to 5", _SDK, *_CONTROL_BITS),
        mapped(0x50, "latch_3_5", "", _SDK),
        mapped(0x54, "count_3_5", "", _SDK),
    )
    kept = ("started",)

    def __init__(self, clock: TickClock, interrupts: InterruptLines) -> None:
        self._clock = clock
        self._interrupts = interrupts
        self._alarms = [clock.alarm(f"timer {n}", partial(self._expire, n)) for n in range(6)]
        # Doubled, because firmware checks its tick (timer 3, 2 ms) against timer 2 every 15 s, and corrects its clock
        # where they differ by 4 ms: rounding each period to a whole tick would add up.
        self.started = [0] * 6
        """The tick at which the present period of each began, doubled: a 32 kHz count is 812.5 ticks."""
        super().__init__()

    def reset(self) -> None:
        """Nothing runs."""
        super().reset()
        for alarm in self._alarms:
            alarm.cancel()
        self._interrupts.set(SOURCE, False)

    def write(self, offset: int, value: int) -> None:
        """Control starts and stops; a new end value starts its timer again."""
        if offset in (_FAST_CONTROL, _SLOW_CONTROL):
            self._control(offset, value)
        elif offset in (0x10, 0x50):
            n = (value >> 2 & 3) + (3 if offset == 0x50 else 0)
            super().write(offset, value & ~1)
            if n < 6:
                super().write(offset + 4, self._count(n))
        else:
            super().write(offset, value)
            if offset in ENDS and self._is_enabled(ENDS.index(offset)):
                self._begin(ENDS.index(offset))

    def _control(self, offset: int, value: int) -> None:
        before = self.words[offset]
        self.words[offset] = value & ~_EXPIRED | before & _EXPIRED & ~value
        if (before ^ value) & _RUNNING:
            self._start_and_stop(offset, before, value)
        self._interrupt()

    def _start_and_stop(self, offset: int, before: int, value: int) -> None:
        first = 0 if offset == _FAST_CONTROL else 3
        for n in range(first, first + 3):
            bit = 1 << n - first
            if not value & bit:
                self._alarms[n].cancel()
            elif not before & bit or (before ^ value) & _DIVIDER:
                self._begin(n)

    def _word(self, n: int) -> int:
        return self.words[_FAST_CONTROL if n < 3 else _SLOW_CONTROL]

    def _is_enabled(self, n: int) -> bool:
        return bool(self._word(n) >> n % 3 & 1)

    def _half_ticks(self, n: int) -> int:
        """Half ticks of one count."""
        clock = 2 if n < 3 else 2 * TICKS_PER_SECOND // SLOW_HERTZ
        return clock * ((self._word(n) >> 3 & 7) + 1)

    def _begin(self, n: int) -> None:
        self.started[n] = 2 * self._clock.now
        self._arm(n)

    def _arm(self, n: int) -> None:
        self._alarms[n].set((self.started[n] + self._period(n) + 1) // 2)

    def _period(self, n: int) -> int:
        return (self.words[ENDS[n]] or _ENDLESS) * self._half_ticks(n)

    def _count(self, n: int) -> int:
        if not self._is_enabled(n):
            return 0
        return (2 * self._clock.now - self.started[n]) // self._half_ticks(n) & 0xFFFF_FFFF

    def _expire(self, n: int) -> None:
        self.words[_FAST_CONTROL if n < 3 else _SLOW_CONTROL] |= 1 << 7 + n % 3
        period = self._period(n)
        # Where the clock has leapt over periods they are not made up for: their interrupts would come all at once.
        self.started[n] = began = max(self.started[n] + period, 2 * self._clock.now - period)
        self._alarms[n].set((began + period + 1) // 2)
        self._interrupts.set(SOURCE, True)

    def _interrupt(self) -> None:
        self._interrupts.set(SOURCE, bool((self.words[_FAST_CONTROL] | self.words[_SLOW_CONTROL]) & _EXPIRED))


WATCHDOG_CONTROL = mapped(
    0x00, "control", "period with key 0x5A, then the same with key 0xA5: feeds, and starts it", _SDK,
    Field("period", 0, 16), Field("key", 16, 8),
)  # fmt: skip
PERIOD_UNIT: Final = TICKS_PER_SECOND // 1000
"""One unit of the period: a millisecond, as the SDK's own comments and its callers have it."""


class Watchdog(RegisterBlock):
    """What is not fed resets the chip; a period of 0 switches it off."""

    name = "watchdog"
    registers = (WATCHDOG_CONTROL,)
    kept = ("armed",)

    def __init__(self, clock: TickClock, bite: Callable[[], None]) -> None:
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
        if offset != WATCHDOG_CONTROL.address:
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
