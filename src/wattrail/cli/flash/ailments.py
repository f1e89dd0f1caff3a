"""What is wrong with the flash of a board that does not start, by partition. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wattrail.flasher import Target
from wattrail.image import Image, ImageKind

__all__ = ["Ailment", "ailments", "starts"]

_CODE: Final = ("bootloader", "app")
_WHOLE: Final = "flash"


@dataclass(frozen=True, slots=True)
class Ailment:
    """One thing that is wrong, and the partition in which it is; ``flash`` where no partition can be named."""

    part: str
    words: str

    @property
    def fatal(self) -> bool:
        """Whether the board cannot start with it, as far as can be told."""
        return self.part in (*_CODE, _WHOLE)


def ailments(image: Image, target: Target) -> list[Ailment]:
    """Everything that is wrong with the whole flash of a board."""
    return list(dict.fromkeys(_found(image, target)))


def starts(image: Image, target: Target) -> bool:
    """Whether a board with this flash should start."""
    return not any(ailment.fatal for ailment in ailments(image, target))


def _found(image: Image, target: Target) -> Iterator[Ailment]:
    for name in _CODE:
        part = target.layout[name]
        if not image.data[part.start : part.end].strip(b"\xff"):
            yield Ailment(name, "it is blank")
    if image.kind is ImageKind.UNKNOWN:
        yield Ailment(_WHOLE, f"nothing in it is recognised: {image.reasons[0]}")
    for problem in image.problems:
        yield Ailment(_part_of(problem.offset, target), str(problem))
    if target.rf_blank:
        yield Ailment("rf", "it is blank: radio calibration and MAC address are lost, and no image has them")


def _part_of(offset: int | None, target: Target) -> str:
    part = target.layout.at(offset) if offset is not None else None
    return part.name if part else "other"
