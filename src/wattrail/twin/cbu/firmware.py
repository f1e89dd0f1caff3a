"""From a firmware file to a module that holds it: which chip, which bytes in flash, where the CPU begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from wattrail.bk7231 import APP_START, MAX_FLASH_BYTES, Chip
from wattrail.errors import ImageError
from wattrail.image.code import CodeKey
from wattrail.image.layout import APP_LOGICAL
from wattrail.image.model import Image, ImageKind
from wattrail.image.recognise import recognise
from wattrail.twin.cbu.chips import CBU_CHIPS

__all__ = ["FLASH_BYTES", "ChipLetter", "LoadedFirmware", "load_firmware"]

ChipLetter = Literal["N", "T", "M"]

FLASH_BYTES: Final = 1 << 21
_LETTERS: Final[Mapping[Chip, ChipLetter]] = {Chip.N: "N", Chip.T: "T", Chip.M: "M"}
_BOOTABLE: Final = (ImageKind.DUMP, ImageKind.QIO, ImageKind.UA, ImageKind.ROTATED, ImageKind.PACKED)


@dataclass(frozen=True, slots=True)
class LoadedFirmware:
    """A whole flash with the firmware in it. ``start`` is the logical address at which a reset begins.

    Without a bootloader that is the app's own, as the bootloader would jump to it. ``notes`` say what was assumed.
    """

    chip: ChipLetter
    flash: bytes
    start: int
    kind: str
    notes: tuple[str, ...] = ()


def load_firmware(data: bytes, *, chip: ChipLetter | None = None, size: int = FLASH_BYTES) -> LoadedFirmware:
    """Put a file's bytes where they belong in flash. ``chip`` None takes the one that the file is for.

    Raises ImageError for what is not firmware, is for another chip, or does not fit.
    """
    image = recognise(data)
    if image.kind not in _BOOTABLE or not image.flash:
        raise ImageError(
            f"{image.kind.value}: the emulator runs images of flash, with or without bootloader",
            hint="'wattrail image convert' makes one of an update file; 'wattrail image inspect' says what a file is",
        )
    letter, notes = _chip_of(image, chip)
    if image.base + len(image.flash) > size:
        raise ImageError(
            f"{len(image.flash)} bytes from {image.base:#x} on do not fit a flash of {size}",
            hint=f"the largest is {MAX_FLASH_BYTES}; give the part of the file that belongs into flash",
        )
    # Before anything runs: code of another key deciphers to noise, which ends in undefined instructions much later.
    _check_key(image, letter)
    flash = (b"\xff" * image.base + image.flash).ljust(size, b"\xff")
    begins_with_app = image.base == APP_START or not flash[:34].strip(b"\xff")
    if begins_with_app:
        notes = (*notes, "it has no bootloader: the CPU begins at the app")
    return LoadedFirmware(letter, flash, APP_LOGICAL if begins_with_app else 0, image.kind.value, notes)


def _chip_of(image: Image, asked: ChipLetter | None) -> tuple[ChipLetter, tuple[str, ...]]:
    found = _LETTERS.get(image.chip) if image.chip else None
    if image.chip is not None and found is None and asked is None:
        raise ImageError(
            f"the image is for a {image.chip.value}, which is not emulated: {', '.join(image.chip_reasons)}",
            hint="emulated are BK7231N, BK7231T and BK7231M; name one of them to try it nevertheless",
        )
    if asked is not None:
        differs = found is not None and found != asked
        return asked, (f"it is for a BK7231{found}, run as a BK7231{asked}",) if differs else ()
    if found is None:
        return "N", ("its chip is not known; BK7231N assumed",)
    return found, ()


def _check_key(image: Image, letter: ChipLetter) -> None:
    wanted = CBU_CHIPS[letter].code_key
    if image.key is None or _same(image.key, wanted):
        return
    raise ImageError(
        f"its code is stored with the key {image.key.name!r}, a BK7231{letter} deciphers with {wanted.name!r}: "
        "it would execute noise",
        hint=f"choose a chip with that key: {', '.join(_with_key(image.key)) or 'none of the emulated has it'}",
    )


def _same(one: CodeKey, other: CodeKey) -> bool:
    return one == other or (one.bypassed and other.bypassed)


def _with_key(key: CodeKey) -> list[str]:
    return [f"BK7231{chip.name}" for chip in CBU_CHIPS.values() if _same(key, chip.code_key)]
