"""What a peripheral of the emulated CBU is, and what the machine offers it.

A peripheral is one small class: a table of its registers, ``read`` and ``write``, and what it remembers. It knows no
CPU, no emulator and no real time. What it needs of the rest it gets as ``Services``: a clock of ticks with alarms,
interrupt lines, pins, the memory (for DMA) and DMA request lines.

    class Blinker(RegisterBlock):
        name, registers = "blinker", (CONTROL,)

        def __init__(self, services: Services) -> None:
            super().__init__()
            self._alarm = services.clock.alarm("blinker", self._due)

Each register says where its description comes from, see ``FactOrigin``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Final, Protocol

from wattrail.wire.register import Access, Field, Register

__all__ = [
    "TICKS_PER_SECOND",
    "Alarm",
    "BusMemory",
    "DeviceClock",
    "DmaRequests",
    "FactOrigin",
    "InterruptLines",
    "MappedRegister",
    "Peripheral",
    "PeripheralState",
    "PinLevels",
    "RegisterBlock",
    "Services",
    "mapped",
]

TICKS_PER_SECOND: Final = 26_000_000
"""The crystal: device time is counted in its ticks. One instruction of the CPU takes one tick, a simplification: the
CPU of a real module has 120 MHz, and waits for its flash."""

PeripheralState = Mapping[str, object]
"""What a peripheral remembers, as JSON knows it: texts, numbers, None, lists and mappings of these."""


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


# ---- what the machine offers


class Alarm(Protocol):
    """One thing that a peripheral will do at a time; set again, the earlier time is forgotten."""

    @property
    def due(self) -> int | None:
        """The tick, or None if it is not set."""
        ...

    def set(self, tick: int) -> None:
        """Call at this tick, or at once after the present slice if that is over."""
        ...

    def cancel(self) -> None:
        """Do not call."""
        ...


class DeviceClock(Protocol):
    """The time of the device, in ticks of 26 MHz since power-on. It moves with the instructions executed."""

    @property
    def now(self) -> int:
        """Ticks: exact at the start of a slice; within it, only accesses to peripherals move it."""
        ...

    def alarm(self, name: str, call: Callable[[], None]) -> Alarm:
        """A new alarm. Names are unique; alarms that are due together are called in the order they were made.

        Its time is part of a snapshot: a peripheral need not save it.
        """
        ...


class InterruptLines(Protocol):
    """The inputs of the interrupt controller: levels, not edges."""

    def set(self, source: int, level: bool) -> None:
        """Drive the line of a source, 0 to 31. It stays so until it is driven again."""
        ...


class PinLevels(Protocol):
    """The pins, from the outside and from the inside."""

    def drive(self, pin: int, level: bool | None) -> None:
        """What is connected to the pin drives it to this level; None lets go, and a pull decides."""
        ...

    def level(self, pin: int) -> bool:
        """The level at the pin now, whoever drives it."""
        ...

    def listen(self, call: Callable[[int, bool], None]) -> None:
        """Be called with pin and level after every change of a level."""
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

    clock: DeviceClock
    interrupts: InterruptLines
    pins: PinLevels
    memory: BusMemory
    dma: DmaRequests


# ---- the peripheral


class Peripheral(Protocol):
    """One block of registers. Offsets are of its base, in bytes, multiples of 4; values are 32 bits."""

    @property
    def name(self) -> str:
        """What kind of block it is."""
        ...

    @property
    def size(self) -> int:
        """Bytes of its block, a multiple of 128."""
        ...

    @property
    def registers(self) -> tuple[MappedRegister, ...]:
        """Its table."""
        ...

    def read(self, offset: int) -> int:
        """A load of the CPU."""
        ...

    def write(self, offset: int, value: int) -> None:
        """A store of the CPU. Do not stop the CPU from here: set an alarm for now, it is called after the slice."""
        ...

    def reset(self) -> None:
        """The chip was reset, by power or by the watchdog."""
        ...

    def save(self) -> PeripheralState:
        """What ``load`` needs."""
        ...

    def load(self, state: PeripheralState) -> None:
        """Become what was saved, in a machine of the same chip."""
        ...


class RegisterBlock:
    """A peripheral that keeps what is written; subclasses add what happens on the way.

    Of the attributes only those named in ``kept`` are saved beside the words: numbers, texts, lists of them.
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
        """The word that was written last."""
        return self.words.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Keep the word."""
        self.words[offset] = value

    def reset(self) -> None:
        """Every register as after power-on."""
        self._start()

    def save(self) -> PeripheralState:
        """Words, and the attributes in ``kept``."""
        words = {str(offset): word for offset, word in sorted(self.words.items())}
        return {"words": words, **{name: getattr(self, name) for name in self.kept}}

    def load(self, state: PeripheralState) -> None:
        """The opposite of ``save``."""
        words = state["words"]
        if not isinstance(words, Mapping):
            raise ValueError(f"{self.name}: its words are missing in the saved state")
        self.words = {int(offset): int(word) for offset, word in words.items()}
        for name in self.kept:
            setattr(self, name, state[name])
