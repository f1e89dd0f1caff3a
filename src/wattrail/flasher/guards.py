"""What must not be written where, decided before anything is touched. Pure.

Each objection names the one word that overrules it. Nothing overrules the end of the flash.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from wattrail.errors import ImageError, WriteRefused
from wattrail.flasher.survey import Span
from wattrail.flasher.target import Target
from wattrail.image import Chip, Image, Kind

__all__ = ["Piece", "Risk", "check", "check_dump", "keep_rf", "pieces_of", "without"]


class Risk(Enum):
    """What a person may allow; the value is the word to say."""

    WRONG_CHIP = "wrong-chip"
    DAMAGED = "damaged-image"
    UNKNOWN = "unknown-image"
    PLACE = "wrong-place"
    BOOTLOADER = "bootloader"
    RF = "rf"
    NO_BACKUP = "no-backup"


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes and where in flash they belong."""

    start: int
    data: bytes

    @property
    def span(self) -> Span:
        """Its place."""
        return self.start, len(self.data)


@dataclass(frozen=True, slots=True)
class Objection:
    """Why not, which word allows it, and what to do instead."""

    risk: Risk
    words: str
    instead: str


_CONVERT: Final = "'wattrail image convert' makes it into one that lies in flash"


def check(image: Image, target: Target, start: int | None, allow: Collection[Risk]) -> None:
    """Raise WriteRefused for the first objection that is not allowed."""
    for objection in objections(image, target, start):
        if objection.risk not in allow:
            refuse(objection)


def check_dump(dump: Image, target: Target, allow: Collection[Risk]) -> None:
    """The same for the dump of a whole flash, which may be put back damaged as it was."""
    if len(dump.data) != target.size:
        raise WriteRefused(
            f"this is no dump of the whole flash: it has {len(dump.data):#x} bytes, the flash {target.size:#x}",
            risk=Risk.PLACE.value,
            hint="'wattrail flash write' writes images that are less than a whole flash",
        )
    for objection in (*_about_chip(dump, target), *_about_kind(dump, 0)):
        if objection.risk not in allow and (objection.risk is Risk.WRONG_CHIP or dump.kind is Kind.ROTATED):
            refuse(objection)


def refuse(objection: Objection) -> None:
    """Raise it."""
    raise WriteRefused(
        objection.words,
        risk=objection.risk.value,
        hint=f"{objection.instead}; '{objection.risk.value}', allowed in words, overrules this",
    )


def objections(image: Image, target: Target, start: int | None) -> Iterator[Objection]:
    """All there are, the gravest first."""
    yield from _about_kind(image, start)
    yield from _about_chip(image, target)
    if image.kind is not Kind.UNKNOWN and image.problems:
        yield Objection(Risk.DAMAGED, f"the image is damaged: {image.problems[0]}", "fetch or dump it again")
    if image.kind.lies_in_flash and start is not None and start != image.base:
        words = f"the {image.kind.value} belongs at {image.base:#x}, not at {start:#x}"
        yield Objection(Risk.PLACE, words, "leave the start away")


def _about_kind(image: Image, start: int | None) -> Iterator[Objection]:
    if image.kind is Kind.ROTATED:
        yield Objection(Risk.UNKNOWN, "the dump is rotated: it begins at 0x11000 and wraps", _CONVERT)
    elif not image.kind.lies_in_flash:
        also = "" if start is not None else ", and nobody said where it should begin"
        instead = _CONVERT if image.kind is not Kind.UNKNOWN else "look at it with 'wattrail image info'"
        yield Objection(Risk.UNKNOWN, f"a {image.kind.value} is not something that lies in flash{also}", instead)


def _about_chip(image: Image, target: Target) -> Iterator[Objection]:
    if target.chip is None:
        reason = target.identity.reasons[-1] if target.identity.reasons else "no reason known"
        yield Objection(Risk.WRONG_CHIP, f"it is not known which chip this is: {reason}", "see 'wattrail flash info'")
    elif image.chip is not None and image.chip is not target.chip:
        words = f"the image is for a {image.chip.value} ({_reason(image)}), the chip is a {target.chip.value}"
        yield Objection(Risk.WRONG_CHIP, words, f"take the image for the {target.chip.value}")
    elif image.key is not None and target.chip in (Chip.N, Chip.M) and _wrong_key(image, target):
        words = f"the image's code is enciphered with another key than the {target.chip.value} has in its eFuse"
        yield Objection(Risk.WRONG_CHIP, words, f"take the image for the {target.chip.value}")
    elif image.chip_contradictions:
        words = f"the evidence for the image's chip contradicts itself: {image.chip_contradictions[0]}"
        yield Objection(Risk.WRONG_CHIP, words, "'wattrail image info' lists all of it")


def _wrong_key(image: Image, target: Target) -> bool:
    return image.key is not None and target.chip is not None and image.key != target.chip.code_key


def _reason(image: Image) -> str:
    return image.chip_reasons[0] if image.chip_reasons else "by its content"


def pieces_of(
    image: Image, target: Target, start: int | None, allow: Collection[Risk]
) -> tuple[list[Piece], list[str]]:
    """What of the image goes into flash, and in words what of it is kept back.

    The RF block is kept back unless allowed. Raises WriteRefused, and ImageError for what does not fit the flash.
    """
    check(image, target, start, allow)
    base = image.base if start is None else start
    data = image.flash if image.kind.lies_in_flash else image.data
    if start is None and not image.kind.lies_in_flash:
        raise ImageError("the place in flash is not known", hint="say where it begins, for example --start 0x11000")
    whole = Piece(base, data)
    if base + len(data) > target.size:
        raise ImageError(
            f"{len(data):#x} bytes from {base:#x} on end behind the flash of {target.size:#x} bytes",
            hint="take the image for this board, or its app alone",
        )
    return keep_rf(whole, target, allow)


def keep_rf(whole: Piece, target: Target, allow: Collection[Risk]) -> tuple[list[Piece], list[str]]:
    """The piece less the RF block, unless that is allowed; and in words what was kept back."""
    rf = target.layout["rf"]
    kept = [whole] if Risk.RF in allow else without(whole, (rf.start, rf.length))
    if kept == [whole]:
        return kept, []
    return kept, [f"the RF block at {rf.start:#x} stays as it is: it belongs to this one board ('rf' allows it)"]


def without(piece: Piece, hole: Span) -> list[Piece]:
    """A piece less a range."""
    start, end = hole[0], hole[0] + hole[1]
    before = piece.data[: max(0, start - piece.start)]
    after = piece.data[max(0, end - piece.start) :]
    places = ((piece.start, before), (max(piece.start, end), after))
    return [Piece(at, data) for at, data in places if data]
