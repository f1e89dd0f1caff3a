"""A NOR flash: programming only clears bits, erasing sets them, protected writes fail silently, torn work shows.

Addresses wrap at the flash's size, as on the real bus. Of ``NorFlash`` any protection bit protects everything, which is
what a flasher has to get along with; ``ProtectedFlash`` protects the range that its bits choose, as a real part does.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from wattrail.bootrom.geometry import SECTOR, WIP, WRITE_ENABLE, FlashPart, part_of

__all__ = ["NorFlash", "ProtectedFlash", "status_by_loader"]

USUAL_MASK: Final = 0x407C
"""Protection bits of a part that is not listed."""
LOCKED_BY_REWRITE: Final = 0x7BFC
"""What a Puya part read back after an unchanged 0 had been written to it. Source: bk-boot/flash-parts."""
_WRITE_SHIFTS: Final = {0x01: 0, 0x31: 8, 0x11: 16}


class NorFlash:
    """One flash chip. ``mid`` is its id, capacity in bits 23..16; ``size`` overrides it."""

    def __init__(
        self, mid: int, *, image: bytes | None = None, size: int | None = None, sr: int = 0, seed: int = 0
    ) -> None:
        size = size or (len(image) if image else 1 << (mid >> 16 & 0x1F))
        if size < SECTOR or size % SECTOR or (image is not None and len(image) != size):
            have = "" if image is None else f", the image has {len(image)}"
            raise ValueError(f"a flash of {size} bytes{have}: whole sectors of {SECTOR} are needed")
        self.mid = mid
        self.data = bytearray(image if image is not None else b"\xff" * size)
        self.sr = sr
        self.locked = False
        self.rewrite_locks = False
        self.busy_until = 0.0
        self.dirty: set[int] = set()
        self._stuck: dict[int, int] = {}
        self._open_below: int | None = None
        self._chance = random.Random(seed)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    @property
    def part(self) -> FlashPart | None:
        """The listed part with this id, if there is one."""
        return part_of(self.mid)

    @property
    def protected(self) -> bool:
        """Whether writes and erases have, silently, no effect."""
        return bool(self.sr & (self.part.mask if self.part else USUAL_MASK))

    def read(self, address: int, length: int) -> bytes:
        """Bytes from there on, wrapping at the end."""
        start = address % self.size
        if start + length <= self.size:
            return bytes(self.data[start : start + length])
        turned = bytes(self.data[start:] + self.data[:start])
        return (turned * (length // self.size + 1))[:length]

    def crc(self, start: int, length: int) -> int:
        """CRC-32 without the final inversion."""
        return zlib.crc32(self.read(start, length)) ^ 0xFFFF_FFFF

    def program(self, address: int, data: bytes) -> None:
        """Clear the bits that are 0 in ``data``."""
        start = address % self.size
        fits = min(len(data), self.size - start)
        if not data or self._refuses(start, fits):
            return
        cells = self.data[start : start + fits]
        cleared = int.from_bytes(cells, "little") & int.from_bytes(data[:fits], "little")
        self.data[start : start + fits] = cleared.to_bytes(fits, "little")
        for at, bits in self._stuck.items():
            if start <= at < start + fits:
                self.data[at] |= bits
        self._touch(start, fits)
        self.program(start + fits, data[fits:])

    def erase(self, address: int, span: int) -> None:
        """Set every bit of the unit of that span in which the address lies."""
        # Any address inside the unit erases all of it, as on every SPI NOR.
        start = address % self.size // span * span
        if self._refuses(start, span):
            return
        self.data[start : start + span] = b"\xff" * min(span, self.size - start)
        self._touch(start, span)

    def tear_program(self, address: int, data: bytes, fraction: float) -> None:
        """The power went while a page was being programmed: only some of its bytes were."""
        self.program(address, data[: int(len(data) * fraction)])

    def tear_erase(self, address: int, span: int, fraction: float) -> None:
        """The power went during an erase: every bit of the unit has risen with that chance, seeded."""
        start = address % self.size // span * span
        if self._refuses(start, span):
            return
        threshold = int(fraction * 256)
        for at in range(start, min(start + span, self.size)):
            if self._chance.randrange(256) < threshold:
                self.data[at] |= self._chance.randrange(256)
        self._touch(start, span)

    def wear_out(self, address: int, bits: int) -> None:
        """These bits of a byte can no longer be programmed to 0."""
        self._stuck[address % self.size] = bits

    def protect_above(self, address: int) -> None:
        """Protect everything from there on, whatever the status register holds."""
        self._open_below = address

    # ---- status registers

    def read_status(self, opcode: int, now: float) -> int:
        """One status register by its opcode: 05, 35, 15; another opcode reads 0."""
        reads = self.part.reads if self.part else (0x05, 0x35, 0x15)
        if opcode not in reads:
            return 0
        value = self.sr >> 8 * reads.index(opcode) & 0xFF
        return value | WIP if opcode == 0x05 and now < self.busy_until else value

    def write_status(self, opcode: int, values: bytes) -> None:
        """Write status bytes by opcode: 01 from the first register on, 31 the second, 11 the third."""
        if self.locked or opcode not in _WRITE_SHIFTS:
            return
        shift = _WRITE_SHIFTS[opcode]
        mask = ((1 << 8 * len(values)) - 1) << shift
        written = int.from_bytes(values, "little") << shift
        new = (self.sr & ~mask | written) & ~(WIP | WRITE_ENABLE)
        if self.rewrite_locks and new == self.sr:
            new, self.locked = LOCKED_BY_REWRITE, True
        self.sr = new

    def power_cycle(self) -> None:
        """The supply was cut: a status register locked until then is free again, and no work goes on."""
        self.locked = False
        self.busy_until = 0.0

    def _refuses(self, start: int, length: int) -> bool:
        """One protected byte keeps the whole unit as it is: no part erases a block or a chip around it."""
        end = min(start + length, self.size)
        return self._protects(start, end) or (self._open_below is not None and end > self._open_below)

    def _protects(self, start: int, end: int) -> bool:
        """Whether the status protects anything there."""
        return self.protected

    def _touch(self, start: int, length: int) -> None:
        first = start // SECTOR
        sectors = self.size // SECTOR
        self.dirty |= {number % sectors for number in range(first, (start + length - 1) // SECTOR + 1)}


_CMP: Final = 1 << 14


def protected_range(sr: int, size: int) -> tuple[range, bool]:
    """What the bits name, and whether that is what is protected (True) or what alone is not (False)."""
    amount, low, sectors = sr >> 2 & 7, sr >> 5 & 1, sr >> 6 & 1
    if amount == 0:
        length = 0
    elif amount > 5:
        length = size
    elif sectors:
        length = SECTOR << min(amount - 1, 3)
    else:
        length = size // 32 << amount - 1
    named = range(length) if low else range(size - length, size)
    return named, not sr & _CMP


class ProtectedFlash(NorFlash):
    """A flash whose protection bits choose a range, as the parts on modules do.

    The table is that of the 2 MiB parts of GigaDevice and their many copies: BP0 to BP4 are bits 2 to 6 of the status.
    """

    # Firmware relies on it: Tuya's protects the lower half (seen: 34) and writes its settings above. With every bit
    # protecting the whole flash, as in NorFlash, no stock image could store anything.
    def _protects(self, start: int, end: int) -> bool:
        named, is_inside = protected_range(self.sr, self.size)
        common = min(named.stop, end) - max(named.start, start)
        return common > 0 if is_inside else common < end - start


# ---- what the bootloader BK7231S_1.0.5 writes into the status registers, by the id of the flash

_LOADER_PARTS: Final[Mapping[int, tuple[int, int]]] = MappingProxyType(
    {
        0x16701C: (0x7C, 1),
        0x15701C: (0x7C, 1),
        0x1523C2: (0x3C, 1),
        0x17400B: (0x14, 2),
        **dict.fromkeys(
            (0x14400B, 0x15400B, 0x16400B, 0x16400E, 0x1540C8, 0x1640C8, 0x164020, 0x1640EF, 0x1740EF, 0x166085),
            (0x7C, 2),
        ),
    }
)
"""The status that protects, and how many registers of 8 bits it writes at once. Source: bk-boot/loader-1.

Seen: the bootloader ran on the emulated module with each of these parts.
"""


def status_by_loader(mid: int, sr: int, *, protect: bool) -> int:
    """The status word after the bootloader has protected the flash, or has taken that away."""
    # It writes all registers that it thinks the part has, so a part of two loses every other bit. One that it does not
    # know gets zeros even after a CRC: it is left without protection.
    field, registers = _LOADER_PARTS.get(mid, (0, 2))
    kept = sr & ~((1 << 8 * registers) - 1)
    return kept | (field if protect else 0)
