"""What of a flash, and how: ranges, partitions, the place of an image, and the options of every change."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter, validators

from wattrail.bk7231 import MAX_FLASH_BYTES
from wattrail.cli.exits import UsageError
from wattrail.errors import WriteRefused
from wattrail.flasher import FlashTarget, Risk
from wattrail.image import LAYOUTS

__all__ = ["ImagePlace", "RangeOptions", "WritingOptions", "name_override"]

_Offset = validators.Number(gte=0, lt=MAX_FLASH_BYTES)
_RISKS: Final = tuple(risk.value for risk in Risk)
_PARTS: Final = tuple(dict.fromkeys(part.name for layout in LAYOUTS.values() for part in layout.partitions))


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RangeOptions:
    """A range of flash, or a partition, or all of it."""

    start: Annotated[int | None, Parameter(help="First byte, such as 0x11000 (0).", validator=_Offset)] = None
    length: Annotated[int | None, Parameter(help="Bytes; else up to the end.", validator=_Offset)] = None
    part: Annotated[str | None, Parameter(help="A partition by its name, in place of a range.")] = None

    def check(self) -> None:
        """Raise UsageError for options that contradict each other, before a port is opened."""
        if self.part is None:
            return
        _check_known(self.part, _PARTS, "--part")
        if self.start is not None or self.length is not None:
            raise UsageError("--part and a range exclude each other; keep one of them")

    @property
    def is_all(self) -> bool:
        """Whether no range is given, which means the whole flash."""
        return self.start is None and self.length is None and self.part is None

    def span(self, target: FlashTarget) -> tuple[int, int]:
        """Start and length in bytes. Raises UsageError for what is not inside this flash."""
        if self.part is not None:
            names = [part.name for part in target.layout.partitions]
            _check_known(self.part, names, f"{target.layout.name}: --part")
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
        int | None, Parameter(help="Where it begins, for a file that does not say.", validator=_Offset)
    ] = None
    part: Annotated[
        tuple[str, ...],
        Parameter(help="Only this partition of it; may be given several times.", consume_multiple=False),
    ] = ()

    def check(self) -> None:
        """Raise UsageError for a name that no partition has."""
        for name in self.part:
            _check_known(name, _PARTS, "--part")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WritingOptions:
    """How flash is changed."""

    allow: Annotated[
        tuple[str, ...], Parameter(name="--allow", help=f"Take a risk, a word each time: {', '.join(_RISKS)}.")
    ] = ()
    backup: Annotated[
        Path | None, Parameter(help="File for the backup that is taken first; else in the boards' folder.")
    ] = None
    dry_run: Annotated[bool, Parameter(help="Print what would be changed, and change nothing.")] = False
    no_reboot: Annotated[bool, Parameter(help="Leave the chip as it is afterwards, ready for the next command.")] = (
        False
    )

    def check(self) -> frozenset[Risk]:
        """The risks taken. Raises UsageError for options that cannot be meant, before a port is opened."""
        for word in self.allow:
            _check_known(word, _RISKS, "--allow")
        allow = frozenset(Risk(word) for word in self.allow)
        if self.backup is not None and Risk.NO_BACKUP in allow:
            raise UsageError("--backup and --allow no-backup exclude each other; keep one of them")
        if self.backup is not None and self.backup.exists():
            raise UsageError(f"{self.backup} exists already", hint="name another file: a backup replaces nothing")
        return allow


def name_override(error: WriteRefused) -> None:
    """Add the option that overrides a refusal to its hint, below the safe way, which comes first."""
    if error.risk:
        override = f"use --allow {error.risk} to override"
        error.hint = f"{error.hint}\n{override}" if error.hint else override


def _check_known(word: str, known: Collection[str], option: str) -> None:
    if word in known:
        return
    close = get_close_matches(word, known, n=1)
    raise UsageError(
        f"{option}: {word!r} is not known; known: {', '.join(known)}",
        hint=f"did you mean {close[0]}?" if close else None,
    )
