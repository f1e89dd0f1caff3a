"""The UART side of the chip: 8N1, low byte first, address 0 to 3 in the two low bits of the head.

    write    A8+a ADDR D0 D1 D2 CS       no acknowledge
    read     58+a ADDR                -> D0 D1 D2 CS
    packet   58+a AA                  -> 55, 21 bytes, CS

    CS = ~(head + ADDR + D0 + D1 + D2) & FF; for the packet ~(head + bytes 0..21) & FF, without the AA.

A register reply has no header, so a reply is looked for at every offset of what came; the checksum alone
decides, and it is weak. Whoever calls asks twice (see ``wattrail.meter``). The packet has a header and bytes
that are always 0, which makes a false one rarer. Source: bl0942-ds/uart-frame; byte 20 of the packet carries
STATUS[15:8] on every captured chip, where the datasheets print 0.
"""

from __future__ import annotations

from wattrail.chips.bl0942.events import (
    NEED_DATA,
    Damaged,
    Event,
    NeedData,
    PacketRead,
    RegisterRead,
    Silence,
    Truncated,
)
from wattrail.chips.bl0942.registers import CF_CNT, FREQ, I_FAST_RMS, I_RMS, STATUS, V_RMS, WATT
from wattrail.chips.bl0942.snapshot import Snapshot
from wattrail.wire import Register, hex_pairs, inverted_sum

__all__ = ["FRAME_GAP_S", "UartLink"]

WRITE_HEAD = 0xA8
READ_HEAD = 0x58
PACKET_COMMAND = 0xAA
PACKET_HEADER = 0x55

REPLY_LENGTH = 4
PACKET_LENGTH = 23

BUFFER_LIMIT = 512
"""Bytes kept while looking for a frame: ten packets' worth of junk. The oldest are dropped beyond it."""

FRAME_GAP_S = 0.020
"""A gap longer than this inside a frame resets the chip's receiver (16 ms in V1.1, 20 ms before)."""


class UartLink:
    """A conversation with one chip over a byte stream. Sans-IO: requests are bytes, answers become events.

    One question at a time: each request forgets what an earlier one left over.
    """

    def __init__(self, address: int = 0) -> None:
        if not 0 <= address <= 3:
            raise ValueError(f"address {address} is not 0 to 3")
        self.address = address
        self._buffer = bytearray()
        self._asked: Register | None = None
        self._open = False

    def write_register(self, register: Register, count: int) -> bytes:
        """The frame that writes a count. The chip acknowledges nothing: read it back."""
        body = bytes((WRITE_HEAD | self.address, register.address)) + register.encode(count).to_bytes(3, "little")
        return body + bytes((inverted_sum(body),))

    def read_register(self, register: Register) -> bytes:
        """The request for a register."""
        self._expect(register)
        return bytes((READ_HEAD | self.address, register.address))

    def read_packet(self) -> bytes:
        """The request for the packet with all electrical registers."""
        self._expect(None)
        return bytes((READ_HEAD | self.address, PACKET_COMMAND))

    @property
    def wanted(self) -> int:
        """Length in bytes of the reply that is awaited."""
        return REPLY_LENGTH if self._asked is not None else PACKET_LENGTH

    def receive(self, data: bytes) -> None:
        """Bytes from the chip, in any portions."""
        self._buffer += data
        if len(self._buffer) > BUFFER_LIMIT:
            del self._buffer[:-BUFFER_LIMIT]

    def next_event(self) -> Event | NeedData:
        """The awaited frame once it is whole, else NEED_DATA."""
        if not self._open:
            return NEED_DATA
        for start in range(len(self._buffer) - self.wanted + 1):
            frame = bytes(self._buffer[start : start + self.wanted])
            event = self._decode(frame, bytes(self._buffer[:start]))
            if not isinstance(event, str):
                self._close()
                return event
        return NEED_DATA

    def end(self) -> Event:
        """No more bytes will come: say what those that came amount to."""
        event = self.next_event()
        if not isinstance(event, NeedData):
            return event
        data = bytes(self._buffer)
        self._close()
        if not data:
            return Silence()
        start = self._likely_start(data)
        if len(data) - start < self.wanted:
            return Truncated(data[start:], self.wanted)
        return Damaged(data, self._fault(data[start : start + self.wanted]))

    def _expect(self, register: Register | None) -> None:
        self._buffer.clear()
        self._asked = register
        self._open = True

    def _close(self) -> None:
        self._buffer.clear()
        self._open = False

    def _likely_start(self, data: bytes) -> int:
        """Where the awaited frame most likely begins in bytes that hold none."""
        return max(0, data.find(PACKET_HEADER)) if self._asked is None else 0

    def _fault(self, frame: bytes) -> str:
        fault = self._decode(frame, b"")
        return fault if isinstance(fault, str) else "a frame stands where none was found"

    def _decode(self, frame: bytes, skipped: bytes) -> Event | str:
        """An event, or in words why this frame is none."""
        head = READ_HEAD | self.address
        if self._asked is not None:
            fault = _sum_fault(bytes((head, self._asked.address)) + frame)
            word = int.from_bytes(frame[:3], "little")
            if not fault and not self._asked.fits(word):
                fault = f"{self._asked.name} has no bits above its {self._asked.bits}, got {word:#08x}"
            return fault or RegisterRead(self._asked, self._asked.decode(word), frame, skipped)
        if frame[0] != PACKET_HEADER:
            return "no packet header 55"
        fault = _sum_fault(bytes((head,)) + frame) or _filler_fault(frame)
        return fault or PacketRead(_snapshot(frame), frame, skipped)


def _sum_fault(body: bytes) -> str:
    want = inverted_sum(body[:-1])
    return "" if body[-1] == want else f"checksum {body[-1]:02X}, expected {want:02X}"


def _filler_fault(frame: bytes) -> str:
    for offset in (18, 21):
        if frame[offset]:
            return f"byte {offset} of the packet is {frame[offset]:02X}, always 00 on a real chip"
    if not STATUS.fits(int.from_bytes(frame[19:21], "little")):
        return f"bytes 19 and 20 of the packet hold {hex_pairs(frame[19:21])}, more than STATUS has bits"
    return ""


def _snapshot(frame: bytes) -> Snapshot:
    def count(register: Register, start: int, length: int = 3) -> int:
        return register.decode(int.from_bytes(frame[start : start + length], "little"))

    return Snapshot(
        i_rms=count(I_RMS, 1),
        v_rms=count(V_RMS, 4),
        i_fast_rms=count(I_FAST_RMS, 7),
        watt=count(WATT, 10),
        cf_cnt=count(CF_CNT, 13),
        freq=count(FREQ, 16, 2),
        status=count(STATUS, 19, 2),
    )
