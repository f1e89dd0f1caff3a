"""What a bootloader tells about the chip it was made for: its checksum, and records inside its code.

    EE BB AA 10  code key, 16 bytes      EE BB BB 32  IV and key of the updates      EE BB CC 0E  version

The table of partitions stands in it unenciphered, 64 bytes an entry, ``01PE`` first; its offsets are logical.
Source: bk7231-image/bootloader.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wattrail.image.cipher import CodeKey, crypt
from wattrail.image.layout import Chip
from wattrail.image.limits import RECORDS_MOST

__all__ = ["KNOWN", "Bootloader", "Entry", "identify", "inspect"]

KNOWN: Final = (
    (257, 0xE14191BA, Chip.N, "BK7231N 1.0.1"),
    (256, 0x4063D299, Chip.N, "BK7231N 1.0.1"),
    (256, 0xBA54C1B8, Chip.T, "BK7231S 1.0.5"),
)
"""How many of the first bytes in flash, their CRC-32, chip, version. N's own CRC command counts one byte more."""

_VERSION_MARK = b"\xee\xbb\xcc"
_SEEN = 0x1000  # the records stand at 0x44 and behind; a page leaves room for other builds
_ENTRY: Final = struct.Struct("<4s24s24sII4x")
_ENTRY_MAGIC = b"01PE"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the partition table inside a bootloader. Bytes, logical."""

    name: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Bootloader:
    """What it says of itself. ``chip`` is the one its checksum belongs to, or None for one we do not know."""

    chip: Chip | None
    known_as: str | None
    version: str | None
    entries: tuple[Entry, ...]

    def entry(self, name: str) -> Entry | None:
        """A line of its partition table by name."""
        return next((entry for entry in self.entries if entry.name == name), None)


def inspect(packed: bytes, stored: bytes, key: CodeKey | None) -> Bootloader:
    """Look into a bootloader as it lies in flash (packed), and the same without block CRCs (stored)."""
    chip, name = identify(packed)
    version = _version(crypt(stored[:_SEEN], key, 0)) if key else None
    return Bootloader(chip, name, version, tuple(_entries(stored)))


def identify(packed: bytes) -> tuple[Chip | None, str | None]:
    """Chip and version by the checksum of the first bytes in flash."""
    for length, crc, chip, name in KNOWN:
        if len(packed) >= length and zlib.crc32(packed[:length]) == crc:
            return chip, name
    return None, None


def _version(code: bytes) -> str | None:
    at = code.find(_VERSION_MARK)
    if at < 0 or at + 4 > len(code):
        return None
    text = code[at + 4 : at + 4 + code[at + 3]].partition(b"\0")[0]
    return text.decode("ascii") if text.isascii() and text else None


def _entries(stored: bytes) -> Iterator[Entry]:
    at = stored.find(_ENTRY_MAGIC)
    for _ in range(RECORDS_MOST):
        if at < 0 or at + _ENTRY.size > len(stored):
            return
        magic, name, _, offset, length = _ENTRY.unpack_from(stored, at)
        if magic != _ENTRY_MAGIC:
            return
        yield Entry(name.partition(b"\0")[0].decode("ascii", "backslashreplace"), offset, length)
        at += _ENTRY.size
