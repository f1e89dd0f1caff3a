"""How Tuya's firmware enciphers what it stores: AES-128-ECB under two keys, and the sectors that hold the second.

The first key is the same in every module; under it a sector is enciphered that begins with a magic number, a sum and
16 bytes. The data key comes of these 16 bytes and two constants. Two kinds of sector look alike at their start:

    key sector      magic, sum over the 16 bytes, 16 bytes, FF to the end
    licence sector  magic, sum over all that follows, 16 bytes, length of the records, a word of unknown meaning,
                    records under the data key and again under the first: u32 length, a name of 32 bytes, the value

A licence is what a factory burns into a module, apart from the settings that a reset erases.
Source: bk7231-image/tuya-storage.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from wattrail.bk7231 import Chip
from wattrail.errors import needs_library
from wattrail.image.layout import SECTOR
from wattrail.image.limits import MAX_RECORDS
from wattrail.image.tuya_values import StoredValue

__all__ = [
    "KEY_SECTOR_MARK",
    "KEY_SECTOR_MARK_AT",
    "KEY_SECTOR_PLACES",
    "MASTER_KEY",
    "Licence",
    "data_key",
    "decipher",
    "find_key_sectors",
    "read_licences",
]

MASTER_KEY: Final = b"qwertyuiopasdfgh"
# The firmware has the text 8710_2M, and uses its first four characters. Source: bk7231-image/tuya-storage.
_SEED: Final = b"8710"
_MIX: Final = b"HHRRQbyemofrtytf"
_AES_BLOCK: Final = 16

_HEAD: Final = struct.Struct("<II16s")
_LICENCE_HEAD: Final = struct.Struct("<II16sII")
_RECORD: Final = struct.Struct("<I32s")
_MAX_LICENCES: Final = 8
_MAGIC: Final = 0x13579753
KEY_SECTOR_MARK: Final = bytes.fromhex("46dced0e672f3b70ae1276a3f8712e03")
"""16 bytes of FF under the master key: 32 bytes into a key sector, wherever it stands."""

KEY_SECTOR_MARK_AT: Final = 32

KEY_SECTOR_PLACES: Final[Mapping[Chip, int]] = MappingProxyType(
    dict.fromkeys(Chip, 0x1EE000) | {Chip.Q: 0x1EB000, Chip.BK7238: 0x1F5000}
)
"""Where in flash the key sector stands."""

_MAX_MARKS: Final = 2 * SECTOR // _AES_BLOCK
"""Marks looked at: a key sector ends with 254 of them."""


def decipher(key: bytes, data: bytes) -> bytes:
    """AES-128-ECB, whole blocks of 16 bytes; what is left over at the end is dropped. Raises MissingExtra."""
    with needs_library("Tuya's settings, which are enciphered", "cryptography", extra="image"):
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    # ECB is what the firmware uses.
    decryptor = Cipher(algorithms.AES128(key), modes.ECB()).decryptor()
    return decryptor.update(data[: len(data) // _AES_BLOCK * _AES_BLOCK]) + decryptor.finalize()


def data_key(inner: bytes) -> bytes:
    """The key of the values, from the 16 bytes in a key sector or licence sector."""
    return bytes((_SEED[i & 3] + _MIX[i] + inner[i]) & 0xFF for i in range(16))


def find_key_sectors(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Offset, and the 16 bytes, of every key sector; those on a sector's boundary first, then those that slipped."""
    seen = set[int]()
    for at in (*_with_magic(data), *_marked(data)):
        inner = _inner(data, at)
        if inner is not None and at not in seen:
            seen.add(at)
            yield at, inner


def _with_magic(data: bytes) -> Iterator[int]:
    starts = range(0, len(data) - _AES_BLOCK + 1, SECTOR)
    # ECB knows no neighbours: the heads of all sectors are deciphered by one call.
    heads = decipher(MASTER_KEY, b"".join(data[at : at + _AES_BLOCK] for at in starts))
    for i, at in enumerate(starts):
        if int.from_bytes(heads[i * _AES_BLOCK : i * _AES_BLOCK + 4], "little") == _MAGIC:
            yield at


def _marked(data: bytes) -> Iterator[int]:
    """Where a key sector would begin by the first mark of each run of them."""
    at = -1
    for _ in range(_MAX_MARKS):
        at = data.find(KEY_SECTOR_MARK, at + 1)
        if at < 0:
            return
        if at >= KEY_SECTOR_MARK_AT and data[at - _AES_BLOCK : at] != KEY_SECTOR_MARK:
            yield at - KEY_SECTOR_MARK_AT


def _inner(data: bytes, at: int) -> bytes | None:
    head = decipher(MASTER_KEY, data[at : at + KEY_SECTOR_MARK_AT])
    if len(head) < _HEAD.size:
        return None
    magic, total, inner = _HEAD.unpack_from(head)
    return inner if magic == _MAGIC and total == sum(inner) else None


# ---- the licence


@dataclass(frozen=True, slots=True)
class Licence:
    """One licence sector. ``is_whole`` is whether the sum over its bytes holds; ``at`` counts in the given bytes."""

    at: int
    is_whole: bool
    values: tuple[StoredValue, ...]


def read_licences(data: bytes) -> tuple[Licence, ...]:
    """Every licence sector that lies on a boundary of sectors; newer firmware keeps a copy of its own."""
    found: list[Licence] = []
    for at in _with_magic(data):
        plain = decipher(MASTER_KEY, data[at : at + SECTOR])
        if len(plain) < _LICENCE_HEAD.size or _inner(data, at) is not None:
            continue
        _, total, inner, length, _ = _LICENCE_HEAD.unpack_from(plain)
        records = decipher(data_key(inner), plain[_LICENCE_HEAD.size :])
        values = tuple(_records(records[: min(length, len(records))]))
        is_whole = len(plain) == SECTOR and sum(plain[8:]) == total
        if values or is_whole:
            found.append(Licence(at, is_whole, values))
        if len(found) == _MAX_LICENCES:
            break
    return tuple(found)


def _records(data: bytes) -> Iterator[StoredValue]:
    at = 0
    for _ in range(MAX_RECORDS):
        if at + _RECORD.size > len(data):
            return
        length, name = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        text = name.partition(b"\0")[0]
        if not text.isascii() or not text or at + length > len(data):
            return
        yield StoredValue(text.decode("ascii"), data[at : at + length])
        at += length
