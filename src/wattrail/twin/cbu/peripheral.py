"""What a peripheral of the emulated CBU is, and what the machine offers it.

A peripheral is one small class: a table of its registers, ``read`` and ``write``, and what it remembers. It knows no
CPU, no emulator and no real time. What it needs of the rest it gets as ``Services``: a clock of ticks with alarms,
interrupt lines, the memory (for DMA) and DMA request lines.

    class Blinker(RegisterBlock):
        name, registers = "blinker", (CONTROL,)

        def __init__(self, services: Services) -> None:
            super().__init__()
            self._alarm = services.clock.alarm("blinker", self._due)

Each register says where its description comes from, see ``FactOrigin``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Final, Protocol

from wattrail.twin.cbu.device_clock import TickClock
from wattrail.wire.register import Access, Field, Register

__all__ = [
    "TICKS_PER_SECOND",
    "BusMemory",
    "DmaRequests",
    "FactOrigin",
    "InterruptLines",
    "MappedRegister",
    "PeripheralState",
    "RegisterBlock",
    "Services",
    "mapped",
]

TICKS_PER_SECOND: Final = 26_000_000
"""The crystal: device time is counted in its ticks. One instruction of the CPU takes one tick, a simplification: the
CPU of a real module has 120 MHz, and waits for its flash."""

PeripheralState = Mapping[str, Any]
"""What a peripheral remembers, as JSON knows it: texts, numbers, None, lists and mappings of these.

Whoever loads a file sees to it that what does not fit is refused as a whole: ``snapshot`` does.
"""


class FactOrigin(Enum):
    """Where we know a register from."""

    DOCUMENTED = "documented"
    """Read in published source of the vendor's SDK, or of firmware made with it."""
    SEEN = "seen"
    """A genuine image was watched: it works with this behaviour, and stops without it."""
    GUESSED = "guessed"
    """An invention that no image contradicted so far."""


@dataclass(frozen=True, slots=True, eq=False)
class MappedRegister(Register):
    """A 32-bit register of a peripheral; the address is an offset into its block."""

    origin: FactOrigin = FactOrigin.GUESSED


def mapped(
    offset: int,
    name: str,
    meaning: str,
    origin: FactOrigin,
    *fields: Field,
    reset: int = 0,
    access: Access = Access.READ_WRITE,
) -> MappedRegister:
    """A line of a register table."""
    return MappedRegister(offset, name, 32, reset, meaning, access=access, fields=fields, origin=origin)


# ---- what the machine offers: protocols, for the classes behind them are register blocks themselves


class InterruptLines(Protocol):
    """The inputs of the interrupt controller: levels, not edges."""

    def set(self, source: int, level: bool) -> None:
        """Drive the line of a source, 0 to 31. It stays so until it is driven again."""
        ...


class BusMemory(Protocol):
    """What a bus master sees: memory, and the registers of peripherals."""

    def read(self, address: int, length: int) -> bytes:
        """Bytes of memory, zeros where there is none."""
        ...

    def write(self, address: int, data: bytes) -> None:
        """Write memory; flash and unmapped addresses keep what they hold."""
        ...

    def read_register(self, address: int) -> int:
        """Read a peripheral's register, with everything that reading does."""
        ...

    def write_register(self, address: int, value: int) -> None:
        """Write a peripheral's register, with everything that writing does."""
        ...


class DmaRequests(Protocol):
    """The request lines of the DMA controller."""

    def request(self, line: int, *, source: bool, units: int) -> int:
        """A peripheral can give (``source``), or take, so many units. Returns how many were moved, now.

        The controller accesses the peripheral's own data register while it does so.
        """
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a peripheral may use."""

    clock: TickClock
    interrupts: InterruptLines
    memory: BusMemory
    dma: DmaRequests


# ---- the peripheral


class RegisterBlock:
    """A peripheral that keeps what is written; subclasses add what happens on the way.

    Offsets are of its base, in bytes, multiples of 4; values are 32 bits; ``size`` is a multiple of 128. Of the
    attributes only those named in ``kept`` are saved beside the words: numbers, texts, lists of them.
    """

    name: ClassVar[str] = "registers"
    size: ClassVar[int] = 0x100
    registers: ClassVar[tuple[MappedRegister, ...]] = ()
    kept: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.words: dict[int, int] = {}
        self._start()

    def _start(self) -> None:
        self.words = {register.address: register.reset for register in self.registers}

    def read(self, offset: int) -> int:
        """A load of the CPU: the word that was written last."""
        return self.words.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """A store of the CPU: keep the word."""
        # Do not stop the CPU from here, it would execute the store again: set an alarm for now, which is called after
        # the slice.
        self.words[offset] = value

    def reset(self) -> None:
        """The chip was reset, by power or by the watchdog: every register as after power-on."""
        self._start()

    def save(self) -> PeripheralState:
        """Words, and the attributes in ``kept``."""
        words = {str(offset): word for offset, word in sorted(self.words.items())}
        return {"words": words, **{name: getattr(self, name) for name in self.kept}}

    def load(self, state: PeripheralState) -> None:
        """The opposite of ``save``, in a machine of the same chip."""
        self.words = {int(offset): int(word) for offset, word in state["words"].items()}
        for name in self.kept:
            setattr(self, name, state[name])
