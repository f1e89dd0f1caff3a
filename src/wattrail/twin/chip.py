"""One BL0942: a row of a bank on the twin's own time, as its bus and a curious test see it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from wattrail.chips.bl0942.registers import BY_ADDRESS, CF_CNT, MODE
from wattrail.twin.bank import ChipBank
from wattrail.wire.register import Access, Register

__all__ = ["Chip"]


class Chip:
    """One row of a bank, on the twin's own time. ``lock`` is held by each call, and by engines across several."""

    def __init__(self, bank: ChipBank, row: int, now: Callable[[], float]) -> None:
        self.bank = bank
        self.lock = threading.RLock()
        self._row = row
        self._now = now
        self._stuck: dict[int, int] = {}

    def read_word(self, address: int, time: float) -> int:
        """The 24 bits the bus gets, clear-on-read included. An undocumented address reads 0: a guess."""
        register = BY_ADDRESS.get(address)
        if register is None:
            return 0
        with self.lock:
            word = register.encode(self._count(register, time))
            if register is CF_CNT:
                self.bank.clear_on_read(time, self._row)
        return word

    def write_word(self, address: int, word: int, time: float) -> None:
        """What a valid write frame does."""
        with self.lock:
            self.bank.write(address, word, time, self._row)

    def peek(self, register: Register) -> int:
        """A register's count now, without side effects."""
        with self.lock:
            return self._count(register, self._now())

    def poke(self, register: Register, count: int) -> None:
        """Put a count into a writable register or CF_CNT, past the lock. Raises ValueError for what is measured."""
        word = register.encode(count)
        if register is CF_CNT:
            with self.lock:
                self.bank.set_counter(self._now(), word, self._row)
        elif register.access is Access.READ_WRITE:
            with self.lock:
                self.bank.store(register, word, self._now(), self._row)
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
            self.bank.power_on(self._now(), self._row)

    def output(self, name: str) -> bool:
        """The level of cf1, cf2 or zx now."""
        with self.lock:
            return self.bank.output(name, self._now(), self._row)

    @property
    def mode(self) -> int:
        """MODE as it stands."""
        return int(self.bank.read(MODE, self._now())[self._row])

    def _count(self, register: Register, time: float) -> int:
        if register.address in self._stuck:
            return self._stuck[register.address]
        return int(self.bank.read(register, time)[self._row])
