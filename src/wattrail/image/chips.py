"""Which chip an image is for: every clue with its weight and its reason, then a verdict.

The strongest clue in code is the name a build gives itself, a string of its own with a version after it:

    OpenBK7231N_1.18.300        OpenBeken, alone or with the date of the build
    LibreTiny v1.8.0 on generic-bk7231n-qfn32-tuya, compiled at ...        LibreTiny, and ESPHome on it
    < BUILD AT:... BY ... FOR ... AT bk7231n >        Tuya

A chip's name anywhere else says nothing: every OpenBeken build holds the address of its repository, which is named
after the T, and a template for the N. Source: bk7231-image/build-names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from wattrail.bk7231 import Chip
from wattrail.image.bootloader import BootloaderInfo
from wattrail.image.code import CodeKey
from wattrail.image.layout import LAYOUTS
from wattrail.image.limits import MAX_RECORDS
from wattrail.image.model import Confidence, Container
from wattrail.image.rf import RfBlock

__all__ = ["ChipVerdict", "Clue", "build_names", "chip_in", "chip_of_module", "clues", "decide", "strings_that_fit"]

# One certain clue makes up for two likely ones against it, which is a tie: then no chip is named.
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
class ChipVerdict:
    """The chip that the clues name, and the reasons. ``against`` are the clues for another chip, as text."""

    chip: Chip | None
    confidence: Confidence
    reasons: tuple[str, ...]
    against: tuple[str, ...] = ()


def clues(
    *,
    bootloader: BootloaderInfo | None = None,
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
        # A stale header was left by an earlier image, which may have been for another chip.
        if not container.stale and (chip := chip_in(header.version)) is not None:
            yield Clue(chip, Confidence.LIKELY, f"the RBL header of {header.name} has the version {header.version!r}")
    for chip, words in build_names(code):
        yield Clue(chip, Confidence.LIKELY, words)


def _of_bootloader(found: BootloaderInfo, *, bare: bool) -> Iterator[Clue]:
    if found.chip is not None:
        yield Clue(found.chip, Confidence.CERTAIN, f"the bootloader's checksum is that of {found.known_as}")
    if found.version and (chip := chip_in(found.version.partition("_")[0])) is not None:
        yield Clue(chip, Confidence.LIKELY, f"the bootloader calls itself {found.version}")
    # After its checksum the most reliable sign: N and T differ here, and in no key. Source: bk7231-image/flash-map.
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
    """Chips that differ by their layout.

    Without a code key the places of T are those of Beken's own layout: U, Q, BK7238, BK7252, BK7252N, BL2028N have it.
    """
    return (Chip.N,) if bare else (Chip.N, Chip.T)


def decide(found: Iterable[Clue], key: CodeKey | None) -> ChipVerdict:
    """Weigh the clues. A chip without a code key counts as the member of the family that is made without one."""
    weighed = [_without_key(clue) if key is not None and key.bypassed else clue for clue in found]
    if not weighed:
        return ChipVerdict(None, Confidence.NONE, ())
    sums = Counter[Chip]()
    for clue in weighed:
        sums[clue.chip] += _WEIGHT[clue.weight]
    (chip, weight), *others = sums.most_common()
    reasons = tuple(clue.reason for clue in weighed if clue.chip is chip)
    best = max((clue.weight for clue in weighed if clue.chip is chip), key=_WEIGHT.__getitem__)
    rivals = [clue for clue in weighed if clue.chip is not chip]
    against = tuple(f"{clue.reason}, which speaks for {clue.chip.value}" for clue in rivals)
    if others and others[0][1] == weight:
        return ChipVerdict(None, Confidence.NONE, reasons, against)
    return ChipVerdict(
        chip, Confidence.POSSIBLE if rivals and best is not Confidence.CERTAIN else best, reasons, against
    )


def _without_key(clue: Clue) -> Clue:
    chip = _WITHOUT_KEY.get(clue.chip)
    return clue if chip is None else Clue(chip, clue.weight, f"{clue.reason}, and its code is not enciphered")


# ---- the names of builds

_CHIPS: Final = MappingProxyType(
    {
        "bk7231n": Chip.N,
        "bk7231m": Chip.M,
        "bk7231s": Chip.T,
        "bk7231t": Chip.T,
        "bk7231u": Chip.U,
        "bk7231q": Chip.Q,
        "bk7238": Chip.BK7238,
        "bk7251": Chip.BK7252,
        "bk7252": Chip.BK7252,
        "bk7252n": Chip.BK7252N,
    }
)
"""Tuya's bootloader for T calls itself BK7231S; the one in builds for BK7252 calls itself BK7251."""

_CHIP_WORD: Final = re.compile(r"(?<![a-z0-9])bk72\d\d[a-z]?(?![a-z0-9])")

_OPENBEKEN: Final = re.compile(rb"Open(BK72\d\d[A-Z]?)[_ ]\d[\w.+-]{0,99}(?: [A-Z][a-z]{2} [ \d]\d \d{4} [\d:]{8})?\0")
_LIBRETINY: Final = re.compile(rb"LibreTiny v\d[\w.+-]{0,99} on ([a-z0-9][a-z0-9.-]{0,99}), compiled at ")
_TUYA: Final = re.compile(rb"< BUILD AT:[\w.:-]{1,99} BY [\w.-]{1,99} FOR [\w.-]{1,99} AT (bk72\d\d[a-z]?) >")

_BOARDS: Final = (
    (re.compile(r"generic-(bk72\d\d[a-z]?)(?:-|$)"), None),
    # Before the others of its name: the one WB module with an N.
    (re.compile(r"wb2l-m1"), Chip.N),
    (re.compile(r"cb(?:\d|u|lc)"), Chip.N),
    (re.compile(r"wb(?:\d|lc)"), Chip.T),
    (re.compile(r"wa2"), Chip.Q),
    (re.compile(r"t(?:2|34)(?:-|$)"), Chip.N),
    (re.compile(r"t1-"), Chip.BK7238),
)
"""LibreTiny's boards are named after modules: CBxx, T2 and T34 carry an N, WBxx a T, T1-xx a BK7238; the generic ones
say it."""


def chip_in(text: str) -> Chip | None:
    """The chip that a version names as a word of its own, or None."""
    return next((_CHIPS[word] for word in _CHIP_WORD.findall(text.lower()) if word in _CHIPS), None)


def chip_of_module(name: str) -> Chip | None:
    """The chip on a Tuya module: CB2S, CBU, WB3S; None for a module that is not in the table."""
    return _chip_of_board(name.lower().replace("_", "-"))


def build_names(code: bytes) -> Iterator[tuple[Chip, str]]:
    """Each chip that plain code names as the one it was built for, once, and the words that do so."""
    seen: set[Chip] = set()
    for chip, words in (*_openbeken(code), *_libretiny(code), *_tuya(code)):
        if chip not in seen:
            seen.add(chip)
            yield chip, words


def _openbeken(code: bytes) -> Iterator[tuple[Chip, str]]:
    for found in strings_that_fit(code, b"OpenBK72", _OPENBEKEN):
        chip = _CHIPS.get(found[1].decode("ascii").lower())
        if chip is not None:
            yield chip, f"the build names itself {found[0][:-1].decode('ascii')}"


def _libretiny(code: bytes) -> Iterator[tuple[Chip, str]]:
    for found in strings_that_fit(code, b"LibreTiny v", _LIBRETINY):
        board = found[1].decode("ascii")
        chip = _chip_of_board(board)
        if chip is not None:
            yield chip, f"the build is LibreTiny's for the board {board}"


def _tuya(code: bytes) -> Iterator[tuple[Chip, str]]:
    for found in strings_that_fit(code, b"< BUILD AT:", _TUYA):
        name = found[1].decode("ascii")
        # Tuya's SDK for the Q gives no letter. Source: bk7231-image/build-names
        chip = Chip.Q if name == "bk7231" else _CHIPS.get(name)
        if chip is not None:
            yield chip, f"Tuya's record of the build names {name}"


def _chip_of_board(board: str) -> Chip | None:
    for pattern, chip in _BOARDS:
        found = pattern.match(board)
        if found:
            return chip or _CHIPS.get(found[1])
    return None


def strings_that_fit(code: bytes, start: bytes, pattern: re.Pattern[bytes]) -> Iterator[re.Match[bytes]]:
    """Strings of the code that fit a pattern from their first letter on: what stands inside another one does not."""
    at = -1
    for _ in range(MAX_RECORDS):
        at = code.find(start, at + 1)
        if at < 0:
            return
        inside = at > 0 and 0x20 <= code[at - 1] <= 0x7E
        found = None if inside else pattern.match(code, at)
        if found:
            yield found
