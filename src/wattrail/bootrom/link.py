"""The link to a responder: one request at a time, sans-IO.

The receiver looks for frames, not for positions. Noise, a reply to an earlier LinkCheck, the host's own bytes on a
shared wire are skipped and reported; the inside of a well-formed frame is never searched for another, because the
flash may hold a recording of this protocol. The request decides which frame is its reply.

Source: bk-boot/packets; stray LinkCheck replies: bk-boot/hosts.
"""

from __future__ import annotations

from typing import Final

from wattrail.bootrom.commands import CHIP_ERRORS, LINK_CHECK, Command, PayloadField
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
from wattrail.bootrom.frames import (
    LONG_HEAD,
    MAX_LONG_LENGTH,
    REPLY_START,
    REQUEST_START,
    SHORT_HEAD,
    Frame,
    PartialFrame,
    encode_request,
    fields_of,
    reply_lengths,
    take_frame,
)

__all__ = ["BootLink"]

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

    @property
    def wanted(self) -> int:
        """Length in bytes of the longest reply that is awaited, 0 if none is."""
        if not self._open or self._asked is None or self._asked.reply is None:
            return 0
        head = LONG_HEAD if self._asked.long else SHORT_HEAD
        return head + reply_lengths(self._asked.reply)[-1]

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
