"""Whether the parts of a dump are where they belong: its length, the RF block, the sector with Tuya's key.

A byte that was lost on the way makes everything behind it stand a byte early, so the RF block is looked for at every
byte, by its structure: its four letters alone stand in the code of every firmware as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wattrail.bk7231 import APP_START, Chip
from wattrail.errors import ImageError
from wattrail.image import rf
from wattrail.image.find import TUYA_KEY_SECTOR
from wattrail.image.layout import FLASH, LAYOUTS, SECTOR, Layout
from wattrail.image.limits import MAX_RECORDS
from wattrail.image.model import Container, Problem
from wattrail.image.rbl import PACKED_HEADER
from wattrail.image.rf import RfBlock

__all__ = ["find_rf", "length_problems", "place_problems"]

RF_PLACES: Final = tuple(sorted({layout["rf"].start for layout in LAYOUTS.values()}))
_KEY_MARK: Final = 32
"""Bytes from the start of the sector with Tuya's key to those it is known by."""


def find_rf(flash: bytes, base: int) -> tuple[int, RfBlock] | None:
    """Where the RF block stands in flash and what it says: on a sector, else anywhere behind the bootloader."""
    on_sectors = (at for at in range(-base % SECTOR, len(flash), SECTOR) if flash.startswith(rf.MAGIC, at))
    for at in (*on_sectors, *_anywhere(flash, max(0, APP_START - base))):
        try:
            block = rf.decode_rf(flash[at : at + SECTOR])
        except ImageError:
            continue
        if block.group_length and block.elements[0][0] == rf.GROUP:
            return base + at, block
    return None


def _anywhere(flash: bytes, at: int) -> Iterator[int]:
    begin = rf.MAGIC
    for _ in range(MAX_RECORDS):
        at = flash.find(begin, at)
        if at < 0:
            return
        yield at
        at += 1


def length_problems(length: int) -> Iterator[Problem]:
    """What is wrong with the length of a dump."""
    if length < FLASH:
        yield Problem(f"{length:#x} bytes: a dump of 2 MiB has {FLASH:#x}, {FLASH - length} are missing")
    elif length % FLASH:
        yield Problem(f"{length:#x} bytes: no flash has this size, {length % FLASH} are too many")


def place_problems(
    flash: bytes, base: int, rf_at: int | None, chip: Chip | None, found: tuple[Container, ...]
) -> Iterator[Problem]:
    """What the places of the RF block and of Tuya's key say about a dump: lost, missing, or shifted by how much."""
    places = (LAYOUTS[chip]["rf"].start,) if chip else RF_PLACES
    safe = max((c.offset + PACKED_HEADER for c in found if c.packed and not c.stale and not c.faults), default=base)
    if rf_at is not None and rf_at not in RF_PLACES:
        what = f"the RF block belongs at {' or '.join(f'{place:#x}' for place in places)}"
        yield _shifted(what, rf_at, places, safe)
        return
    key_at = flash.find(TUYA_KEY_SECTOR) - _KEY_MARK
    if key_at >= 0 and (base + key_at) % SECTOR:
        yield _shifted("the key of Tuya's settings belongs at 0x1ee000", base + key_at, _key_places(chip), safe)
    if rf_at is None and base + len(flash) >= places[-1] + SECTOR:
        yield Problem("no RF block anywhere: calibration and MAC address of this board are lost, or were not read")


def _key_places(chip: Chip | None) -> tuple[int, ...]:
    layout: Layout = LAYOUTS[chip or Chip.N]
    return (layout["tuya-key"].start,)


def _shifted(what: str, at: int, places: tuple[int, ...], safe: int) -> Problem:
    near = min(places, key=lambda place: abs(place - at))
    count, bytes_are = abs(near - at), "byte" if near - at in (1, -1) else "bytes"
    how = "missing" if near > at else "too many"
    verb = "is" if count == 1 else "are"
    where = f"between {safe:#x} and {at:#x}" if safe < at else "before it"
    return Problem(f"{what}: {count} {bytes_are} before it {verb} {how}, {where}; read the flash again", at)
