"""Which chip an image is for: every clue with its weight and its reason, then a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from wattrail.bk7231 import Chip
from wattrail.image.bootloader import Bootloader
from wattrail.image.cipher import CodeKey
from wattrail.image.layout import LAYOUTS
from wattrail.image.model import Confidence, Container
from wattrail.image.names import build_names, chip_in
from wattrail.image.rf import RfBlock

__all__ = ["Clue", "Verdict", "clues", "decide"]

_WEIGHT: Final = {Confidence.CERTAIN: 4, Confidence.LIKELY: 2, Confidence.POSSIBLE: 1}

_WITHOUT_KEY: Final = {Chip.N: Chip.M, Chip.T: Chip.U}
"""The same silicon, made without a code key."""

_Q_GROUP: Final = 0x4A
"""Bytes of the first group of the RF block on Q; 0x5A on every other chip that was seen."""


@dataclass(frozen=True, slots=True)
class Clue:
    """One piece of evidence."""

    chip: Chip
    weight: Confidence
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The chip that the clues name, and the reasons. ``against`` are the clues for another, in words."""

    chip: Chip | None
    confidence: Confidence
    reasons: tuple[str, ...]
    against: tuple[str, ...] = ()


def clues(
    *,
    bootloader: Bootloader | None = None,
    rf: tuple[int, RfBlock] | None = None,
    containers: tuple[Container, ...] = (),
    code: bytes = b"",
    key: CodeKey | None = None,
) -> Iterator[Clue]:
    """All there are. ``code`` is the plain code of the app, as far as it is known."""
    bare = key is not None and key.bypassed
    if bootloader is not None:
        yield from _of_bootloader(bootloader, bare=bare)
    if rf is not None:
        yield from _of_rf(*rf, bare=bare)
    for container in containers:
        header = container.header
        if not container.stale and (chip := chip_in(header.version)) is not None:
            yield Clue(chip, Confidence.LIKELY, f"the RBL header of {header.name} has the version {header.version!r}")
    for chip, words in build_names(code):
        yield Clue(chip, Confidence.LIKELY, words)


def _of_bootloader(found: Bootloader, *, bare: bool) -> Iterator[Clue]:
    if found.chip is not None:
        yield Clue(found.chip, Confidence.CERTAIN, f"the bootloader's checksum is that of {found.known_as}")
    if found.version and (chip := chip_in(found.version.partition("_")[0])) is not None:
        yield Clue(chip, Confidence.LIKELY, f"the bootloader calls itself {found.version}")
    entry = found.entry("download")
    for chip in _placed(bare=bare):
        if entry is not None and entry.offset == LAYOUTS[chip]["download"].start:
            yield Clue(chip, Confidence.LIKELY, f"the bootloader's partition table has download at {entry.offset:#x}")


def _of_rf(at: int, block: RfBlock, *, bare: bool) -> Iterator[Clue]:
    for chip in _placed(bare=bare):
        if at == LAYOUTS[chip]["rf"].start:
            yield Clue(chip, Confidence.LIKELY, f"the RF block is at {at:#x}")
    if block.group_length == _Q_GROUP:
        yield Clue(Chip.Q, Confidence.LIKELY, f"the first group of the RF block has {_Q_GROUP:#x} bytes, as on Q")


def _placed(*, bare: bool) -> tuple[Chip, ...]:
    """Chips whose layout tells them apart.

    Without a code key the places of T are those of Beken's own layout: U, Q, BK7238, BK7252, BK7252N, BL2028N have it.
    """
    return (Chip.N,) if bare else (Chip.N, Chip.T)


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
    rivals = [clue for clue in weighed if clue.chip is not chip]
    against = tuple(f"{clue.reason}, which speaks for {clue.chip.value}" for clue in rivals)
    if others and others[0][1] == most:
        return Verdict(None, Confidence.NONE, reasons, against)
    return Verdict(chip, Confidence.POSSIBLE if rivals and best is not Confidence.CERTAIN else best, reasons, against)


def _without_key(clue: Clue) -> Clue:
    chip = _WITHOUT_KEY.get(clue.chip)
    return clue if chip is None else Clue(chip, clue.weight, f"{clue.reason}, and its code is not enciphered")
