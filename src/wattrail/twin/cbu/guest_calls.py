"""Calls a function of the firmware, from its idle task: when it has nothing else to do, and interrupts go on.

The CPU's registers are kept, the function runs as if the idle task had called it, and comes back to a page of our own,
where they are put back. A function that blocks would block the idle task: call none that waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wattrail.twin.cbu.cpu import THUMB, EmulatedCpu

__all__ = ["SCRATCH", "GuestCalls"]

SCRATCH: Final = 0x0070_0000
"""A page that no chip of the family has; the lowest word is where calls return to, the rest is for arguments."""

_PAGE: Final = 0x1000
_LOOP: Final = bytes.fromhex("FEE7FEE7")
"""``b .`` in Thumb, twice."""

_LR, _PC, _CPSR = 14, 15, 16

Done = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class _Call:
    address: int
    arguments: tuple[int, ...]
    done: Done


class GuestCalls:
    """One call at a time; the others wait for the next idle moment."""

    def __init__(self, cpu: EmulatedCpu) -> None:
        self._cpu = cpu
        self._waiting: deque[_Call] = deque()
        self._running: _Call | None = None
        self._kept: list[int] = []
        self._is_back = False
        cpu.map_memory(SCRATCH, _PAGE)
        cpu.write_memory(SCRATCH, _LOOP)
        cpu.watch(SCRATCH, self._came_back, jumps=True)  # for good: a new watch has all code translated again

    @property
    def is_running(self) -> bool:
        """Whether a call has begun and has not come back."""
        return self._running is not None

    def call(self, address: int, *arguments: int, done: Done = lambda _result: None) -> None:
        """Call a Thumb function with up to four words; ``done`` gets what it returns, between two slices."""
        self._waiting.append(_Call(address, arguments, done))

    def forget(self) -> None:
        """The chip was reset: nothing comes back."""
        self._waiting.clear()
        self._running, self._is_back = None, False

    def begin(self) -> bool:
        """The firmware is idle: begin the call that waits longest. Returns whether there is one."""
        if self.is_running or not self._waiting:
            return False
        cpu, call = self._cpu, self._waiting.popleft()
        self._kept = [cpu.register(number) for number in range(_CPSR + 1)]
        for number, value in enumerate(call.arguments):
            cpu.set_register(number, value)
        cpu.set_register(_LR, SCRATCH | 1)
        # All that is called is Thumb code, and CPSR alone decides that: a PC that is set keeps ARM or Thumb.
        cpu.set_register(_CPSR, self._kept[_CPSR] | THUMB)
        cpu.set_register(_PC, call.address)
        self._running = call
        return True

    def finish(self) -> None:
        """After a slice: where a call has come back, go on where it began."""
        call = self._running
        if call is None or not self._is_back:
            return
        result = self._cpu.register(0)
        for number in (*range(_PC), _CPSR, _PC):  # the mode before the address: it decides what the address means
            self._cpu.set_register(number, self._kept[number])
        self._running, self._is_back = None, False
        call.done(result)

    def _came_back(self) -> None:
        if self._running is not None and not self._is_back:
            self._is_back = True
            self._cpu.stop()
