"""The RF block: radio calibration and the MAC address, one of its kind for each board.

    "TLV", 0  u32 length  { u32 tag  u32 length  value } ...

A tag whose last byte is 0 is a group: its value is elements again, whose tags begin with the same three bytes. The
first group is 0x11111100, and in it 0x11111102 is the MAC address. Lose the block, and the board falls back to
C8:47:8C:00:00:00 and a weak radio. Source: bk7231-image/rf-block.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from wattrail.errors import ImageError
from wattrail.image.limits import MAX_RECORDS

__all__ = ["MAGIC", "RfBlock", "decode_rf"]

MAGIC: Final = b"TLV\x00"
GROUP: Final = 0x11111100
"""The tag of the first group, with which every block that was seen begins."""

_MAC_TAG = 0x11111102
_MAC_BYTES = 6
_HEAD = 8


@dataclass(frozen=True, slots=True)
class RfBlock:
    """What the block says. ``elements`` are tags with the lengths of their values, a group before what is in it."""

    length: int
    elements: tuple[tuple[int, int], ...]
    mac: str | None

    @property
    def group_length(self) -> int | None:
        """Bytes of the first group, which differ by chip: 0x5A, and 0x4A on Q. None for a block without it."""
        return next((length for tag, length in self.elements if tag == GROUP), None)


def decode_rf(data: bytes) -> RfBlock:
    """The block at the start of some bytes. Raises ImageError naming what does not fit."""
    if data[:4] != MAGIC:
        raise ImageError(f"no RF block: {data[:4].hex(' ') or 'nothing'} in place of {MAGIC.hex(' ')}", offset=0)
    if len(data) < _HEAD:
        raise ImageError(f"the RF block is cut off after {len(data)} of its first {_HEAD} bytes", offset=len(data))
    (length,) = struct.unpack_from("<I", data, 4)
    if length > len(data):
        raise ImageError(f"the RF block says {length} bytes, {len(data)} are there", offset=4)
    found = list(islice(_elements(data, _HEAD, min(_HEAD + length, len(data))), MAX_RECORDS))
    mac = next((value for tag, value in found if tag == _MAC_TAG and len(value) == _MAC_BYTES), None)
    return RfBlock(length, tuple((tag, len(value)) for tag, value in found), mac.hex(":").upper() if mac else None)


def _elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Every whole element, and after a group those in it; the first that does not fit ends the list."""
    for _ in range(MAX_RECORDS):
        if at + 8 > end:
            return
        tag, length = struct.unpack_from("<II", data, at)
        if tag in (0, 0xFFFFFFFF) or at + 8 + length > end:
            return
        yield tag, data[at + 8 : at + 8 + length]
        if not tag & 0xFF:
            yield from _inside(data, tag, at + 8, at + 8 + length)
        at += 8 + length


def _inside(data: bytes, group: int, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    for _ in range(MAX_RECORDS):
        if at + 8 > end:
            return
        tag, length = struct.unpack_from("<II", data, at)
        if tag >> 8 != group >> 8 or at + 8 + length > end:
            return
        yield tag, data[at + 8 : at + 8 + length]
        at += 8 + length
