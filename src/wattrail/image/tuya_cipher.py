"""How Tuya's firmware enciphers what it stores: AES-128-ECB under two keys, and the sector that holds the second.

The first key is the same in every module; under it a sector is enciphered that begins with a magic number, a sum and
16 bytes. The data key comes of these 16 bytes and two constants. Two kinds of sector look alike at their start:

    key sector      magic, sum over the 16 bytes, 16 bytes, FF to the end
    licence sector  magic, sum over all that follows, 16 bytes, length, ..., records under the data key

Source: bk7231-image/tuya-storage.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from wattrail.errors import needs_library
from wattrail.image.layout import SECTOR

__all__ = ["MASTER_KEY", "data_key", "decipher", "find_key_sectors", "find_licence_sectors"]

MASTER_KEY: Final = b"qwertyuiopasdfgh"
# The firmware has the text 8710_2M, and uses its first four characters. Source: bk7231-image/tuya-storage.
_SEED: Final = b"8710"
_MIX: Final = b"HHRRQbyemofrtytf"
_AES_BLOCK: Final = 16

_HEAD: Final = struct.Struct("<II16s")
_MAGIC: Final = 0x13579753
_BLANK_UNDER_MASTER: Final = bytes.fromhex("46dced0e672f3b70ae1276a3f8712e03")
"""16 bytes of FF under the master key: 32 bytes into a key sector, wherever it stands."""

_MARK_AT: Final = 32
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


def find_licence_sectors(data: bytes) -> Iterator[int]:
    """Offsets of sectors on a boundary that begin with the magic number and are not key sectors."""
    return (at for at in _with_magic(data) if _inner(data, at) is None)


def _with_magic(data: bytes) -> Iterator[int]:
    starts = range(0, len(data) - _AES_BLOCK + 1, SECTOR)
    heads = decipher(MASTER_KEY, b"".join(data[at : at + _AES_BLOCK] for at in starts))
    for i, at in enumerate(starts):
        if int.from_bytes(heads[i * _AES_BLOCK : i * _AES_BLOCK + 4], "little") == _MAGIC:
            yield at


def _marked(data: bytes) -> Iterator[int]:
    """Where a key sector would begin by the first mark of each run of them."""
    at = -1
    for _ in range(_MAX_MARKS):
        at = data.find(_BLANK_UNDER_MASTER, at + 1)
        if at < 0:
            return
        if at >= _MARK_AT and data[at - _AES_BLOCK : at] != _BLANK_UNDER_MASTER:
            yield at - _MARK_AT


def _inner(data: bytes, at: int) -> bytes | None:
    head = decipher(MASTER_KEY, data[at : at + _MARK_AT])
    if len(head) < _HEAD.size:
        return None
    magic, total, inner = _HEAD.unpack_from(head)
    return inner if magic == _MAGIC and total == sum(inner) else None
