"""Far ends for every scheme: they play a dialogue, so that one test runs on a pty, a socket and a capture alike."""

from __future__ import annotations

import os
import pty
import select
import socket
import threading
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wattrail.clock import Clock, Deadline, SystemClock
from wattrail.transport import Bus, Port, open_port
from wattrail.transport.capture import BusTransfer, Header, Received, Sent, encode_event, encode_header

Dialogue = Sequence[tuple[bytes, bytes]]
"""Requests the far end waits for, each with the answer it then sends."""

POLL_S = 0.02
STUCK_S = 5.0


def soon() -> Deadline:
    """Long enough for a busy machine; only a failing test waits that long."""
    return Deadline.after(STUCK_S, SystemClock())


def shortly() -> Deadline:
    """For a test in which nothing is to come."""
    return Deadline.after(0.03, SystemClock())


def read_exactly(port: Port, length: int) -> bytes:
    got, deadline = b"", soon()
    while len(got) < length:
        got += port.read(deadline)
    return got


@dataclass
class Wire:
    """What a peer plays on: ``receive`` gives what came (b"" at the end), ``hang_up`` ends it."""

    fileno: int
    receive: Callable[[], bytes]
    send: Callable[[bytes], object]
    hang_up: Callable[[], None]


@dataclass
class Peer:
    """Plays a dialogue on a wire, in a thread, until stopped."""

    connect: Callable[[], Wire]
    dialogue: Dialogue = ()
    hang_up: bool = False
    heard: bytearray = field(default_factory=bytearray)
    finished: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)

    def __enter__(self) -> Peer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(STUCK_S)
        assert not self._thread.is_alive(), "the far end hangs"

    def _play(self) -> None:
        wire = self.connect()
        try:
            done = 0
            for request, answer in self.dialogue:
                if not self._hear(wire, done + len(request)):
                    return
                done += len(request)
                wire.send(answer)
            self.finished.set()
            if not self.hang_up:
                self._hear(wire, None)
        finally:
            wire.hang_up()

    def _hear(self, wire: Wire, length: int | None) -> bool:
        while length is None or len(self.heard) < length:
            ready, _, _ = select.select([wire.fileno], [], [], POLL_S)
            if self._stop.is_set():
                return False
            if not ready:
                continue
            try:
                data = wire.receive()
            except OSError:  # a pty's way to say that nobody has the other end open
                return False
            if not data:
                return False
            self.heard += data.removeprefix(b"\0nothing")
        return True


@dataclass
class Rig:
    """An open port and what is known of its far end; ``peer`` is None where a file answers."""

    port: Port
    url: str
    peer: Peer | None
    scheme: str


@contextmanager
def listening() -> Iterator[tuple[socket.socket, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(STUCK_S)
        yield listener, listener.getsockname()[1]


@contextmanager
def terminal() -> Iterator[tuple[int, str]]:
    """A pseudo-terminal: the file descriptor of its far end, and the device of its near end."""
    far, near = pty.openpty()
    tty.setraw(near)
    try:
        yield far, os.ttyname(near)
    finally:
        os.close(near)


@contextmanager
def serial_far_end(dialogue: Dialogue, hang_up: bool) -> Iterator[tuple[str, Peer]]:
    with terminal() as (far, device):
        wire = Wire(far, lambda: os.read(far, 4096), lambda data: os.write(far, data), lambda: os.close(far))
        with Peer(lambda: wire, dialogue, hang_up) as peer:
            yield f"serial://{device}?baud=4800", peer


@contextmanager
def tcp_far_end(dialogue: Dialogue, hang_up: bool) -> Iterator[tuple[str, Peer]]:
    with listening() as (listener, port):

        def connect() -> Wire:
            sock, _ = listener.accept()
            return Wire(sock.fileno(), lambda: sock.recv(4096), sock.sendall, sock.close)

        with Peer(connect, dialogue, hang_up) as peer:
            yield f"tcp://127.0.0.1:{port}", peer


class Adapter:
    """What pyserial's RFC 2217 server drives, without the hardware."""

    baudrate, bytesize, parity, stopbits = 9600, 8, "N", 1
    xonxoff = rtscts = dtr = rts = break_condition = False
    cts = dsr = ri = cd = False

    def reset_input_buffer(self) -> None: ...

    def reset_output_buffer(self) -> None: ...


@contextmanager
def rfc2217_far_end(dialogue: Dialogue, hang_up: bool, adapter: Adapter | None = None) -> Iterator[tuple[str, Peer]]:
    from serial import rfc2217

    with listening() as (listener, port):

        def connect() -> Wire:
            sock, _ = listener.accept()
            connection: Any = type("Connection", (), {"write": lambda self, data: sock.sendall(data)})()
            manager = rfc2217.PortManager(adapter or Adapter(), connection)

            def receive() -> bytes:
                raw = sock.recv(4096)
                data = b"".join(manager.filter(raw))
                return data or (b"\0nothing" if raw else b"")

            return Wire(sock.fileno(), receive, lambda data: sock.sendall(b"".join(manager.escape(data))), sock.close)

        with Peer(connect, dialogue, hang_up) as peer:
            yield f"rfc2217://127.0.0.1:{port}?baud=4800", peer


def write_capture(path: Path, kind: str, events: Sequence[Any], *, simulated: bool = False) -> None:
    header = Header(kind, "serial:///dev/ttyUSB0", datetime(2026, 6, 21, tzinfo=UTC), simulated, "0.1.0")
    lines = [encode_header(header), *map(encode_event, events)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def dialogue_events(dialogue: Dialogue) -> list[Any]:
    events: list[Any] = []
    for request, answer in dialogue:
        events.append(Sent(len(events) * 0.01, request))
        # An answer comes in two portions, so that a reader has to ask twice.
        half = (len(answer) + 1) // 2
        events += [Received(len(events) * 0.01, part) for part in (answer[:half], answer[half:]) if part]
    return events


PORT_SCHEMES = ("serial", "tcp", "rfc2217", "replay")
FAR_ENDS = {"serial": serial_far_end, "tcp": tcp_far_end, "rfc2217": rfc2217_far_end}


@contextmanager
def port_rig(
    name: str,
    folder: Path,
    dialogue: Dialogue = (),
    *,
    hang_up: bool = False,
    clock: Clock | None = None,
) -> Iterator[Rig]:
    """An open port by name: a scheme, or ``record+`` before it."""
    recorded, _, scheme = name.rpartition("+")
    with ExitStack() as stack:
        peer = None
        if scheme == "replay":
            capture = folder / "dialogue.jsonl"
            silence = [] if hang_up else [Received(9.0, b"")] * 4
            write_capture(capture, "uart", [*dialogue_events(dialogue), *silence])
            url = f"replay:{capture}"
        else:
            url, peer = stack.enter_context(FAR_ENDS[scheme](dialogue, hang_up))
        if recorded:
            url = f"record:{folder / 'recorded.jsonl'}?of={url}"
        port = open_port(url, clock=clock)
        assert isinstance(port, Port)
        with port:
            yield Rig(port, url, peer, scheme)


FRAME = bytes.fromhex("58 03 00 00 00 00")


def answer_of(data: bytes) -> bytes:
    """What every chip stub here clocks out: the complement of what the far ends were given."""
    return bytes(byte ^ 0xFF for byte in data)


class ByteChip:
    """A chip at the level of whole transfers, as spidev, FTDI and the SPI server see one."""

    simulated = False

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.selects: list[bool] = []
        self.settings: set[tuple[int, int]] = set()

    def transfer(self, data: bytes, *, mode: int = 1, hz: int = 800_000) -> bytes:
        self.frames.append(data)
        self.settings.add((mode, hz))
        return answer_of(data)

    def select(self, selected: bool, /) -> None:
        self.selects.append(selected)


class BitChip:
    """A chip at the level of edges, in mode 1 only: shifts out on the rising edge, samples on the falling one."""

    def __init__(self, sclk: int = 11, sdi: int = 10, sdo: int = 9, cs: int | None = None) -> None:
        self._sclk, self._sdi, self._sdo, self._cs = sclk, sdi, sdo, cs
        self.levels = {sclk: False, sdi: False, sdo: True} | ({} if cs is None else {cs: True})
        self.taken: list[int] = []
        self.edges: list[tuple[int, bool]] = []

    def answer_bit(self) -> bool:
        """Bit by bit the complement of 58 03 00 00 00 00, whatever the master says."""
        position = len(self.taken) % (8 * len(FRAME))
        byte = answer_of(FRAME)[position // 8]
        return bool(byte >> (7 - position % 8) & 1)

    def set(self, offset: int, level: bool, /) -> None:
        assert offset != self._sdo, "the master drives the chip's output"
        before, self.levels[offset] = self.levels[offset], level
        self.edges.append((offset, level))
        if offset != self._sclk or before == level or (self._cs is not None and self.levels[self._cs]):
            return
        if level:
            self.levels[self._sdo] = self.answer_bit()
            self.levels[self._sdi] = not self.levels[self._sdi]  # a sample before the master's shift would be wrong
        else:
            self.taken.append(int(self.levels[self._sdi]))

    def get(self, offset: int, /) -> bool:
        return self.levels[offset]

    @property
    def taken_bytes(self) -> bytes:
        bits = "".join(map(str, self.taken))
        return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


@dataclass
class BusRig:
    bus: Bus
    url: str
    chip: ByteChip | BitChip | None


def bus_events(count: int = 3) -> list[BusTransfer]:
    return [BusTransfer(i * 1.0, FRAME, answer_of(FRAME)) for i in range(count)]


@contextmanager
def serving(chip: Any) -> Iterator[int]:
    """The SPI server with a chip behind it; gives its port number."""
    from wattrail.transport.spi_server import serve_spi

    stop = threading.Event()
    with listening() as (listener, port):
        thread = threading.Thread(target=serve_spi, args=(listener, chip), kwargs={"stop": stop}, daemon=True)
        thread.start()
        try:
            yield port
            assert thread.is_alive(), "the server did not survive"
        finally:
            stop.set()
            thread.join(STUCK_S)
            assert not thread.is_alive(), "the server does not stop"
