"""A twin that other programs can talk to: its UART on a pseudo-terminal or a TCP port, its SPI on a TCP port.

Each ``serve_`` function gives a context manager; its thread ends with it. A served twin lives in real time.
"""

from __future__ import annotations

import heapq
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from wattrail.chips import DEFAULT_CHIP
from wattrail.clock import ManualClock
from wattrail.errors import PortError, PortOpenError
from wattrail.transport import spi_server
from wattrail.twin.terminal import open_terminal, running
from wattrail.twin.twin import Twin
from wattrail.twin.uart_engine import TimedByte

__all__ = ["ServedPty", "ServedTcp", "serve_spi", "serve_uart", "serve_uart_tcp"]

_READ_SIZE: Final = 4096
_SEND_TIMEOUT_S: Final = 1.0
_IDLE_S: Final = 0.1
"""How long a server sleeps at most before it looks whether it should stop."""


@dataclass(frozen=True, slots=True)
class ServedPty:
    """Where the twin's UART is to be found, its rate, and the chip that answers."""

    path: str
    baud: int
    chip: str

    @property
    def url(self) -> str:
        """The URL for wattrail's own tools; it says that what is read there is simulated."""
        return f"serial://{self.path}?baud={self.baud}&simulated=yes{_chip_option(self.chip)}"


@dataclass(frozen=True, slots=True)
class ServedTcp:
    """Where the twin is to be found, and the chip that answers."""

    scheme: str
    host: str
    port: int
    chip: str

    @property
    def url(self) -> str:
        """The URL for wattrail's own tools; SPI over TCP says by itself that a twin answers."""
        options = f"?simulated=yes{_chip_option(self.chip)}" if self.scheme == "tcp" else ""
        return f"{self.scheme}://{self.host}:{self.port}{options}"


def _chip_option(chip: str) -> str:
    return "" if chip == DEFAULT_CHIP else f"&chip={chip}"


@contextmanager
def serve_uart(twin: Twin) -> Iterator[ServedPty]:
    """The twin's UART as a serial device of this machine.

    The rate the other program sets counts: a wrong one makes both sides read garbage. Raises PortOpenError where
    the system has no pseudo-terminals, PortError for a twin without UART.
    """
    _check(twin, "uart")
    with open_terminal(twin.uart.baud) as terminal:

        def host_baud() -> int:
            return terminal.baud or twin.uart.baud

        with running(_UartServer(twin, terminal, host_baud).run):
            yield ServedPty(terminal.path, twin.uart.baud, twin.model.name)


@contextmanager
def serve_uart_tcp(twin: Twin, host: str = "127.0.0.1", port: int = 0) -> Iterator[ServedTcp]:
    """The twin's UART on a TCP port, one client at a time; port 0 takes a free one.

    TCP carries no rate: the client is taken to have the chip's. Raises PortOpenError, PortError.
    """
    _check(twin, "uart")
    with _listener(host, port) as listener:

        def run(stop: threading.Event) -> None:
            while not stop.is_set():
                if not select.select([listener], [], [], _IDLE_S)[0]:
                    continue
                client, _ = listener.accept()
                # A client that does not read must not hold up the twin, and the end of the server, for ever.
                client.settimeout(_SEND_TIMEOUT_S)
                with client:
                    _UartServer(twin, _Client(client), lambda: twin.uart.baud).run(stop)

        with running(run):
            yield ServedTcp("tcp", host, listener.getsockname()[1], twin.model.name)


@contextmanager
def serve_spi(twin: Twin, host: str = "127.0.0.1", port: int = 0) -> Iterator[ServedTcp]:
    """The twin's SPI on a TCP port for ``spi+tcp://``; port 0 takes a free one. Raises PortOpenError, PortError."""
    _check(twin, "spi")
    with _listener(host, port) as listener:

        def run(stop: threading.Event) -> None:
            spi_server.serve_spi(listener, _LockedSlave(twin), stop=stop)

        with running(run):
            yield ServedTcp("spi+tcp", host, listener.getsockname()[1], twin.model.name)


class _LockedSlave:
    """The SPI engine behind the twin's lock."""

    simulated = True

    def __init__(self, twin: Twin) -> None:
        self._twin = twin

    def transfer(self, data: bytes, *, mode: int, hz: int) -> bytes:
        with self._twin.lock:
            return self._twin.spi.transfer(data, mode=mode, hz=hz)

    def select(self, selected: bool, /) -> None:
        with self._twin.lock:
            self._twin.spi.select(selected)


class _ByteStream(Protocol):
    """A byte stream with a descriptor; ``read`` gives b"" at its end."""

    def fileno(self) -> int: ...
    def read(self) -> bytes: ...
    def write(self, data: bytes) -> None: ...


class _Client:
    def __init__(self, client: socket.socket) -> None:
        self._client = client

    def fileno(self) -> int:
        return self._client.fileno()

    def read(self) -> bytes:
        return self._client.recv(_READ_SIZE)

    def write(self, data: bytes) -> None:
        self._client.sendall(data)


class _UartServer:
    """Carries bytes between a line and the engine, each at its time."""

    def __init__(self, twin: Twin, line: _ByteStream, host_baud: Callable[[], int]) -> None:
        self._twin = twin
        self._line = line
        self._host_baud = host_baud
        self._waiting: list[tuple[float, int, TimedByte]] = []
        self._count = 0

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set, or the line ends."""
        while not stop.is_set():
            wait = self._waiting[0][0] - self._twin.now() if self._waiting else _IDLE_S
            readable, _, _ = select.select([self._line], [], [], min(max(wait, 0.0), _IDLE_S))
            try:
                if readable and not self._receive():
                    return
                self._deliver()
            except OSError:  # the other side has gone
                return

    def _receive(self) -> bool:
        data = self._line.read()
        with self._twin.lock:
            arrivals = self._twin.uart.receive(data, self._twin.now(), self._host_baud()) if data else []
        for arrival in arrivals:
            self._count += 1
            # By time: a reply that a fault holds back can be overtaken.
            heapq.heappush(self._waiting, (arrival.at, self._count, arrival))
        return bool(data)

    def _deliver(self) -> None:
        due = bytearray()
        while self._waiting and self._waiting[0][0] <= self._twin.now():
            due.append(heapq.heappop(self._waiting)[2].byte)
        if due and not self._twin.faults.unplugged:
            self._line.write(bytes(due))


def _check(twin: Twin, interface: str) -> None:
    if twin.interface != interface:
        raise PortError(f"{twin.url} is wired by {twin.interface.upper()}", hint=f"serve its {twin.interface} instead")
    if isinstance(twin.clock, ManualClock):
        raise PortError("a twin on a manual clock cannot be served: its time stands still", hint="use a SystemClock")


@contextmanager
def _listener(host: str, port: int) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise PortOpenError(f"cannot listen on {host}:{port}: {error}") from error
    with listener:
        yield listener
