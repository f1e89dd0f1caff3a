"""Which chip an image is for: every clue with its weight and its reason, then a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from wattrail.image.bootloader import Bootloader
from wattrail.image.cipher import CodeKey
from wattrail.image.find import RF_PLACES
from wattrail.image.layout import LAYOUTS, Chip
from wattrail.image.model import Confidence, Container

__all__ = ["Clue", "Verdict", "clues", "decide"]

_WEIGHT: Final = {Confidence.CERTAIN: 4, Confidence.LIKELY: 2, Confidence.POSSIBLE: 1}

_NAMES: Final = (
    ("bk7231n", Chip.N),
    ("bk7231m", Chip.M),
    ("bk7231s", Chip.T),
    ("bk7231t", Chip.T),
    ("bk7231u", Chip.U),
)
"""How builds name their chip; Tuya's bootloader for T calls itself BK7231S."""

_BUILD_NAMES: Final = tuple((f"Open{chip.value}".encode(), chip) for chip in Chip)
"""OpenBeken says its own name in its code."""

_U_BOOTLOADER: Final = 0xFE9A
"""Where the bootloader's header stands on U: 256 bytes before N's and T's."""

_WITHOUT_KEY: Final = {Chip.N: Chip.M, Chip.T: Chip.U}


@dataclass(frozen=True, slots=True)
class Clue:
    """One piece of evidence."""

    chip: Chip
    weight: Confidence
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The chip that the clues name, and the reasons. ``against`` is the strongest clue for another, in words."""

    chip: Chip | None
    confidence: Confidence
    reasons: tuple[str, ...]
    against: str | None = None


def clues(
    *,
    bootloader: Bootloader | None = None,
    rf_at: int | None = None,
    containers: tuple[Container, ...] = (),
    code: bytes = b"",
) -> Iterator[Clue]:
    """All there are. ``code`` is the plain code of the app, as far as it is known."""
    if bootloader is not None:
        yield from _of_bootloader(bootloader)
    if rf_at in RF_PLACES:
        yield Clue(RF_PLACES[rf_at], Confidence.LIKELY, f"the RF block is at {rf_at:#x}")
    for container in containers:
        header = container.header
        if container.packed and header.name == "bootloader" and container.offset == _U_BOOTLOADER:
            where = f"the bootloader's RBL header is at {_U_BOOTLOADER:#x}, as on U, BK7238 and BK7252"
            yield Clue(Chip.U, Confidence.POSSIBLE, where)
        if (chip := _named(header.version)) is not None:
            yield Clue(chip, Confidence.LIKELY, f"the RBL header of {header.name} has the version {header.version!r}")
    for name, chip in _BUILD_NAMES:
        if name in code:
            yield Clue(chip, Confidence.LIKELY, f"the code names itself {name.decode()}")


def _of_bootloader(found: Bootloader) -> Iterator[Clue]:
    if found.chip is not None:
        yield Clue(found.chip, Confidence.CERTAIN, f"the bootloader's checksum is that of {found.known_as}")
    if found.version and (chip := _named(found.version)) is not None:
        yield Clue(chip, Confidence.LIKELY, f"the bootloader calls itself {found.version}")
    entry = found.entry("download")
    for chip in (Chip.N, Chip.T):
        if entry is not None and entry.offset == LAYOUTS[chip]["download"].start:
            yield Clue(chip, Confidence.LIKELY, f"the bootloader's partition table has download at {entry.offset:#x}")


def decide(found: Iterable[Clue], key: CodeKey | None) -> Verdict:
    """Weigh the clues. A chip without a code key counts as the member of the family that is made without one."""
    weighed = [_without_key(clue) if key is not None and key.bypassed else clue for clue in found]
    if not weighed:
        return Verdict(None, Confidence.NONE, ())
    sums = Counter[Chip]()
    for clue in weighed:
        sums[clue.chip] += _WEIGHT[clue.weight]
    (chip, most), *others = sums.most_common()
    reasons = tuple(clue.reason for clue in weighed if clue.chip is chip)
    best = max((clue.weight for clue in weighed if clue.chip is chip), key=_WEIGHT.__getitem__)
    rival = next((clue for clue in weighed if others and clue.chip is others[0][0]), None)
    against = f"{rival.reason}, which speaks for {rival.chip.value}" if rival else None
    if rival and others[0][1] == most:
        return Verdict(None, Confidence.NONE, reasons, against)
    return Verdict(chip, Confidence.POSSIBLE if rival and best is not Confidence.CERTAIN else best, reasons, against)


def _without_key(clue: Clue) -> Clue:
    chip = _WITHOUT_KEY.get(clue.chip)
    return clue if chip is None else Clue(chip, clue.weight, f"{clue.reason}, and its code is not enciphered")


def _named(text: str) -> Chip | None:
    return next((chip for name, chip in _NAMES if name in text.lower()), None)
