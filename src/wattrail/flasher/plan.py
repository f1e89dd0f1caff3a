"""Which erases and which sectors bring a block of flash to what it should hold. Pure: it decides and does nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wattrail.bootrom.geometry import ERASE_32K, ERASE_64K, SECTOR, Erase
from wattrail.flasher.survey import Found, Span

__all__ = ["BlockPlan", "Wanted", "plan_block"]

WORTH: Final = {ERASE_64K.code: 6, ERASE_32K.code: 4}
"""From how many sectors on a larger erase takes less time than theirs one by one (250 and 150 ms against 45 each)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Runs of whole sectors that flash should hold, ascending, not touching each other."""

    runs: tuple[tuple[int, bytes], ...]

    @property
    def spans(self) -> tuple[Span, ...]:
        """Their places."""
        return tuple((start, len(data)) for start, data in self.runs)

    @property
    def length(self) -> int:
        """Bytes in all."""
        return sum(len(data) for _, data in self.runs)

    def rest(self, size: int) -> tuple[Span, ...]:
        """Everything else in a flash of that size."""
        gaps, at = [], 0
        for start, length in (*self.spans, (size, 0)):
            if start > at:
                gaps.append((at, start - at))
            at = start + length
        return tuple(gaps)


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """What to erase, then what to program, in order. Addresses in bytes of flash."""

    erases: tuple[tuple[Erase, int], ...]
    programs: tuple[int, ...]

    @property
    def steps(self) -> Iterator[tuple[Erase | None, int]]:
        """In order: a unit to erase, or None and a sector to program. What was erased is programmed next.

        So a power cut costs what one erase spans, and no more.
        """
        left = list(self.programs)
        for size, at in self.erases:
            yield size, at
            inside = [sector for sector in left if at <= sector < at + size.span]
            yield from ((None, sector) for sector in inside)
            left = [sector for sector in left if sector not in inside]
        yield from ((None, sector) for sector in left)

    @property
    def sectors(self) -> set[int]:
        """Addresses of all it touches."""
        erased = {sector for size, at in self.erases for sector in range(at, at + size.span, SECTOR)}
        return erased | set(self.programs)

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.erases or self.programs)


def plan_block(start: int, want: bytes, found: Mapping[int, Found], erases: Sequence[Erase]) -> BlockPlan:
    """The plan for the sectors from ``start`` on, at most a block. ``erases`` are those the responder carries out.

    A larger erase is taken only where it hits nothing but sectors that are to be erased or are blank: what is right
    already stays untouched.
    """
    other = {at for at, how in found.items() if how is Found.OTHER}
    free = other | {at for at, how in found.items() if how is Found.BLANK}
    units: list[tuple[Erase, int]] = []
    for size in sorted(erases, key=lambda erase: -erase.span):
        for at in _units(start, len(want), size):
            inside = set(range(at, at + size.span, SECTOR))
            if inside <= free and len(inside & other) >= WORTH.get(size.code, 1):
                units.append((size, at))
                other -= inside
                free -= inside
    programs = (at for at, how in sorted(found.items()) if how is not Found.SAME and not _blank(want, at - start))
    return BlockPlan(tuple(sorted(units, key=lambda unit: unit[1])), tuple(programs))


def _units(start: int, length: int, size: Erase) -> range:
    first = -(-start // size.span) * size.span
    return range(first, start + length - size.span + 1, size.span)


def _blank(want: bytes, place: int) -> bool:
    return not want[place : place + SECTOR].strip(b"\xff")
