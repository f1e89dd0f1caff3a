"""The host's end: USB serial adapters, the wires from them to the chip, and the port that a host opens.

An adapter makes its own rates, loses bytes and drives modem lines. Users report which adapter fails at what (Source:
bk-boot/adapters); the cause inside it is guessed, and so is every number without a source beside it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, Protocol

from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.clock import Clock, Deadline
from wattrail.errors import ConfigError, PortError, PortTimeout
from wattrail.transport.carrier import OpenCarrier
from wattrail.twin.bootrom.engine import BootEngine
from wattrail.twin.bootrom.faults import BootFaults
from wattrail.twin.bootrom.uart import SentBlock, TransmitQueue

__all__ = [
    "ADAPTERS",
    "Adapter",
    "BootPort",
    "ByteLoss",
    "HostWires",
    "LossFilter",
    "ModemLine",
    "Wiring",
    "adapter_of",
]

ModemLine = Literal["rts", "dtr"]
Wiring = Literal["right", "swapped", "uart2"]


@dataclass(frozen=True, slots=True)
class ByteLoss:
    """Bytes an adapter loses: each one with this ``chance``, after the first ``after`` of a block, above ``baud``.

    ``received``: of what the host receives; else of what it sends.
    """

    chance: float
    after: int
    baud: int = 0
    received: bool = True


@dataclass(frozen=True, slots=True)
class Adapter:
    """One adapter. Without options it has no fault.

    ``clock_hz`` and ``parts``: it divides this clock by whole numbers and such parts of them. ``table``: it makes these
    rates only, the next lower of the one asked for. ``max_baud``: it refuses a higher one. ``inverted``: lines with
    inverted levels. ``asserted``: lines it asserts when it is opened. ``packet``: bytes it hands over at once.
    """

    name: str
    clock_hz: float = 0.0
    parts: int = 1
    table: tuple[int, ...] = ()
    max_baud: int | None = None
    loss: ByteLoss | None = None
    inverted: tuple[ModemLine, ...] = ()
    asserted: tuple[ModemLine, ...] = ()
    packet: int | None = None

    def real_baud(self, baud: int) -> int | None:
        """The rate it makes of the one asked for; None if it refuses."""
        if self.max_baud is not None and baud > self.max_baud:
            return None
        if self.table:
            # Nothing says so: the host hears silence or garbage, as users of such adapters report.
            return max((rate for rate in self.table if rate <= baud), default=self.table[0])
        if not self.clock_hz:
            return baud
        divider = max(1.0, round(self.clock_hz * self.parts / baud) / self.parts)
        return round(self.clock_hz / divider)


ADAPTERS: Final[Mapping[str, Adapter]] = MappingProxyType(
    {
        adapter.name: adapter
        for adapter in (
            Adapter("ideal"),
            Adapter("ch340", clock_hz=12e6, parts=2, max_baud=2_000_000, packet=32),
            Adapter("ft232", clock_hz=3e6, parts=8, max_baud=3_000_000, packet=62),  # its maker's divider, from memory
            # Reported: odd behaviour, bytes missing. Guess: its buffer overruns when a reply is long and fast.
            Adapter("pl2303", loss=ByteLoss(1e-4, after=1024, baud=115200), max_baud=6_000_000, packet=64),
            # Reported: no 921600, and lines asserted on opening. Guess: it makes the highest rate of its table instead.
            Adapter(
                "cp2102",
                table=(300, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 500000, 576000),
                asserted=("rts", "dtr"),
                packet=64,
            ),
            # Reported: modules with a transistor, or a level shifter, between RTS and its pin.
            Adapter("rts inverted", inverted=("rts",)),
        )
    }
)
"""Adapters by name."""


def adapter_of(adapter: Adapter | str) -> Adapter:
    """The adapter itself, or the one of that name. Raises ConfigError."""
    if isinstance(adapter, Adapter):
        return adapter
    if adapter not in ADAPTERS:
        raise ConfigError(f"no adapter {adapter!r}", hint=f"known are {', '.join(ADAPTERS)}")
    return ADAPTERS[adapter]


class LossFilter:
    """One direction of an adapter that loses bytes, by seeded chance."""

    def __init__(self, loss: ByteLoss | None, *, received: bool, seed: int) -> None:
        self._loss = loss if loss is not None and loss.received is received else None
        self._chance = random.Random(seed)
        self._passed = 0
        self._until_loss = self._gap()

    def start_block(self) -> None:
        """A new block begins."""
        self._passed = 0

    def apply(self, data: bytes, baud: int) -> bytes:
        """The bytes that are left."""
        if self._loss is None or baud <= self._loss.baud:
            return data
        safe = max(0, self._loss.after - self._passed)
        self._passed += len(data)
        kept, rest = bytearray(data[:safe]), data[safe:]
        while self._until_loss < len(rest):
            kept += rest[: self._until_loss]
            rest = rest[self._until_loss + 1 :]
            self._until_loss = self._gap()
        self._until_loss -= len(rest)
        return bytes(kept + rest)

    def _gap(self) -> int:
        """Bytes to the next that is lost: a geometric distribution."""
        if self._loss is None:
            return 0
        return int(math.log(1.0 - self._chance.random()) / math.log1p(-self._loss.chance))


class _WiredTwin(Protocol):
    """What wires and adapters need of the chip at their other end."""

    clock: Clock
    engine: BootEngine
    faults: BootFaults
    seed: int

    @property
    def lock(self) -> AbstractContextManager[object]: ...
    def now(self) -> float: ...
    def wires(self, wiring: Wiring = "right") -> HostWires: ...
    def reset(self) -> None: ...
    def hold_reset(self) -> None: ...


class HostWires:
    """The wires between a host and the chip: ``queue`` is what the host receives.

    ``reaches_chip``: whether the chip receives what the host sends; ``paced``: whether an echo takes time on the wire.
    """

    def __init__(self, twin: _WiredTwin, queue: TransmitQueue, *, reaches_chip: bool, paced: bool) -> None:
        self._twin = twin
        self._queue = queue
        self._reaches_chip = reaches_chip
        self._paced = paced

    def wait_s(self, portion_s: float) -> float:
        """How long nothing can arrive at the host, by what is under way now.

        ``portion_s``: how long the bytes of one reply may be gathered before they are handed over.
        """
        with self._twin.lock:
            now = self._twin.now()
            at = self._twin.engine.next_at(now, self._queue, portion_s)
            return at - now if at > now else 0.0

    def send(self, data: bytes, baud: int, *, echo: bool = False) -> None:
        """The host sends. ``echo``: it receives its own bytes as well."""
        with self._twin.lock:
            now, engine = self._twin.now(), self._twin.engine
            engine.advance(now)
            if echo and data:
                self._queue.put(SentBlock(data, now, baud, paced=self._paced))
            if self._reaches_chip:
                engine.receive(self._twin.faults.request(data), now, baud)

    def collect(self, baud: int) -> bytes:
        """What has arrived at a host that listens at this rate."""
        with self._twin.lock:
            now = self._twin.now()
            self._twin.engine.advance(now)
            return self._queue.collect(now, baud) if self._queue else b""


_SLICE_S: Final = 0.05
"""A waiting reader looks this often, so that a cable pulled meanwhile is noticed."""
_TICK_S: Final = 1e-6

_PORTION_S: Final = 0.016
"""How long a port gathers bytes of one reply: the timer of the common FTDI adapters."""


class BootPort(OpenCarrier):
    """A UART adapter on the chip. Closing it leaves the chip at its rate and in its mode.

    ``reset_line``: the modem line wired to CEN; asserted, it holds the chip in reset. ``echo``: the two wires are
    shorted, and the host receives what it sends. ``adapter``: one of ``ADAPTERS`` by name, or one's own. ``wiring``:
    with "swapped" the host receives what others send to the chip and reaches nobody, with "uart2" it receives the log
    and reaches nobody.
    """

    def __init__(
        self,
        twin: _WiredTwin,
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
        self._wires = twin.wires(wiring)
        self._sent = LossFilter(self._adapter.loss, received=False, seed=twin.seed)
        self._received = LossFilter(self._adapter.loss, received=True, seed=twin.seed)
        self._waiting = b""
        self._asserted = {"rts": "rts" in self._adapter.asserted, "dtr": "dtr" in self._adapter.asserted}
        self._holds_reset = False
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
            self.clock.sleep(max(_TICK_S, min(self._wires.wait_s(_PORTION_S), remaining, _SLICE_S)))

    def write(self, data: bytes) -> None:
        """Send all bytes as one block. Raises PortLost."""
        self._check()
        self._sent.start_block()
        self._received.start_block()
        self._wires.send(self._sent.apply(data, self._baud), self._real_baud, echo=self._echo)

    def drain(self) -> bytes:
        """Take what has already arrived, without waiting. Raises PortLost."""
        self._check()
        arrived = self._wires.collect(self._real_baud)
        if not arrived and not self._waiting:
            return b""  # most looks of a host that waits
        waiting, self._waiting = self._waiting, b""
        return waiting + self._received.apply(arrived, self._baud)

    def set_baud(self, baud: int) -> None:
        """Change the host's rate; the chip keeps its own. Raises PortError for one that the adapter refuses."""
        if baud <= 0:
            raise PortError(f"{self.url}: the baud rate must be above 0, got {baud}")
        real = self._adapter.real_baud(baud)
        if real is None:
            raise PortError(
                f"{self.url}: the adapter ({self._adapter.name}) makes no {baud} baud",
                hint=f"its highest rate is {self._adapter.max_baud}",
            )
        self._baud, self._real_baud = baud, real

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Drive the modem lines. One that is wired to CEN holds the chip in reset; the others have no effect."""
        self._check()
        self._asserted |= {line: level for line, level in (("dtr", dtr), ("rts", rts)) if level is not None}
        self._drive()

    def _drive(self) -> None:
        line = self._reset_line
        # In most adapters "asserted" is a low pin, which is a pressed CEN: one that asserts RTS on opening holds the
        # chip.
        holds = line is not None and self._asserted[line] is not (line in self._adapter.inverted)
        if holds is not self._holds_reset:
            self._holds_reset = holds
            self._twin.hold_reset() if holds else self._twin.reset()

    def _release(self) -> None:
        """The twin stays."""

    def _check(self) -> None:
        self._check_open()
        self._twin.faults.check_cable(self.url)
