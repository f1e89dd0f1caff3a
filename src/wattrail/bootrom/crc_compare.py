"""Compares flash with what it should hold by the chip's own CRCs, and finds the sectors that differ. Pure.

A request for a CRC costs 24 bytes of wire, a sector 4123. The CRC of two halves follows from the CRC of the whole and
that of one half, so going down from 64 KiB to a sector asks for one half at each step and works out the other.

When a block differs, four of its sectors are looked at first: a new firmware differs everywhere, and then going down
would cost more than it saves.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from typing import Final

from wattrail.bootrom.geometry import ERASE_64K, SECTOR
from wattrail.bootrom.requests import wire_crc

__all__ = [
    "CrcQueries",
    "SectorState",
    "Span",
    "blank_crc",
    "blocks_of",
    "compare_bytes",
    "crc_queries",
    "differing",
    "joined_spans",
    "sector_crcs",
]

Span = tuple[int, int]
"""Start and length in bytes."""


class SectorState(Enum):
    """How a sector compares with what it should hold."""

    SAME = "holds it"
    BLANK = "is blank and should not be"
    OTHER = "holds something else"


CrcQueries = Generator[Span, int, dict[int, SectorState]]
"""Yields the span whose CRC is wanted, is sent that CRC, and returns each sector's state by its address."""

BLOCK: Final = ERASE_64K.span
PROBES: Final = 4
_POLYNOMIAL: Final = 0xEDB88320


def crc_queries(start: int, want: bytes, *, exact: bool = False, expect_new: bool = False) -> CrcQueries:
    """Compare the sectors from ``start`` on with ``want``, whole sectors of bytes.

    Unless ``exact``, a block whose probes all differ is taken to differ as a whole: what is found to be right is right,
    and what is not may be. ``expect_new``: the block before differed as a whole, so one sector that does too will do.
    Raises ValueError for anything but whole sectors.
    """
    if start % SECTOR or len(want) % SECTOR or not want:
        raise ValueError(f"{len(want)} bytes at {start:#x} are not whole sectors of {SECTOR}")
    if expect_new and not exact:
        middle = len(want) // SECTOR // 2 * SECTOR
        crc = yield start + middle, SECTOR
        if _verdict(crc, want[middle : middle + SECTOR]) is SectorState.OTHER:
            return _all(start, want, SectorState.OTHER)
    crc = yield start, len(want)
    verdict = _verdict(crc, want)
    count = len(want) // SECTOR
    if verdict is not SectorState.OTHER or count == 1:
        return _all(start, want, verdict)
    probed = yield from _probe(start, want)
    if count <= PROBES or not (exact or SectorState.SAME in probed.values()):
        return {at: probed.get(at, SectorState.OTHER) for at in range(start, start + len(want), SECTOR)}
    found = yield from _descend(start, want, crc)
    return {**found, **probed}


def _probe(start: int, want: bytes) -> CrcQueries:
    """A few sectors, spread evenly; all of them where there are no more."""
    found: dict[int, SectorState] = {}
    for place in _spread(len(want) // SECTOR):
        piece = want[place * SECTOR : (place + 1) * SECTOR]
        crc = yield start + place * SECTOR, SECTOR
        found[start + place * SECTOR] = _verdict(crc, piece)
    return found


def _spread(count: int) -> Iterable[int]:
    return range(count) if count <= PROBES else [(2 * turn + 1) * count // (2 * PROBES) for turn in range(PROBES)]


def _descend(start: int, want: bytes, crc: int) -> CrcQueries:
    """Both halves of a span that is known to differ, one of them worked out."""
    verdict = _verdict(crc, want)
    if verdict is not SectorState.OTHER or len(want) == SECTOR:
        return _all(start, want, verdict)
    half = len(want) // SECTOR // 2 * SECTOR
    left = yield start, half
    right = second_half(crc, left, len(want) - half)
    found = yield from _descend(start, want[:half], left)
    rest = yield from _descend(start + half, want[half:], right)
    return {**found, **rest}


def _all(start: int, want: bytes, verdict: SectorState) -> dict[int, SectorState]:
    """The verdict for each sector; in a blank span those that shall be blank are right."""
    found = dict.fromkeys(range(start, start + len(want), SECTOR), verdict)
    if verdict is SectorState.BLANK:
        for at in found:
            if not want[at - start : at - start + SECTOR].strip(b"\xff"):
                found[at] = SectorState.SAME
    return found


def _verdict(crc: int, want: bytes) -> SectorState:
    if crc == wire_crc(want):
        return SectorState.SAME
    return SectorState.BLANK if crc == blank_crc(len(want)) else SectorState.OTHER


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


def sector_crcs(runs: Iterable[tuple[int, bytes]]) -> dict[int, int]:
    """The CRC of each sector of some runs, by address."""
    return {
        start + place: wire_crc(data[place : place + SECTOR])
        for start, data in runs
        for place in range(0, len(data), SECTOR)
    }


def compare_bytes(start: int, want: bytes, known: bytes) -> dict[int, SectorState]:
    """The same comparison without asking the chip: ``known`` is the whole flash as it was just read."""
    found = {}
    for place in range(0, len(want), SECTOR):
        is_, should = known[start + place : start + place + SECTOR], want[place : place + SECTOR]
        blank = not is_.strip(b"\xff")
        state = SectorState.SAME if is_ == should else SectorState.BLANK if blank else SectorState.OTHER
        found[start + place] = state
    return found


def blocks_of(start: int, length: int) -> Iterator[Span]:
    """The range cut at the borders of 64 KiB."""
    end = start + length
    while start < end:
        border = min(end, (start // BLOCK + 1) * BLOCK)
        yield start, border - start
        start = border


def joined_spans(sectors: Iterable[int]) -> list[Span]:
    """Neighbouring sectors, joined."""
    spans: list[Span] = []
    for at in sorted(sectors):
        if spans and sum(spans[-1]) == at:
            spans[-1] = (spans[-1][0], spans[-1][1] + SECTOR)
        else:
            spans.append((at, SECTOR))
    return spans


def differing(found: Mapping[int, SectorState]) -> list[int]:
    """Addresses of the sectors that do not hold what they should, ascending."""
    return sorted(at for at, how in found.items() if how is not SectorState.SAME)
