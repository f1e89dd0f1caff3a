"""What is to be written: the image's segments for this flash, whole sectors of them, erases and programs. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wattrail.bootrom.crc_compare import SectorState, Span, blocks_of
from wattrail.bootrom.geometry import ERASE_32K, ERASE_64K, SECTOR, Erase
from wattrail.errors import ImageError, WriteRefused
from wattrail.flasher.flash_target import FlashTarget
from wattrail.flasher.safety_checks import Risk, check, check_dump, check_end, no_part, placed
from wattrail.image import Image

__all__ = [
    "BlockPlan",
    "SectorRuns",
    "Segment",
    "WritePlan",
    "plan_block",
    "plan_dump",
    "plan_erase",
    "plan_image",
    "rf_span",
]

WORTH: Final = {ERASE_64K.code: 6, ERASE_32K.code: 4}
"""From how many sectors on a larger erase takes less time than theirs one by one (250 and 150 ms against 45 each)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes and where in flash they belong."""

    start: int
    data: bytes

    @property
    def end(self) -> int:
        """The address behind them."""
        return self.start + len(self.data)


@dataclass(frozen=True, slots=True)
class WritePlan:
    """Segments for flash, ascending, a byte at least; and what was kept back, as text."""

    segments: tuple[Segment, ...]
    kept: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for nothing at all: whoever writes or compares that would call it a success."""
        if not any(segment.data for segment in self.segments):
            raise ValueError("a write plan without a byte")

    @property
    def torn_sectors(self) -> tuple[int, ...]:
        """Addresses of the sectors of which a segment covers only a part."""
        edges = (edge for segment in self.segments for edge in (segment.start, segment.end) if edge % SECTOR)
        return tuple(sorted({edge - edge % SECTOR for edge in edges}))

    def whole_sectors(self, now: Mapping[int, bytes]) -> SectorRuns:
        """The sectors of all segments; the rest of a torn one is what is there ``now``."""
        runs: list[tuple[int, bytearray]] = []
        for segment in self.segments:
            head, tail = segment.start % SECTOR, segment.end % SECTOR
            start, data = segment.start - head, segment.data
            if head:
                data = now[start][:head] + data
            if tail:
                data += now[segment.end - tail][tail:]
            if runs and runs[-1][0] + len(runs[-1][1]) == start:
                runs[-1][1].extend(data)
            else:
                runs.append((start, bytearray(data)))
        return SectorRuns(tuple((start, bytes(data)) for start, data in runs))

    def with_segment(self, extra: Segment) -> WritePlan:
        """With more bytes, in the place of what the plan has there."""
        cut = [piece for segment in self.segments for piece in _without(segment, extra.start, extra.end)]
        return WritePlan(tuple(sorted([*cut, extra], key=lambda piece: piece.start)), self.kept)


@dataclass(frozen=True, slots=True)
class SectorRuns:
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

    @property
    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """All of them cut at the borders of 64 KiB: address, content."""
        for start, data in self.runs:
            for at, length in blocks_of(start, len(data)):
                yield at, data[at - start : at - start + length]

    def rest(self, size: int) -> tuple[Span, ...]:
        """Everything else in a flash of that size."""
        gaps, at = [], 0
        for start, length in (*self.spans, (size, 0)):
            if start > at:
                gaps.append((at, start - at))
            at = start + length
        return tuple(gaps)

    def laid_over(self, flash: bytes) -> bytes:
        """A whole flash after these were written to it."""
        changed = bytearray(flash)
        for start, data in self.runs:
            changed[start : start + len(data)] = data
        return bytes(changed)


# ---- what of an image goes into this flash


def plan_image(
    image: Image, target: FlashTarget, *, start: int | None, parts: Collection[str], allow: Collection[Risk]
) -> WritePlan:
    """The segments of an image; never none. ``start`` is only for bytes that do not say where they belong.

    The RF block is kept back unless allowed. Raises WriteRefused, and ImageError for what does not fit the flash or for
    parts the image does not have.
    """
    check(image, target, start, allow)
    base, data = placed(image, start)
    check_end(base, data, target.size)
    segments, kept = _keep_rf(Segment(base, data), target, allow, also=image.rf_at)
    if kept and "rf" in parts:
        raise _rf_refused(target)
    if parts:
        segments = [cut for name in parts for cut in _part(segments, target, name)]
        segments.sort(key=lambda segment: segment.start)
    return WritePlan(tuple(segments), tuple(kept))


def plan_erase(start: int, length: int, target: FlashTarget, allow: Collection[Risk]) -> WritePlan:
    """Erased sectors; the RF block is kept back unless allowed.

    Raises ValueError for parts of sectors, WriteRefused if nothing is left.
    """
    if start % SECTOR or length % SECTOR or length <= 0 or start < 0 or start + length > target.size:
        raise ValueError(f"{length:#x} bytes from {start:#x} are not whole sectors of {SECTOR:#x} inside the flash")
    segments, kept = _keep_rf(Segment(start, b"\xff" * length), target, allow)
    return WritePlan(tuple(segments), tuple(kept))


def rf_span(dump: Image, target: FlashTarget) -> Span:
    """Where a dump has its RF block: by itself, or by the layout of the chip."""
    rf = target.layout["rf"]
    return (rf.start if dump.rf_at is None else dump.rf_at - dump.rf_at % SECTOR), rf.length


def plan_dump(dump: Image, target: FlashTarget, rf_now: bytes, *, name: str, allow: Collection[Risk]) -> WritePlan:
    """The whole flash as a dump has it; ``rf_now`` is what the board holds at ``rf_span``. Raises WriteRefused."""
    start, length = rf_span(dump, target)
    theirs = dump.data[start : start + length]
    same_rf = theirs == rf_now and bool(theirs.strip(b"\xff") and theirs.strip(b"\0"))
    check_dump(dump, target, allow, same_rf=same_rf)
    if Risk.RF not in allow and theirs != rf_now:
        raise WriteRefused(
            f"{name} has another RF block than this board: it is another board's dump, or this one's was lost",
            risk=Risk.RF.value,
            hint="take a dump of this very board: radio calibration and MAC address belong to one board",
        )
    return WritePlan((Segment(0, dump.data),))


def _part(segments: list[Segment], target: FlashTarget, name: str) -> list[Segment]:
    known = [partition.name for partition in target.layout.partitions]
    if name not in known:
        raise ImageError(f"there is no partition {name!r}", hint=f"known: {', '.join(known)}")
    partition = target.layout[name]
    found = []
    for segment in segments:
        first = max(segment.start, partition.start)
        data = segment.data[first - segment.start : max(0, partition.end - segment.start)]
        if data:
            found.append(Segment(first, data))
    if not found:
        raise no_part(name)
    return found


def _keep_rf(
    whole: Segment, target: FlashTarget, allow: Collection[Risk], *, also: int | None = None
) -> tuple[list[Segment], list[str]]:
    """The segment less the RF block, unless that is allowed; and what was kept back, as text.

    ``also``: where the image itself holds such a block. Some modules keep it where another chip of the family does: a
    public BL2028N dump, whose loader is that of an N, has it at 0x1e0000. Raises WriteRefused where nothing is left: a
    write of nothing would look like a success.
    """
    if Risk.RF in allow:
        return [whole], []
    rf = target.layout["rf"]
    holes = {rf.start: rf.length} | ({} if also is None else {also - also % SECTOR: rf.length})
    kept, words = [whole], []
    for start, length in sorted(holes.items()):
        left = [segment for one in kept for segment in _without(one, start, start + length)]
        if left != kept:
            words.append(
                f"the RF block at {start:#x} stays as it is: it belongs to this one board (allow 'rf' to write it)"
            )
        kept = left
    if not kept:
        raise _rf_refused(target)
    return kept, words


def _rf_refused(target: FlashTarget) -> WriteRefused:
    """The error where the RF block is all that there is to write."""
    return WriteRefused(
        f"the RF block at {target.layout['rf'].start:#x} holds radio calibration and MAC address: "
        "they exist on this board only",
        risk=Risk.RF.value,
        hint="keep a dump of this board in a safe place first: wattrail flash read PORT OUT",
    )


def _without(segment: Segment, start: int, end: int) -> list[Segment]:
    """A segment less a range."""
    before = segment.data[: max(0, start - segment.start)]
    after = segment.data[max(0, end - segment.start) :]
    places = ((segment.start, before), (max(segment.start, end), after))
    return [Segment(at, data) for at, data in places if data]


# ---- how a block of flash gets there


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
        # Other flashers erase the whole range first: the commonest failure, in the middle of writing, then leaves a
        # blank app. Source: bk-boot/hosts.
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


def plan_block(start: int, want: bytes, found: Mapping[int, SectorState], erases: Sequence[Erase]) -> BlockPlan:
    """The plan for the sectors from ``start`` on, at most a block. ``erases`` are those the responder carries out.

    A larger erase is taken only where it hits nothing but sectors that are to be erased or are blank: what is right
    already stays untouched.
    """
    other = {at for at, how in found.items() if how is SectorState.OTHER}
    free = other | {at for at, how in found.items() if how is SectorState.BLANK}
    units: list[tuple[Erase, int]] = []
    # Only sizes the responder carries out: the loader of a T answers "done" to 32 KiB and erases nothing.
    # Source: bk-boot/loader-1.
    for size in sorted(erases, key=lambda erase: -erase.span):
        for at in _units(start, len(want), size):
            inside = set(range(at, at + size.span, SECTOR))
            if inside <= free and len(inside & other) >= WORTH.get(size.code, 1):
                units.append((size, at))
                other -= inside
                free -= inside
    programs = (at for at, how in sorted(found.items()) if how is not SectorState.SAME and not _blank(want, at - start))
    return BlockPlan(tuple(sorted(units, key=lambda unit: unit[1])), tuple(programs))


def _units(start: int, length: int, size: Erase) -> range:
    first = -(-start // size.span) * size.span
    return range(first, start + length - size.span + 1, size.span)


def _blank(want: bytes, place: int) -> bool:
    return not want[place : place + SECTOR].strip(b"\xff")
