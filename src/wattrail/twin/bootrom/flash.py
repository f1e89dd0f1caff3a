"""A NOR flash: programming only clears bits, erasing sets them, protected writes fail silently, torn work shows.

Addresses wrap at the flash's size, as on the real bus. Any protection bit protects everything; a real part protects
the range that its bits choose, which is modelled by ``protect_above`` alone.
"""

from __future__ import annotations

import random
import zlib
from typing import Final

from wattrail.bootrom.geometry import SECTOR, WIP, WRITE_ENABLE, FlashPart, part_of

__all__ = ["NorFlash"]

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
        if not data or self._refuses(start):
            return
        fits = min(len(data), self.size - start)
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
        if self._refuses(start):
            return
        self.data[start : start + span] = b"\xff" * min(span, self.size - start)
        self._touch(start, span)

    def tear_program(self, address: int, data: bytes, fraction: float) -> None:
        """The power went while a page was being programmed: only some of its bytes were."""
        self.program(address, data[: int(len(data) * fraction)])

    def tear_erase(self, address: int, span: int, fraction: float) -> None:
        """The power went during an erase: every bit of the unit has risen with that chance, seeded."""
        start = address % self.size // span * span
        if self._refuses(start):
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

    def _refuses(self, address: int) -> bool:
        return self.protected or (self._open_below is not None and address >= self._open_below)

    def _touch(self, start: int, length: int) -> None:
        first = start // SECTOR
        sectors = self.size // SECTOR
        self.dirty |= {number % sectors for number in range(first, (start + length - 1) // SECTOR + 1)}
