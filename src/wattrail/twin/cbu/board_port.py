"""The wires from a host to UART1, on device time: a host's waits let the firmware run, and nothing else does.

    port = BoardPort(board.machine, reset_line="rts")
    with Flasher(port, reset="rts", folder=folder) as flasher:
        flasher.connect()

A deadline of the host is device time too, so how fast this machine runs changes nothing. What the host sends takes its
time on the wire; what the firmware sends takes none, as everywhere on the board. Were it to arrive later than it was
sent, a bootloader that waits for the next command would find the line silent for too long, and restart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.clock import Deadline
from wattrail.errors import PortError, PortTimeout
from wattrail.transport.carrier import OpenCarrier
from wattrail.twin.cbu.board import DeviceTime
from wattrail.twin.cbu.machine import Cbu
from wattrail.twin.cbu.peripheral import TICKS_PER_SECOND

__all__ = ["BoardPort", "RunningTime"]

_BITS: Final = 10
"""Of a byte on the wire: start, eight, stop."""
_TOLERANCE: Final = 0.03
"""Of two rates that still understand each other; a guess, usual for a UART."""
# A host that sleeps for less than a tick must move the time all the same, or its loops would never end.
_MIN_SLEEP: Final = TICKS_PER_SECOND // 100_000


class RunningTime(DeviceTime):
    """Device time as a host's clock: to sleep on it runs the machine."""

    def __init__(self, machine: Cbu) -> None:
        super().__init__(machine)
        self.held_in_reset = False

    def sleep(self, seconds: float) -> None:
        """Run the machine for so long. Raises CpuFault."""
        self.run_until(self._machine.clock.now + max(_MIN_SLEEP, round(seconds * TICKS_PER_SECOND)))

    def run_until(self, tick: int, stop: Callable[[], bool] | None = None) -> None:
        """Run up to a tick, or until ``stop`` holds; a chip that is held in reset lets the time pass."""
        if self.held_in_reset:
            self._machine.clock.now = max(tick, self._machine.clock.now)
        else:
            self._machine.run_until(tick, stop)


class BoardPort(OpenCarrier):
    """A UART adapter on UART1. ``reset_line``: the modem line wired to CEN; asserted, it holds the chip in reset.

    Reads and writes raise CpuFault if the firmware's CPU cannot continue.
    """

    def __init__(
        self, machine: Cbu, *, baud: int = BAUD_AT_RESET, reset_line: Literal["rts", "dtr"] | None = None
    ) -> None:
        self._time = RunningTime(machine)
        super().__init__(f"emulated://bk7231{machine.chip.name.lower()}", self._time, simulated=True)
        self._machine = machine
        self._uart = machine.uart("uart1")
        self._reset_line = reset_line
        self._received = bytearray()
        self.set_baud(baud)
        self._uart.listen(self._hear)

    @property
    def baud(self) -> int:
        """The host's rate."""
        return self._baud

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte, and what else is here by then. Raises PortTimeout, PortLost."""
        clock, end = self._machine.clock, round(deadline.at * TICKS_PER_SECOND)
        while not (data := self.drain()):
            if clock.now >= end or deadline.passed:
                raise PortTimeout(f"{self.url}: nothing arrived before the deadline")
            self._time.run_until(end, lambda: bool(self._received))
        return data

    def write(self, data: bytes) -> None:
        """Send all bytes; returns when the last one is on the wire. Raises PortLost."""
        self._check_open()
        if not self._time.held_in_reset:
            self._uart.receive(data if self._agrees() else bytes(len(data)))
        self._time.sleep(_BITS * len(data) / self._baud)

    def drain(self) -> bytes:
        """Take what has already arrived, without waiting. Raises PortLost."""
        self._check_open()
        data = bytes(self._received)
        self._received.clear()
        return data

    def set_baud(self, baud: int) -> None:
        """Change the host's rate; the firmware keeps its own. Raises PortError."""
        if baud <= 0:
            raise PortError(f"{self.url}: the baud rate must be above 0, got {baud}")
        self._baud = baud

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Drive the modem lines. One that is wired to CEN resets the chip when it is let go."""
        self._check_open()
        level = {"dtr": dtr, "rts": rts, None: None}[self._reset_line]
        if level is None or level is self._time.held_in_reset:
            return
        self._time.held_in_reset = level
        if not level:
            self._machine.reset()

    def _hear(self, data: bytes) -> None:
        self._received += data if self._agrees() else bytes(len(data))

    def _agrees(self) -> bool:
        return abs(self._uart.baud / self._baud - 1) <= _TOLERANCE

    def _release(self) -> None:
        """The board stays."""
