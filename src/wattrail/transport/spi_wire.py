"""SPI transfers over a byte stream, as messages. Sans-IO; byte for byte in docs/protocols/spi-over-tcp.md.

Every message of either direction is ``kind (1) length (2, high byte first) payload (length)``. The slave sends HELLO
first; from then on the master requests, and each request gets one reply, in order.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from wattrail.errors import UnexpectedReply
from wattrail.wire import hex_pairs

__all__ = [
    "MAX_REFUSAL",
    "MAX_TRANSFER",
    "REPLIES",
    "REQUESTS",
    "VERSION",
    "Configure",
    "Configured",
    "Decoder",
    "Hello",
    "Message",
    "Refused",
    "Select",
    "Selected",
    "Transfer",
    "Transferred",
    "encode",
]

# A peer of another version is refused at its HELLO, before a chip is touched.
VERSION: Final = 1
MAGIC: Final = b"WSPI"
MAX_TRANSFER: Final = 4096
"""Longest transfer in bytes we take part in: the block size of Linux' spidev; a BL0942 frame has six."""
MAX_REFUSAL: Final = 256
"""Longest text of a refusal in bytes: it is one line for a person."""

# The same in every version, so that a peer of another one can still read why it is refused.
_HEADER: Final = struct.Struct(">BH")
_HELLO: Final = struct.Struct(">4sBBH")
_CONFIGURE: Final = struct.Struct(">BI")
_SIMULATED: Final = 0x01


@dataclass(frozen=True, slots=True)
class Hello:
    """The slave's greeting: the longest transfer in bytes it takes, and whether it is a twin."""

    max_transfer: int = MAX_TRANSFER
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Transfer:
    """Clock these bytes out and as many in; chip select stays as it is."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Select:
    """Drive chip select: True addresses the chip (its line goes low)."""

    selected: bool


@dataclass(frozen=True, slots=True)
class Configure:
    """SPI mode 0 to 3, and the clock in hertz."""

    mode: int
    hz: int


@dataclass(frozen=True, slots=True)
class Transferred:
    """The bytes clocked in, as many as went out."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Selected:
    """Chip select is set."""


@dataclass(frozen=True, slots=True)
class Configured:
    """Mode and clock are set."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The request was not carried out; the text says why."""

    text: str


Message = Hello | Transfer | Select | Configure | Transferred | Selected | Configured | Refused


@dataclass(frozen=True, slots=True)
class _MessageKind:
    """One kind of message: its name in errors, the payload lengths it may have, and its parser."""

    name: str
    shortest: int
    longest: int
    parse: Callable[[bytes], Message]


def encode(message: Message) -> bytes:
    """The bytes of a message. Raises ValueError if it does not fit the caps."""
    match message:
        case Hello(max_transfer, simulated):
            return _frame(0x80, _HELLO.pack(MAGIC, VERSION, _SIMULATED * simulated, max_transfer))
        case Transfer(data):
            return _frame(0x01, _capped(data))
        case Select(selected):
            return _frame(0x02, bytes((selected,)))
        case Configure(mode, hz):
            return _frame(0x03, _CONFIGURE.pack(mode, hz))
        case Transferred(data):
            return _frame(0x81, _capped(data))
        case Selected():
            return _frame(0x82, b"")
        case Configured():
            return _frame(0x83, b"")
        case Refused(text):
            return _frame(0xFF, text.encode()[:MAX_REFUSAL])


class Decoder:
    """Bytes of one direction in, messages out. ``kinds`` is REQUESTS or REPLIES."""

    def __init__(self, kinds: Mapping[int, _MessageKind]) -> None:
        self._kinds = kinds
        self._buffer = bytearray()

    def receive(self, data: bytes) -> None:
        """Bytes as they came, in any portions."""
        self._buffer += data

    def next_message(self) -> Message | None:
        """The next whole message, None until there is one. Raises UnexpectedReply, after which the stream is lost."""
        if not self._buffer:
            return None
        # A length is believed only of a known kind and within its
        # limits: what a peer claims never decides how much is kept.
        kind = self._kinds.get(self._buffer[0])
        if kind is None:  # raised at the first byte: a peer of another protocol may never send a third
            raise UnexpectedReply(f"no message starts with {hex_pairs(bytes(self._buffer[:8]))}", hint=_STRANGER)
        if len(self._buffer) < _HEADER.size:
            return None
        _, length = _HEADER.unpack_from(self._buffer)
        if not kind.shortest <= length <= kind.longest:
            raise UnexpectedReply(f"{kind.name} of {length} bytes, allowed {kind.shortest} to {kind.longest}")
        end = _HEADER.size + length
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[_HEADER.size : end])
        del self._buffer[:end]
        return kind.parse(payload)


_STRANGER: Final = "the other end does not speak SPI over TCP: check host and port"


def _frame(kind: int, payload: bytes) -> bytes:
    return _HEADER.pack(kind, len(payload)) + payload


def _capped(data: bytes) -> bytes:
    if not 1 <= len(data) <= MAX_TRANSFER:
        raise ValueError(f"a transfer has 1 to {MAX_TRANSFER} bytes, not {len(data)}")
    return data


def _parse_hello(payload: bytes) -> Hello:
    magic, version, flags, max_transfer = _HELLO.unpack(payload)
    if magic != MAGIC:
        raise UnexpectedReply(f"HELLO starts with {hex_pairs(magic)}, expected {hex_pairs(MAGIC)}", hint=_STRANGER)
    if version != VERSION:
        raise UnexpectedReply(
            f"the slave speaks version {version} of SPI over TCP, this program version {VERSION}",
            hint="update the older of the two",
        )
    # Flags that are not known are ignored, as the protocol says: they leave room within this version.
    return Hello(max_transfer, bool(flags & _SIMULATED))


def _parse_select(payload: bytes) -> Select:
    if payload not in (b"\0", b"\1"):
        raise UnexpectedReply(f"SELECT with {hex_pairs(payload)}, expected 00 or 01")
    return Select(payload == b"\1")


def _parse_configure(payload: bytes) -> Configure:
    mode, hz = _CONFIGURE.unpack(payload)
    if mode > 3 or not hz:
        raise UnexpectedReply(f"CONFIGURE with mode {mode} and {hz} Hz, expected mode 0 to 3 and a clock")
    return Configure(mode, hz)


REQUESTS: Final[Mapping[int, _MessageKind]] = MappingProxyType(
    {
        0x01: _MessageKind("TRANSFER", 1, MAX_TRANSFER, Transfer),
        0x02: _MessageKind("SELECT", 1, 1, _parse_select),
        0x03: _MessageKind("CONFIGURE", _CONFIGURE.size, _CONFIGURE.size, _parse_configure),
    }
)
"""What a master may send."""

REPLIES: Final[Mapping[int, _MessageKind]] = MappingProxyType(
    {
        0x80: _MessageKind("HELLO", _HELLO.size, _HELLO.size, _parse_hello),
        0x81: _MessageKind("TRANSFERRED", 1, MAX_TRANSFER, Transferred),
        0x82: _MessageKind("SELECTED", 0, 0, lambda payload: Selected()),
        0x83: _MessageKind("CONFIGURED", 0, 0, lambda payload: Configured()),
        0xFF: _MessageKind("REFUSED", 0, MAX_REFUSAL, lambda payload: Refused(payload.decode(errors="replace"))),
    }
)
"""What a slave may send."""
