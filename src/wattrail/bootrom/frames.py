"""Frames of both formats, both ways.

    host, short    01 E0 FC  len  cmd  payload                            len = 1 + payload
    host, long     01 E0 FC  FF F4  lenLo lenHi  cmd  payload             len = 1 + payload
    chip, short    04 0E  len  01 E0 FC  cmd  payload                     len = 4 + payload
    chip, long     04 0E FF  01 E0 FC  F4  lenLo lenHi  cmd status payload  len = 2 + payload

There is no checksum, no sequence number and no escape: a frame is recognised by its constant bytes, about ten, and the
content of the flash is verified by the CRC command. Source: bk-boot/packets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from wattrail.bootrom.commands import CHIP_ERRORS, COMMANDS, Command, Namespace, PayloadField
from wattrail.wire import hex_pairs

__all__ = [
    "REPLY_START",
    "Frame",
    "NoFrame",
    "PartialFrame",
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
class PartialFrame:
    """A reply frame has begun; ``want`` is its length in bytes as far as it is known."""

    want: int


@dataclass(frozen=True, slots=True)
class NoFrame:
    """These bytes start like a frame but are not one; ``why`` gives the reason."""

    why: str


def encode_request(command: Command, data: bytes = b"", fields: Mapping[str, int] | None = None) -> bytes:
    """The frame of a request. Raises ValueError for fields the command does not have, or values that do not fit."""
    payload = _payload(command, data, dict(fields or {}))
    body = bytes((command.opcode,)) + payload
    if command.long:
        return REQUEST_START + bytes((LONG_MARK, LONG_TYPE)) + len(body).to_bytes(2, "little") + body
    return REQUEST_START + bytes((len(body),)) + body


def _payload(command: Command, data: bytes, fields: dict[str, int]) -> bytes:
    encoded = b"".join(_encoded(command, field, data, fields) for field in command.request)
    if fields:
        raise ValueError(f"{command} has no {', '.join(sorted(fields))}")
    if data and not any(field.name == "data" for field in command.request):
        raise ValueError(f"{command} carries no data, got {len(data)} bytes")
    return encoded


def _encoded(command: Command, field: PayloadField, data: bytes, fields: dict[str, int]) -> bytes:
    if field.name == "data":
        if len(data) not in field.sizes:
            raise ValueError(f"{command}: {len(data)} bytes of data, wanted {_span(field.sizes)}")
        return data
    if field.fixed is None and field.name not in fields:
        raise ValueError(f"{command} needs {field.name}")
    value = fields.pop(field.name) if field.fixed is None else field.fixed
    if not 0 <= value < 1 << 8 * field.size:
        raise ValueError(f"{command}: {field.name} {value:#x} does not fit {field.size} byte(s)")
    return value.to_bytes(field.size, "little")


def _span(sizes: range) -> str:
    return str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"


@cache
def reply_lengths(layout: tuple[PayloadField, ...]) -> range:
    """The payload lengths in bytes that a layout can have."""
    return range(sum(field.sizes[0] for field in layout), sum(field.sizes[-1] for field in layout) + 1)


def fields_of(layout: tuple[PayloadField, ...], payload: bytes) -> tuple[dict[str, int], bytes] | None:
    """Integers by name, and the data; None if the payload does not have this layout.

    At most one field of a layout varies in size, and it is the last.
    """
    if len(payload) not in reply_lengths(layout):
        return None
    fields: dict[str, int] = {}
    data, start = b"", 0
    for field in layout:
        piece = payload[start : start + field.sizes[-1]]
        start += len(piece)
        if field.name == "data":
            data = piece
        elif field.fixed is not None and int.from_bytes(piece, "little") != field.fixed:
            return None
        else:
            fields[field.name] = int.from_bytes(piece, "little")
    return fields, data


def _longest(namespace: Namespace) -> int:
    layouts = [c.reply for c in COMMANDS if c.namespace is namespace and c.reply is not None]
    return max(reply_lengths(layout)[-1] for layout in layouts)


MAX_SHORT_LENGTH: Final = 4 + _longest(Namespace.SHORT)
MAX_LONG_LENGTH: Final = 2 + _longest(Namespace.LONG)
"""Caps on the length fields: no reply in the table is longer, so a greater length is noise, not a frame to wait for."""

_OPCODES: Final = {
    Namespace.SHORT: {c.reply_opcode for c in COMMANDS if not c.long and c.reply is not None} | set(CHIP_ERRORS),
    Namespace.LONG: {c.reply_opcode for c in COMMANDS if c.long and c.reply is not None},
}


def take_frame(data: bytes | bytearray, start: int = 0) -> Frame | PartialFrame | NoFrame:
    """The frame at ``start``, where REPLY_START was found."""
    head = bytes(data[start : start + LONG_HEAD])
    if len(head) < SHORT_HEAD:
        return PartialFrame(SHORT_HEAD) if _may_begin(head) else NoFrame(f"{hex_pairs(head)} begins no reply")
    if head[3:6] != REQUEST_START:
        return NoFrame(f"{hex_pairs(head[3:6])} where a reply has 01 E0 FC")
    return _take_long(data, start, head) if head[2] == LONG_MARK else _take_short(data, start, head)


def _may_begin(head: bytes) -> bool:
    return REPLY_START.startswith(head[:2]) and REQUEST_START.startswith(head[3:])


def _take_short(data: bytes | bytearray, start: int, head: bytes) -> Frame | PartialFrame | NoFrame:
    if not 4 <= head[2] <= MAX_SHORT_LENGTH:
        return NoFrame(f"a short reply of length {head[2]}, the longest known is {MAX_SHORT_LENGTH}")
    if head[6] not in _OPCODES[Namespace.SHORT]:
        return NoFrame(f"a short reply to an unknown command {head[6]:02X}")
    if len(data) - start < head[2] + 3:
        return PartialFrame(head[2] + 3)
    raw = bytes(data[start : start + head[2] + 3])
    return Frame(Namespace.SHORT, head[6], None, raw[SHORT_HEAD:], raw)


def _take_long(data: bytes | bytearray, start: int, head: bytes) -> Frame | PartialFrame | NoFrame:
    if head[6] != LONG_TYPE:
        return NoFrame(f"{head[6]:02X} where a long reply has F4")
    if len(head) < LONG_HEAD:
        return PartialFrame(LONG_HEAD)
    length = int.from_bytes(head[7:9], "little")
    if not 2 <= length <= MAX_LONG_LENGTH:
        return NoFrame(f"a long reply of length {length}, the longest known is {MAX_LONG_LENGTH}")
    if head[9] not in _OPCODES[Namespace.LONG]:
        return NoFrame(f"a long reply to an unknown command {head[9]:02X}")
    if len(data) - start < length + 9:
        return PartialFrame(length + 9)
    raw = bytes(data[start : start + length + 9])
    return Frame(Namespace.LONG, head[9], head[10], raw[LONG_HEAD:], raw)
