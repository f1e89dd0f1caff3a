"""The flash behind the chip: its sizes, and every part by its id with the bits that protect it.

``mid`` is the id as hosts print it: capacity, kind, manufacturer; on the wire the bytes come in the other order.
Status registers are joined low byte first: SR1 in bits 7..0, SR2 in bits 15..8. Where sources disagree, ``note`` says
so. Source: bk-boot/flash-parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["ERASES", "PARTS", "Erase", "FlashPart", "flash_bytes", "part_of"]

PAGE: Final = 256
SECTOR: Final = 4096
MIB: Final = 1 << 20

MIN_CAPACITY: Final = 0x10
MAX_CAPACITY: Final = 0x18
"""Capacity codes accepted: 64 KiB to 16 MiB. Parts seen so far have 0x13 to 0x16; 0 is an id that was not read."""


@dataclass(frozen=True, slots=True)
class Erase:
    """One size of erase: the byte that asks for it, and its span in bytes."""

    code: int
    span: int


ERASE_SECTOR: Final = Erase(0x20, SECTOR)
ERASE_32K: Final = Erase(0x52, 0x8000)
ERASE_64K: Final = Erase(0xD8, 0x10000)
ERASES: Final = (ERASE_SECTOR, ERASE_32K, ERASE_64K)
"""The codes are the opcodes of a SPI NOR flash. The bootloader knows the first and the last."""

WIP: Final = 0x01
"""SR1: a write or an erase is in progress."""
WRITE_ENABLE: Final = 0x02
"""SR1: writing is enabled; set and cleared by the chip itself."""


@dataclass(frozen=True, slots=True)
class FlashPart:
    """One flash chip. ``mask`` holds the protection bits.

    ``reads`` are the opcodes of its status registers in order, as many as are joined; ``write`` writes them.
    """

    mid: int
    name: str
    mask: int
    reads: tuple[int, ...]
    write: int = 0x01
    note: str = ""

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return flash_bytes(self.mid >> 16)

    @property
    def bits(self) -> int:
        """How many bits of status a host can read and write at once."""
        return 8 * min(len(self.reads), 2)

    @property
    def guard(self) -> int:
        """The protection bits within reach."""
        return self.mask & ((1 << self.bits) - 1)


def flash_bytes(capacity: int) -> int:
    """Bytes of a flash by the last byte of its id. Raises ValueError for a code no flash of this kind has."""
    if not MIN_CAPACITY <= capacity <= MAX_CAPACITY:
        raise ValueError(f"capacity code {capacity:#04x} is not {MIN_CAPACITY:#04x} to {MAX_CAPACITY:#04x}")
    # An id read as 00 00 00 would make a flash of one byte, as it did in another flasher (bk7231tools #30).
    return 1 << capacity


_ONE, _TWO, _THREE = (0x05,), (0x05, 0x35), (0x05, 0x35, 0x15)
_COUNT = "sources disagree on one or two status registers"
_USUAL = "only the number of status registers is published; the mask is the usual one"


def _two(mid: int, name: str = "unnamed", note: str = "", *, mask: int = 0x407C) -> FlashPart:
    return FlashPart(mid, name, mask, _TWO, note=note)


def _one(mid: int, name: str = "unnamed", note: str = "", *, mask: int = 0x3C) -> FlashPart:
    return FlashPart(mid, name, mask, _ONE, note=note)


PARTS: Final = (
    # On most modules with an N. They leave the factory protected: 0x4004, the bits CMP and BP0.
    _two(0x1560EB, "TH25Q16HB"),
    _one(0x15701C, "EN25QH16B"),
    _two(0x1571CD, "TH25Q16UC"),
    _two(0x1540C8, "GD25Q16B"),
    _two(0x1565C8, "GD25WQ16E"),
    _two(0x15400B, "XT25F16B"),
    _two(0x15404B, "XT25F16B"),
    _two(0x152085, "P25Q16HBK"),
    _two(0x156085, "P25Q16SU"),
    _one(0x154285, "P25Q16HB", "listed with a bit in a register that is never read", mask=0x407C),
    FlashPart(0x1560C4, "GT25Q16B", 0x407C, _THREE),
    # Macronix: the second status register answers to 15, where others have 35, and guards by bit 12 in place of 14.
    FlashPart(0x1523C2, "MX25V1635F", 0x103C, (0x05, 0x15), note=_COUNT),
    # From here on without a name: hosts list them by their id alone.
    _two(0x1460CD),
    _two(0x1440C8),
    _two(0x146085),
    _one(0x14405E, "PN25F08B"),
    _one(0x13311C, "PN25F04B"),
    _one(0x134051, "GD25D40", mask=0x1C),
    _one(0x144051, "GD25D80", mask=0x1C),
    _two(0x1340C8, "GD25Q41B", _COUNT, mask=0x401C),
    _two(0x1340E0, "PN25Q40A", _COUNT, mask=0x401C),
    _two(0x1440E0, "PN25Q80A", _COUNT, mask=0x401C),
    _two(0x16400B),
    _two(0x1640C8, note=_COUNT),
    _two(0x1665C8),
    _two(0x166085),
    _two(0x162085),
    _two(0x164020),
    _two(0x1660CD),
    _two(0x16411C, note=_COUNT),
    _two(0x16611C),
    _one(0x16701C, note="listed once with its bytes in wire order", mask=0x407C),
    _two(0x14400B, note=_USUAL),
    _two(0x17400B, note=_USUAL),
    _two(0x17600B, note=_USUAL),
    _two(0x16400E, note=_USUAL),
    _two(0x136085, note=_USUAL),
    _two(0x176085, note=_USUAL),
    _two(0x1423C2, note=_USUAL),
    _two(0x1765C8, note=_USUAL),
    _two(0x1640EF, note=_USUAL),
    _two(0x1840EF, note=_USUAL),
)
"""Named parts first, then those known by id only."""

_BY_MID: Final = {part.mid: part for part in PARTS}


def part_of(mid: int) -> FlashPart | None:
    """The part with that id, or None: the protection bits of an unlisted part must not be guessed."""
    return _BY_MID.get(mid)
