"""Ways to damage valid bytes: flips, cuts, splices, repetitions, words of the format, length fields at their ends."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__all__ = ["EDITS", "MOST_EDITS", "Edit", "any_edit", "damaged"]

NUMBERS: Final = 1 << 32
"""Edits are made of two numbers below this; what they mean depends on the bytes they meet."""

MOST_EDITS: Final = 8
NEAR: Final = 128
"""Bytes behind a mark of the format within which half of all edits fall: headers are small, and code is large."""

EXTREMES: Final = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


@dataclass(frozen=True, slots=True)
class Edit:
    """One piece of damage: how, where, and with what."""

    how: str
    at: int
    value: int


def any_edit(chance: random.Random) -> Edit:
    return Edit(chance.choice(EDITS), chance.randrange(NUMBERS), chance.randrange(NUMBERS))


def damaged(
    seed: bytes, edits: Iterable[Edit], *, others: Sequence[bytes] = (), words: Sequence[bytes] = (), most: int
) -> bytes:
    """A seed after some edits, ``most`` bytes at most. ``others`` are spliced in, ``words`` are what a format is of."""
    data, marks = bytearray(seed[:most]), _marks(seed, tuple(words))
    for edit in edits:
        place = _place(len(data), edit.at, marks)
        _HOW[edit.how](data, place, edit.value, (*others, *words))
        del data[most:]
    return bytes(data)


def _place(size: int, at: int, marks: Sequence[int]) -> int:
    if at % 2 and marks:
        return min(size, marks[at // 2 % len(marks)] + at // (1 << 20) % NEAR)
    return at // 2 % (size + 1)


@lru_cache(maxsize=64)
def _marks(seed: bytes, words: Sequence[bytes]) -> Sequence[int]:
    found = {0}
    for word in words:
        at = seed.find(word)
        while at >= 0 and len(found) < 64:
            found.add(at)
            at = seed.find(word, at + 1)
    return sorted(found)


# ---- each way


def _flip(data: bytearray, place: int, value: int, _: Sequence[bytes]) -> None:
    if place < len(data):
        data[place] ^= 1 << value % 8


def _set(data: bytearray, place: int, value: int, _: Sequence[bytes]) -> None:
    data[place : place + 1] = bytes((value % 256,))


def _cut(data: bytearray, place: int, value: int, _: Sequence[bytes]) -> None:
    del data[place : place + 1 + value % 300]


def _end(data: bytearray, place: int, value: int, _: Sequence[bytes]) -> None:
    del data[place:]


def _repeat(data: bytearray, place: int, value: int, _: Sequence[bytes]) -> None:
    length, turns = 1 + value // 64 % 64, 1 + value % 64
    data[place:place] = data[place : place + length] * turns


def _splice(data: bytearray, place: int, value: int, others: Sequence[bytes]) -> None:
    if others:
        other = others[value % len(others)]
        data[place:] = other[value // 64 % (len(other) + 1) :]


def _word(data: bytearray, place: int, value: int, others: Sequence[bytes]) -> None:
    if others:
        word = others[value % len(others)][:64]
        data[place : place + len(word) * (value // 64 % 2)] = word


def _extreme(data: bytearray, place: int, value: int, _: Sequence[bytes]) -> None:
    number = (*EXTREMES, len(data), len(data) + 1)[value % (len(EXTREMES) + 2)]
    size, order = (1, 2, 4)[value // 16 % 3], ("little", "big")[value // 64 % 2]
    number &= (1 << 8 * size) - 1
    data[place : place + size] = number.to_bytes(size, order)  # type: ignore[arg-type]


_HOW: Final[dict[str, Callable[[bytearray, int, int, Sequence[bytes]], None]]] = {
    "flip": _flip,
    "set": _set,
    "cut": _cut,
    "end": _end,
    "repeat": _repeat,
    "splice": _splice,
    "word": _word,
    "extreme": _extreme,
}
EDITS: Final = tuple(_HOW)
