"""The RF block: radio calibration and the MAC address, one of its kind for each board.

    "TLV", 0  u32 length  { u32 tag  u32 length  value } ...

Lose it, and the board falls back to C8:47:8C:00:00:00 and a weak radio. Source: bk7231-image/rf-block.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wattrail.errors import ImageError
from wattrail.image.limits import RECORDS_MOST

__all__ = ["MAGIC", "RfBlock", "decode_rf"]

MAGIC: Final = b"TLV\x00"
LENGTHS: Final = (0x62, 0x1F6)
"""The two total lengths that were seen; another one is not refused."""

_MAC_TAG = 0x11111102
_MAC_BYTES = 6
_HEAD = 8


@dataclass(frozen=True, slots=True)
class RfBlock:
    """What the block says. ``elements`` are tags with the lengths of their values."""

    length: int
    elements: tuple[tuple[int, int], ...]
    mac: str | None


def decode_rf(data: bytes) -> RfBlock:
    """The block at the start of some bytes. Raises ImageError naming what does not fit."""
    if data[:4] != MAGIC:
        raise ImageError(f"no RF block: {data[:4].hex(' ') or 'nothing'} in place of {MAGIC.hex(' ')}", offset=0)
    if len(data) < _HEAD:
        raise ImageError(f"the RF block is cut off after {len(data)} of its first {_HEAD} bytes", offset=len(data))
    (length,) = struct.unpack_from("<I", data, 4)
    if length > len(data):
        raise ImageError(f"the RF block says {length} bytes, {len(data)} are there", offset=4)
    found = list(_elements(data, min(_HEAD + length, len(data))))
    mac = next((value for tag, value in found if tag == _MAC_TAG and len(value) == _MAC_BYTES), None)
    return RfBlock(length, tuple((tag, len(value)) for tag, value in found), mac.hex(":").upper() if mac else None)


def _elements(data: bytes, end: int) -> Iterator[tuple[int, bytes]]:
    """Every whole element; the first that does not fit ends the list, as padding does."""
    at = _HEAD
    for _ in range(RECORDS_MOST):
        if at + 8 > end:
            return
        tag, length = struct.unpack_from("<II", data, at)
        if tag in (0, 0xFFFFFFFF) or at + 8 + length > end:
            return
        yield tag, data[at + 8 : at + 8 + length]
        at += 8 + length
