"""The slave's side of SPI over TCP: serves one chip, real or twin, to one master at a time."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from typing import Final, Protocol

from wattrail.errors import LinkError, WattrailError
from wattrail.transport.spi_wire import (
    MAX_TRANSFER,
    REQUESTS,
    Configure,
    Configured,
    Decoder,
    Hello,
    Message,
    Refused,
    Select,
    Selected,
    Transfer,
    Transferred,
    encode,
)

__all__ = ["SpiSlave", "serve_spi"]

_STOP_POLL_S: Final = 0.05
_SEND_TIMEOUT_S: Final = 5.0
"""A master that reads no reply for this long is dropped."""
# For a master that never configures: the BL0942's mode, and the clock that no board was seen to fail at.
_DEFAULT_MODE: Final = 1
_DEFAULT_HZ: Final = 800_000


class SpiSlave(Protocol):
    """What is served: a chip at the end of four wires."""

    @property
    def simulated(self) -> bool:
        """Whether it is a twin."""
        ...

    def transfer(self, data: bytes, *, mode: int, hz: int) -> bytes:
        """Clock bytes in and as many out. A WattrailError it raises is sent to the master."""
        ...

    def select(self, selected: bool, /) -> None:
        """Drive chip select: True addresses the chip (its line goes low)."""
        ...


def serve_spi(listener: socket.socket, slave: SpiSlave, *, stop: threading.Event) -> None:
    """Serve masters, one after the other, until ``stop`` is set; a second one at a time is refused.

    ``listener`` is bound and listening; the caller closes it. No peer can end the server; an exception of the slave
    other than WattrailError does.
    """
    connection: _Connection | None = None
    try:
        while not stop.is_set():
            watched = [listener] if connection is None else [listener, connection.socket]
            ready, _, _ = select.select(watched, [], [], _STOP_POLL_S)
            if connection is not None and connection.socket in ready:
                if not connection.step():
                    connection.close()
                    connection = None
            elif listener in ready:  # only now: a master that hung up a moment ago must not count as present
                connection = _admit(listener, slave, connection)
    finally:
        if connection is not None:
            connection.close()


def _admit(listener: socket.socket, slave: SpiSlave, busy: _Connection | None) -> _Connection | None:
    try:
        sock, _ = listener.accept()
    except OSError:  # the peer was gone before it was let in
        return busy
    with suppress(OSError):  # some systems refuse options on a connection that is gone; saying hello will tell
        sock.settimeout(_SEND_TIMEOUT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection = _Connection(sock, slave)
    if busy is not None:
        # One chip has one receiver: frames of two masters that mix would leave it out of step.
        connection.send(Refused("busy: another master is connected"))
        sock.close()
        return busy
    if connection.send(Hello(MAX_TRANSFER, slave.simulated)):
        return connection
    sock.close()
    return None


class _Connection:
    """The connection of one master."""

    def __init__(self, sock: socket.socket, slave: SpiSlave) -> None:
        self.socket = sock
        self._slave = slave
        self._decoder = Decoder(REQUESTS)
        self._mode = _DEFAULT_MODE
        self._hz = _DEFAULT_HZ
        self._selected = False

    def step(self) -> bool:
        """Answer what has arrived; False once the connection is over."""
        try:
            data = self.socket.recv(MAX_TRANSFER)
        except OSError:
            return False
        self._decoder.receive(data)
        try:
            while (request := self._decoder.next_message()) is not None:
                if not self.send(self._answer(request)):
                    return False
        except LinkError as error:
            # Where the next message begins is not known any more, so the connection ends with it.
            self.send(Refused(str(error)))
            return False
        return bool(data)

    def send(self, message: Message) -> bool:
        """Send a message; False if the master is gone."""
        try:
            self.socket.sendall(encode(message))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Leave the chip unselected and close the connection."""
        # The next master would find the chip inside a frame.
        if self._selected:
            with suppress(WattrailError):  # nobody is left to report it to
                self._slave.select(False)
        self.socket.close()

    def _answer(self, request: Message) -> Message:
        try:
            return self._execute(request)
        except WattrailError as error:
            return Refused(str(error))

    def _execute(self, request: Message) -> Message:
        match request:
            case Transfer(data):
                return Transferred(self._slave.transfer(data, mode=self._mode, hz=self._hz))
            case Select(selected):
                self._slave.select(selected)
                self._selected = selected
                return Selected()
            case Configure(mode, hz):
                self._mode, self._hz = mode, hz
                return Configured()
            case _:
                raise AssertionError(f"REQUESTS let {request!r} through")
