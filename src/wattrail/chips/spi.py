"""The SPI side of Belling chips: mode 1, most significant bit first, high byte first, 48 clocks a frame.

    write   A8 ADDR D[23:16] D[15:8] D[7:0] CS
    read    58 ADDR   then four bytes come: D[23:16] D[15:8] D[7:0] CS

    CS = ~(head + ADDR + data) & FF

Wired without chip select, one lost or extra clock leaves the chip out of step for good; six bytes of FF bring
its bit counter back and change no register. Source: bl0942-ds/spi-frame.
"""

from __future__ import annotations

from wattrail.chips.events import NEED_DATA, Damaged, Event, NeedData, RegisterRead, Silence, Truncated
from wattrail.wire import Register, inverted_sum

__all__ = ["FRAME_LENGTH", "RESYNCHRONISE", "SPI_MODE", "SpiLink", "bits_late"]

# The heads of address 0 on the UART. There are no addresses
# here: the pin of one of their bits is chip select (A2_NCS).
WRITE_HEAD = 0xA8
READ_HEAD = 0x58
FRAME_LENGTH = 6
SPI_MODE = 1
# Only V1.1 says what for: three wires. V1.04 and V1.05 have the six bytes without a reason.
RESYNCHRONISE = b"\xff" * 6
"""48 ones reset the chip's SPI interface."""


class SpiLink:
    """A conversation with one chip over SPI. Sans-IO: bytes to clock out, events from what was clocked in."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._asked: Register | None = None

    def write_register(self, register: Register, count: int) -> bytes:
        """The frame that writes a count. The chip acknowledges nothing: read it back."""
        body = bytes((WRITE_HEAD, register.address)) + register.encode(count).to_bytes(3, "big")
        return body + bytes((inverted_sum(body),))

    def read_register(self, register: Register) -> bytes:
        """The frame that reads a register: two bytes that ask, four that clock the answer out."""
        self._asked = register
        self._buffer.clear()
        return bytes((READ_HEAD, register.address, 0, 0, 0, 0))

    def receive(self, data: bytes) -> None:
        """Bytes clocked in, from the first clock of the frame on, in any portions."""
        self._buffer += data
        del self._buffer[FRAME_LENGTH:]

    def next_event(self) -> Event | NeedData:
        """The register once its 48 clocks are in, else NEED_DATA."""
        if self._asked is None or len(self._buffer) < FRAME_LENGTH:
            return NEED_DATA
        register, frame = self._asked, bytes(self._buffer)
        self._asked = None
        self._buffer.clear()
        return _decode(register, frame)

    def end(self) -> Event:
        """No more clocks will come: say what those that came amount to."""
        event = self.next_event()
        if not isinstance(event, NeedData):
            return event
        data = bytes(self._buffer)
        self._asked = None
        self._buffer.clear()
        return Truncated(data, FRAME_LENGTH) if data else Silence()


def bits_late(register: Register, frame: bytes) -> int:
    """By how many bits the answer in a frame of six bytes is late: 1, -1 for early, 0 where it is neither.

    A master in another SPI mode takes each bit half a clock too soon or too late, so the answer is whole and stands one
    place off. Late, its last bit is missing and counts as either; by chance it fits once in 128 frames, so ask for
    several registers.
    """
    bits = int.from_bytes(frame, "big")
    word = (1 << 32) - 1
    if any(_holds(register, (bits << 1 | last) & word) for last in (0, 1)):
        return 1
    return -1 if _holds(register, bits >> 1 & word) else 0


def _holds(register: Register, reply: int) -> bool:
    body = bytes((READ_HEAD, register.address)) + (reply >> 8).to_bytes(3, "big")
    return inverted_sum(body) == reply & 0xFF and register.fits(reply >> 8)


def _decode(register: Register, frame: bytes) -> Event:
    reply = frame[2:]  # nobody drives the line during the first two bytes
    if reply in (b"\xff" * 4, b"\x00" * 4):
        return Silence(level=reply[0])  # no register can answer so: its checksum would not hold
    want = inverted_sum(bytes((READ_HEAD, register.address)) + reply[:3])
    if reply[3] != want:
        return Damaged(frame, f"checksum {reply[3]:02X}, expected {want:02X}")
    word = int.from_bytes(reply[:3], "big")
    if not register.fits(word):
        return Damaged(frame, f"{register.name} has no bits above its {register.bits}, got {word:#08x}")
    return RegisterRead(register, register.decode(word), frame)
