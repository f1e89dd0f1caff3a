"""What a bootloader says about the chip it was made for: its checksum, and records inside its code.

    EE BB AA 10  code key, 16 bytes      EE BB BB 32  IV and key of the updates      EE BB CC 0E  version

Beken's own loaders have no such records: they hold ``BK7238``, a string by itself, and ``_1.0.15``, which is printed
behind it. The table of partitions ends the code; it stands there unenciphered, 64 bytes an entry, ``01PE`` first, and
its offsets are logical. Source: bk7231-image/bootloader.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wattrail.bk7231 import MAX_FLASH_BYTES, Chip
from wattrail.image.code import CodeKey, crypt
from wattrail.image.limits import MAX_RECORDS

__all__ = ["KNOWN", "BootloaderInfo", "PartitionEntry", "identify", "inspect"]

KNOWN: Final = (
    (257, 0xE14191BA, Chip.N, "BK7231N 1.0.1"),
    (256, 0x4063D299, Chip.N, "BK7231N 1.0.1"),
    (256, 0xBA54C1B8, Chip.T, "BK7231S 1.0.5"),
)
"""How many of the first bytes in flash, their CRC-32, chip, version. N's own CRC command counts one byte more."""

# The fourth byte is the length of the text behind it: 0E in the records that were seen. Source: bk7231-image/bootloader
_VERSION_MARK = b"\xee\xbb\xcc"
_SEEN = 0x1000  # the records stand at 0x44 and behind; a page leaves room for other builds
_WHOLE_VERSION: Final = re.compile(rb"(?<![\x20-\x7e])(BK72\d\d[A-Za-z]?_\d+\.\d+\.\d+)\0")
_OWN_NAME: Final = re.compile(rb"\0(BK7231[A-Za-z]|BK72[45]\d[A-Za-z]?|BK7238)\0")
_OWN_VERSION: Final = re.compile(rb"(_\d+\.\d+\.\d+)\0")
_ENTRY: Final = struct.Struct("<4s24s24sII4x")
_ENTRY_MAGIC = b"01PE"


@dataclass(frozen=True, slots=True)
class PartitionEntry:
    """One line of the partition table inside a bootloader. Bytes, logical."""

    name: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class BootloaderInfo:
    """What it says of itself. ``chip`` is the one its checksum belongs to, or None for one we do not know."""

    chip: Chip | None
    known_as: str | None
    version: str | None
    entries: tuple[PartitionEntry, ...]
    table_end: int = 0
    """Where its partition table ends, in bytes of code; 0 without one. The code of a whole bootloader ends there."""

    has_record: bool = False

    @property
    def is_identified(self) -> bool:
        """Whether it says by itself that it is a bootloader: a record of its version, or a table with its own entry."""
        return self.chip is not None or self.has_record or self.entry("bootloader") is not None

    def entry(self, name: str) -> PartitionEntry | None:
        """A line of its partition table by name."""
        return next((entry for entry in self.entries if entry.name == name), None)


def inspect(packed: bytes, stored: bytes, key: CodeKey | None) -> BootloaderInfo:
    """Look into a bootloader as it is stored in flash (packed), and the same without block CRCs (stored)."""
    # By the bytes as they lie in flash: those are what the chip's own CRC command sums.
    chip, name = identify(packed)
    code = crypt(stored, key, 0) if key else b""
    record = _record(code[:_SEEN])
    found = list(_entries(stored))
    end = max((at for at, _ in found), default=-_ENTRY.size) + _ENTRY.size
    return BootloaderInfo(
        chip, name, record or _version(code), tuple(entry for _, entry in found),
        table_end=end, has_record=record is not None,
    )  # fmt: skip


def identify(packed: bytes) -> tuple[Chip | None, str | None]:
    """Chip and version by the checksum of the first bytes in flash."""
    for length, crc, chip, name in KNOWN:
        if len(packed) >= length and zlib.crc32(packed[:length]) == crc:
            return chip, name
    return None, None


def _record(code: bytes) -> str | None:
    at = code.find(_VERSION_MARK)
    if at < 0 or at + 4 > len(code):
        return None
    text = code[at + 4 : at + 4 + code[at + 3]].partition(b"\0")[0]
    return text.decode("ascii") if text.isascii() and text else None


def _version(code: bytes) -> str | None:
    """The version text of a loader without a record: in one piece, or a name and a version that are printed together.

    The name is the last one: a loader made from another chip's still holds that one's before.
    """
    whole = _WHOLE_VERSION.search(code)
    if whole:
        return whole[1].decode("ascii")
    names, version = _OWN_NAME.findall(code), _OWN_VERSION.search(code)
    return (names[-1] + version[1]).decode("ascii") if names and version else None


def _entries(stored: bytes) -> Iterator[tuple[int, PartitionEntry]]:
    """Offset and entry of all that make sense: the code that reads the table holds the four letters as well."""
    at = -1
    for _ in range(MAX_RECORDS):
        at = stored.find(_ENTRY_MAGIC, at + 1)
        if at < 0 or at + _ENTRY.size > len(stored):
            return
        _, name, _, offset, length = _ENTRY.unpack_from(stored, at)
        text = name.partition(b"\0")[0]
        if re.fullmatch(rb"[\w.-]+", text) and length and offset + length <= MAX_FLASH_BYTES:
            yield at, PartitionEntry(text.decode("ascii"), offset, length)
