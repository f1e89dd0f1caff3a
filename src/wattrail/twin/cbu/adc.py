"""The ADC, 0x802C00: firmware of an N or M reads the chip's temperature by it, and waits for its interrupt.

A T has it too; no image for one was seen to enable it.
"""

from __future__ import annotations

from typing import Final

from wattrail.twin.cbu.device_clock import TickClock
from wattrail.twin.cbu.peripheral import (
    TICKS_PER_SECOND,
    FactOrigin,
    InterruptLines,
    RegisterBlock,
    mapped,
)
from wattrail.wire.register import Access, Field

__all__ = ["AdcBlock"]

SOURCE: Final = 11
FIFO: Final = 32
"""Samples that are ready after each start; guessed."""
CONVERSION: Final = TICKS_PER_SECOND // 2000
"""Half a millisecond until they are; guessed."""
SAMPLE: Final = 330
"""About 30 degrees by the firmware's own formula; an invention."""

_SDK, _SEEN = FactOrigin.DOCUMENTED, FactOrigin.SEEN
CONFIG = mapped(
    0x00, "config", "enable starts, and clearing it empties the FIFO; int_clear reads 0", _SEEN,
    Field("mode", 0, 2), Field("enable", 2), Field("channel", 3, 4), Field("setting", 7), Field("int_clear", 8),
    Field("divider", 9, 6), Field("rate", 16, 6), Field("filter", 22, 7), Field("busy", 29), Field("empty", 30),
    Field("full", 31), reset=1 << 30,
)  # fmt: skip
_EMPTY, _ENABLE, _INT_CLEAR = 1 << 30, 1 << 2, 1 << 8


class AdcBlock(RegisterBlock):
    """``value`` is what every channel measures."""

    name = "adc"
    registers = (
        CONFIG,
        mapped(0x04, "data", "the same as sample, older", _SDK, access=Access.READ),
        mapped(0x0C, "state", "bit 30: the FIFO is empty (7238 and later)", _SDK, reset=_EMPTY, access=Access.READ),
        mapped(0x10, "sample", "16 bit; a read takes it out of the FIFO", _SDK, access=Access.READ),
    )
    kept = ("waiting", "value")

    def __init__(self, clock: TickClock, interrupts: InterruptLines) -> None:
        self._clock = clock
        self._interrupts = interrupts
        self._alarm = clock.alarm("adc", self._sampled)
        self.waiting = 0
        self.value = SAMPLE
        super().__init__()

    def read(self, offset: int) -> int:
        """A sample, or whether there is one."""
        if offset in (0x04, 0x10):
            self.waiting = max(0, self.waiting - 1)
            return self.value
        # Seen: OpenBeken on an N or M writes a line each second only when the temperature has been read, which waits
        # for this.
        word = super().read(offset)
        return word & ~(_EMPTY | _INT_CLEAR) | (0 if self.waiting else _EMPTY) if offset == 0 else word

    def write(self, offset: int, value: int) -> None:
        """Start, stop, acknowledge."""
        super().write(offset, value)
        if offset:
            return
        # Stopping empties the FIFO: the interrupt would come for ever otherwise.
        if not value & _ENABLE:
            self.waiting = 0
            self._alarm.cancel()
            self._interrupts.set(SOURCE, False)
            return
        if value & _INT_CLEAR:
            self._interrupts.set(SOURCE, False)
        if self._alarm.due is None:
            self._alarm.set(self._clock.now + CONVERSION)

    def _sampled(self) -> None:
        self.waiting = FIFO
        self._interrupts.set(SOURCE, True)
        self._alarm.set(self._clock.now + CONVERSION)

    def reset(self) -> None:
        """Off."""
        super().reset()
        self.waiting = 0
        self._alarm.cancel()
        self._interrupts.set(SOURCE, False)
