"""One metering chip: which kind it is, and a row of an array on the twin's own time, as its bus and tests see it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from wattrail.chips.belling import Heads
from wattrail.twin.chip_array import ChipArray
from wattrail.twin.chip_tables import UartDialect
from wattrail.twin.options import TwinOptions
from wattrail.wire.register import Access, Register

__all__ = ["ChipModel", "MeterChip"]


class MeterChip:
    """One row of an array, on the twin's own time. ``lock`` is held by each call, and by engines across several."""

    def __init__(self, array: ChipArray, row: int, now: Callable[[], float]) -> None:
        self.array = array
        self.lock = threading.RLock()
        self._row = row
        self._now = now
        self._stuck: dict[int, int] = {}

    def read_word(self, address: int, time: float) -> int:
        """The 24 bits the bus gets, clear-on-read included. An undocumented address reads 0: a guess."""
        register = self.array.registers.BY_ADDRESS.get(address)
        return 0 if register is None else self.read_register(register, time)

    def read_register(self, register: Register, time: float) -> int:
        """The 24 bits of a register, which may be a cell of the packet without an address."""
        with self.lock:
            word = register.encode(self._count(register, time))
            self.array.after_read(register, time, self._row)
        return word

    def write_word(self, address: int, word: int, time: float) -> None:
        """What a valid write frame does."""
        with self.lock:
            self.array.write(address, word, time, self._row)

    def peek(self, register: Register) -> int:
        """A register's count now, without side effects."""
        with self.lock:
            return self._count(register, self._now())

    def poke(self, register: Register, count: int) -> None:
        """Put a count into a writable register or CF_CNT, past the lock. Raises ValueError for what is measured."""
        word = register.encode(count)
        if register is self.array.registers.CF_CNT:
            with self.lock:
                self.array.set_counter(self._now(), word, self._row)
        elif register.access is Access.READ_WRITE:
            with self.lock:
                self.array.store(register, word, self._now(), self._row)
        else:
            raise ValueError(f"{register.name} is measured: set the mains, or stick() it")

    def stick(self, register: Register, count: int | None) -> None:
        """Make a register read that count whatever happens; None lets it go."""
        if count is None:
            self._stuck.pop(register.address, None)
        else:
            register.encode(count)
            self._stuck[register.address] = count

    def power_on(self) -> None:
        """As after a supply that dropped below 2.7 V."""
        with self.lock:
            self.array.power_on(self._now(), self._row)

    def output(self, name: str) -> bool:
        """The level of a logic output now, such as zx. Raises KeyError for a name the chip does not have."""
        with self.lock:
            return self.array.output(name, self._now(), self._row)

    def baud(self, strap: int) -> int:
        """The rate of the UART now, where its strap gives that one."""
        return self.array.baud(strap, self._row)

    def _count(self, register: Register, time: float) -> int:
        if register.address in self._stuck:
            return self._stuck[register.address]
        return int(self.array.read(register, time)[self._row])


@dataclass(frozen=True, slots=True)
class ChipModel:
    """One chip that can be twinned.

    ``heads`` gives the first bytes of its UART frames; ``options`` are those of ``TwinOptions`` that mean something to
    this chip and not to every other. ``dc_mv`` is the range of offsets at the current pins that explains the
    I_FAST_RMS of captured devices at no load. ``spi`` is False where the chip's SPI is not modelled.
    """

    name: str
    array: type[ChipArray]
    uart: UartDialect
    heads: Callable[[TwinOptions], Heads]
    options: tuple[str, ...]
    dc_mv: tuple[float, float]
    spi: bool = True

    @property
    def title(self) -> str:
        """The name as it is printed on the chip."""
        return self.name.upper()
