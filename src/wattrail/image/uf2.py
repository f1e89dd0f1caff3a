"""UF2: blocks of 512 bytes that each say where their up to 476 bytes belong; LibreTiny's builds come so.

What the addresses mean depends on tags behind the bytes of a block: one names the partition for each way of writing
(by the device itself, by a flasher; one slot or two), the header's table says where partitions lie. What is for a
flasher with one slot is what is written to flash. Source: bk7231-image/uf2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from wattrail.errors import ImageError

__all__ = ["FAMILIES", "MAGIC", "Uf2", "Uf2Segment", "decode_uf2", "segments"]

MAGIC: Final = b"UF2\nWQ]\x9e"
_END: Final = 0x0AB16F30
_BLOCK: Final = struct.Struct("<8s6I476sI")
_MAX_PAYLOAD = 476
_NOT_FOR_FLASH = 0x1
_HAS_FAMILY = 0x2000
_HAS_TAGS = 0x8000

_PART_INFO = 0xC0EE0C
"""Tag: three bytes with a half-byte for each scheme, the number of a name (0: not written); then the names."""

_PARTITION_TABLE = 0x8288ED
"""Tag: entries of 48 bytes: ``01PE``, name, device, offset, length."""

_SCHEMES = 3
"""Bytes of those half-bytes; the fourth is that of a flasher with one slot."""

_FLASHER_SINGLE = 3
_ENTRY: Final = struct.Struct("<4s16s16sII4x")
_ENTRY_MAGIC = b"01PE"
_TAG_HEADER = 4

FAMILIES: Final[Mapping[int, str]] = MappingProxyType(
    {0x675A40B0: "BK7231T", 0x7B3EF230: "BK7231N", 0xAFE81D49: "BK7231Q", 0x159AC324: "BK7238", 0x6A82CC42: "BK7251"}
)
"""Family numbers in the blocks; 0x675A40B0 serves U as well."""


@dataclass(frozen=True, slots=True)
class Uf2:
    """What the blocks say: how many, of how many, for which family, how many bytes for flash; and what is wrong."""

    blocks: int
    count: int
    family: int | None
    payload: int
    problems: tuple[str, ...]


def decode_uf2(data: bytes) -> Uf2:
    """Look through every block. Raises ImageError if not even the first is whole."""
    if data[:8] != MAGIC or len(data) < _BLOCK.size:
        raise ImageError(f"no UF2: its first {_BLOCK.size} bytes are not a whole block", offset=0)
    whole = len(data) - len(data) % _BLOCK.size
    first = _BLOCK.unpack_from(data)
    problems = list(_faults(data[:whole], first[5]))
    if len(data) != whole:
        problems.append(f"the file ends {len(data) - whole} bytes into block {whole // _BLOCK.size}")
    # A size larger than the room is a fault that is named above; it must not be added up.
    payload = sum(min(b[3], _MAX_PAYLOAD) for b in _BLOCK.iter_unpack(data[:whole]) if not b[1] & _NOT_FOR_FLASH)
    family = first[6] if first[1] & _HAS_FAMILY else None
    return Uf2(whole // _BLOCK.size, first[5], family, payload, tuple(problems))


def _faults(data: bytes, count: int) -> Iterator[str]:
    """The first block that does not fit, and a number of blocks that does not."""
    for number, (magic, _, _, size, place, total, _, _, end) in enumerate(_BLOCK.iter_unpack(data)):
        if magic != MAGIC or end != _END:
            yield f"block {number} at {number * _BLOCK.size:#x} has no UF2 magic"
            return
        if place != number or total != count or size > _MAX_PAYLOAD:
            yield f"block {number} says it is {place} of {total} with {size} bytes; expected {number} of {count}"
            return
    if len(data) // _BLOCK.size < count:
        yield f"{len(data) // _BLOCK.size} of {count} blocks are there"


@dataclass(frozen=True, slots=True)
class Uf2Segment:
    """Bytes for one partition. ``offset`` is where in it they begin; ``start`` its place in flash, if that is known."""

    partition: str
    offset: int
    data: bytes
    start: int | None


def segments(data: bytes) -> tuple[Uf2Segment, ...]:
    """What a flasher writes, block by block, joined where blocks follow each other.

    Raises ImageError for a file that is damaged or names no partition for a flasher: nothing is taken from half a file.
    """
    if problems := decode_uf2(data).problems:
        raise ImageError(f"the UF2 file is damaged: {problems[0]}", hint="download it again")
    found: list[tuple[str, int, bytearray]] = []
    table: dict[str, int] = {}
    partition = ""
    for _, flags, address, size, _, _, _, content, _ in _BLOCK.iter_unpack(data):
        tags = dict(_tags(content[size:])) if flags & _HAS_TAGS else {}
        table |= _table(tags.get(_PARTITION_TABLE, b""))
        if _PART_INFO in tags:
            partition = _partition_for_flashers(tags[_PART_INFO])
        if flags & _NOT_FOR_FLASH or not partition or not size:
            continue
        if found and found[-1][0] == partition and found[-1][1] + len(found[-1][2]) == address:
            found[-1][2].extend(content[:size])
        else:
            found.append((partition, address, bytearray(content[:size])))
    if not found:
        raise ImageError(
            "there is no app in this UF2 image: none of its blocks names a partition that a flasher writes",
            hint="use the UF2 file that LibreTiny or ESPHome builds, or the .bin of the same build",
        )
    return tuple(Uf2Segment(name, offset, bytes(joined), table.get(name)) for name, offset, joined in found)


def _tags(rest: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags behind a block's bytes: length with this header, three bytes of type, value; each begins at a whole word."""
    at = 0
    # A length that does not even hold its own header ends the list: zero is padding.
    while at + _TAG_HEADER <= len(rest) and rest[at] >= _TAG_HEADER:
        yield int.from_bytes(rest[at + 1 : at + _TAG_HEADER], "little"), rest[at + _TAG_HEADER : at + rest[at]]
        at += rest[at] + -rest[at] % 4


def _partition_for_flashers(info: bytes) -> str:
    """The partition that a flasher writes; empty if the blocks are for the device itself alone."""
    schemes, names = info[:_SCHEMES].hex(), [name for name in info[_SCHEMES:].split(b"\0") if name]
    number = int(schemes[_FLASHER_SINGLE : _FLASHER_SINGLE + 1] or "0", 16)
    if number > len(names):
        raise ImageError(f"the UF2 file is damaged: it names partition {number} of {len(names)}")
    return names[number - 1].decode("ascii", "backslashreplace") if number else ""


def _table(entries: bytes) -> dict[str, int]:
    """Where partitions begin in flash."""
    whole = entries[: len(entries) // _ENTRY.size * _ENTRY.size]
    return {
        name.partition(b"\0")[0].decode("ascii", "backslashreplace"): offset
        for magic, name, _, offset, _ in _ENTRY.iter_unpack(whole)
        if magic == _ENTRY_MAGIC
    }
