"""What Belling's chips share in their tables: first bytes of UART frames, words of MODE. Drivers and twins use it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Heads", "LineFrequency", "RmsUpdate"]


@dataclass(frozen=True, slots=True)
class Heads:
    """The first byte of a frame that reads and of one that writes."""

    read: int
    write: int


class RmsUpdate(IntEnum):
    """MODE: how long RMS and power are averaged."""

    MS_400 = 0
    MS_800 = 1


class LineFrequency(IntEnum):
    """MODE: the length of a cycle for the fast RMS."""

    HZ_50 = 0
    HZ_60 = 1
