"""UF2: blocks of 512 bytes that each say where their up to 476 bytes belong; LibreTiny's builds come so.

What its addresses mean depends on tags inside the blocks (which partition, which of two slots), so it is told apart
and checked here, and not converted. Source: bk7231-image/uf2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from wattrail.errors import ImageError

__all__ = ["FAMILIES", "MAGIC", "Uf2", "decode_uf2"]

MAGIC: Final = b"UF2\nWQ]\x9e"
_END: Final = 0x0AB16F30
_BLOCK: Final = struct.Struct("<8s6I476sI")
_PAYLOAD_MOST = 476
_NOT_FOR_FLASH = 0x1
_HAS_FAMILY = 0x2000

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
    payload = sum(min(b[3], _PAYLOAD_MOST) for b in _BLOCK.iter_unpack(data[:whole]) if not b[1] & _NOT_FOR_FLASH)
    family = first[6] if first[1] & _HAS_FAMILY else None
    return Uf2(whole // _BLOCK.size, first[5], family, payload, tuple(problems))


def _faults(data: bytes, count: int) -> Iterator[str]:
    """The first block that does not fit, and a number of blocks that does not."""
    for number, (magic, _, _, size, place, total, _, _, end) in enumerate(_BLOCK.iter_unpack(data)):
        if magic != MAGIC or end != _END:
            yield f"block {number} at {number * _BLOCK.size:#x} has no UF2 marks"
            return
        if place != number or total != count or size > _PAYLOAD_MOST:
            yield f"block {number} says it is {place} of {total} with {size} bytes; expected {number} of {count}"
            return
    if len(data) // _BLOCK.size < count:
        yield f"{len(data) // _BLOCK.size} of {count} blocks are there"
