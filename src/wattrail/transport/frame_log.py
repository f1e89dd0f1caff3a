"""Logs every frame that passes through a port or a bus, at DEBUG: direction, bytes as hex, and where.

``open_port`` wraps what it opens, so that all schemes are logged in one place. Whether DEBUG is on is checked once,
at opening: where it is off nothing is wrapped, and a frame costs nothing extra.

A UART delivers a reply in portions, byte by byte at 4800 baud. They are gathered and logged as one line: when the
reader calls ``end_frame`` because a frame is whole, or at the next event. The record's ``monotonic`` is when
the first of them arrived.

A frame may carry a secret: a firmware's settings with a Wi-Fi key, the code key of a chip. Only the caller knows when,
and calls ``withhold``.

What network meters say does not pass through a port; ``log_bytes`` writes their lines in the same form.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final, overload

from wattrail.clock import Deadline
from wattrail.errors import PortTimeout
from wattrail.sanitize import hide_credentials, printable
from wattrail.transport.base import Bus, Port
from wattrail.transport.carrier import OpenCarrier
from wattrail.wire import hex_pairs

__all__ = ["MAX_SHOWN", "LoggedBus", "LoggedPort", "end_frame", "log_bytes", "logged", "unlogged", "withhold"]

# A flash sector has 4096 bytes, which would bury the frames around it.
MAX_SHOWN: Final = 64
"""Bytes of one frame in hex: every frame of a metering chip, and the head of what is longer."""

MAX_GATHERED: Final = 8192
"""Bytes that wait for their line: a flash sector in its frame fits."""

logger = logging.getLogger(__name__)


def log_bytes(what: str, data: bytes, where: str, *, secrets: Iterable[str] = (), withheld: str = "") -> None:
    """Log bytes that a network meter was sent (``what`` begins with ->) or has sent (<-), if frames are logged now.

    Bytes in which one of ``secrets`` stands are not shown, nor any with ``withheld``, which says why: a device may
    give back what it was sent, and as hex no later filter would know it.
    """
    if not logger.isEnabledFor(logging.DEBUG):
        return
    if not withheld and any(secret.encode() in data for secret in secrets):
        withheld = "a login is in them"
    shown = f"({len(data)} bytes, not shown: {withheld})" if withheld else _as_hex(data)
    logger.debug("%s  %s", printable(f"{what} {shown}" if data else what), printable(hide_credentials(where)))


def _as_hex(data: bytes) -> str:
    return hex_pairs(data[:MAX_SHOWN]) + (f" ... ({len(data)} bytes)" if len(data) > MAX_SHOWN else "")


class _Logged(OpenCarrier):
    """Common to logged ports and buses: they keep the URL of what they wrap, and write lines."""

    def __init__(self, inner: Port | Bus) -> None:
        super().__init__(inner.url, inner.clock, simulated=inner.simulated)
        self._carrier = inner
        self._shown_url = printable(hide_credentials(inner.url))
        self._withheld = ""
        self._note("opened")

    @property
    def inner(self) -> Port | Bus:
        """What was wrapped."""
        return self._carrier

    def withhold(self, why: str) -> None:
        """See the function of that name."""
        self._withheld = why

    def _log(self, direction: str, data: bytes, at: float | None = None) -> None:
        self._note(f"{direction} {self._shown(data)}", at)

    def _note(self, words: str, at: float | None = None) -> None:
        moment = self.clock.monotonic() if at is None else at
        logger.debug("%s  %s", words, self._shown_url, extra={"monotonic": moment})

    def _shown(self, data: bytes) -> str:
        if self._withheld:
            return f"({len(data)} bytes, not shown: {self._withheld})"
        return _as_hex(data)

    def _release(self) -> None:
        self._carrier.close()
        self._note("closed")


class LoggedPort(_Logged):
    """A port that logs what passes through it."""

    def __init__(self, inner: Port) -> None:
        super().__init__(inner)
        self._inner = inner
        self._gathered = bytearray()
        self._gathered_at = 0.0

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte, and whatever else has arrived. Raises PortTimeout, PortLost."""
        # A frame that was cut short is logged too, before the timeout that it led to.
        try:
            data = self._inner.read(deadline)
        except PortTimeout:
            if self._gathered:
                self.end_frame()
            else:
                self._note("<- nothing before the deadline")
            raise
        self._gather(data)
        return data

    def write(self, data: bytes) -> None:
        """Send all bytes as one block. Raises PortLost, PortTimeout."""
        # First what has arrived: the log keeps the order of the wire.
        self.end_frame()
        self._log("->", data)
        self._inner.write(data)

    def drain(self) -> bytes:
        """Take what has already arrived, without waiting. Raises PortLost."""
        if data := self._inner.drain():
            self._gather(data)
        return data

    def set_baud(self, baud: int) -> None:
        """Change the rate. Raises PortError where the carrier has none."""
        self.end_frame()
        self._note(f"rate {baud} baud")
        self._inner.set_baud(baud)

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Drive the modem lines; None leaves one as it is. Raises PortError where the carrier has none."""
        self.end_frame()
        self._note(f"lines dtr={dtr} rts={rts}")
        self._inner.set_lines(dtr=dtr, rts=rts)

    def withhold(self, why: str) -> None:
        """Bytes that arrived before are logged by the former setting."""
        self.end_frame()
        super().withhold(why)

    def _gather(self, data: bytes) -> None:
        if not self._gathered:
            self._gathered_at = self.clock.monotonic()
        self._gathered += data
        # A line that is never silent (a log, a second device) would be gathered for ever.
        if len(self._gathered) > MAX_GATHERED:
            self.end_frame()

    def end_frame(self) -> None:
        """Log what has been gathered."""
        if self._gathered:
            self._log("<-", bytes(self._gathered), self._gathered_at)
            self._gathered.clear()

    def _release(self) -> None:
        self.end_frame()
        super()._release()


class LoggedBus(_Logged):
    """A bus that logs what passes through it."""

    def __init__(self, inner: Bus) -> None:
        super().__init__(inner)
        self._inner = inner

    def transfer(self, data: bytes, deadline: Deadline) -> bytes:
        """Clock bytes out and as many in, as one block under chip select. Raises PortTimeout, PortLost."""
        self._log("->", data)
        try:
            got = self._inner.transfer(data, deadline)
        except PortTimeout:
            self._note("<- nothing before the deadline")
            raise
        self._log("<-", got)
        return got


@overload
def logged(carrier: Port) -> Port: ...
@overload
def logged(carrier: Bus) -> Bus: ...
@overload
def logged(carrier: Port | Bus) -> Port | Bus: ...
def logged(carrier: Port | Bus) -> Port | Bus:
    """The carrier, wrapped if frames are logged now, else unchanged."""
    if not logger.isEnabledFor(logging.DEBUG):
        return carrier
    return LoggedBus(carrier) if isinstance(carrier, Bus) else LoggedPort(carrier)


def unlogged(carrier: Port | Bus) -> Port | Bus:
    """The carrier itself, for callers that need more than the methods of a port or bus."""
    return carrier.inner if isinstance(carrier, _Logged) else carrier


def end_frame(carrier: Port | Bus) -> None:
    """What has been read so far is a whole frame: log it before whatever follows from it."""
    if isinstance(carrier, LoggedPort):
        carrier.end_frame()


def withhold(carrier: Port | Bus, why: str) -> None:
    """From here on log lengths in place of bytes, and ``why``; an empty ``why`` ends that."""
    if isinstance(carrier, _Logged):
        carrier.withhold(why)
