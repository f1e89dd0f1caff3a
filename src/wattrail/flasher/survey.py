"""Comparing flash with what it should hold by the chip's own CRCs, and finding the sectors that differ. Pure.

A question for a CRC costs 24 bytes of wire, a sector 4123. The CRC of two halves follows from the CRC of the whole and
that of one half, so going down from 64 KiB to a sector asks for one half at each step and works out the other.

When a block differs, four of its sectors are looked at first: a new firmware differs everywhere, and then going down
would cost more than it saves.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from enum import Enum
from functools import cache
from typing import Final

from wattrail.bootrom.geometry import SECTOR
from wattrail.bootrom.ranges import wire_crc

__all__ = ["Found", "Span", "Survey", "blank_crc", "second_half", "survey"]

Span = tuple[int, int]
"""Start and length in bytes."""


class Found(Enum):
    """How a sector compares with what it should hold."""

    SAME = "holds it"
    BLANK = "is blank and should not be"
    OTHER = "holds something else"


Survey = Generator[Span, int, dict[int, Found]]
"""Yields the span whose CRC is wanted, is sent that CRC, and returns each sector's finding by its address."""

PROBES: Final = 4
_POLYNOMIAL: Final = 0xEDB88320


def survey(start: int, want: bytes, *, exact: bool = False, expect_new: bool = False) -> Survey:
    """Compare the sectors from ``start`` on with ``want``, whole sectors of bytes.

    Unless ``exact``, a block whose probes all differ is taken to differ as a whole: what is found to be right is right,
    and what is not may be. ``expect_new``: the block before differed as a whole, so one sector that does too will do.
    Raises ValueError for anything but whole sectors.
    """
    if start % SECTOR or len(want) % SECTOR or not want:
        raise ValueError(f"{len(want)} bytes at {start:#x} are no whole sectors of {SECTOR}")
    if expect_new and not exact:
        middle = len(want) // SECTOR // 2 * SECTOR
        crc = yield start + middle, SECTOR
        if _verdict(crc, want[middle : middle + SECTOR]) is Found.OTHER:
            return _all(start, want, Found.OTHER)
    crc = yield start, len(want)
    verdict = _verdict(crc, want)
    count = len(want) // SECTOR
    if verdict is not Found.OTHER or count == 1:
        return _all(start, want, verdict)
    probed = yield from _probe(start, want)
    if count <= PROBES or not (exact or Found.SAME in probed.values()):
        return {at: probed.get(at, Found.OTHER) for at in range(start, start + len(want), SECTOR)}
    found = yield from _descend(start, want, crc)
    return {**found, **probed}


def _probe(start: int, want: bytes) -> Survey:
    """A few sectors, spread evenly; all of them where there are no more."""
    found: dict[int, Found] = {}
    for place in _spread(len(want) // SECTOR):
        piece = want[place * SECTOR : (place + 1) * SECTOR]
        crc = yield start + place * SECTOR, SECTOR
        found[start + place * SECTOR] = _verdict(crc, piece)
    return found


def _spread(count: int) -> Iterable[int]:
    return range(count) if count <= PROBES else [(2 * turn + 1) * count // (2 * PROBES) for turn in range(PROBES)]


def _descend(start: int, want: bytes, crc: int) -> Survey:
    """Both halves of a span that is known to differ, one of them worked out."""
    verdict = _verdict(crc, want)
    if verdict is not Found.OTHER or len(want) == SECTOR:
        return _all(start, want, verdict)
    half = len(want) // SECTOR // 2 * SECTOR
    left = yield start, half
    right = second_half(crc, left, len(want) - half)
    found = yield from _descend(start, want[:half], left)
    rest = yield from _descend(start + half, want[half:], right)
    return {**found, **rest}


def _all(start: int, want: bytes, verdict: Found) -> dict[int, Found]:
    """The verdict for each sector; in a blank span those that shall be blank are right."""
    found = dict.fromkeys(range(start, start + len(want), SECTOR), verdict)
    if verdict is Found.BLANK:
        for at in found:
            if not want[at - start : at - start + SECTOR].strip(b"\xff"):
                found[at] = Found.SAME
    return found


def _verdict(crc: int, want: bytes) -> Found:
    if crc == wire_crc(want):
        return Found.SAME
    return Found.BLANK if crc == blank_crc(len(want)) else Found.OTHER


@cache
def blank_crc(length: int) -> int:
    """The CRC of that many erased bytes."""
    return wire_crc(b"\xff" * length)


def second_half(whole: int, first: int, length: int) -> int:
    """The CRC of the last ``length`` bytes, from that of everything and that of what stands before them.

    The register is linear: what the first part left in it, and what a fresh one holds, differ by the same amount
    shifted through the second part's zeros.
    """
    return whole ^ _shifted(first ^ 0xFFFF_FFFF, length)


def _shifted(register: int, length: int) -> int:
    """The register after ``length`` zero bytes: it times x to the power of 8 x length."""
    return _product(register, _power(length))


@cache
def _power(length: int) -> int:
    """The power 8 * length of x modulo the polynomial, bits reflected: the highest bit is x ** 0."""
    result, square = 1 << 31, 1 << 23  # 1, and x ** 8
    while length:
        if length & 1:
            result = _product(result, square)
        square = _product(square, square)
        length >>= 1
    return result


def _product(left: int, right: int) -> int:
    """Product of two reflected polynomials modulo the CRC's."""
    result = 0
    for bit in range(31, -1, -1):
        if left >> bit & 1:
            result ^= right
        right = right >> 1 ^ (_POLYNOMIAL if right & 1 else 0)
    return result


def differing(found: Mapping[int, Found]) -> list[int]:
    """Addresses of the sectors that do not hold what they should, ascending."""
    return sorted(at for at, how in found.items() if how is not Found.SAME)
