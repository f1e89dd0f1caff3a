"""The link to a responder: frames of both formats, both ways, and one request at a time, sans-IO.

    host, short    01 E0 FC  len  cmd  payload                            len = 1 + payload
    host, long     01 E0 FC  FF F4  lenLo lenHi  cmd  payload             len = 1 + payload
    chip, short    04 0E  len  01 E0 FC  cmd  payload                     len = 4 + payload
    chip, long     04 0E FF  01 E0 FC  F4  lenLo lenHi  cmd status payload  len = 2 + payload

There is no checksum, no sequence number and no escape: a frame is recognised by its constant bytes, about ten, and the
content of the flash is verified by the CRC command.

The receiver looks for frames, not for positions. Noise, a reply to an earlier LinkCheck, the host's own bytes on a
shared wire are skipped and reported; the inside of a well-formed frame is never searched for another, because the
flash may hold a recording of this protocol. The request decides which frame is its reply.

Source: bk-boot/packets; stray LinkCheck replies: bk-boot/hosts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from wattrail.bootrom.commands import CHIP_ERRORS, COMMANDS, LINK_CHECK, Command, Namespace, PayloadField
from wattrail.bootrom.events import (
    NEED_DATA,
    Answered,
    ChipFailed,
    DamagedReply,
    Event,
    NeedReplyData,
    NoReply,
    TruncatedReply,
    WrongEcho,
)
from wattrail.wire import hex_pairs

__all__ = [
    "REPLY_START",
    "BootLink",
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


# ---- the link

BUFFER_LIMIT: Final = 4 * (MAX_LONG_LENGTH + 9)
"""Bytes kept while looking for a reply: the longest one, a stale one of its kind, an echo, and noise of that size.

The oldest are dropped beyond it."""

SKIPPED_LIMIT: Final = 512
"""Bytes of noise kept for the report: enough to see what it is (a log line, a second sender)."""


class BootLink:
    """The link to one chip. Requests are bytes, replies become events.

    Each request drops what is left of an earlier one; only a repeated LinkCheck does not, because hosts send it faster
    than the reply can come.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skipped = bytearray()
        self._sent_frame = b""
        self._sent: dict[str, int] = {}
        self._asked: Command | None = None
        self._open = False
        self._strays = 0
        self._echoed = False
        self._why = ""

    def request(self, command: Command, data: bytes = b"", **fields: int) -> bytes:
        """The frame of the request. Raises ValueError for fields it has not or values that do not fit."""
        request = encode_request(command, data, fields)
        if not (self._open and command is LINK_CHECK is self._asked):
            self._expect(command, request, fields)
        return request

    def receive(self, data: bytes) -> None:
        """Bytes from the chip, in any portions."""
        self._buffer += data
        if len(self._buffer) > BUFFER_LIMIT:
            self._skip(len(self._buffer) - BUFFER_LIMIT)

    def next_event(self) -> Event | NeedReplyData:
        """What the bytes so far amount to, or NEED_DATA. After a WrongEcho the link still waits for the reply."""
        while self._open and (frame := self._next_frame()) is not None:
            event = self._judge(frame)
            if event is not None:
                self._open = isinstance(event, WrongEcho)
                return event
        return NEED_DATA

    def end(self) -> Event:
        """No more bytes will come: the event that those so far amount to."""
        event = self.next_event()
        if not isinstance(event, NeedReplyData):
            return event
        self._open = False
        return self._remains()

    # ---- finding frames

    def _expect(self, command: Command, request: bytes, fields: dict[str, int]) -> None:
        self._buffer.clear()
        self._skipped.clear()
        self._sent_frame, self._sent, self._asked = request, fields, command
        self._open = command.reply is not None
        self._strays, self._echoed, self._why = 0, False, ""

    def _next_frame(self) -> Frame | None:
        """The next whole frame, with everything in front of it skipped; None if none is whole yet."""
        while True:
            start = self._buffer.find(REPLY_START)
            echo = self._echo(start if start >= 0 else len(self._buffer))
            if echo >= 0:
                if len(self._buffer) - echo < len(self._sent_frame):
                    return None
                self._skip(echo)
                del self._buffer[: len(self._sent_frame)]
                self._echoed = True
                continue
            if start < 0:
                return None
            found = take_frame(self._buffer, start)
            if isinstance(found, PartialFrame):
                return None
            if isinstance(found, Frame):
                self._skip(start)
                del self._buffer[: len(found.raw)]
                return found
            self._why = self._why or found.why
            # One byte only: the next frame may begin inside what only looked like one.
            self._skip(start + 1)

    def _echo(self, before: int) -> int:
        """Where in front of ``before`` our own request came back, whole or in part; -1 if nowhere."""
        at = self._buffer.find(REQUEST_START, 0, before)
        while at >= 0:
            # A frame of the flash's content may begin like a request too; only our own, byte for byte, is an echo.
            if self._sent_frame.startswith(self._buffer[at : at + len(self._sent_frame)]):
                return at
            at = self._buffer.find(REQUEST_START, at + 1, before)
        return -1

    def _skip(self, count: int) -> None:
        self._skipped += self._buffer[:count]
        del self._skipped[:-SKIPPED_LIMIT]
        del self._buffer[:count]

    # ---- understanding them

    def _judge(self, frame: Frame) -> Event | None:
        """The event of a frame, or None if it answers another request."""
        asked = self._asked
        if asked is None:  # pragma: no cover - an open link has asked
            return None
        if frame.namespace is asked.namespace and frame.opcode == asked.reply_opcode:
            for layout, refusal in ((asked.reply, False), (asked.refusal, True)):
                found = fields_of(layout, frame.payload) if layout else None
                if layout and found is not None and self._fits(frame, refusal):
                    return self._compare(asked, layout, frame, *found, refusal)
            self._why = self._why or f"a reply to {asked} with {len(frame.payload)} bytes of payload"
        if frame.status is None and frame.opcode in CHIP_ERRORS and not frame.payload:
            return ChipFailed(frame.opcode, frame.raw)
        self._strays += 1
        return None

    def _fits(self, frame: Frame, refusal: bool) -> bool:
        """A long refusal has a status other than 0."""
        return not (refusal and frame.status == 0)

    def _compare(
        self,
        asked: Command,
        layout: tuple[PayloadField, ...],
        frame: Frame,
        fields: dict[str, int],
        data: bytes,
        refusal: bool,
    ) -> Event:
        masks = {field.name: field.mask for field in layout}
        if refusal or frame.status:  # one kind of refusal overwrites half of the repeated address
            masks |= {field.name: field.mask for field in asked.refusal}
        for name, sent in self._sent.items():
            if name in fields and (fields[name] ^ sent) & masks[name]:
                return WrongEcho(asked, name, sent, fields[name], frame.raw, frame.status)
        refused = refusal or bool(frame.status)
        skipped = bytes(self._skipped)
        return Answered(asked, fields, data, frame.raw, frame.status, refused, skipped, self._strays)

    def _remains(self) -> Event:
        start = self._buffer.find(REPLY_START)
        if start >= 0 and isinstance(found := take_frame(self._buffer, start), PartialFrame):
            return TruncatedReply(bytes(self._buffer[start:]), found.want)
        data = bytes(self._skipped + self._buffer)
        if self._buffer and self._sent_frame.startswith(self._buffer):
            self._echoed, data = True, bytes(self._skipped)
        if not data and not self._why:
            return NoReply(self._strays, self._echoed)
        return DamagedReply(data, self._why or f"no reply among {len(data)} bytes")
