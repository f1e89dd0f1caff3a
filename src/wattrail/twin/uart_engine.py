"""A metering chip's UART, byte by byte with its timing. Half duplex, low byte first, no answer to what is wrong.

This is a codec of its own: it shares the register table with the driver, and not one line of frame code. Heads, packet
and timing differ between chips and come as a ``UartDialect``; the grammar is common:

    write-head reg d0 d1 d2 sum    write
    read-head reg                  read: d0 d1 d2 sum comes back
    read-head AA                   packet: 55, three bytes for each of its registers, sum

A head that is not ours (another address, another chip) opens a foreign frame, which is listened past until the frame
limit has run out. That follows from the BL0942's V1.05, "wait one frame timeout" between chips; how real silicon finds
its way back is not documented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wattrail.chips.belling import Heads
from wattrail.twin.chip import MeterChip
from wattrail.twin.chip_tables import UartDialect, UartTiming
from wattrail.twin.faults import Faults
from wattrail.twin.uart_line import BYTE_BITS, as_received

__all__ = ["TimedByte", "UartEngine"]

_PACKET: Final = 0xAA
_HEADER: Final = 0x55


@dataclass(frozen=True, slots=True)
class TimedByte:
    """A byte at the host, and the moment its stop bit ends."""

    at: float
    byte: int


class UartEngine:
    """The receiver and sender of one chip. Times are the twin's seconds."""

    def __init__(
        self,
        chip: MeterChip,
        faults: Faults,
        dialect: UartDialect,
        heads: Heads,
        *,
        strap_baud: int | None = None,
        listening: bool = True,
        timing: UartTiming | None = None,
    ) -> None:
        strap_baud = strap_baud or dialect.straps[0]
        if strap_baud not in dialect.straps:
            raise ValueError(f"the strap gives {' or '.join(map(str, dialect.straps))} baud, not {strap_baud}")
        self._chip = chip
        self._faults = faults
        self._packet_registers = dialect.packet
        self.heads = heads
        self.strap_baud = strap_baud
        self._listening = listening
        self._timing = timing or dialect.timing
        self._frame = bytearray()
        self._foreign = False
        self._head_at = self._byte_at = 0.0
        self._busy_until = 0.0
        self._line_free_at = 0.0

    @property
    def baud(self) -> int:
        """The chip's rate now."""
        return self._chip.baud(self.strap_baud)

    def receive(self, data: bytes, now: float, host_baud: int) -> list[TimedByte]:
        """Bytes the host begins to send now; returns what will arrive at the host, in order of time."""
        begins = max(now, self._line_free_at)
        self._line_free_at = begins + len(data) * BYTE_BITS / host_baud
        received = as_received(self._faults.request(data), host_baud, self.baud)
        step = (self._line_free_at - begins) / max(1, len(received))
        arrivals: list[TimedByte] = []
        for number, byte in enumerate(received, 1):
            arrivals += self._take(byte, begins + number * step, host_baud)
        return arrivals

    def line_break(self, seconds: float, now: float) -> None:
        """The host holds the line low: long enough, that resets the receiver, never the registers."""
        self._line_free_at = max(now, self._line_free_at) + seconds
        # "More than 32 zeros" can only be a break: the stop bit ends any run of zeros of data after nine.
        if seconds * self.baud > self._timing.break_bits:
            self._frame.clear()
            self._foreign = False

    def _take(self, byte: int, at: float, host_baud: int) -> list[TimedByte]:
        # Half duplex: what comes while the chip answers is lost. Inferred; no datasheet says it.
        if not self._listening or at <= self._busy_until:
            return []
        gap = at - self._byte_at - BYTE_BITS / host_baud
        self._byte_at = at
        # V1.1 gives 16 ms for a frame from its head, the earlier datasheets 20 ms between two bytes; whether the
        # silicon differs is not known, so the dialect says which.
        if (self._frame or self._foreign) and (at - self._head_at > self._timing.frame_s or gap > self._timing.gap_s):
            self._frame.clear()
            self._foreign = False
        if self._foreign:
            return []
        if not self._frame:
            self._head_at = at
            self._foreign = byte not in (self.heads.write, self.heads.read)
        if not self._foreign:
            self._frame.append(byte)
        return self._act(at, host_baud)

    def _act(self, at: float, host_baud: int) -> list[TimedByte]:
        """Carry out the frame if it is whole."""
        frame = bytes(self._frame)
        if len(frame) == 2 and frame[0] == self.heads.read:
            self._frame.clear()
            answer = self._packet(frame[0], at) if frame[1] == _PACKET else self._register(frame, at)
            return self._send(answer, at, host_baud)
        if len(frame) == 6:
            self._frame.clear()
            # A wrong sum: dropped, without an answer (V1.05, V1.1). The sum knows no order: 55 00 00 and 00 00 55 pass
            # alike.
            if frame[5] == _sum(frame[:5]):
                self._chip.write_word(frame[1], int.from_bytes(frame[2:5], "little"), at)
        return []

    def _register(self, frame: bytes, at: float) -> bytes:
        data = self._chip.read_word(frame[1], at).to_bytes(3, "little")
        return data + bytes((_sum(frame + data),))

    def _packet(self, head: int, at: float) -> bytes:
        """All registers of one moment; the sum leaves out the packet's command."""
        data = bytes((_HEADER,)) + b"".join(
            self._chip.read_register(register, at).to_bytes(3, "little") for register in self._packet_registers
        )
        return data + bytes((_sum(bytes((head,)) + data),))

    def _send(self, answer: bytes, at: float, host_baud: int) -> list[TimedByte]:
        baud = self.baud
        begins = at + self._timing.reply_bits / baud + self._timing.reply_s
        byte_s = BYTE_BITS / baud + self._timing.byte_gap_s
        # As long as the reply takes on the wire, faults or not: a lost reply was sent all the same.
        self._busy_until = begins + len(answer) * byte_s
        reply = self._faults.reply(answer)
        received = as_received(reply.data, baud, host_baud)
        begins += reply.late
        step = len(reply.data) * byte_s / max(1, len(received))
        return [TimedByte(begins + number * step, byte) for number, byte in enumerate(received, 1)]


def _sum(data: bytes) -> int:
    return ~sum(data) & 0xFF
