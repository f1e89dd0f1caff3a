"""The chip's UART, byte by byte with its timing. Half duplex, low byte first, silent about everything it dislikes.

This is a codec of its own: it shares the register table with the driver, and not one line of frame code.

    A8+a reg d0 d1 d2 sum      write
    58+a reg                   read: d0 d1 d2 sum comes back
    58+a AA                    packet: 55, 21 bytes, sum

A head that is not ours (another address, another chip) opens a foreign frame, which is listened past until the frame
limit has run out. That follows from V1.05's "wait one frame timeout" between chips; how real silicon finds its way
back is not documented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wattrail.chips.bl0942.constants import BAUD_RATES
from wattrail.chips.bl0942.registers import (
    CF_CNT,
    FREQ,
    I_FAST_RMS,
    I_RMS,
    STATUS,
    UART_RATE,
    V_RMS,
    WATT,
    UartRate,
)
from wattrail.twin.chip import Chip
from wattrail.twin.faults import Faults
from wattrail.twin.uart_line import BYTE_BITS, as_received

__all__ = ["Arrival", "UartEngine", "UartTiming"]

_WRITE, _READ, _PACKET, _HEADER = 0xA8, 0x58, 0xAA, 0x55
_PACKET_REGISTERS: Final = ((I_RMS, 3), (V_RMS, 3), (I_FAST_RMS, 3), (WATT, 3), (CF_CNT, 3), (FREQ, 3), (STATUS, 3))
_BREAK_BITS: Final = 32


@dataclass(frozen=True, slots=True)
class UartTiming:
    """What differs between versions of the datasheet; the defaults are V1.1.

    ``frame_s`` is the time from the end of the head to the end of the frame. A reply comes ``reply_bits`` bit times,
    plus ``reply_s`` seconds, after its request: V1.04 and V1.05 say 20 ms, and 150 microseconds instead of half a bit.
    """

    frame_s: float = 0.016
    reply_bits: float = 0.5
    reply_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A byte at the host, and the moment its stop bit ends."""

    at: float
    byte: int


class UartEngine:
    """The receiver and sender of one chip. Times are the twin's seconds."""

    def __init__(
        self,
        chip: Chip,
        faults: Faults,
        *,
        strap_baud: int = 4800,
        address: int = 0,
        listening: bool = True,
        timing: UartTiming | None = None,
    ) -> None:
        if strap_baud not in BAUD_RATES[:2]:
            raise ValueError(f"the strap gives 4800 or 9600 baud, not {strap_baud}")
        self._chip = chip
        self._faults = faults
        self.strap_baud = strap_baud
        self.address = address
        self._listening = listening
        self._timing = timing or UartTiming()
        self._frame = bytearray()
        self._foreign = False
        self._head_at = 0.0
        self._busy_until = 0.0
        self._line_free_at = 0.0

    @property
    def baud(self) -> int:
        """The chip's rate now: by MODE, else by strap."""
        rate = UART_RATE.get(self._chip.mode)
        fast = {UartRate.BAUD_19200: BAUD_RATES[2], UartRate.BAUD_38400: BAUD_RATES[3]}
        return fast.get(UartRate(rate), self.strap_baud)

    def receive(self, data: bytes, now: float, host_baud: int) -> list[Arrival]:
        """Bytes the host begins to send now; returns what will arrive at the host, in order of time."""
        begins = max(now, self._line_free_at)
        self._line_free_at = begins + len(data) * BYTE_BITS / host_baud
        heard = as_received(self._faults.request(data), host_baud, self.baud)
        step = (self._line_free_at - begins) / max(1, len(heard))
        arrivals: list[Arrival] = []
        for number, byte in enumerate(heard, 1):
            arrivals += self._hear(byte, begins + number * step, host_baud)
        return arrivals

    def line_break(self, seconds: float, now: float) -> None:
        """The host holds the line low: more than 32 bit times reset the receiver, never the registers."""
        self._line_free_at = max(now, self._line_free_at) + seconds
        if seconds * self.baud > _BREAK_BITS:
            self._frame.clear()
            self._foreign = False

    def _hear(self, byte: int, at: float, host_baud: int) -> list[Arrival]:
        if not self._listening or at <= self._busy_until:
            return []
        if (self._frame or self._foreign) and at - self._head_at > self._timing.frame_s:
            self._frame.clear()
            self._foreign = False
        if self._foreign:
            return []
        if not self._frame:
            self._head_at = at
            self._foreign = byte not in (_WRITE | self.address, _READ | self.address)
        if not self._foreign:
            self._frame.append(byte)
        return self._act(at, host_baud)

    def _act(self, at: float, host_baud: int) -> list[Arrival]:
        """Carry out the frame if it is whole."""
        frame = bytes(self._frame)
        if len(frame) == 2 and frame[0] & 0xFC == _READ:
            self._frame.clear()
            answer = self._packet(frame[0], at) if frame[1] == _PACKET else self._register(frame, at)
            return self._send(answer, at, host_baud)
        if len(frame) == 6:
            self._frame.clear()
            if frame[5] == _sum(frame[:5]):
                self._chip.write_word(frame[1], int.from_bytes(frame[2:5], "little"), at)
        return []

    def _register(self, frame: bytes, at: float) -> bytes:
        data = self._chip.read_word(frame[1], at).to_bytes(3, "little")
        return data + bytes((_sum(frame + data),))

    def _packet(self, head: int, at: float) -> bytes:
        """All registers of one moment. Byte 20 is STATUS[15:8], as in every capture, where the datasheets print 0."""
        data = bytes((_HEADER,)) + b"".join(
            self._chip.read_word(register.address, at).to_bytes(length, "little")
            for register, length in _PACKET_REGISTERS
        )
        return data + bytes((_sum(bytes((head,)) + data),))

    def _send(self, answer: bytes, at: float, host_baud: int) -> list[Arrival]:
        baud = self.baud
        begins = at + self._timing.reply_bits / baud + self._timing.reply_s
        self._busy_until = begins + len(answer) * BYTE_BITS / baud
        reply = self._faults.reply(answer)
        heard = as_received(reply.data, baud, host_baud)
        begins += reply.late
        step = len(reply.data) * BYTE_BITS / baud / max(1, len(heard))
        return [Arrival(begins + number * step, byte) for number, byte in enumerate(heard, 1)]


def _sum(data: bytes) -> int:
    return ~sum(data) & 0xFF
