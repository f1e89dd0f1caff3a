"""A UART: UART1 0x802100 flashes and talks to meters and MCUs, UART2 0x802200 has the log.

Sending takes no time here: a byte has left when it is written. Receiving does, a byte at a time, so that no more comes
than the FIFO holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from wattrail.twin.cbu.device_clock import TickClock
from wattrail.twin.cbu.peripheral import (
    TICKS_PER_SECOND,
    FactOrigin,
    InterruptLines,
    PeripheralState,
    RegisterBlock,
    mapped,
)
from wattrail.wire.register import Access, Field

__all__ = ["UartBlock"]

FIFO: Final = 128
"""Bytes; guessed from the counters' width."""
_SDK, _SEEN = FactOrigin.DOCUMENTED, FactOrigin.SEEN

CONFIG = mapped(
    0x00, "config", "the rate is 26 MHz / (divider + 1)", _SDK,
    Field("tx_enable", 0), Field("rx_enable", 1), Field("irda", 2), Field("data_bits", 3, 2), Field("parity", 5, 2),
    Field("stop_bits", 7), Field("divider", 8, 13),
)  # fmt: skip
FIFO_CONFIG = mapped(
    0x04, "fifo_config", "levels that interrupt", _SDK,
    Field("tx_level", 0, 8), Field("rx_level", 8, 8), Field("stop_detect", 16, 2), reset=0x3040,
)  # fmt: skip
STATUS = mapped(
    0x08, "status", "", _SDK,
    Field("tx_count", 0, 8), Field("rx_count", 8, 8), Field("tx_full", 16), Field("tx_empty", 17), Field("rx_full", 18),
    Field("rx_empty", 19), Field("write_ready", 20), Field("read_ready", 21), access=Access.READ,
)  # fmt: skip
DATA = mapped(0x0C, "data", "written bits 7:0; read bits 15:8 by the app, 7:0 by the N's bootloader: in both", _SEEN)
_EVENTS: Final = (
    Field("tx_need_write", 0), Field("rx_need_read", 1), Field("rx_overrun", 2), Field("parity_error", 3),
    Field("stop_error", 4), Field("tx_end", 5), Field("rx_end", 6), Field("wake", 7),
)  # fmt: skip
INT_ENABLE = mapped(0x10, "int_enable", "", _SDK, *_EVENTS)
INT_STATUS = mapped(0x14, "int_status", "write 1 to clear; rx_end: the line is idle after a byte", _SDK, *_EVENTS)

_TX_NEED, _RX_NEED, _OVERRUN, _TX_END, _RX_END = 1, 2, 4, 1 << 5, 1 << 6
_STOP_BITS: Final = (32, 64, 128, 256)


class UartBlock(RegisterBlock):
    """``listen`` hears what the firmware sends, ``receive`` sends to it."""

    name = "uart"
    registers = (CONFIG, FIFO_CONFIG, STATUS, DATA, INT_ENABLE, INT_STATUS)
    kept = ("pending",)

    def __init__(self, name: str, source: int, clock: TickClock, interrupts: InterruptLines) -> None:
        self._source = source
        self._clock = clock
        self._interrupts = interrupts
        self._listeners: list[Callable[[bytes], None]] = []
        self._arriving: deque[int] = deque()
        self._received: deque[int] = deque()
        self._byte_due = clock.alarm(f"{name} byte", self._arrive)
        self._idle_due = clock.alarm(f"{name} idle", self._idle)
        self.pending = 0
        super().__init__()

    # ---- the other end of the wires

    def listen(self, call: Callable[[bytes], None]) -> None:
        """Be called with every byte that is sent."""
        self._listeners.append(call)

    def receive(self, data: bytes) -> None:
        """Send these bytes to the firmware, at its own rate, from now on."""
        self._arriving.extend(data)
        if self._arriving and self._byte_due.due is None:
            self._byte_due.set(self._clock.now + self._byte_ticks)

    @property
    def waiting(self) -> int:
        """Bytes that are still on the wire."""
        return len(self._arriving)

    @property
    def is_listening(self) -> bool:
        """Whether the firmware has switched its receiver on."""
        return bool(CONFIG.field("rx_enable").get(self.words[0]))

    @property
    def baud(self) -> int:
        """The rate that is set."""
        return TICKS_PER_SECOND // (CONFIG.field("divider").get(self.words[0]) + 1)

    @property
    def _byte_ticks(self) -> int:
        return 10 * (CONFIG.field("divider").get(self.words[0]) + 1)

    def _arrive(self) -> None:
        # Bytes wait for a receiver that is off: a host that sends during the start of the firmware loses none by it.
        if self.is_listening and self._arriving:
            byte = self._arriving.popleft()
            if len(self._received) < FIFO:
                self._received.append(byte)
            else:
                self.pending |= _OVERRUN
            if len(self._received) >= max(1, self.words[0x04] >> 8 & 0xFF):
                self.pending |= _RX_NEED
            stop = _STOP_BITS[self.words[0x04] >> 16 & 3] * self._byte_ticks // 10
            # The app enables this interrupt and that of the level of 48: without it a short frame would stay unread.
            self._idle_due.set(self._clock.now + self._byte_ticks + stop)
            self._interrupt()
        if self._arriving:
            self._byte_due.set(self._clock.now + self._byte_ticks)

    def _idle(self) -> None:
        if self._received:
            self.pending |= _RX_END
            self._interrupt()

    # ---- the CPU's end

    def read(self, offset: int) -> int:
        """Data takes a byte out of the FIFO, 0 if there is none."""
        if offset == DATA.address:
            byte = self._received.popleft() if self._received else 0
            return byte << 8 | byte
        if offset == STATUS.address:
            count = len(self._received)
            ready = 1 << 21 if count else 1 << 19
            return 1 << 20 | 1 << 17 | ready | count << 8 | (1 << 18 if count >= FIFO else 0)
        if offset == INT_STATUS.address:
            return self.pending | self.words[INT_ENABLE.address] & _TX_NEED
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        """Data leaves at once."""
        if offset == DATA.address:
            self.pending |= _TX_END
            for call in self._listeners:
                call(bytes((value & 0xFF,)))
        elif offset == INT_STATUS.address:
            # Handlers acknowledge first and read the bytes afterwards: a level that is still reached interrupts again.
            self.pending &= ~value
            if len(self._received) >= max(1, self.words[0x04] >> 8 & 0xFF):
                self.pending |= _RX_NEED
        else:
            super().write(offset, value)
        self._interrupt()

    def _interrupt(self) -> None:
        enabled = self.words[INT_ENABLE.address]
        # Sending takes no time, so there is always room for more.
        self._interrupts.set(self._source, bool((self.pending | _TX_NEED) & enabled))

    # ---- state

    def reset(self) -> None:
        """What is on its way is lost."""
        super().reset()
        self.pending = 0
        self._arriving.clear()
        self._received.clear()
        self._byte_due.cancel()
        self._idle_due.cancel()
        self._interrupts.set(self._source, False)

    def save(self) -> PeripheralState:
        """With the bytes on the wire and in the FIFO."""
        return {**super().save(), "arriving": list(self._arriving), "received": list(self._received)}

    def load(self, state: PeripheralState) -> None:
        """The opposite."""
        super().load(state)
        self._arriving, self._received = deque(state["arriving"]), deque(state["received"])
