"""Where two images differ: by partition, then by sector, because a sector is what a flasher must erase."""

from __future__ import annotations

from dataclasses import dataclass

from wattrail.errors import ImageError
from wattrail.image.layout import SECTOR
from wattrail.image.model import Image

__all__ = ["Difference", "PartitionDiff", "SectorDiff", "diff"]


@dataclass(frozen=True, slots=True)
class SectorDiff:
    """A sector that differs: where it begins in flash, in how many bytes, and the first of them."""

    offset: int
    count: int
    first: int


@dataclass(frozen=True, slots=True)
class PartitionDiff:
    """One partition, as far as both images have it. ``start`` and ``length`` are bytes of flash."""

    name: str
    start: int
    length: int
    unique: bool
    sectors: tuple[SectorDiff, ...]

    @property
    def count(self) -> int:
        """Bytes that differ."""
        return sum(sector.count for sector in self.sectors)


@dataclass(frozen=True, slots=True)
class Difference:
    """Two images beside each other. ``only`` names ranges that one of them alone has."""

    partitions: tuple[PartitionDiff, ...]
    only: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether both have the same bytes in the same places."""
        return not self.only and not any(part.sectors for part in self.partitions)


def diff(one: Image, other: Image) -> Difference:
    """Compare what two images put into flash; files of other kinds are compared from their first byte on.

    Raises ImageError if only one of them is a flash image.
    """
    if one.kind.is_flash_image != other.kind.is_flash_image:
        raise ImageError(
            f"{one.kind.value} and {other.kind.value} cannot be compared",
            hint="convert both to the same kind first, for example to plain code",
        )
    (a, start), (b, other_start) = _bytes(one), _bytes(other)
    low, high = max(start, other_start), min(start + len(a), other_start + len(b))
    parts = []
    if low < high:
        # One of the two may be an app alone, which says nothing of its chip.
        laid = one if one.chip else other
        spans = [(p.name, p.start, p.end, p.unique) for p in laid.layout.partitions]
        if not one.kind.is_flash_image or high > spans[-1][2]:
            spans = [("file", 0, high, False)]
        for name, begin, end, unique in spans:
            begin, end = max(begin, low), min(end, high)
            if begin < end:
                sectors = _sectors(a[begin - start : end - start], b[begin - other_start : end - other_start], begin)
                parts.append(PartitionDiff(name, begin, end - begin, unique, sectors))
    only = (*_only("the first", start, len(a), low, high), *_only("the second", other_start, len(b), low, high))
    return Difference(tuple(parts), only)


def _bytes(image: Image) -> tuple[bytes, int]:
    return (image.flash, image.base) if image.kind.is_flash_image and image.flash else (image.data, 0)


def _sectors(a: bytes, b: bytes, begin: int) -> tuple[SectorDiff, ...]:
    if a == b:
        return ()
    from wattrail.image import vectorised

    lead = begin % SECTOR  # so that sectors are those of the flash
    numbers, counts = vectorised.changed_sectors(bytes(lead) + a, bytes(lead) + b, SECTOR)
    return tuple(
        SectorDiff(begin - lead + number * SECTOR, count, begin + _first(a, b, number * SECTOR - lead))
        for number, count in zip(numbers, counts, strict=True)
    )


def _first(a: bytes, b: bytes, at: int) -> int:
    """The first place from there on where both differ."""
    return next(i for i in range(max(at, 0), len(a)) if a[i] != b[i])


def _only(which: str, start: int, length: int, low: int, high: int) -> tuple[str, ...]:
    end = start + length
    if low >= high:
        return (f"only {which} has {start:#x} to {end:#x}",) if length else ()
    spans = ((start, low), (high, end))
    return tuple(f"only {which} has {begin:#x} to {stop:#x}" for begin, stop in spans if begin < stop)
