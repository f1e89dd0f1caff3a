"""``tcp://`` - raw bytes over TCP, as served by serial bridges and twins."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from wattrail.clock import Clock, Deadline
from wattrail.errors import PortError, PortLost, PortTimeout
from wattrail.transport.base import Port
from wattrail.transport.carrier import SIMULATED, OpenCarrier, address, address_open_error, typed
from wattrail.urls import Option, PortUrl, number_in

__all__ = ["CONNECT_OPTION", "OPTIONS", "TcpPort", "connect", "open_carrier"]

CONNECT_OPTION: Final = Option(
    "connect_timeout_s", number_in(float, 0.01, 120.0), 5.0, "seconds to wait for the connection"
)
OPTIONS: Final[Sequence[Option]] = (CONNECT_OPTION, SIMULATED)

_WRITE_TIMEOUT_S: Final = 5.0
# All that has arrived, in one call: what ``drain`` left behind would be taken for the next reply.
_READ_SIZE: Final = 65536


class TcpPort(OpenCarrier):
    """A port over a connected socket."""

    def __init__(self, url: str, clock: Clock, sock: socket.socket, *, simulated: bool) -> None:
        super().__init__(url, clock, simulated=simulated)
        self._socket = sock

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte, and whatever else has arrived. Raises PortTimeout, PortLost."""
        with self._watched(deadline.remaining):
            return self._receive()

    def write(self, data: bytes) -> None:
        """Send all bytes as one block. Raises PortLost, PortTimeout."""
        with self._watched(_WRITE_TIMEOUT_S):
            self._socket.sendall(data)

    def drain(self) -> bytes:
        """Take what has already arrived, without waiting. Raises PortLost."""
        try:
            with self._watched(0.0):
                return self._receive()
        except PortTimeout:
            return b""

    def set_baud(self, baud: int) -> None:
        """Not possible. Raises PortError."""
        # Refused, not ignored: a flasher would wait at a rate that the chip does not have.
        raise PortError(f"{self.url}: raw TCP has no baud rate to set to {baud}", hint=_HINT)

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Not possible. Raises PortError."""
        raise PortError(f"{self.url}: raw TCP has no modem lines", hint=_HINT)

    def _receive(self) -> bytes:
        if data := self._socket.recv(_READ_SIZE):
            return data
        raise PortLost(f"{self.url}: the other end closed the connection", hint="open it again")

    @contextmanager
    def _watched(self, timeout_s: float) -> Iterator[None]:
        self._check_open()
        self._socket.settimeout(timeout_s)
        try:
            yield
        # A time-out of 0, as in ``drain``, makes the socket non-blocking,
        # and it says "nothing yet" by the second of the two.
        except (TimeoutError, BlockingIOError) as error:
            raise PortTimeout(f"{self.url}: nothing moved before the deadline") from error
        except OSError as error:
            raise PortLost(f"{self.url} went away: {error}", hint="open it again") from error

    def _release(self) -> None:
        self._socket.close()


_HINT: Final = "a server that speaks RFC 2217 can; open it as rfc2217://"


def open_carrier(url: PortUrl, options: Mapping[str, object], clock: Clock) -> Port:
    """Connect. Raises PortOpenError."""
    return TcpPort(url.text, clock, connect(url, options), simulated=typed(options, SIMULATED.name, bool))


def connect(url: PortUrl, options: Mapping[str, object]) -> socket.socket:
    """A connected socket that sends small blocks at once. Raises PortOpenError."""
    try:
        sock = socket.create_connection(address(url), timeout=typed(options, "connect_timeout_s", float))
    except OSError as error:
        raise address_open_error(url.text, error) from error
    # A frame of two bytes must not wait for a third, and a peer without power must not look alive for ever.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock
