"""The host's end of the chip's UART, as ``wattrail.transport`` asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.clock import Deadline
from wattrail.errors import PortError, PortTimeout
from wattrail.transport.carrier import OpenCarrier
from wattrail.twin.bootrom.adapters import Adapter, ModemLine, Sieve, adapter_of
from wattrail.twin.bootrom.stray import Wiring

if TYPE_CHECKING:
    from wattrail.twin.bootrom.twin import BootTwin

__all__ = ["BootPort"]

_SLICE_S: Final = 0.05
"""A reader that waits looks up this often, so that a cable pulled meanwhile is noticed."""
_TICK_S: Final = 1e-6


class BootPort(OpenCarrier):
    """A UART adapter on the chip. Closing lets go of the cable; the chip keeps its rate and its mode.

    ``reset_line``: the modem line a user has soldered to CEN; asserted, it holds the chip in reset. ``echo``: the wire
    is shared, and what the host says comes back to it. ``adapter``: one of ``ADAPTERS`` by name, or one's own.
    ``wiring``: "swapped" hears what others say to the chip and reaches nobody, "uart2" hears the log and is not heard.
    """

    def __init__(
        self,
        twin: BootTwin,
        *,
        url: str,
        baud: int = BAUD_AT_RESET,
        reset_line: ModemLine | None = None,
        echo: bool = False,
        adapter: Adapter | str = "ideal",
        wiring: Wiring = "right",
    ) -> None:
        super().__init__(url, twin.clock, simulated=True)
        self._twin = twin
        self._adapter = adapter_of(adapter)
        self._reset_line = reset_line
        self._echo = echo
        self._line = twin.line(wiring)
        self._says = Sieve(self._adapter.loss, heard=False, seed=twin.seed)
        self._hears = Sieve(self._adapter.loss, heard=True, seed=twin.seed)
        self._waiting = b""
        self._asserted = {"rts": "rts" in self._adapter.asserted, "dtr": "dtr" in self._adapter.asserted}
        self._holds = False
        self.set_baud(baud)
        self._drive()

    @property
    def baud(self) -> int:
        """The rate the host has asked for."""
        return self._baud

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte, and what else the adapter hands over with it. Raises PortTimeout, PortLost."""
        while True:
            data = self.drain()
            if data:
                self._waiting = data[self._adapter.packet :] if self._adapter.packet else b""
                return data[: self._adapter.packet]
            remaining = deadline.remaining
            if not remaining:
                raise PortTimeout(f"{self.url}: nothing arrived before the deadline")
            self.clock.sleep(max(_TICK_S, min(self._line.wait_s(), remaining, _SLICE_S)))

    def write(self, data: bytes) -> None:
        """Send all bytes as one block. Raises PortLost."""
        self._check()
        self._says.begin()
        self._hears.begin()
        self._line.send(self._says.through(data, self._baud), self._made, echo=self._echo)

    def drain(self) -> bytes:
        """Take what has already arrived, without waiting. Raises PortLost."""
        self._check()
        waited, self._waiting = self._waiting, b""
        return waited + self._hears.through(self._line.collect(self._made), self._baud)

    def set_baud(self, baud: int) -> None:
        """Change the host's rate; the chip keeps its own. Raises PortError for one that the adapter refuses."""
        if baud <= 0:
            raise PortError(f"{self.url}: {baud} baud is no rate")
        made = self._adapter.made(baud)
        if made is None:
            raise PortError(
                f"{self.url}: the adapter ({self._adapter.name}) makes no {baud} baud",
                hint=f"its highest rate is {self._adapter.most_baud}",
            )
        self._baud, self._made = baud, made

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Drive the modem lines. One that is wired to CEN resets the chip while it is set; the others lead nowhere."""
        self._check()
        self._asserted |= {line: level for line, level in (("dtr", dtr), ("rts", rts)) if level is not None}
        self._drive()

    def _drive(self) -> None:
        line = self._reset_line
        holds = line is not None and self._asserted[line] is not (line in self._adapter.inverted)
        if holds is not self._holds:
            self._holds = holds
            self._twin.hold_reset() if holds else self._twin.release_reset()

    def _release(self) -> None:
        """The twin stays."""

    def _check(self) -> None:
        self._check_open()
        self._twin.faults.check_cable(self.url)
