"""Frames of both shapes, both ways.

    host, short    01 E0 FC  len  cmd  payload                            len = 1 + payload
    host, long     01 E0 FC  FF F4  lenLo lenHi  cmd  payload             len = 1 + payload
    chip, short    04 0E  len  01 E0 FC  cmd  payload                     len = 4 + payload
    chip, long     04 0E FF  01 E0 FC  F4  lenLo lenHi  cmd status payload  len = 2 + payload

There is no checksum, no sequence number and no escape: a frame is known by its ten constant bytes or so, and whether
its data is right is for the CRC command to say. Source: bk-boot/packets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from wattrail.bootrom.commands import CHIP_ERRORS, COMMANDS, Command, Namespace, Part
from wattrail.wire import hex_pairs

__all__ = [
    "REPLY_START",
    "Frame",
    "NoFrame",
    "Unfinished",
    "encode_request",
    "fields_of",
    "reply_lengths",
    "take_frame",
]

REQUEST_START: Final = b"\x01\xe0\xfc"
REPLY_START: Final = b"\x04\x0e"
LONG_MARK: Final = 0xFF
LONG_TYPE: Final = 0xF4
SHORT_HEAD: Final = 7
"""Bytes of a short reply in front of its payload."""
LONG_HEAD: Final = 11
"""Bytes of a long reply in front of its payload, the status included."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole reply frame. ``status`` is None in a short one."""

    namespace: Namespace
    opcode: int
    status: int | None
    payload: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A reply frame has begun; ``want`` is its length in bytes as far as it can be told yet."""

    want: int


@dataclass(frozen=True, slots=True)
class NoFrame:
    """What looked like the start of a frame is none; ``why`` says the reason."""

    why: str


def encode_request(command: Command, data: bytes = b"", fields: Mapping[str, int] | None = None) -> bytes:
    """The frame that asks. Raises ValueError for fields the command has not, or values that do not fit."""
    payload = _payload(command, data, dict(fields or {}))
    body = bytes((command.opcode,)) + payload
    if command.long:
        return REQUEST_START + bytes((LONG_MARK, LONG_TYPE)) + len(body).to_bytes(2, "little") + body
    return REQUEST_START + bytes((len(body),)) + body


def _payload(command: Command, data: bytes, fields: dict[str, int]) -> bytes:
    encoded = b"".join(_encoded(command, part, data, fields) for part in command.request)
    if fields:
        raise ValueError(f"{command} has no {', '.join(sorted(fields))}")
    if data and not any(part.name == "data" for part in command.request):
        raise ValueError(f"{command} carries no data, got {len(data)} bytes")
    return encoded


def _encoded(command: Command, part: Part, data: bytes, fields: dict[str, int]) -> bytes:
    if part.name == "data":
        if len(data) not in part.sizes:
            raise ValueError(f"{command}: {len(data)} bytes of data, wanted {_span(part.sizes)}")
        return data
    if part.fixed is None and part.name not in fields:
        raise ValueError(f"{command} needs {part.name}")
    value = fields.pop(part.name) if part.fixed is None else part.fixed
    if not 0 <= value < 1 << 8 * part.size:
        raise ValueError(f"{command}: {part.name} {value:#x} does not fit {part.size} byte(s)")
    return value.to_bytes(part.size, "little")


def _span(sizes: range) -> str:
    return str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"


@cache
def reply_lengths(parts: tuple[Part, ...]) -> range:
    """The payload lengths in bytes that a layout can have."""
    return range(sum(part.sizes[0] for part in parts), sum(part.sizes[-1] for part in parts) + 1)


def fields_of(parts: tuple[Part, ...], payload: bytes) -> tuple[dict[str, int], bytes] | None:
    """Integers by name, and the data; None if the payload has not this layout.

    At most one part of a layout varies in size, and it stands last.
    """
    if len(payload) not in reply_lengths(parts):
        return None
    fields: dict[str, int] = {}
    data, place = b"", 0
    for part in parts:
        piece = payload[place : place + part.sizes[-1]]
        place += len(piece)
        if part.name == "data":
            data = piece
        elif part.fixed is not None and int.from_bytes(piece, "little") != part.fixed:
            return None
        else:
            fields[part.name] = int.from_bytes(piece, "little")
    return fields, data


def _longest(namespace: Namespace) -> int:
    layouts = [c.reply for c in COMMANDS if c.namespace is namespace and c.reply is not None]
    return max(reply_lengths(layout)[-1] for layout in layouts)


SHORT_MOST: Final = 4 + _longest(Namespace.SHORT)
LONG_MOST: Final = 2 + _longest(Namespace.LONG)
"""Caps on the length fields: no reply in the table is longer, so a greater length is noise, not a frame to wait for."""

_OPCODES: Final = {
    Namespace.SHORT: {c.reply_opcode for c in COMMANDS if not c.long and c.reply is not None} | set(CHIP_ERRORS),
    Namespace.LONG: {c.reply_opcode for c in COMMANDS if c.long and c.reply is not None},
}


def take_frame(data: bytes | bytearray, start: int = 0) -> Frame | Unfinished | NoFrame:
    """What stands at ``start``, where REPLY_START was found."""
    head = bytes(data[start : start + LONG_HEAD])
    if len(head) < SHORT_HEAD:
        return Unfinished(SHORT_HEAD) if _may_begin(head) else NoFrame(f"{hex_pairs(head)} begins no reply")
    if head[3:6] != REQUEST_START:
        return NoFrame(f"{hex_pairs(head[3:6])} where a reply has 01 E0 FC")
    return _take_long(data, start, head) if head[2] == LONG_MARK else _take_short(data, start, head)


def _may_begin(head: bytes) -> bool:
    return REPLY_START.startswith(head[:2]) and REQUEST_START.startswith(head[3:])


def _take_short(data: bytes | bytearray, start: int, head: bytes) -> Frame | Unfinished | NoFrame:
    if not 4 <= head[2] <= SHORT_MOST:
        return NoFrame(f"a short reply of length {head[2]}, the longest known is {SHORT_MOST}")
    if head[6] not in _OPCODES[Namespace.SHORT]:
        return NoFrame(f"a short reply to an unknown command {head[6]:02X}")
    if len(data) - start < head[2] + 3:
        return Unfinished(head[2] + 3)
    raw = bytes(data[start : start + head[2] + 3])
    return Frame(Namespace.SHORT, head[6], None, raw[SHORT_HEAD:], raw)


def _take_long(data: bytes | bytearray, start: int, head: bytes) -> Frame | Unfinished | NoFrame:
    if head[6] != LONG_TYPE:
        return NoFrame(f"{head[6]:02X} where a long reply has F4")
    if len(head) < LONG_HEAD:
        return Unfinished(LONG_HEAD)
    length = int.from_bytes(head[7:9], "little")
    if not 2 <= length <= LONG_MOST:
        return NoFrame(f"a long reply of length {length}, the longest known is {LONG_MOST}")
    if head[9] not in _OPCODES[Namespace.LONG]:
        return NoFrame(f"a long reply to an unknown command {head[9]:02X}")
    if len(data) - start < length + 9:
        return Unfinished(length + 9)
    raw = bytes(data[start : start + length + 9])
    return Frame(Namespace.LONG, head[9], head[10], raw[LONG_HEAD:], raw)
