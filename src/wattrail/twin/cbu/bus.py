"""The bus: which peripheral answers at an address, and memory for those that are bus masters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from wattrail.twin.cbu.device_clock import TickClock
from wattrail.twin.cbu.peripheral import RegisterBlock

if TYPE_CHECKING:
    from wattrail.twin.cbu.cpu import EmulatedCpu

__all__ = ["RAM_START", "TCM_START", "PeripheralBus"]

TCM_START: Final = 0x3F0000
"""60 KiB of TCM, and ITCM from 0x3FEE00 up to the start of RAM. What lies below is flash."""
RAM_START: Final = 0x400000

ACCESS_TICKS: Final = 4
"""What an access to a peripheral takes; guessed. It also lets time pass where firmware waits for a register."""

_POLLS: Final = 32
_POLL_TICKS: Final = 26
"""After so many reads of one register in a row, each takes a microsecond: that is what it costs here, too."""

_GRAIN: Final = 7
"""Blocks begin at multiples of 128 bytes."""

REGISTER_WINDOWS: Final = (
    (0x800000, 0x20000),
    (0x900000, 0x20000),
    (0x1000000, 0x100000),
    (0xC0000000, 0x100000),
)
"""Where registers are: address and size. Source: bk7231-sdk/peripherals."""


class PeripheralBus:
    """Finds the peripheral, lets its access take time, and counts reads, by which a stall is found."""

    def __init__(self, clock: TickClock) -> None:
        self._clock = clock
        self._blocks: dict[int, tuple[RegisterBlock, int]] = {}
        self._cpu: EmulatedCpu | None = None
        self._polled, self._polls = 0, 0
        self.reads: dict[int, int] = {}
        self.rehearsal: dict[int, int] | None = None
        """While it is set nothing is written, and reads give what stands here, else what was written last."""
        self.trace: Callable[[str, int, int], None] | None = None

    def connect(self, cpu: EmulatedCpu) -> None:
        """The memory is the CPU's; it sees the registers through this bus."""
        self._cpu = cpu
        for address, size in REGISTER_WINDOWS:
            cpu.map_registers(address, size, self.load, self.store, self.store_part)

    def place(self, base: int, peripheral: RegisterBlock) -> None:
        """Let it answer where no other does yet."""
        for at in range(base, base + peripheral.size, 1 << _GRAIN):
            # The first that was placed answers: the block for addresses nobody knows comes last, and fills what is
            # left.
            self._blocks.setdefault(at >> _GRAIN, (peripheral, base))

    def at(self, address: int) -> tuple[RegisterBlock, int] | None:
        """The peripheral at an address, and its base."""
        return self._blocks.get(address >> _GRAIN)

    def load(self, address: int) -> int:
        """A read of the CPU."""
        if self.rehearsal is not None:
            return self._rehearsed(address)
        # Firmware polls by the thousand: the calibration of its radio and its reads of flash are full of that.
        if address == self._polled:
            self._polls += 1
        else:
            self._polled, self._polls = address, 0
        self._clock.now += ACCESS_TICKS if self._polls < _POLLS else _POLL_TICKS
        self.reads[address] = self.reads.get(address, 0) + 1
        found = self._blocks.get(address >> _GRAIN)
        value = found[0].read(address - found[1]) & 0xFFFF_FFFF if found else 0
        if self.trace:
            self.trace("read", address, value)
        return value

    def store(self, address: int, value: int) -> None:
        """A write of the CPU."""
        if self.rehearsal is not None:
            return
        self._clock.now += ACCESS_TICKS
        if self.trace:
            self.trace("write", address, value)
        if found := self._blocks.get(address >> _GRAIN):
            found[0].write(address - found[1], value)

    def store_part(self, address: int, value: int, mask: int) -> None:
        """A write of a byte or a half word: the other bits stay as they were last written."""
        found = self._blocks.get(address >> _GRAIN)
        before = found[0].words.get(address - found[1], 0) if found else 0
        self.store(address, before & ~mask | value & mask)

    def _rehearsed(self, address: int) -> int:
        self.reads[address] = self.reads.get(address, 0) + 1
        assert self.rehearsal is not None
        if address in self.rehearsal:
            return self.rehearsal[address]
        found = self.at(address)
        return found[0].words.get(address - found[1], 0) if found else 0

    # ---- for bus masters, see peripheral.BusMemory

    def read(self, address: int, length: int) -> bytes:
        """Memory, zeros where there is none."""
        try:
            return self._memory.read_memory(address, length)
        except ValueError:
            self._memory.note_bad_access("read", address)
            return bytes(length)

    def write(self, address: int, data: bytes) -> None:
        """Memory; flash below it keeps what it holds, and registers beyond it are not written as memory."""
        if not TCM_START <= address < REGISTER_WINDOWS[0][0]:
            return
        try:
            self._memory.write_memory(address, data)
        except ValueError:
            self._memory.note_bad_access("write", address)

    def read_register(self, address: int) -> int:
        """A peripheral's register."""
        found = self.at(address)
        return found[0].read(address - found[1]) & 0xFFFF_FFFF if found else 0

    def write_register(self, address: int, value: int) -> None:
        """A peripheral's register."""
        if found := self.at(address):
            found[0].write(address - found[1], value)

    @property
    def _memory(self) -> EmulatedCpu:
        if self._cpu is None:
            raise RuntimeError("no memory is connected yet")
        return self._cpu
