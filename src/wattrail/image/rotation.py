"""A whole flash that was read from another place than 0 on, until the address wrapped: where it begins.

A tool that asks for more than the flash has, or starts at 0x11000 because a T refuses less, gets the flash turned
round. Erasing goes by sectors and so do the tools, so it is looked for at every sector: the head of a bootloader tells;
without one, the sector with Tuya's key or the RF block does, if the app stands where that wants it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from wattrail.bk7231 import APP_START
from wattrail.image import rf
from wattrail.image.code import KEYS, PACKED, crypt, looks_like_code
from wattrail.image.find import RF_PLACES, TUYA_KEY_MARK, TUYA_KEY_SECTOR
from wattrail.image.flash_start import SURE, FlashStart, start_of
from wattrail.image.layout import APP_LOGICAL, FLASH, LAYOUTS, SECTOR, Chip

__all__ = ["Rotation", "find_rotation", "straight"]

_HEAD = 8
_SEEN = APP_START + 4 * SURE * PACKED
"""Bytes from 0 on that tell a bootloader: its partition, and the first blocks of the program behind it."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """``by`` is where in flash the first byte of the file belongs, ``start`` what flash begins with at 0."""

    by: int
    start: FlashStart
    reason: str


def straight(data: bytes, by: int) -> bytes:
    """A rotated flash from 0 on."""
    return data[-by:] + data[:-by]


def find_rotation(data: bytes) -> Rotation | None:
    """By how much a whole flash is rotated; None for one that is straight, or no whole flash, or not recognised."""
    if not data or len(data) % FLASH or _begins(data, 0):
        return None
    return _by_bootloader(data) or _by_marks(data)


def _begins(data: bytes, at: int) -> FlashStart | None:
    """The program that begins there, of a flash that wraps; None for packed code that may be any part of one."""
    start = start_of(_window(data, at))
    return start if start is not None and start.address is not None else None


def _window(data: bytes, at: int) -> bytes:
    return data[at : at + _SEEN] + data[: max(0, at + _SEEN - len(data))]


def _by_bootloader(data: bytes) -> Rotation | None:
    for at in _heads(data):
        start = start_of(_window(data, at))
        if start is not None and start.address == 0:
            by = len(data) - at
            return Rotation(by, start, f"the bootloader begins at byte {at:#x}: read from {by:#x} on, wrapped")
    return None


def _heads(data: bytes) -> Iterator[int]:
    """Sectors whose first words are vectors at address 0, with no cipher or under a key that is known."""
    streams = [bytes(_HEAD), *(crypt(bytes(_HEAD), key, 0) for key in KEYS.values())]
    for at in range(SECTOR, len(data), SECTOR):
        head = data[at : at + _HEAD]
        if any(looks_like_code(bytes(a ^ b for a, b in zip(head, stream, strict=True))) for stream in streams):
            yield at


def _by_marks(data: bytes) -> Rotation | None:
    """For a bootloader that was erased, or is not known: what stands at one place of every flash, and the app."""
    for what, at, place in _marks(data):
        by = (place - at) % len(data)
        app = _begins(data, (APP_START - by) % len(data))
        if by and app is not None and app.address == APP_LOGICAL:
            # Nothing at 0 says more than that no known key makes a program of it.
            reason = f"{what} stands at byte {at:#x} and belongs at {place:#x}: read from {by:#x} on, wrapped"
            return Rotation(by, replace(app, address=0), reason)
    return None


def _marks(data: bytes) -> Iterator[tuple[str, int, int]]:
    """What it is, at which byte a sector of it begins, and its place in flash."""
    key_at = data.find(TUYA_KEY_SECTOR) - TUYA_KEY_MARK
    if key_at >= 0 and key_at % SECTOR == 0:
        yield "the key of Tuya's settings", key_at, LAYOUTS[Chip.N]["tuya-key"].start
    for at in range(0, len(data), SECTOR):
        if data.startswith(rf.MAGIC, at):
            for place in RF_PLACES:
                yield "the RF block", at, place
