"""The chip's frame receiver, byte by byte: a state machine without time-out or checksum.

    01 -> E0 -> FC -> length -> body                     a short frame; length 00 starts over
    01 -> E0 -> FC -> FF -> F4 -> low -> high -> body    a long one

Anything else starts over, and the byte that did not fit is not looked at again: 01 01 E0 FC is missed. After a lost
byte the machine swallows the next commands until the body is full. Write4K comes out page by page while the body comes
in; a body that is not 1 to 16 whole pages leaves it stuck until reset. Source: bk-boot/loader-1. That the mask ROM has
the same receiver is a guess; bk-boot/timing gives the reasons for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wattrail.bootrom.commands import WRITE_4K
from wattrail.bootrom.geometry import PAGE, SECTOR

__all__ = ["FrameReceiver", "ReceivedCommand", "ReceivedPage"]

_SYNC: Final = b"\x01\xe0\xfc"
_LONG: Final = 0xFF
_LONG_TYPE: Final = 0xF4
_FOREVER: Final = 1 << 30
_LONG_FROM: Final = 4
"""Bytes of a head from which on it can only be that of a long frame."""
_SHORTEST: Final = 5
_SHORTEST_LONG: Final = 8
"""Bytes of the shortest frame of each kind: an opcode and nothing behind it."""
_WRITE_HEAD: Final = 5


@dataclass(frozen=True, slots=True)
class ReceivedCommand:
    """A whole command. ``body`` is what follows the opcode; of Write4K, only its address."""

    long: bool
    opcode: int
    body: bytes


@dataclass(frozen=True, slots=True)
class ReceivedPage:
    """A page of a write that is still coming in. ``start`` is the address of its first page."""

    start: int
    address: int
    data: bytes


class FrameReceiver:
    """The receiver of one UART."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Wait for the first byte of a frame."""
        self._head = bytearray()
        self._body = bytearray()
        self._want = 0
        self._long = False
        self._page_at: int | None = None
        self.stuck = False

    @property
    def idle(self) -> bool:
        """Whether no frame has begun."""
        return not self._head

    @property
    def missing(self) -> int:
        """How many bytes can be fed before they can complete anything."""
        if self.stuck:
            return _FOREVER
        if not self._want:
            return (_SHORTEST_LONG if len(self._head) >= _LONG_FROM else _SHORTEST) - len(self._head)
        if not self._long or (self._body and self._body[0] != WRITE_4K.opcode):
            return self._want - len(self._body)
        return self._streamed_missing()

    def _streamed_missing(self) -> int:
        if self._page_at is None:
            return min(self._want, _WRITE_HEAD) - len(self._body)
        return PAGE - len(self._body) + _WRITE_HEAD

    def feed(self, data: bytes) -> list[ReceivedCommand | ReceivedPage]:
        """Bytes, not more than ``missing``; returns what they complete."""
        if self.stuck:
            return []
        head = 0
        while not self._want and head < len(data):
            self._take_head(data[head])
            head += 1
        if not self._want or head == len(data):
            return []
        self._body += data[head:]
        if self._page_at is not None or self._begins_write():
            return self._stream()
        if len(self._body) < self._want:
            return []
        command = ReceivedCommand(self._long, self._body[0], bytes(self._body[1:]))
        self.restart()
        return [command]

    # ---- the head

    def _take_head(self, byte: int) -> None:
        index = len(self._head)
        self._head.append(byte)
        if index < len(_SYNC):
            if byte != _SYNC[index]:
                self._head.clear()
        elif index == 3:
            self._take_length(byte)
        elif index == 4:
            if byte != _LONG_TYPE:
                self._head.clear()
        elif index == 6:
            self._take_long_length()

    def _take_length(self, byte: int) -> None:
        if byte == 0:
            self._head.clear()
        elif byte != _LONG:
            self._want = byte

    def _take_long_length(self) -> None:
        length = int.from_bytes(self._head[5:7], "little")
        if not length:
            self._head.clear()
            return
        self._want = length
        self._long = True

    # ---- a write that is programmed while it comes

    def _begins_write(self) -> bool:
        if not (self._long and self._body[0] == WRITE_4K.opcode):
            return False
        if len(self._body) < min(self._want, _WRITE_HEAD):
            return False
        length = self._want - _WRITE_HEAD
        self.stuck = not 0 < length <= SECTOR or length % PAGE != 0
        if not self.stuck:
            self._page_at = int.from_bytes(self._body[1:_WRITE_HEAD], "little")
            self._want -= _WRITE_HEAD
        return True

    def _stream(self) -> list[ReceivedCommand | ReceivedPage]:
        if self.stuck or self._page_at is None or len(self._body) < _WRITE_HEAD + PAGE:
            return []
        first = bytes(self._body[1:_WRITE_HEAD])
        page = ReceivedPage(int.from_bytes(first, "little"), self._page_at, bytes(self._body[_WRITE_HEAD:]))
        del self._body[_WRITE_HEAD:]
        self._page_at += PAGE
        self._want -= PAGE
        if self._want:
            return [page]
        self.restart()
        return [page, ReceivedCommand(True, WRITE_4K.opcode, first)]
