"""The map of a flash: what lies where, by content first, and by the layout of the chip for the rest.

What is found by content has its own limits: RBL headers and block CRCs for code, the structure of an RF block, a key
that opens Tuya's storage, a checksum over OpenBeken's configuration, a superblock of LittleFS. What lies between is
cut at the partitions of the chip's layout, and what is erased is called so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from wattrail.image.layout import SECTOR, Layout

__all__ = ["Region", "fill_map"]

_ERASED: Final = "erased"

MAX_REGIONS: Final = 256
"""Regions of one map; a flash in use has about 15."""


@dataclass(frozen=True, slots=True)
class Region:
    """A run of flash: ``start`` up to ``end``, of which ``used`` bytes are in sectors that are not erased.

    ``holds`` is what is in it, of an erased one the partitions that the layout has there. ``evidence`` says what shows
    it; ``by_content`` is False where only the chip's layout says so. ``is_public`` is whether its bytes hold nothing of
    this one board or its owner.
    """

    name: str
    start: int
    end: int
    holds: str
    evidence: str
    by_content: bool = True
    is_public: bool = False
    used: int = 0

    @property
    def length(self) -> int:
        """Bytes."""
        return self.end - self.start


def fill_map(found: Iterable[Region], flash: bytes, base: int, layout: Layout) -> tuple[Region, ...]:
    """All of some bytes of flash as regions, in order and without holes; of two that overlap the first given stays."""
    placed: list[Region] = []
    for region in found:
        clipped = _clipped(region, base, base + len(flash))
        if clipped.length > 0 and all(clipped.end <= other.start or other.end <= clipped.start for other in placed):
            placed.append(clipped)
    placed.sort(key=lambda region: region.start)
    whole = _joined(_with_gaps(placed[:MAX_REGIONS], flash, base, layout))
    return tuple(_counted(region, flash, base) for region in whole)


def _clipped(region: Region, start: int, end: int) -> Region:
    return replace(region, start=max(region.start, start), end=min(region.end, end))


def _counted(region: Region, flash: bytes, base: int) -> Region:
    stored = flash[region.start - base : region.end - base]
    return replace(region, used=_used_bytes(stored))


def _used_bytes(stored: bytes) -> int:
    """Bytes in sectors that are not erased."""
    blank = b"\xff" * SECTOR
    sectors = (stored[at : at + SECTOR] for at in range(0, len(stored), SECTOR))
    return sum(len(sector) for sector in sectors if sector != blank[: len(sector)])


def _with_gaps(placed: list[Region], flash: bytes, base: int, layout: Layout) -> Iterator[Region]:
    at = base
    for region in placed:
        yield from _gap(at, region.start, flash, base, layout)
        yield region
        at = region.end
    yield from _gap(at, base + len(flash), flash, base, layout)


def _gap(start: int, end: int, flash: bytes, base: int, layout: Layout) -> Iterator[Region]:
    """What the layout calls a run in which nothing was recognised, cut where a partition ends."""
    while start < end:
        partition = layout.at(start)
        stop = min(end, partition.end) if partition else end
        stored = flash[start - base : stop - base]
        if not stored.strip(b"\xff"):
            yield Region(_ERASED, start, stop, partition.name if partition else "", "every byte is FF", is_public=True)
        elif partition is None:
            yield Region("unknown", start, stop, "not recognised", "no layout has a name for it", by_content=False)
        else:
            usual = f"usually {partition.holds}"
            yield Region(partition.name, start, stop, usual, f"the layout of {layout.name}", by_content=False)
        start = stop


def _joined(regions: Iterable[Region]) -> Iterator[Region]:
    """Erased regions that follow each other as one, which names all the layout has there."""
    last: Region | None = None
    for region in regions:
        if last is not None and last.name == region.name == _ERASED:
            last = replace(last, end=region.end, holds=", ".join(filter(None, (last.holds, region.holds))))
            continue
        if last is not None:
            yield last
        last = region
    if last is not None:
        yield last
