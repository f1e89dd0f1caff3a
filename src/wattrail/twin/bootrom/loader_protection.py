"""What the bootloader BK7231S_1.0.5 writes into the status registers of a flash, by its id.

Seen: the bootloader ran on the emulated module with each of these parts. It writes all registers that it thinks the
part has at once, so a part of two loses every other bit. A part that it does not know gets zeros even after a CRC: it
is left without protection. Source: bk-boot/loader-1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = ["LoaderProtection", "protection_of"]


@dataclass(frozen=True, slots=True)
class LoaderProtection:
    """``field`` is the status that protects; ``registers`` of 8 bits are written."""

    field: int
    registers: int = 2

    def applied(self, sr: int, *, protect: bool) -> int:
        """The status word afterwards."""
        kept = sr & ~((1 << 8 * self.registers) - 1)
        return kept | (self.field if protect else 0)


_UNKNOWN: Final = LoaderProtection(0)
_ALL: Final = LoaderProtection(0x7C)
_PARTS: Final[Mapping[int, LoaderProtection]] = MappingProxyType(
    {
        0x16701C: LoaderProtection(0x7C, 1),
        0x15701C: LoaderProtection(0x7C, 1),
        0x1523C2: LoaderProtection(0x3C, 1),
        0x17400B: LoaderProtection(0x14),
        **dict.fromkeys(
            (0x14400B, 0x15400B, 0x16400B, 0x16400E, 0x1540C8, 0x1640C8, 0x164020, 0x1640EF, 0x1740EF, 0x166085), _ALL
        ),
    }
)


def protection_of(mid: int) -> LoaderProtection:
    """By the id of the flash as hosts print it: capacity, kind, manufacturer."""
    return _PARTS.get(mid, _UNKNOWN)
