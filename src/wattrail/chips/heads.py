"""First bytes of UART frames: drivers and twins share them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Heads"]


@dataclass(frozen=True, slots=True)
class Heads:
    """The first byte of a frame that reads and of one that writes."""

    read: int
    write: int
