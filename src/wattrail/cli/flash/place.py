"""Where in flash: ranges and partitions as they are typed, and the risks a person takes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Final

from cyclopts import Parameter, validators

from wattrail.cli.exits import UsageError
from wattrail.flasher import Risk, Target
from wattrail.image import LAYOUTS

__all__ = ["Allowed", "ImagePlace", "RangeOptions", "risks"]

_LARGEST: Final = 1 << 24
"""No flash of this family is larger."""

_Offset = validators.Number(gte=0, lt=_LARGEST)
_RISKS: Final = tuple(risk.value for risk in Risk)
_PARTS: Final = tuple(dict.fromkeys(part.name for layout in LAYOUTS.values() for part in layout.partitions))

Allowed = Annotated[
    tuple[str, ...], Parameter(name="--allow", help=f"Take a risk, a word each time: {', '.join(_RISKS)}.")
]


def risks(words: Collection[str]) -> frozenset[Risk]:
    """The risks behind some words. Raises UsageError for a word that is none."""
    for word in words:
        _known(word, _RISKS, "--allow")
    return frozenset(Risk(word) for word in words)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RangeOptions:
    """A range of flash, or a partition, or all of it."""

    start: Annotated[int | None, Parameter(help="First byte, such as 0x11000 (0).", validator=_Offset)] = None
    length: Annotated[int | None, Parameter(help="Bytes; else up to the end.", validator=_Offset)] = None
    part: Annotated[str | None, Parameter(help="A partition by its name, in place of a range.")] = None

    def check(self) -> None:
        """Raise UsageError for words that contradict each other, before a port is opened."""
        if self.part is None:
            return
        _known(self.part, _PARTS, "--part")
        if self.start is not None or self.length is not None:
            raise UsageError("--part and a range exclude each other; keep one of them")

    @property
    def is_all(self) -> bool:
        """Whether nothing was said, which means the whole flash."""
        return self.start is None and self.length is None and self.part is None

    def span(self, target: Target) -> tuple[int, int]:
        """Start and length in bytes. Raises UsageError for what is not inside this flash."""
        if self.part is not None:
            _known(self.part, [part.name for part in target.layout.partitions], f"{target.layout.name}: --part")
            partition = target.layout[self.part]
            start, length = partition.start, partition.length
        else:
            start = self.start or 0
            length = target.size - start if self.length is None else self.length
        if length <= 0 or start + length > target.size:
            raise UsageError(f"{length:#x} bytes from {start:#x} are not inside the {target.size:#x} bytes of flash")
        return start, length


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ImagePlace:
    """Where an image goes, and how much of it."""

    start: Annotated[
        int | None, Parameter(help="Where it begins, for a file that does not tell.", validator=_Offset)
    ] = None
    part: Annotated[
        tuple[str, ...], Parameter(help="Only this partition of it; may be said several times.", consume_multiple=False)
    ] = ()

    def check(self) -> None:
        """Raise UsageError for a name that no partition has."""
        for name in self.part:
            _known(name, _PARTS, "--part")


def _known(word: str, known: Collection[str], option: str) -> None:
    if word in known:
        return
    close = get_close_matches(word, known, n=1)
    raise UsageError(
        f"{option}: {word!r} is not known; known: {', '.join(known)}",
        hint=f"did you mean {close[0]}?" if close else None,
    )
