"""The UART side of Belling's polled chips: one grammar, whose numbers each chip states.

    write    WRITE ADDR D0 D1 D2 CS       no acknowledge; low byte first
    read     READ  ADDR                -> D0 D1 D2 CS
    packet   READ  AA                  -> 55, registers, CS

    CS = ~(READ or WRITE + ADDR + D0 + D1 + D2) & FF; for the packet ~(READ + all bytes before it) & FF, without the AA.

A register reply has no header, so a reply is looked for at every offset of what came; the checksum alone decides, and
it is weak. Whoever calls asks twice (see ``wattrail.meter``). The packet has a header, and on some chips bytes that
are always 0, which makes a false one rarer. Source: bl0942-ds/uart-frame, bl0940-ds/uart-frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wattrail.chips.belling import Heads
from wattrail.chips.events import (
    NEED_DATA,
    Damaged,
    Event,
    NeedData,
    PacketRead,
    RegisterRead,
    Silence,
    Truncated,
)
from wattrail.wire import Register, hex_pairs, inverted_sum

__all__ = ["PacketLayout", "UartGrammar", "UartLink"]

# Stands where the address of a register would: no chip of the family has a register AA.
PACKET_COMMAND = 0xAA
PACKET_HEADER = 0x55

REPLY_LENGTH = 4

BUFFER_LIMIT = 512
"""Bytes kept while looking for a frame: many packets' worth of junk. The oldest are dropped beyond it."""


@dataclass(frozen=True, slots=True)
class PacketLayout:
    """Where the registers stand in the packet: each with its offset and its length in bytes.

    ``zeros`` are offsets that hold 0 on every real chip.
    """

    length: int
    places: tuple[tuple[Register, int, int], ...]
    zeros: tuple[int, ...] = ()

    def words(self, frame: bytes) -> Iterator[tuple[Register, int]]:
        """Every register with its word."""
        for register, start, length in self.places:
            yield register, int.from_bytes(frame[start : start + length], "little")

    def fault(self, frame: bytes) -> str:
        """What no chip sends in a packet whose checksum is good, or an empty text."""
        for offset in self.zeros:
            if frame[offset]:
                return f"byte {offset} of the packet is {frame[offset]:02X}, always 00 on a real chip"
        for register, start, length in self.places:
            word = frame[start : start + length]
            if not register.fits(int.from_bytes(word, "little")):
                span = f"bytes {start} to {start + length - 1} of the packet"
                return f"{span} hold {hex_pairs(word)}, more than {register.name} has bits"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UartGrammar:
    """What one chip makes of the grammar.

    ``heads``: by address where the chip has addresses, else the variants that are met, to be tried in turn.
    ``frame_gap_s``: a gap longer than this inside a frame resets the chip's receiver. ``rates`` says how the baud rate
    is set.
    """

    heads: tuple[Heads, ...]
    is_addressed: bool
    packet: PacketLayout
    baud_rates: tuple[int, ...]
    rates: str
    frame_gap_s: float

    def candidates(self, address: int, read_head: int | None = None) -> tuple[Heads, ...]:
        """The heads to try, by a chip's address or by the one that is named. Raises ValueError for unknown ones."""
        if read_head is not None:
            named = tuple(heads for heads in self.heads if heads.read == read_head)
            if not named:
                known = ", ".join(f"{heads.read:02X}" for heads in self.heads)
                raise ValueError(f"read head {read_head:02X} is unknown; known: {known}")
            return named
        last = len(self.heads) - 1 if self.is_addressed else 0
        if not 0 <= address <= last:
            raise ValueError(f"address {address} is not 0 to {last}" if last else "this chip has no address")
        return (self.heads[address],) if self.is_addressed else self.heads


class UartLink:
    """A conversation with one chip over a byte stream. Sans-IO: requests are bytes, answers become events.

    One request at a time: each forgets what an earlier one left over.
    """

    def __init__(self, grammar: UartGrammar, heads: Heads) -> None:
        self.heads = heads
        self._packet = grammar.packet
        self._buffer = bytearray()
        self._asked: Register | None = None
        self._open = False

    def write_register(self, register: Register, count: int) -> bytes:
        """The frame that writes a count. The chip acknowledges nothing: read it back."""
        body = bytes((self.heads.write, register.address)) + register.encode(count).to_bytes(3, "little")
        # To be sent as one block: a pause of 16 ms (V1.1; 20 ms before that) makes the chip
        # drop the frame. A host that sends byte by byte and is interrupted makes one: at 4800
        # baud what follows the head takes 10.4 ms by itself. Source: bl0942-ds/uart-frame
        return body + bytes((inverted_sum(body),))

    def read_register(self, register: Register) -> bytes:
        """The request for a register."""
        self._expect(register)
        return bytes((self.heads.read, register.address))

    def read_packet(self) -> bytes:
        """The request for the packet with all electrical registers."""
        self._expect(None)
        return bytes((self.heads.read, PACKET_COMMAND))

    @property
    def wanted(self) -> int:
        """Length in bytes of the reply that is awaited."""
        return REPLY_LENGTH if self._asked is not None else self._packet.length

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
        # What is left answers an earlier request, and no reply says which request it answers.
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
        """An event, or the reason why this frame is none."""
        if self._asked is None:
            return self._decode_packet(frame, skipped)
        # The sum covers the two bytes of the request too: so a late
        # reply to the request for another register does not pass.
        fault = _sum_fault(bytes((self.heads.read, self._asked.address)) + frame)
        word = int.from_bytes(frame[:3], "little")
        # Bits that a register does not have are 0 on the bus: a
        # second check, where the sum lets one frame in 256 pass.
        if not fault and not self._asked.fits(word):
            fault = f"{self._asked.name} has no bits above its {self._asked.bits}, got {word:#08x}"
        return fault or RegisterRead(self._asked, self._asked.decode(word), frame, skipped)

    def _decode_packet(self, frame: bytes, skipped: bytes) -> Event | str:
        if frame[0] != PACKET_HEADER:
            return "no packet header 55"
        fault = _sum_fault(bytes((self.heads.read,)) + frame) or self._packet.fault(frame)
        if fault:
            return fault
        counts = {register: register.decode(word) for register, word in self._packet.words(frame)}
        return PacketRead(counts, frame, skipped)


def _sum_fault(body: bytes) -> str:
    want = inverted_sum(body[:-1])
    return "" if body[-1] == want else f"checksum {body[-1]:02X}, expected {want:02X}"
