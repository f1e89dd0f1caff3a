"""Checks what must not be written where, before anything is touched. Pure.

What a file shows by itself is decided without a board (``check_file``, ``check_dump_file``), before anybody wires one
up for a file that is refused anyway; ``check`` and ``check_dump`` decide the same and what the chip adds. Each
violation names its own risk, and allowing one risk allows no other. Some things nothing allows: a file with nothing to
place, the end of the flash, a file that is not a dump in place of one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Final

from wattrail.bk7231 import MAX_FLASH_BYTES
from wattrail.errors import ImageError, WriteRefused
from wattrail.flasher.flash_target import FlashTarget
from wattrail.image import LAYOUTS, Chip, Image, ImageKind, code_key, recognise_foreign

__all__ = [
    "AS_IT_WAS",
    "Risk",
    "check",
    "check_dump",
    "check_dump_file",
    "check_end",
    "check_file",
    "is_placed",
    "no_part",
    "placed",
]

MIN_FLASH: Final = 1 << 20
"""Bytes of the smallest flash a module of the family has."""

MAX_PROBLEMS_SHOWN: Final = 3


class Risk(Enum):
    """What a person may allow; the value is the word to say."""

    WRONG_CHIP = "wrong-chip"
    UNKNOWN_CHIP = "unknown-chip"
    DAMAGED = "damaged-image"
    UNKNOWN = "unknown-image"
    PLACE = "wrong-place"
    BOOTLOADER = "bootloader"
    RF = "rf"
    NO_BACKUP = "no-backup"


AS_IT_WAS: Final = frozenset({Risk.DAMAGED, Risk.UNKNOWN})
"""What nobody is asked about a backup that was read from this very board: it may be put back as it was."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Why not, the risk that allows it (None: nothing does), and the safe way."""

    risk: Risk | None
    words: str
    instead: str


_CONVERT: Final = "convert it to a flash image: wattrail image convert, to=ua"
_STRAIGHTEN: Final = "straighten it: wattrail image convert, to=dump"
_DATA: Final = (ImageKind.UNKNOWN, ImageKind.BLANK, ImageKind.RF, ImageKind.TUYA)
"""Kinds that no conversion brings into flash."""

_CODE: Final = (
    ImageKind.QIO, ImageKind.UA, ImageKind.BOOTLOADER, ImageKind.PACKED, ImageKind.DUMP, ImageKind.ROTATED,
    ImageKind.STORED, ImageKind.PLAIN,
)  # fmt: skip
"""Kinds that run on a chip; all others are data, which no chip objects to."""


def check_file(image: Image, start: int | None, allow: Collection[Risk], parts: Collection[str] = ()) -> None:
    """Raise WriteRefused or ImageError for what the file alone shows, whichever chip is at the other end."""
    unknown = [_unknown_chip(image)] if _is_for_unknown_chip(image) else []
    _refuse_first(chain(_about_kind(image, start), unknown, _about_state(image, start, None)), allow)
    base, data = placed(image, start)
    check_end(base, data, MAX_FLASH_BYTES)
    layouts = [LAYOUTS[image.chip]] if image.chip is not None else list(LAYOUTS.values())
    for name in parts:
        known = [layout[name] for layout in layouts if name in {part.name for part in layout.partitions}]
        if known and not any(part.start < base + len(data) and base < part.end for part in known):
            raise no_part(name)


def no_part(name: str) -> ImageError:
    """The error for a partition of which an image holds nothing."""
    return ImageError(f"the image holds nothing of the partition {name}", hint="'wattrail image info' shows its parts")


def check(image: Image, target: FlashTarget, start: int | None, allow: Collection[Risk]) -> None:
    """Raise WriteRefused for the first violation that is not allowed."""
    _refuse_first(violations(image, target, start), allow)


def check_dump_file(dump: Image, allow: Collection[Risk]) -> None:
    """Raise WriteRefused for a file that cannot be the dump of a whole flash, whichever board is at the other end."""
    own = {Risk.UNKNOWN} if _has_rf(dump) else set[Risk]()  # the board will tell whether it is its own
    _refuse_first(_of_dump(dump), {*allow, *own})
    size = len(dump.data)
    if not MIN_FLASH <= size <= MAX_FLASH_BYTES or size & (size - 1):
        _refuse(_not_a_dump(f"it has {size:#x} bytes, and no flash has", _IMAGE_INSTEAD))


def check_dump(dump: Image, target: FlashTarget, allow: Collection[Risk], *, same_rf: bool) -> None:
    """Raise WriteRefused for what is not a dump of this board's whole flash.

    ``same_rf``: the RF blocks of dump and board are the same and hold something, which tells that it is this board's
    own: then nobody is asked what it is and which chip it is for, as for a board with a code key that nobody knows.
    """
    allow = {*allow, Risk.UNKNOWN, Risk.UNKNOWN_CHIP} if same_rf else allow
    if len(dump.data) != target.size:
        _refuse(_not_a_dump(f"it has {len(dump.data):#x} bytes, the flash {target.size:#x}", _IMAGE_INSTEAD))
    _refuse_first(_of_dump(dump), allow)
    _refuse_first(_about_chip(dump, target), allow)


def violations(image: Image, target: FlashTarget, start: int | None) -> Iterator[Violation]:
    """All there are, the gravest first."""
    yield from _about_kind(image, start)
    yield from _about_chip(image, target)
    yield from _about_state(image, start, target.chip)


def _refuse_first(found: Iterable[Violation], allow: Collection[Risk]) -> None:
    for violation in found:
        if violation.risk is None or violation.risk not in allow:
            _refuse(violation)


def _refuse(violation: Violation) -> None:
    risk = violation.risk.value if violation.risk is not None else ""
    raise WriteRefused(violation.words, risk=risk, hint=violation.instead)


# ---- what the file shows


def is_placed(image: Image) -> bool:
    """Whether the image itself tells where in flash it belongs: packed code under a key nobody knows does not."""
    return image.kind.is_flash_image and not (image.kind is ImageKind.PACKED and image.base == 0)


def _about_kind(image: Image, start: int | None) -> Iterator[Violation]:
    if not image.data:
        yield Violation(None, "the file is empty", "download or read it again")
        return
    # Before the kind: an archive that stores its members unpacked has the block CRCs of the image inside it.
    foreign = recognise_foreign(image.data)
    if foreign is not None:
        yield Violation(Risk.UNKNOWN, f"the file is {foreign.what}, not a firmware image", foreign.hint())
    elif image.kind is ImageKind.ROTATED:
        # Read from there on, with the address wrapping at the end (OpenBK7231T_App #556).
        words = f"the dump is rotated: it begins at {image.rotated_by:#x} and wraps"
        yield Violation(Risk.UNKNOWN, words, _STRAIGHTEN)
    elif image.kind.is_flash_image and not image.flash:
        words = f"nothing in the {image.kind.value} can be placed in flash: {_problems(image) or image.reasons[0]}"
        yield Violation(None, words, "download or read it again: its beginning is missing")
    elif not image.kind.is_flash_image:
        also = "" if start is not None else ", and no start address was given"
        instead = _CONVERT if image.kind not in _DATA else "see what it is: wattrail image info FILE"
        yield Violation(Risk.UNKNOWN, f"the {image.kind.value} is not a flash image{also}", instead)


def _about_state(image: Image, start: int | None, wanted: Chip | None) -> Iterator[Violation]:
    """Damage, and another place than its own."""
    if image.kind is not ImageKind.UNKNOWN and image.problems:
        instead = "download or read it again" + (f", the one for {wanted.value}" if wanted is not None else "")
        yield Violation(Risk.DAMAGED, f"the image is damaged: {_problems(image)}", instead)
    if is_placed(image) and start is not None and start != image.base:
        # An app written at 0 takes the bootloader away (elektroda topic 4173536). Source: bk-boot/flash-map.
        words = f"the {image.kind.value} belongs at {image.base:#x}, not at {start:#x}"
        yield Violation(Risk.PLACE, words, "leave the start away")


def _of_dump(dump: Image) -> Iterator[Violation]:
    """What cannot be put back over a whole flash. A word helps only where a real flash may look like that."""
    foreign = recognise_foreign(dump.data)
    if foreign is not None:
        yield _not_a_dump(f"it is {foreign.what}", foreign.hint())
    elif dump.kind is ImageKind.BLANK:
        yield _not_a_dump(dump.reasons[0], "erase a flash with 'wattrail flash erase'")
    elif dump.kind is ImageKind.ROTATED:
        words = f"it is rotated: it begins at {dump.rotated_by:#x} and wraps"
        yield _not_a_dump(words, _STRAIGHTEN)
    elif dump.kind.is_flash_image and not dump.flash:
        yield _not_a_dump(
            f"it is shifted: {_problems(dump) or dump.reasons[0]}", "read the whole flash again, from 0 on"
        )
    elif dump.kind in (ImageKind.QIO, ImageKind.UA, ImageKind.BOOTLOADER):
        yield _not_a_dump(f"it is a {dump.kind.value}", _IMAGE_INSTEAD)
    elif dump.base:
        yield _not_a_dump(f"it begins at {dump.base:#x} of a flash", "read the whole flash again, from 0 on")
    elif dump.kind is not ImageKind.DUMP:
        words = f"this {dump.kind.value} is not recognised as a flash dump: {dump.reasons[0]}"
        yield Violation(Risk.UNKNOWN, words, "take a dump that 'wattrail image info' recognises")
    elif dump.problems:
        yield Violation(Risk.DAMAGED, f"the dump is damaged: {_problems(dump)}", "take another dump, or read it again")


def _has_rf(dump: Image) -> bool:
    """Whether something stands where a chip of the family keeps its RF block."""
    sectors = (dump.data[layout["rf"].start : layout["rf"].end] for layout in LAYOUTS.values())
    return any(sector.strip(b"\xff") and sector.strip(b"\0") for sector in sectors)


_IMAGE_INSTEAD: Final = "'wattrail flash write' writes images that are less than a whole flash"


def _not_a_dump(why: str, instead: str) -> Violation:
    return Violation(None, f"this is not a dump of the whole flash: {why}", instead)


def _problems(image: Image) -> str:
    """The first few: whoever allows damage has read what is damaged."""
    shown = "; ".join(str(problem) for problem in image.problems[:MAX_PROBLEMS_SHOWN])
    more = len(image.problems) - MAX_PROBLEMS_SHOWN
    return f"{shown}; and {more} more" if more > 0 else shown


# ---- what the chip adds


def _about_chip(image: Image, target: FlashTarget) -> Iterator[Violation]:
    if target.chip is None:
        reason = target.identity.reasons[-1] if target.identity.reasons else "no reason known"
        yield Violation(Risk.UNKNOWN_CHIP, f"it is not known which chip this is: {reason}", "see 'wattrail flash info'")
    elif image.chip is not None and image.chip is not target.chip:
        words = f"the image is for a {image.chip.value} ({_reason(image)}), the chip is a {target.chip.value}"
        yield Violation(Risk.WRONG_CHIP, words, f"take the image for the {target.chip.value}")
    elif image.key is not None and target.chip in (Chip.N, Chip.M) and image.key != code_key(target.chip):
        words = f"the image's code is enciphered with another key than the {target.chip.value} has in its eFuse"
        yield Violation(Risk.WRONG_CHIP, words, f"take the image for the {target.chip.value}")
    if _is_for_unknown_chip(image):
        yield _unknown_chip(image)


def _is_for_unknown_chip(image: Image) -> bool:
    return image.kind in _CODE and (image.chip is None or bool(image.chip_contradictions))


def _unknown_chip(image: Image) -> Violation:
    """Firmware for T and N looks the same from outside; the wrong one leaves a module that does not start."""
    # An N's image on a T or an M was written without a fault, and no access point came (elektroda 4121313, 4017870).
    words = f"nothing in the {image.kind.value} says which chip it is for"
    if signs := (*image.chip_reasons, *image.chip_contradictions):
        words = f"the {image.kind.value} does not say clearly which chip it is for: {'; '.join(signs)}"
    return Violation(Risk.UNKNOWN_CHIP, words, "take a file that names its chip: a QIO image or a UF2 file")


def _reason(image: Image) -> str:
    return image.chip_reasons[0] if image.chip_reasons else "by its content"


# ---- where it is to lie


def placed(image: Image, start: int | None) -> tuple[int, bytes]:
    """Where the bytes begin, and the bytes. Raises ImageError if nothing says where."""
    data = image.flash if image.kind.is_flash_image else image.data
    if start is not None:
        return start, data
    if not is_placed(image):
        raise ImageError(
            "the image does not say where it belongs in flash", hint="say where it begins, for example start=0x11000"
        )
    return image.base, data


def check_end(base: int, data: bytes, size: int) -> None:
    """Raise ImageError for what does not end within a flash of that size."""
    if base + len(data) > size:
        raise ImageError(
            f"{len(data):#x} bytes from {base:#x} on end behind the flash of {size:#x} bytes",
            hint="take the image for this board, or its app alone",
        )
