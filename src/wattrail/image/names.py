"""The name a build gives itself: a string of its own in the code, with a version after it.

    OpenBK7231N_1.18.300        OpenBeken, alone or with the date of the build
    LibreTiny v1.8.0 on generic-bk7231n-qfn32-tuya, compiled at ...        LibreTiny, and ESPHome on it
    < BUILD AT:... BY ... FOR ... AT bk7231n >        Tuya

A chip's name anywhere else says nothing: every OpenBeken build holds the address of its repository, which is named
after the T, and a template for the N. Source: bk7231-image/build-names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from wattrail.bk7231 import Chip
from wattrail.image.limits import RECORDS_MOST

__all__ = ["build_names", "chip_in"]

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

_OPENBEKEN: Final = re.compile(rb"Open(BK72\d\d[A-Z]?)[_ ]\d[\w.+-]*(?: [A-Z][a-z]{2} [ \d]\d \d{4} [\d:]{8})?\0")
_LIBRETINY: Final = re.compile(rb"LibreTiny v\d[\w.+-]* on ([a-z0-9][a-z0-9.-]*), compiled at ")
_TUYA: Final = re.compile(rb"< BUILD AT:[\w.:-]+ BY [\w.-]+ FOR [\w.-]+ AT (bk72\d\d[a-z]?) >")

_BOARDS: Final = (
    (re.compile(r"generic-(bk72\d\d[a-z]?)(?:-|$)"), None),
    (re.compile(r"wb2l-m1"), Chip.N),
    (re.compile(r"cb(?:\d|u|lc)"), Chip.N),
    (re.compile(r"wb(?:\d|lc)"), Chip.T),
    (re.compile(r"wa2"), Chip.Q),
    (re.compile(r"t1-"), Chip.BK7238),
)
"""LibreTiny's boards are named after modules: CBxx carry an N, WBxx a T, T1-xx a BK7238; the generic ones say it."""


def chip_in(text: str) -> Chip | None:
    """The chip that a version names as a word of its own, or None."""
    return next((_CHIPS[word] for word in _CHIP_WORD.findall(text.lower()) if word in _CHIPS), None)


def build_names(code: bytes) -> Iterator[tuple[Chip, str]]:
    """Each chip that plain code names as the one it was built for, once, and the words that do so."""
    seen: set[Chip] = set()
    for chip, words in (*_openbeken(code), *_libretiny(code), *_tuya(code)):
        if chip not in seen:
            seen.add(chip)
            yield chip, words


def _openbeken(code: bytes) -> Iterator[tuple[Chip, str]]:
    for found in _strings(code, b"OpenBK72", _OPENBEKEN):
        chip = _CHIPS.get(found[1].decode("ascii").lower())
        if chip is not None:
            yield chip, f"the build names itself {found[0][:-1].decode('ascii')}"


def _libretiny(code: bytes) -> Iterator[tuple[Chip, str]]:
    for found in _strings(code, b"LibreTiny v", _LIBRETINY):
        board = found[1].decode("ascii")
        chip = _chip_of_board(board)
        if chip is not None:
            yield chip, f"the build is LibreTiny's for the board {board}"


def _tuya(code: bytes) -> Iterator[tuple[Chip, str]]:
    for found in _strings(code, b"< BUILD AT:", _TUYA):
        name = found[1].decode("ascii")
        chip = Chip.Q if name == "bk7231" else _CHIPS.get(name)
        if chip is not None:
            yield chip, f"Tuya's record of the build names {name}"


def _chip_of_board(board: str) -> Chip | None:
    for pattern, chip in _BOARDS:
        found = pattern.match(board)
        if found:
            return chip or _CHIPS.get(found[1])
    return None


def _strings(code: bytes, start: bytes, pattern: re.Pattern[bytes]) -> Iterator[re.Match[bytes]]:
    """Strings of the code that fit a pattern from their first letter on: what stands inside another one does not."""
    at = -1
    for _ in range(RECORDS_MOST):
        at = code.find(start, at + 1)
        if at < 0:
            return
        inside = at > 0 and 0x20 <= code[at - 1] <= 0x7E
        found = None if inside else pattern.match(code, at)
        if found:
            yield found
