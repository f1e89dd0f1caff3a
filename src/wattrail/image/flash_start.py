"""What some bytes of flash begin with: a bootloader, an app, packed code of neither, or nothing that is code.

The first block says it, and a little of what follows: block CRCs, the code cipher, which depends on the address, and
what a bootloader says of itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wattrail.bk7231 import APP_START
from wattrail.image import bootloader, find
from wattrail.image.code import BLANK, PACKED, ZERO_KEY, CodeKey, check, detect_key, looks_like_code, strip
from wattrail.image.layout import APP_LOGICAL

__all__ = ["SURE", "FlashStart", "says", "start_of"]

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
