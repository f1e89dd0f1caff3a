"""The host's ends of a twin's cable: a Port and a Bus, as ``wattrail.transport`` asks for them."""

from __future__ import annotations

from collections import deque
from contextlib import AbstractContextManager
from typing import Protocol

from wattrail.clock import Clock, Deadline
from wattrail.errors import PortError, PortTimeout
from wattrail.transport.carrier import OpenCarrier
from wattrail.twin.faults import Faults
from wattrail.twin.spi_engine import SpiEngine
from wattrail.twin.uart_engine import TimedByte, UartEngine

__all__ = ["TwinBus", "TwinPort"]

_SLICE_S = 0.05
"""A reader that waits looks up this often, so that a cable pulled meanwhile is noticed."""


class _CabledTwin(Protocol):
    """What a cable needs of the twin at its other end."""

    clock: Clock

    @property
    def faults(self) -> Faults: ...
    @property
    def lock(self) -> AbstractContextManager[object]: ...
    def now(self) -> float: ...


class _Cable(OpenCarrier):
    """What both ends have in common. Closing leaves the chip running."""

    def __init__(self, twin: _CabledTwin, url: str) -> None:
        super().__init__(url, twin.clock, simulated=True)
        self.twin = twin

    def _release(self) -> None:
        """The twin stays."""

    def _check(self) -> None:
        self._check_open()
        self.twin.faults.check_cable(self.url)


class TwinPort(_Cable):
    """A UART cable. Bytes become readable when their stop bit would have ended."""

    def __init__(self, twin: _CabledTwin, engine: UartEngine, *, url: str, baud: int | None = None) -> None:
        super().__init__(twin, url)
        self._engine = engine
        self._baud = baud or engine.strap_baud
        self._arrivals: deque[TimedByte] = deque()

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte, and whatever else has arrived. Raises PortTimeout, PortLost."""
        while True:
            data = self.drain()
            if data:
                return data
            remaining = deadline.remaining
            if not remaining:
                raise PortTimeout(f"{self.url}: nothing arrived before the deadline")
            wait = self._arrivals[0].at - self.twin.now() if self._arrivals else remaining
            self.clock.sleep(max(1e-6, min(wait, remaining, _SLICE_S)))

    def write(self, data: bytes) -> None:
        """Send all bytes as one block. Raises PortLost."""
        self._check()
        with self.twin.lock:
            arrivals = self._engine.receive(data, self.twin.now(), self._baud)
        # Sorted, because a reply that a fault holds back can be overtaken by the next one.
        self._arrivals = deque(sorted([*self._arrivals, *arrivals], key=lambda arrival: arrival.at))

    def drain(self) -> bytes:
        """Take what has already arrived, without waiting. Raises PortLost."""
        # What was on the wire is gone: no adapter hands over later what it did not get.
        if self.twin.faults.unplugged:
            self._arrivals.clear()
        self._check()
        now = self.twin.now() + 1e-9
        taken = bytearray()
        while self._arrivals and self._arrivals[0].at <= now:
            taken.append(self._arrivals.popleft().byte)
        return bytes(taken)

    def set_baud(self, baud: int) -> None:
        """Change the host's rate; the chip keeps its own."""
        if baud <= 0:
            raise PortError(f"{self.url}: a rate of {baud} baud; a rate is 1 or more")
        self._baud = baud

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Raises PortError: the twin's cable has three wires."""
        raise PortError(f"{self.url}: the twin has no modem lines")


class TwinBus(_Cable):
    """An SPI cable. A transfer takes the time its clocks take."""

    def __init__(self, twin: _CabledTwin, engine: SpiEngine, *, url: str, hz: int = 800_000, mode: int = 1) -> None:
        super().__init__(twin, url)
        self._engine = engine
        self._hz = hz
        self._mode = mode

    def transfer(self, data: bytes, deadline: Deadline) -> bytes:
        """Clock bytes out and as many in, as one block under chip select. Raises PortTimeout, PortLost."""
        self._check()
        self._check_time(deadline)
        with self.twin.lock:
            # One block under one select, as the hosts send it; on a board of three wires nothing comes of it.
            self._engine.select(True)
            answer = self._engine.transfer(data, mode=self._mode, hz=self._hz)
            self._engine.select(False)
        self.clock.sleep(8 * len(data) / self._hz)
        return answer
