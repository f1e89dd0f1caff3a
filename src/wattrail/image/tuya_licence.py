"""Tuya's licence sector: what a factory burns into a module, apart from the settings that a reset erases.

Enciphered under the master key: magic, sum, 16 bytes of a key, length of the records, a word of unknown meaning. Then,
enciphered under the data key and again under the master key, records: u32 length, a name of 32 bytes, the value.
Source: bk7231-image/tuya-storage.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wattrail.image.layout import SECTOR
from wattrail.image.limits import MAX_RECORDS
from wattrail.image.tuya_cipher import MASTER_KEY, data_key, decipher, find_licence_sectors
from wattrail.image.tuya_storage import StoredValue

__all__ = ["Licence", "read_licences"]

_HEAD: Final = struct.Struct("<II16sII")
_RECORD: Final = struct.Struct("<I32s")
_MAX_LICENCES: Final = 8


@dataclass(frozen=True, slots=True)
class Licence:
    """One licence sector. ``is_whole`` is whether the sum over its bytes holds; ``at`` counts in the given bytes."""

    at: int
    is_whole: bool
    values: tuple[StoredValue, ...]


def read_licences(data: bytes) -> tuple[Licence, ...]:
    """Every licence sector that lies on a boundary of sectors; newer firmware keeps a copy of its own."""
    found: list[Licence] = []
    for at in find_licence_sectors(data):
        plain = decipher(MASTER_KEY, data[at : at + SECTOR])
        if len(plain) < _HEAD.size:
            continue
        _, total, inner, length, _ = _HEAD.unpack_from(plain)
        records = decipher(data_key(inner), plain[_HEAD.size :])
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
