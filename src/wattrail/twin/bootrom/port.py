"""The host's end of the chip's UART, as ``wattrail.transport`` asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.clock import Deadline
from wattrail.errors import PortError, PortTimeout
from wattrail.transport.carrier import OpenCarrier

if TYPE_CHECKING:
    from wattrail.twin.bootrom.twin import BootTwin

__all__ = ["BootPort", "Line"]

Line = Literal["rts", "dtr"]

_SLICE_S: Final = 0.05
"""A reader that waits looks up this often, so that a cable pulled meanwhile is noticed."""
_TICK_S: Final = 1e-6


class BootPort(OpenCarrier):
    """A UART adapter on the chip. Closing lets go of the cable; the chip keeps its rate and its mode.

    ``reset_line``: the modem line a user has soldered to CEN; set, it holds the chip in reset. ``echo``: the wire is
    shared, and what the host says comes back to it.
    """

    def __init__(
        self,
        twin: BootTwin,
        *,
        url: str,
        baud: int = BAUD_AT_RESET,
        reset_line: Line | None = None,
        echo: bool = False,
    ) -> None:
        super().__init__(url, twin.clock, simulated=True)
        self._twin = twin
        self._baud = baud
        self._reset_line = reset_line
        self._echo = echo
        self._holds = False

    @property
    def baud(self) -> int:
        """The host's rate."""
        return self._baud

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte, and whatever else has arrived. Raises PortTimeout, PortLost."""
        while True:
            data = self.drain()
            if data:
                return data
            remaining = deadline.remaining
            if not remaining:
                raise PortTimeout(f"{self.url}: nothing arrived before the deadline")
            self.clock.sleep(max(_TICK_S, min(self._twin.wait_s(), remaining, _SLICE_S)))

    def write(self, data: bytes) -> None:
        """Send all bytes as one block. Raises PortLost."""
        self._check()
        self._twin.send(data, self._baud, echo=self._echo)

    def drain(self) -> bytes:
        """Take what has already arrived, without waiting. Raises PortLost."""
        self._check()
        return self._twin.collect(self._baud)

    def set_baud(self, baud: int) -> None:
        """Change the host's rate; the chip keeps its own."""
        if baud <= 0:
            raise PortError(f"{self.url}: {baud} baud is no rate")
        self._baud = baud

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Drive the modem lines. One that is wired to CEN resets the chip while it is set; the others lead nowhere."""
        self._check()
        value = {"rts": rts, "dtr": dtr}.get(self._reset_line or "")
        if value is None or value == self._holds:
            return
        self._holds = value
        self._twin.hold_reset() if value else self._twin.release_reset()

    def _release(self) -> None:
        """The twin stays."""

    def _check(self) -> None:
        self._check_open()
        self._twin.faults.check_cable(self.url)
