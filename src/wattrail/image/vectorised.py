"""The arithmetic over whole images, vectorised: CRC-16 of blocks, keystream, FNV-1a, comparison.

Imported when it is used: it needs numpy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wattrail.errors import needs_library

with needs_library("working on firmware images", "numpy", extra="image"):
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "apply_keystream",
    "block_crcs",
    "changed_sectors",
    "count_blocks",
    "fnv1a",
    "keystream",
    "with_crcs",
    "without_crcs",
]

Bytes = npt.NDArray[np.uint8]
Halves = npt.NDArray[np.uint16]
Words = npt.NDArray[np.uint32]

_BLOCK = 32
_PACKED = 34
_CRC_POLY = 0x8005
_CRC_OF_ZEROS = 0x8029  # of 32 zero bytes, from 0xFFFF: the CRC is linear, so this is what the tables add to

_BATCH: Final = 1 << 13
"""Blocks at a time: 256 KiB stay in the cache of any machine we meet."""

_FNV_PRIME = 0x01000193
_FNV_CHUNK = 1 << 16


def _crc_tables() -> Halves:
    """What a byte adds to the CRC, for each of the 32 places it may stand in."""
    last = np.arange(256, dtype=np.uint16) << 8
    for _ in range(8):
        last = (last << 1) ^ np.where(last & 0x8000, _CRC_POLY, 0).astype(np.uint16)
    tables = [last]
    for _ in range(_BLOCK - 1):
        later = tables[-1]
        tables.append((later << 8) ^ last[later >> 8])
    return np.array(tables[::-1], dtype=np.uint16)


_TABLES: Final = _crc_tables()


def block_crcs(blocks: Bytes) -> Halves:
    """The CRC-16 of each row of 32 bytes: poly 0x8005, from 0xFFFF, not reflected."""
    crcs = np.full(len(blocks), _CRC_OF_ZEROS, dtype=np.uint16)
    for start in range(0, len(blocks), _BATCH):
        columns = np.ascontiguousarray(blocks[start : start + _BATCH].T)
        found = crcs[start : start + _BATCH]
        for table, column in zip(_TABLES, columns, strict=True):
            found ^= table[column]
    return crcs


def with_crcs(code: bytes, *, keep_blank: bool) -> bytes:
    """Whole blocks with their CRCs; with ``keep_blank`` a block of FF becomes an erased one."""
    blocks = np.frombuffer(code, dtype=np.uint8).reshape(-1, _BLOCK)
    packed = np.empty((len(blocks), _PACKED), dtype=np.uint8)
    packed[:, :_BLOCK] = blocks
    crcs = block_crcs(blocks)
    packed[:, _BLOCK], packed[:, _BLOCK + 1] = crcs >> 8, crcs & 0xFF
    if keep_blank:
        packed[(blocks == 0xFF).all(axis=1)] = 0xFF
    return packed.tobytes()


def without_crcs(packed: bytes) -> bytes:
    """The code of every whole block."""
    return _rows(packed)[:, :_BLOCK].tobytes()


def count_blocks(packed: bytes) -> tuple[int, int, int | None, int, int]:
    """Blank blocks, bad blocks, the number of the first bad one, the CRC it has and the one it should have."""
    rows = _rows(packed)
    got = rows[:, _BLOCK].astype(np.uint16) << 8 | rows[:, _BLOCK + 1]
    want = block_crcs(rows[:, :_BLOCK])
    unlike = np.flatnonzero(got != want)
    blank = (rows[unlike] == 0xFF).all(axis=1)
    bad = unlike[~blank]
    if not len(bad):
        return int(blank.sum()), 0, None, 0, 0
    first = int(bad[0])
    return int(blank.sum()), len(bad), first, int(got[first]), int(want[first])


def _rows(packed: bytes) -> Bytes:
    whole = len(packed) - len(packed) % _PACKED
    return np.frombuffer(packed, dtype=np.uint8, count=whole).reshape(-1, _PACKED)


def apply_keystream(code: bytes, key: tuple[int, int, int, int], address: int) -> bytes:
    """Code, enciphered or deciphered; a last word that is not whole takes as much keystream as it has bytes."""
    words = np.frombuffer(code + bytes(-len(code) % 4), dtype="<u4")
    return (words ^ keystream(key, address, len(words))).astype("<u4", copy=False).tobytes()[: len(code)]


def keystream(words: tuple[int, int, int, int], address: int, count: int) -> Words:
    """So many words of the code cipher's keystream from an address on, which is a multiple of 4.

    Source: bk7231-image/cipher.
    """
    c0, c1, c2, c3 = words
    at = np.uint32(address) + np.arange(count, dtype=np.uint32) * np.uint32(4)
    if c3 >> 24 in (0x00, 0xFF):
        return np.zeros_like(at)
    stream = np.zeros_like(at)
    if not c3 & 1:
        stream ^= _pn15(at, c1, c3) << np.uint32(16)
    if not c3 & 2:
        stream ^= _pn16(at, c1, c3)
    if not c3 & 4:
        stream ^= _pn32(at, c0, c3)
    return stream if c3 & 8 else stream ^ np.uint32(c2)


# Tuya's key turns the first two generators off, so they are not confirmed by any dump: two sources agree on them.
def _pn15(at: Words, c1: int, c3: int) -> Words:
    low, high = _words(at & 0xFFFF), _words(at >> 16)
    low = _swapped(low) if c3 & 0x20 else low
    high = _swapped(high) if c3 & 0x40 else high
    mixed = low ^ high ^ np.uint32(c1 >> 16)
    return _words((mixed >> 7 | mixed << 9) & 0xFFFF ^ (0x6371 & (mixed >> 5 & 15) * 0x1111))


def _pn16(at: Words, c1: int, c3: int) -> Words:
    salt = c1 & 0xFF | (c3 >> 4 & 1) << 8 | (c1 >> 8 & 0xFF) << 9
    mixed = (at >> np.uint32(c3 >> 8 & 3) & 0x1FFFF) ^ np.uint32(salt)
    bits = mixed >> 13 & 1 | (mixed >> 9 & 1) << 1 | (mixed >> 5 & 1) << 2 | (mixed >> 1 & 1) << 3
    turned = (mixed & 0x3FF) << 7 | mixed >> 10 & 0x7F
    return _words((turned ^ 0x13659 & ((mixed >> 4 & 1) << 16 | bits * 0x1111)) & 0xFFFF)


def _pn32(at: Words, c0: int, c3: int) -> Words:
    turn = 8 * (c3 >> 11 & 3)
    mixed = (at >> np.uint32(turn) | at << np.uint32(32 - turn) if turn else at) ^ np.uint32(c0)
    return _words((mixed << 17 | mixed >> 15) ^ 0xE519A4F1 & (mixed >> 2 & 15) * 0x11111111)


def _swapped(halves: Words) -> Words:
    return _words((halves << 8 | halves >> 8) & 0xFFFF)


def _words(array: npt.ArrayLike) -> Words:
    """The array itself: its elements are words already, which no type checker can see through integers."""
    return np.asarray(array, dtype=np.uint32)


def fnv1a(data: bytes, start: int) -> int:
    """FNV-1a, 32 bits, continued from a start value.

    A hash that multiplies after every byte looks sequential. But the byte meets the low eight bits only, and bit k of
    the next state depends on bit k of this one and on lower bits: eight running XORs, lowest bit first, give all low
    bytes at once. The rest of the hash is linear in the differences those XORs made.
    """
    for chunk in _chunks(np.frombuffer(data, dtype=np.uint8)):
        start = _fnv_chunk(chunk, start)
    return start


def _chunks(data: Bytes) -> Iterator[Bytes]:
    for start in range(0, len(data), _FNV_CHUNK):
        yield data[start : start + _FNV_CHUNK]


def _fnv_chunk(data: Bytes, start: int) -> int:
    mixed = np.zeros_like(data)  # low byte of the state after the XOR, as far as its bits are known
    for bit in range(8):
        arriving = data >> bit & 1
        steps = arriving ^ (mixed * np.uint8(_FNV_PRIME & 0xFF) >> bit & 1)
        before = np.empty_like(steps)
        before[0], before[1:] = start >> bit & 1, steps[:-1]
        mixed |= (np.bitwise_xor.accumulate(before) ^ arriving) << bit
    differences = mixed.astype(np.uint32) - (mixed ^ data)
    powers = _FNV_POWERS[: len(data)]
    # Sums wrap at 32 bits, which is the modulus of the hash.
    total = int((differences * powers[::-1]).sum(dtype=np.uint32))
    return (start * int(powers[-1]) + total) & 0xFFFFFFFF


_FNV_POWERS: Final = np.multiply.accumulate(np.full(_FNV_CHUNK, _FNV_PRIME, dtype=np.uint32))
"""The prime to the power of 1, 2, 3 ..., modulo 2**32."""


def changed_sectors(one: bytes, other: bytes, sector: int) -> tuple[list[int], list[int]]:
    """Numbers of the sectors in which two texts of equal length differ, and in how many bytes each does."""
    unlike = np.frombuffer(one, dtype=np.uint8) != np.frombuffer(other, dtype=np.uint8)
    starts = np.arange(0, len(one), sector)
    counts = np.add.reduceat(unlike, starts, dtype=np.int64) if len(one) else np.zeros(0, dtype=np.int64)
    where = np.flatnonzero(counts)
    return where.tolist(), counts[where].tolist()
