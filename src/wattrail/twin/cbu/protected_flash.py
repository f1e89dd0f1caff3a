"""A flash whose protection bits choose a range, as the parts on modules do.

Firmware relies on it: Tuya's protects the lower half and writes its settings above. The table is that of the 2 MiB
parts of GigaDevice and their many copies: BP0 to BP4 are bits 2 to 6 of the status, CMP is bit 14.
"""

from __future__ import annotations

from typing import Final

from wattrail.twin.bootrom.flash import NorFlash

__all__ = ["ProtectedFlash", "protected_range"]

_CMP: Final = 1 << 14
_SECTOR: Final = 0x1000


def protected_range(sr: int, size: int) -> tuple[range, bool]:
    """What the bits name, and whether that is what is protected (True) or what alone is not (False)."""
    amount, low, sectors = sr >> 2 & 7, sr >> 5 & 1, sr >> 6 & 1
    if amount == 0:
        length = 0
    elif amount > 5:
        length = size
    elif sectors:
        length = _SECTOR << min(amount - 1, 3)
    else:
        length = size // 32 << amount - 1
    named = range(length) if low else range(size - length, size)
    return named, not sr & _CMP


class ProtectedFlash(NorFlash):
    """Erases and programs inside the protected range have no effect."""

    def _refuses(self, address: int) -> bool:
        named, inside = protected_range(self.sr, self.size)
        return (address in named) is inside or (self._open_below is not None and address >= self._open_below)
