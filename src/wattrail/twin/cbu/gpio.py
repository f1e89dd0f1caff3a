"""The pins, 0x802800: one word each, and the levels that come out of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wattrail.twin.cbu.peripheral import FactOrigin, InterruptLines, RegisterBlock, mapped
from wattrail.wire.register import Field

__all__ = ["PINS", "PinBlock"]

PINS: Final = 40
SOURCE: Final = 7
"""The interrupt source of all pins."""

_SDK: Final = FactOrigin.DOCUMENTED
# Bit 3 disables, though its name in the SDK says that it enables.
_BITS: Final = (
    Field("input", 0), Field("output", 1), Field("input_enable", 2), Field("output_disable", 3),
    Field("pull_up", 4), Field("pull_enable", 5), Field("function", 6), Field("monitor", 7),
)  # fmt: skip
_INPUT, _OUTPUT, _INPUT_ENABLE, _OUTPUT_DISABLE, _PULL_UP, _PULL_ENABLE, _FUNCTION = (1 << n for n in range(7))


def _word_of(pin: int) -> int:
    return 4 * pin if pin < 32 else 0xC0 + 4 * (pin - 32)


_PIN_WORDS: Final = {_word_of(pin): pin for pin in range(PINS)}

INT_ENABLE = mapped(0x84, "int_enable", "a bit for each of pins 0 to 31", _SDK)
INT_TYPE_LOW = mapped(0x88, "int_type_0", "2 bits a pin, 0 to 15: 0 low level, 1 high level, 2 rising, 3 falling", _SDK)
INT_TYPE_HIGH = mapped(0x8C, "int_type_1", "the same, pins 16 to 31", _SDK)
INT_STATUS = mapped(0x90, "int_status", "pins that interrupt; write 1 to clear", _SDK)


class PinBlock(RegisterBlock):
    """Levels by what drives: the outside, else the output, else the pull, else low.

    A pin that serves a peripheral (bit 6) is driven by it, through ``drive`` as well.
    """

    name = "gpio"
    registers = (
        *(mapped(_word_of(pin), f"p{pin}", "", _SDK, *_BITS, reset=0x08) for pin in range(PINS)),
        mapped(0x80, "function_0", "2 bits a pin, 0 to 15: which function", _SDK),
        INT_ENABLE, INT_TYPE_LOW, INT_TYPE_HIGH, INT_STATUS,
        mapped(0xB4, "module_select", "bits 1:0: 1 puts SPI on P14 to P17", _SDK),
        mapped(0xB8, "function_1", "the same as function_0, pins 16 to 31", _SDK),
        mapped(0xBC, "function_2", "the same, pins 32 to 39", _SDK),
    )  # fmt: skip
    kept = ("outside", "levels")

    def __init__(self, interrupts: InterruptLines) -> None:
        self._interrupts = interrupts
        self._listeners: list[Callable[[int, bool], None]] = []
        self.outside: list[bool | None] = [None] * PINS
        self.levels = [False] * PINS
        super().__init__()

    # ---- from the outside

    def drive(self, pin: int, level: bool | None) -> None:
        """What is connected drives the pin, or lets go."""
        self.outside[pin] = level
        self._update(pin)

    def level(self, pin: int) -> bool:
        """The level at the pin."""
        return self.levels[pin]

    def listen(self, call: Callable[[int, bool], None]) -> None:
        """Be called after every change of a level."""
        self._listeners.append(call)

    # ---- from the CPU

    def read(self, offset: int) -> int:
        """Bit 0 of a pin's word is its level."""
        pin = _PIN_WORDS.get(offset)
        if pin is None:
            return super().read(offset)
        return self.words[offset] & ~_INPUT | self.levels[pin]

    def write(self, offset: int, value: int) -> None:
        """Configure; writing to the interrupt status clears."""
        if offset == INT_STATUS.address:
            self.words[offset] &= ~value
            for pin in range(32):  # a level that is still there interrupts again
                self._raise(pin, changed=False)
        else:
            super().write(offset, value)
            if (pin := _PIN_WORDS.get(offset, -1)) >= 0:
                self._update(pin)
        self._interrupt()

    def reset(self) -> None:
        """Every output lets go; what is connected outside stays."""
        super().reset()
        for pin in range(PINS):
            self._update(pin)
        self._interrupt()

    # ---- levels

    def _update(self, pin: int) -> None:
        word = self.words[_word_of(pin)]
        outside = self.outside[pin]
        if outside is not None:
            level = outside
        elif not word & (_OUTPUT_DISABLE | _FUNCTION):
            level = bool(word & _OUTPUT)
        else:
            # Seen with a BK7231U: firmware waits in its start for a pin that nobody drives to follow its pull.
            level = bool(word & _PULL_ENABLE and word & _PULL_UP)
        if level == self.levels[pin]:
            return
        self.levels[pin] = level
        self._raise(pin, changed=True)
        self._interrupt()
        for call in self._listeners:
            call(pin, level)

    def _raise(self, pin: int, *, changed: bool) -> None:
        if pin > 31 or not self.words[INT_ENABLE.address] >> pin & 1:
            return
        types = self.words[(INT_TYPE_LOW if pin < 16 else INT_TYPE_HIGH).address]
        kind, level = types >> 2 * (pin % 16) & 3, self.levels[pin]
        if (kind in (0, 1) and level == bool(kind)) or (changed and kind == 2 + (not level)):
            self.words[INT_STATUS.address] |= 1 << pin

    def _interrupt(self) -> None:
        self._interrupts.set(SOURCE, bool(self.words[INT_STATUS.address] & self.words[INT_ENABLE.address]))
