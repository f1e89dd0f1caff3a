"""What some bytes of flash begin with, and where a flash begins that was read from another place on.

The first block says whether it is a bootloader, an app, packed code of neither, or no code, and a little of what
follows: block CRCs, the code cipher, which depends on the address, and what a bootloader says of itself.

A tool that asks for more than the flash has, or starts at 0x11000 because a T refuses less, gets the flash turned
round. Erasing goes by sectors and so do the tools, so it is looked for at every sector: the head of a bootloader tells;
without one, the sector with Tuya's key or the RF block does, if the app stands where that wants it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from wattrail.bk7231 import APP_START, Chip
from wattrail.image import bootloader, find, rf
from wattrail.image.code import (
    BLANK,
    KEYS,
    PACKED,
    ZERO_KEY,
    CodeKey,
    check,
    crypt,
    detect_key,
    looks_like_code,
    strip,
)
from wattrail.image.find import RF_PLACES
from wattrail.image.layout import APP_LOGICAL, FLASH, LAYOUTS, SECTOR
from wattrail.image.tuya_cipher import KEY_SECTOR_MARK, KEY_SECTOR_MARK_AT

__all__ = ["SURE", "FlashStart", "Rotation", "find_rotation", "says", "start_of", "straight"]

SURE: Final = 16
"""Good blocks after which packing is certain: chance agrees once in 65536**16."""


@dataclass(frozen=True, slots=True)
class FlashStart:
    """What the first packed block of some bytes is. ``address`` is None if no known key makes sense of it."""

    address: int | None
    key: CodeKey | None
    reason: str


def start_of(data: bytes) -> FlashStart | None:
    """What some bytes begin with; None if it is not packed code."""
    block = data[:PACKED]
    if len(block) < PACKED or block == BLANK or not _is_packed(data):
        return None
    if bootloader.identify(data)[0] is not None:
        return FlashStart(0, detect_key(strip(block), 0), "it begins with a bootloader whose checksum is known")
    stored = strip(block)
    # The cipher depends on the address, so the key tells an app from a bootloader; but N and T have the same key and
    # the same first words, and which of them it is has to come from other clues. Source: bk7231-image/cipher.
    for address, name in ((APP_LOGICAL, "an app"), (0, "a bootloader")):
        key = detect_key(stored, address)
        # Without a cipher the address leaves no trace in the words.
        if key is not None and not key.bypassed:
            return FlashStart(address, key, f"its first words are ARM vectors under the {key.name} key: {name}")
    loader = _bootloader_evidence(data)
    if looks_like_code(stored):
        name = loader or "an app: nothing says it is a bootloader"
        return FlashStart(0 if loader else APP_LOGICAL, ZERO_KEY, f"its first words are plain ARM vectors; {name}")
    if loader:
        return FlashStart(0, None, f"no known code key makes sense of it; {loader}")
    return FlashStart(None, None, "its block CRCs hold, but no known code key makes sense of its first words")


def _is_packed(data: bytes) -> bool:
    """Whether blocks begin with the first byte; a damaged first one is forgiven if those behind it hold."""
    first, several = check(data[:PACKED]), check(data[: PACKED * SURE * 4])
    return (several.good >= 2 and several.good > 2 * several.bad) or (len(data) < 2 * PACKED and not first.bad)


def _bootloader_evidence(data: bytes) -> str:
    """Without a key that depends on the address: what makes it a bootloader, or an empty text."""
    names = {c.header.name for c in find.containers(data[:APP_START], 0) if c.packed}
    if "bootloader" in names:
        return "an RBL header in its first 68 KiB is a bootloader's"
    loader = bootloader.inspect(data[:APP_START], strip(data[:APP_START]), ZERO_KEY)
    if loader.is_identified:
        return says(loader)
    second = data[APP_START : APP_START + PACKED]
    if len(second) == PACKED and second != BLANK and not check(second).bad and looks_like_code(strip(second)):
        return f"a second program begins at {APP_START:#x}"
    return ""


def says(loader: bootloader.BootloaderInfo) -> str:
    """What makes some code a bootloader that says it is one."""
    evidence = f"the version {loader.version}" if loader.version else "a partition table"
    return f"it is a bootloader: it holds {evidence}"


# ---- a flash that was read from another place than 0 on, until the address wrapped

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
    # What is shorter than the flash has not wrapped.
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
    # Zeros enciphered are the keystream itself, made once for each key and not for each of 512 sectors.
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
    key_at = data.find(KEY_SECTOR_MARK) - KEY_SECTOR_MARK_AT
    if key_at >= 0 and key_at % SECTOR == 0:
        yield "the key of Tuya's settings", key_at, LAYOUTS[Chip.N]["tuya-key"].start
    for at in range(0, len(data), SECTOR):
        if data.startswith(rf.MAGIC, at):
            for place in RF_PLACES:
                yield "the RF block", at, place
