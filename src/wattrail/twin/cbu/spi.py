"""The SPI controller of the BK7231N, 0x802700: it clocks bytes to one chip and back, by polling, interrupt or DMA.

Sending starts with a bit, before there is data; it is over when as many units have left as the length says. Receiving
starts with a bit as well, which starts the clock. A driver that waits for the end of either without enabling its
interrupt waits for ever, as it does on the board.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from wattrail.twin.cbu.peripheral import (
    TICKS_PER_SECOND,
    FactOrigin,
    PeripheralState,
    RegisterBlock,
    Services,
    mapped,
)
from wattrail.wire.register import Field

__all__ = ["SpiBlock", "SpiListener", "SpiPartner", "SpiTransfer"]

SOURCE: Final = 6
REQUEST_LINE: Final = 7
"""The DMA request line, in both directions."""

FIFO: Final = 64
_CLOCK_MUX: Final = 0x802000
_MODULE_SELECT: Final = 0x8028B4
_MUX_SPI: Final = 1 << 6
# 120 MHz halved. 800 kHz is none of the rates that the SDK makes of 26 MHz, so OpenBeken takes this clock by 76: 789.5
# kHz.
_DCO_HZ: Final = 60_000_000
_BITS_PER_BYTE: Final = 9
"""A byte takes eight clocks and a pause of one: documented in a driver for a newer member of the family."""

_SDK, _SEEN = FactOrigin.DOCUMENTED, FactOrigin.SEEN

CONTROL = mapped(
    0x00, "control", "", _SEEN,
    Field("tx_level", 0, 2), Field("rx_level", 2, 2), Field("tx_underflow_int", 4), Field("rx_overflow_int", 5),
    Field("tx_fifo_int", 6), Field("rx_fifo_int", 7), Field("divider", 8, 8), Field("select_up_int", 16),
    Field("three_wire", 17), Field("wide", 18), Field("low_bit_first", 19), Field("polarity", 20), Field("phase", 21),
    Field("master", 22), Field("enable", 23), Field("pause", 24, 6),
)  # fmt: skip
CONFIG = mapped(
    0x04, "config", "lengths in units of one byte, or of two where wide is set; 0 has no end", _SEEN,
    Field("tx_enable", 0), Field("rx_enable", 1), Field("tx_finish_int", 2), Field("rx_finish_int", 3),
    Field("tx_length", 8, 12), Field("rx_length", 20, 12),
)  # fmt: skip
STATUS = mapped(
    0x08, "status", "bits 8 to 14: write 1 to clear; bits 16, 17: write 1 to empty a FIFO", _SEEN,
    Field("tx_ready", 1), Field("rx_ready", 2), Field("tx_fifo", 8), Field("rx_fifo", 9), Field("select_up", 10),
    Field("tx_underflow", 11), Field("rx_overflow", 12), Field("tx_finished", 13), Field("rx_finished", 14),
    Field("clear_tx", 16), Field("clear_rx", 17),
)  # fmt: skip
DATA = mapped(0x0C, "data", "a read takes a unit out of the FIFO, 0 if there is none", _SEEN)

_TX_READY, _RX_READY, _TX_FIFO, _RX_FIFO, _TX_FINISHED, _RX_FINISHED = 1 << 1, 1 << 2, 1 << 8, 1 << 9, 1 << 13, 1 << 14
_KEPT_BITS: Final = 0x7F00
_LEVELS: Final = (1, 16, 32, 48)
_INT_OF_CONTROL: Final = (
    (1 << 6, _TX_FIFO),
    (1 << 7, _RX_FIFO),
    (1 << 4, 1 << 11),
    (1 << 5, 1 << 12),
    (1 << 16, 1 << 10),
)
_INT_OF_CONFIG: Final = ((1 << 2, _TX_FINISHED), (1 << 3, _RX_FINISHED))


class SpiPartner(Protocol):
    """What hears the clock at the other end of the wires."""

    def transfer(self, data: bytes, *, mode: int, hz: int) -> bytes:
        """Clock bytes in and as many out."""
        ...


@dataclass(frozen=True, slots=True)
class SpiTransfer:
    """What went over the wires in one piece; ``tick`` is when its last byte has gone."""

    tick: int
    sent: bytes
    received: bytes
    hz: int
    mode: int


SpiListener = Callable[[SpiTransfer], None]


class SpiBlock(RegisterBlock):
    """``attach`` connects a chip; without one, or while the pins do not carry SPI, a receiver sees ones."""

    name = "spi"
    registers = (CONTROL, CONFIG, STATUS, DATA)
    kept = ("pending", "sent", "received", "free_at")

    def __init__(self, services: Services) -> None:
        self._services = services
        self._slave: SpiPartner | None = None
        self._listeners: list[SpiListener] = []
        self._tx_due = services.clock.alarm("spi tx", self._tx_over)
        self._rx_due = services.clock.alarm("spi rx", self._rx_over)
        self._feed_due = services.clock.alarm("spi dma", self._feed)
        self._waiting: deque[int] = deque()
        self._fifo: deque[int] = deque()
        self.pending = self.sent = self.received = self.free_at = 0
        super().__init__()

    # ---- the wires

    def attach(self, slave: SpiPartner | None) -> None:
        """Connect a chip, or nothing."""
        self._slave = slave

    def listen(self, call: SpiListener) -> None:
        """Be called with everything that goes over the wires."""
        self._listeners.append(call)

    @property
    def hz(self) -> int:
        """The rate that is set."""
        mux = self._services.memory.read_register(_CLOCK_MUX)
        return (TICKS_PER_SECOND if mux & _MUX_SPI else _DCO_HZ) // (self._control("divider") + 1)

    @property
    def mode(self) -> int:
        """0 to 3: polarity and phase."""
        return self._control("polarity") << 1 | self._control("phase")

    @property
    def is_routed(self) -> bool:
        """Whether P14 to P17 carry it."""
        return self._services.memory.read_register(_MODULE_SELECT) & 3 == 1

    def _exchange(self, data: bytes) -> bytes:
        """Clock bytes over the wires; time passes for them."""
        hz, mode = self.hz, self.mode
        answer = b"\xff" * len(data)
        if self._slave is not None and self.is_routed:
            answer = self._slave.transfer(_turned(data, self._is_reversed), mode=mode, hz=hz)
            answer = _turned(answer, self._is_reversed)
        ticks = len(data) * _BITS_PER_BYTE * TICKS_PER_SECOND // hz
        self.free_at = max(self.free_at, self._services.clock.now) + ticks
        for call in self._listeners:
            call(SpiTransfer(self.free_at, data, answer, hz, mode))
        return answer

    # ---- the CPU's end

    def read(self, offset: int) -> int:
        """Status and data are live."""
        if offset == DATA.address:
            return self._take()
        if offset == STATUS.address:
            return self._status()
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        """A rising enable starts; data is sent or kept; status is cleared."""
        if offset == DATA.address:
            if len(self._waiting) < FIFO:
                self._waiting.append(value & (0xFFFF if self._control("wide") else 0xFF))
            self._send()
        elif offset == STATUS.address:
            self._clear(value)
        else:
            before = self.words[offset]
            super().write(offset, value)
            if offset == CONFIG.address:
                self._configure(value & ~before & 3)
        self._interrupt()

    def _clear(self, value: int) -> None:
        # Seen: to empty a FIFO the driver writes back all it has read, and so clears what is pending. Whether something
        # has finished must not be shown before it is due.
        self.pending &= ~(value & _KEPT_BITS)
        if value & 1 << 16:
            self._waiting.clear()
        if value & 1 << 17:
            self._fifo.clear()

    def _configure(self, risen: int) -> None:
        # Seen: the driver enables first and writes the bytes afterwards, so being empty here is not the end.
        if risen & 1:
            self.sent = 0
            self._send()
            self._feed()
        if risen & 2:
            self.received = 0
            if not self._is_duplex:
                self._rx_due.set(self._services.clock.now + 1)

    def _status(self) -> int:
        live = _TX_READY if len(self._waiting) < FIFO else 0
        return self.pending | self._fifo_bits() | live | (_RX_READY if self._fifo else 0)

    def _fifo_bits(self) -> int:
        """The bits of the levels, which are set as long as the level is reached."""
        low = self._config("tx_enable") and len(self._waiting) < _LEVELS[self._control("tx_level")]
        full = len(self._fifo) >= _LEVELS[self._control("rx_level")]
        return (_TX_FIFO if low and self._control("tx_fifo_int") else 0) | (_RX_FIFO if full else 0)

    def _take(self) -> int:
        # Seen: the driver reads before each byte it sends. It reads 0, and does not count as an underflow.
        value = self._fifo.popleft() if self._fifo else 0
        if not self._fifo and self._config("rx_enable") and self._rx_left:
            self._rx_due.set(self._services.clock.now + 1)  # the clock stood still while the FIFO was full
        self._interrupt()
        return value

    # ---- sending

    def _send(self) -> None:
        """What waits leaves, as long as sending is enabled, and up to the length; what is beyond it waits on."""
        length = self._config("tx_length")
        count = min(len(self._waiting), length - self.sent) if length else len(self._waiting)
        if not self._config("tx_enable") or count <= 0:
            return
        units = [self._waiting.popleft() for _ in range(count)]
        answer = self._units(self._exchange(self._bytes(units)))
        self.sent += len(units)
        if self._is_duplex and self._config("rx_enable"):
            self._fifo.extend(answer[: FIFO - len(self._fifo)])
            self.received += len(answer)
            if self.received == self._config("rx_length"):
                self._rx_due.set(self.free_at)
        if self.sent == length:
            self._tx_due.set(self.free_at)

    def _feed(self) -> None:
        """Ask the DMA controller for more, as often as it takes; without a channel it is asked in vain."""
        length = self._config("tx_length")
        if not self._config("tx_enable") or (length and self.sent >= length):
            return
        wanted = min(FIFO, length - self.sent if length else FIFO)
        moved = self._services.dma.request(REQUEST_LINE, source=False, units=wanted)
        if moved and (not length or self.sent < length):
            self._feed_due.set(max(self.free_at, self._services.clock.now + 1))

    def _tx_over(self) -> None:
        self.pending |= _TX_FINISHED
        self._interrupt()

    # ---- receiving

    @property
    def _rx_left(self) -> int:
        length = self._config("rx_length")
        return length - self.received if length else FIFO

    def _rx_over(self) -> None:
        """Everything that fits the FIFO comes at once, then the interrupt: a driver may look twice in between."""
        if self._is_duplex and self.received == self._config("rx_length"):
            self.pending |= _RX_FINISHED
            self._interrupt()
            return
        room = min(self._rx_left, FIFO - len(self._fifo))
        if room <= 0 or not self._config("rx_enable"):
            return
        width = 2 if self._control("wide") else 1
        # Were bytes to arrive while the driver drains, its second loop would store them at a stale offset (read in its
        # source).
        self._fifo.extend(self._units(self._exchange(bytes(room * width))))
        self.received += room
        self._services.dma.request(REQUEST_LINE, source=True, units=len(self._fifo))
        if self.received == self._config("rx_length"):
            self.pending |= _RX_FINISHED
        elif len(self._fifo) < FIFO:
            self._rx_due.set(self.free_at)
        self._interrupt()

    # ---- small things

    @property
    def _is_duplex(self) -> bool:
        """Four wires with both directions enabled: a unit comes back for each that leaves."""
        return not self._control("three_wire") and bool(self._config("tx_enable"))

    @property
    def _is_reversed(self) -> bool:
        return bool(self._control("low_bit_first"))

    def _bytes(self, units: list[int]) -> bytes:
        width = 2 if self._control("wide") else 1
        return b"".join(unit.to_bytes(width, "big") for unit in units)

    def _units(self, data: bytes) -> list[int]:
        width = 2 if self._control("wide") else 1
        return [int.from_bytes(data[at : at + width], "big") for at in range(0, len(data), width)]

    def _control(self, name: str) -> int:
        return CONTROL.field(name).get(self.words[CONTROL.address])

    def _config(self, name: str) -> int:
        return CONFIG.field(name).get(self.words[CONFIG.address])

    def _interrupt(self) -> None:
        control, config = self.words[CONTROL.address], self.words[CONFIG.address]
        status = self.pending | self._fifo_bits()
        level = any(control & enabled and status & bit for enabled, bit in _INT_OF_CONTROL)
        level = level or any(config & enabled and status & bit for enabled, bit in _INT_OF_CONFIG)
        self._services.interrupts.set(SOURCE, bool(level))

    # ---- state

    def reset(self) -> None:
        """What is on its way is lost."""
        super().reset()
        self.pending = self.sent = self.received = self.free_at = 0
        self._waiting.clear()
        self._fifo.clear()
        for alarm in (self._tx_due, self._rx_due, self._feed_due):
            alarm.cancel()
        self._services.interrupts.set(SOURCE, False)

    def save(self) -> PeripheralState:
        """With what both FIFOs hold."""
        return {**super().save(), "waiting": list(self._waiting), "fifo": list(self._fifo)}

    def load(self, state: PeripheralState) -> None:
        """The opposite."""
        super().load(state)
        self._waiting, self._fifo = deque(state["waiting"]), deque(state["fifo"])


def _turned(data: bytes, reversed_: bool) -> bytes:
    return bytes(int(f"{byte:08b}"[::-1], 2) for byte in data) if reversed_ else data
