"""What a boot link can tell about the bytes it was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from wattrail.bootrom.commands import Command

__all__ = ["NEED_DATA", "Answered", "ChipFailed", "Damaged", "Event", "NeedData", "Silence", "Truncated", "WrongEcho"]


class NeedData(Enum):
    """Type of the single value NEED_DATA."""

    NEED_DATA = auto()


NEED_DATA = NeedData.NEED_DATA
"""No whole reply yet: give the link more bytes, or tell it that none will come."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The reply to what was asked.

    ``status`` is the chip's word for how it went, None in short replies: 0 says "accepted", which is no proof that
    the flash changed. ``refused``: the status is not 0, or the reply has the shape of a refusal. ``fields`` are the
    integers by name. ``skipped`` are bytes in front that were no part of it, ``strays`` how many whole replies to
    something else stood there.
    """

    command: Command
    fields: Mapping[str, int]
    data: bytes
    frame: bytes
    status: int | None = None
    refused: bool = False
    skipped: bytes = b""
    strays: int = 0

    def __getitem__(self, name: str) -> int:
        """An integer of the reply by its name."""
        return self.fields[name]


@dataclass(frozen=True, slots=True)
class WrongEcho:
    """A reply of the right kind repeats another ``part`` than was sent. The link goes on waiting.

    Either it is late and belongs to an earlier request, or the request was damaged on its way and the chip has acted
    on ``got``: then the flash at that address must be looked at.
    """

    command: Command
    part: str
    sent: int
    got: int
    frame: bytes
    status: int | None = None


@dataclass(frozen=True, slots=True)
class ChipFailed:
    """The chip said "system error" with this code, 0xEE or 0xFE."""

    code: int
    frame: bytes


@dataclass(frozen=True, slots=True)
class Damaged:
    """Bytes came, and no reply among them. ``why`` names what was wrong first."""

    data: bytes
    why: str


@dataclass(frozen=True, slots=True)
class Truncated:
    """The reply stopped short: ``data`` is ``len(data)`` of ``want`` bytes."""

    data: bytes
    want: int


@dataclass(frozen=True, slots=True)
class Silence:
    """Not one byte of an answer.

    ``strays`` counts replies to something else that came meanwhile: above 0 the chip is alive and merely did not
    answer this. ``echoed``: our own request came back, so the line is shorted or shared.
    """

    strays: int = 0
    echoed: bool = field(default=False)


Event = Answered | WrongEcho | ChipFailed | Damaged | Truncated | Silence
