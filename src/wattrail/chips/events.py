"""What a link can tell about the bytes it was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from wattrail.wire.register import Register

__all__ = ["NEED_DATA", "Damaged", "Event", "NeedData", "PacketRead", "RegisterRead", "Silence", "Truncated"]


class NeedData(Enum):
    """Type of the single value NEED_DATA."""

    NEED_DATA = auto()


NEED_DATA = NeedData.NEED_DATA
"""No whole frame yet: give the link more bytes, or tell it that none will come."""


@dataclass(frozen=True, slots=True)
class RegisterRead:
    """A register's count. ``skipped`` holds bytes in front of the frame that belonged to nothing."""

    register: Register
    count: int
    frame: bytes
    skipped: bytes = b""


@dataclass(frozen=True, slots=True)
class PacketRead:
    """The registers of one packet, all of one moment."""

    counts: Mapping[Register, int]
    frame: bytes
    skipped: bytes = b""


@dataclass(frozen=True, slots=True)
class Damaged:
    """Enough bytes came, and no frame among them holds together. ``why`` names what failed first."""

    data: bytes
    why: str


@dataclass(frozen=True, slots=True)
class Truncated:
    """The reply stopped short: ``data`` is ``len(data)`` of ``want`` bytes."""

    data: bytes
    want: int


@dataclass(frozen=True, slots=True)
class Silence:
    """Not one byte of an answer. ``level`` is what an idle SPI line showed (0xFF or 0x00), else None."""

    level: int | None = None


Event = RegisterRead | PacketRead | Damaged | Truncated | Silence
