"""The PWM blocks: registers, and what comes out of them; an N has three groups of two, older chips six in a row."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from wattrail.twin.cbu.device_clock import TickClock
from wattrail.twin.cbu.peripheral import (
    TICKS_PER_SECOND,
    FactOrigin,
    InterruptLines,
    RegisterBlock,
    mapped,
)

__all__ = ["GroupedPwm", "PwmOutput", "RowPwm"]

SOURCE: Final = 9
_SDK: Final = FactOrigin.DOCUMENTED


@dataclass(frozen=True, slots=True)
class PwmOutput:
    """What one channel gives out: hertz, and the part of the time that it is high."""

    hertz: float
    duty: float


class GroupedPwm(RegisterBlock):
    """0x802B00 of the N and M: the output toggles at T1 to T3 and the period ends at T4. It interrupts never."""

    name = "pwm"
    registers = tuple(
        mapped(0x40 * group + offset, f"{name}_{group}", meaning, _SDK)
        for group in range(3)
        for offset, name, meaning in (
            (
                0x00,
                "control",
                "channel s at bit 8s: 2:0 mode, 3 enable, 4 int, 5 stop, 6 first level, 7 update; 23:16 prescaler",
            ),
            *((0x04 + 4 * n, f"t{n + 1}_first", "") for n in range(4)),
            *((0x14 + 4 * n, f"t{n + 1}_second", "") for n in range(4)),
        )
    )

    def output(self, channel: int) -> PwmOutput | None:
        """What channel 0 to 5 gives out; None if it is off."""
        group, second = divmod(channel, 2)
        base = 0x40 * group
        control = self.words[base] >> 8 * second
        if not control & 8:
            return None
        t1, t2, t3, t4 = (self.words[base + (0x14 if second else 0x04) + 4 * n] for n in range(4))
        if not t4:
            return None
        edges = [0, *sorted(t for t in (t1, t2, t3) if 0 < t < t4), t4]
        # Bit 6 is the level with which a period begins; each of T1 to T3 turns it over.
        level = control >> 6 & 1
        high = sum(end - start for n, (start, end) in enumerate(pairwise(edges)) if n % 2 != level)
        prescaler = (self.words[base] >> 16 & 0xFF) + 1
        return PwmOutput(TICKS_PER_SECOND / prescaler / t4, high / t4)

    def write(self, offset: int, value: int) -> None:
        """An update takes effect at once: its bits clear themselves."""
        super().write(offset, value & ~0x8080 if offset % 0x40 == 0 else value)


# The first BK7231, and old Tuya firmware, take the tick of the system from a PWM and not from a timer.
class RowPwm(RegisterBlock):
    """0x802A80 of T and U: period and duty of each channel; the first can be the tick of old firmware."""

    name = "pwm"
    size = 0x80
    registers = (
        mapped(0x00, "control", "4 bits a channel: 0 enable, 1 interrupt, 3:2 mode", _SDK),
        mapped(0x04, "status", "channels whose period ended; write 1 to clear", _SDK),
        *(mapped(0x08 + 12 * n, f"period_{n}", "in ticks of 26 MHz", _SDK) for n in range(6)),
        *(mapped(0x0C + 12 * n, f"duty_{n}", "likewise", _SDK) for n in range(6)),
    )

    def __init__(self, clock: TickClock, interrupts: InterruptLines) -> None:
        self._clock = clock
        self._interrupts = interrupts
        self._alarms = [clock.alarm(f"pwm {n}", lambda n=n: self._ended(n)) for n in range(6)]  # type: ignore[misc]
        super().__init__()

    def output(self, channel: int) -> PwmOutput | None:
        """What channel 0 to 5 gives out; None if it is off."""
        period, duty = self.words[0x08 + 12 * channel], self.words[0x0C + 12 * channel]
        if not self.words[0] >> 4 * channel & 1 or not period:
            return None
        return PwmOutput(TICKS_PER_SECOND / period, min(1.0, duty / period))

    def write(self, offset: int, value: int) -> None:
        """Channels that interrupt run in time, the others only say what they give out."""
        if offset == 0x04:
            self.words[0x04] &= ~value
            self._interrupt()
            return
        super().write(offset, value)
        for n, alarm in enumerate(self._alarms):
            runs = value >> 4 * n & 3 == 3 if offset == 0 else alarm.due is not None
            if not runs:
                alarm.cancel()
            elif alarm.due is None:
                alarm.set(self._clock.now + max(1, self.words[0x08 + 12 * n]))

    def _ended(self, n: int) -> None:
        self.words[0x04] |= 1 << n
        self._alarms[n].set(self._clock.now + max(1, self.words[0x08 + 12 * n]))
        self._interrupt()

    def _interrupt(self) -> None:
        self._interrupts.set(SOURCE, bool(self.words[0x04] & 0x3F))

    def reset(self) -> None:
        """Off."""
        super().reset()
        for alarm in self._alarms:
            alarm.cancel()
        self._interrupt()
