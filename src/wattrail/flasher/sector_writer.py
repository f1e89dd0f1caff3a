"""Writing sectors: which of an image, only those that differ, and nothing is believed before a CRC has said it.

Each block is compared, erased and programmed where it differs, and compared again. Whatever goes wrong on the way (a
damaged request, a lost link) may have changed what was checked before, for a damaged address erases elsewhere: then
everything is compared once more, also what lies outside the range.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Final

from wattrail.bootrom.crc_compare import (
    SectorState,
    Span,
    blank_crc,
    blocks_of,
    compare_bytes,
    differing,
    joined_spans,
    sector_crcs,
)
from wattrail.bootrom.geometry import SECTOR
from wattrail.bootrom.requests import wire_crc
from wattrail.diagnosis import Stage
from wattrail.errors import VerifyError, WriteProtected, WriteRefused
from wattrail.flasher.device import FlashDevice, FlashReader, compare
from wattrail.flasher.events import Fact, Note, ProgressCounter
from wattrail.flasher.identify import ExpectedBoard
from wattrail.flasher.journal import Journal
from wattrail.flasher.safety_checks import Risk
from wattrail.flasher.write_plan import BlockPlan, SectorRuns, WritePlan, plan_block
from wattrail.image.rbl import PACKED_HEADER

__all__ = ["SectorWriter", "wanted_sectors"]

logger = logging.getLogger(__name__)

MAX_RETRIES: Final = 2
"""Further attempts to change a sector that did not change, before the flash counts as protected."""

MAX_REWRITES: Final = 8
"""Attempts to erase and program a block that does not hold its content."""

MAX_PASSES: Final = 5
"""Turns of comparing everything after something went wrong; each begins only because the last one met trouble."""


class SectorWriter:
    """One write. ``fresh`` is the whole flash as this session has just read it, None if it has not.

    ``board`` learns which block is being written: if the link is lost meanwhile, that block may hold anything.
    """

    def __init__(
        self, device: FlashDevice, board: ExpectedBoard, *, journal: Journal | None = None, fresh: bytes | None = None
    ) -> None:
        self._device = device
        self._board = board
        self._journal = journal
        self._fresh = fresh
        self._first_faults = device.fault_generation
        self._proven: dict[Span, int] = {}
        self._before: dict[Span, int] = {}
        self._erase_works = False
        self._has_changed = False
        self._all_new = False
        self._touched: set[int] = set()
        self.put_back: tuple[tuple[int, bytes], ...] = ()
        """Runs outside the range that a damaged command had hit, and that hold again what they did."""

    @property
    def touched(self) -> int:
        """Sectors that were erased or programmed."""
        return len(self._touched)

    def write(self, wanted: SectorRuns) -> None:
        """Make the flash hold what is wanted. Raises VerifyError, TargetError, LinkFailed."""
        faults = self._device.fault_generation
        # Before the first erase: what a damaged command hits elsewhere shows against this. ADR 19.
        outside = self._outside(wanted)
        self._blocks(wanted, known=self._fresh)
        for _ in range(MAX_PASSES):
            now = self._device.fault_generation
            # What was put back outside the range needs no proof of its own: after each fault it is compared as a whole.
            if faults == now and all(self._proven[at, len(data)] == now for at, data in wanted.blocks):
                self._device.restore_protection()
                return
            if faults != now:
                self._put_back(outside)
                faults = now
            self._blocks(wanted, known=None)
        raise VerifyError("the line damages too much to prove what was written", hint="lower the baud rate")

    def has_left_flash_unchanged(self) -> bool:
        """Whether every sector that was touched is proven to hold what it did before, and nothing else went wrong."""
        return (
            not self._has_changed
            and self._device.fault_generation == self._first_faults
            and all(self._device.agreed_crc(*span) == crc for span, crc in self._before.items())
        )

    # ---- blocks

    def _blocks(self, wanted: SectorRuns, known: bytes | None) -> None:
        # For each run over the range: putting back what lies outside it is fenced by what is put back.
        self._device.fence_in(wanted.spans)
        progress, done = ProgressCounter(self._device.sink, "writing", wanted.length), 0
        for at, data in wanted.blocks:
            progress.count_from(at, done)
            if self._proven.get((at, len(data))) != self._device.fault_generation:
                self._block(at, data, known, progress)
            done += len(data)
            progress.reached(at + len(data))

    def _block(self, start: int, want: bytes, known: bytes | None, progress: ProgressCounter) -> None:
        """Compare, correct what differs, compare that, and again, until it holds."""
        faults = self._device.fault_generation
        # A board without an identity is known by its content, and this block may hold anything from here on.
        self._board.changing = start, len(want)
        found = self._first_state(start, want, known)
        for _ in range(MAX_REWRITES):
            bad = differing(found)
            if not bad:
                break
            # A weak supply fails at another sector each time (elektroda 4054857): each attempt is planned from what
            # stands there now. Source: bk-boot/supply.
            plan = plan_block(start, want, found, self._device.target.traits.erases)
            logger.info(
                "block %#x: %d of %d sectors differ; to erase: %d units, to program: %d sectors",
                start, len(bad), len(found), len(plan.erases), len(plan.programs),
            )  # fmt: skip
            self._apply(plan, start, want, progress)
            found = {}
            for at, length in joined_spans(plan.sectors):  # the rest was compared before
                found |= compare(self._device, at, want[at - start : at - start + length])
            bad = differing(found)
            self._has_changed = self._has_changed or len(bad) < len(found)
            if bad:
                self._change(bad[0], want[bad[0] - start : bad[0] - start + SECTOR])
            for at in bad:
                self._device.data_differs(Stage.WRITE, f"the sector at {at:#x} does not hold what was written")
        if bad := differing(found):
            raise VerifyError(
                f"{len(bad)} sector(s) from {bad[0]:#x} on failed verification after {MAX_REWRITES} attempts",
                offset=bad[0],
                length=SECTOR * len(bad),
                hint="the supply sags while it programs, or the flash is worn out there: try a bench supply first",
            )
        self._proven[start, len(want)] = faults
        self._device.sink(Fact.BLOCK_PROVEN)

    def _first_state(self, start: int, want: bytes, known: bytes | None) -> dict[int, SectorState]:
        if known is not None:
            return compare_bytes(start, want, known)
        found = compare(self._device, start, want, expect_new=self._all_new)
        self._all_new = len(differing(found)) == len(found)
        return found

    def _apply(self, plan: BlockPlan, start: int, want: bytes, progress: ProgressCounter) -> None:
        self._device.unprotect()
        sectors = {at: want[at - start : at - start + SECTOR] for at in sorted(plan.sectors)}
        self._remember(sectors)
        if self._journal is not None:
            # On the disk before the first erase of them: a sector that is torn and not noted would count as untouched.
            self._journal.touching(sector_crcs(sectors.items()))
        for size, at in plan.steps:
            if size is None:
                self._device.program(at, sectors[at])
                self._touched.add(at)
                progress.reached(at + SECTOR)
                continue
            self._device.erase(size, at)
            self._touched |= set(range(at, at + size.span, SECTOR))
            # A protected flash answers "done" to everything, so the first erase of a write is checked. Only the first:
            # a CRC protects a T's flash again, and the next program would cost one more erase.
            if not self._erase_works:
                is_blank = self._device.agreed_crc(at, SECTOR) == blank_crc(SECTOR)
                self._erase_works = is_blank or self._change(at, sectors[at])

    def _remember(self, sectors: Iterable[int]) -> None:
        """What stands in these, until something has changed: a flash that takes nothing is proven to be as it was."""
        if self._has_changed:
            return
        for start, length in joined_spans(sectors):
            if (start, length) in self._before:
                continue
            if self._fresh is not None:
                self._before[start, length] = wire_crc(self._fresh[start : start + length])
            else:
                self._before[start, length] = self._device.crc(start, length)

    def _change(self, at: int, data: bytes) -> bool:
        """Whether the sector can be changed at all: programmed where it is blank, erased where it is not.

        The chip says "done" on a protected flash too; only a CRC that stays the same shows it. Returns True; raises
        WriteProtected if nothing changes in ``MAX_RETRIES`` attempts. A flash that is worn out, or whose supply sags,
        changes, though not to what it should.
        """
        for _ in range(MAX_RETRIES):
            before = self._device.agreed_crc(at, SECTOR)
            if before == blank_crc(SECTOR):
                self._device.program(at, data)
            else:
                self._device.erase(self._device.target.traits.erases[0], at)
            if self._device.agreed_crc(at, SECTOR) != before:
                self._has_changed = True
                return True
            self._device.sink(Fact.UNCHANGED)
            self._device.unprotect(again=True)
        raise WriteProtected(
            f"the flash is write-protected: the sector at {at:#x} was erased or programmed {MAX_RETRIES + 1} times, the"
            " chip answered each time that it was done, and not one bit of it has changed",
            offset=at,
            length=SECTOR,
            elsewhere=self._has_changed,
            hint=self._protected_hint(),
        )

    def _protected_hint(self) -> str:
        target = self._device.target
        if target.flash_id and target.part is None:
            return (
                f"its id {target.flash_id:06x} is in no list, so nobody knows which bits protect it:"
                " report the id and the part's marking; docs/troubleshooting.md#protected"
            )
        return "switch its power off and on, and try again; docs/troubleshooting.md#protected"

    # ---- everything else

    def _outside(self, wanted: SectorRuns) -> Mapping[Span, int]:
        """What the rest of the flash holds before anything is written, as CRCs."""
        spans = wanted.rest(self._device.target.size)
        if self._fresh is None:
            return {span: self._device.agreed_crc(*span) for span in spans}
        return {(start, length): wire_crc(self._fresh[start : start + length]) for start, length in spans}

    def _put_back(self, outside: Mapping[Span, int]) -> None:
        """Something went wrong: put back what it has hit outside the range."""
        hit = [span for span, crc in outside.items() if self._device.agreed_crc(*span) != crc]
        if not hit:
            return
        if self._fresh is None:
            start, length = hit[0]
            raise VerifyError(
                f"a damaged command has changed flash outside the range, between {start:#x} and {start + length:#x}",
                offset=start,
                length=length,
                hint="'wattrail flash restore' with the last backup puts it back",
            )
        words = "a damaged command has changed flash outside the range: it is put back from the backup"
        self._device.sink(Note(words))
        runs = tuple((start, self._fresh[start : start + length]) for start, length in hit)
        self.put_back += runs
        self._blocks(SectorRuns(runs), known=None)


# ---- what is to lie in flash


def wanted_sectors(device: FlashDevice, plan: WritePlan, allow: frozenset[Risk]) -> tuple[SectorRuns, int]:
    """Whole sectors, torn ones filled up with what stands there, less a bootloader that must stay.

    And how many sectors of that bootloader were compared and found the same.
    """
    reader = FlashReader(device)
    whole = plan.whole_sectors({at: reader.read(at, SECTOR, reports=False) for at in plan.torn_sectors})
    if Risk.BOOTLOADER in allow:
        return whole, 0
    above = SectorRuns(tuple(run for start, data in whole.runs for run in _above_bootloader(device, start, data)))
    return above, (whole.length - above.length) // SECTOR


def _above_bootloader(device: FlashDevice, start: int, data: bytes) -> list[tuple[int, bytes]]:
    """The run less what answers here, if that is the same already. Raises WriteRefused if it is not."""
    below = device.target.traits.lost_below
    inside, rest = data[: max(0, below - start)], data[max(0, below - start) :]
    if not _is_same_bootloader(device, start, inside):
        raise WriteRefused(
            f"the image has another bootloader than the chip, below {below:#x}: it is what answers here, and"
            " if writing it fails, nothing ever answers again",
            risk=Risk.BOOTLOADER.value,
            hint="write the app alone (part 'app')",
        )
    return [(max(start, below), rest)] if rest else []


def _is_same_bootloader(device: FlashDevice, start: int, inside: bytes) -> bool:
    """Whether the code that answers here is the image's. The header at its end may differ.

    Every OpenBeken image for T and the stock dumps hold the same loader 1.0.5 under headers of other dates: seen in
    the public images, which differ from a stock dump in 36 bytes, all of the header.
    """
    header = device.target.traits.lost_below - PACKED_HEADER
    changed = [
        sector
        for at, length in blocks_of(start, len(inside))
        for sector in differing(compare(device, at, inside[at - start : at - start + length]))
    ]
    if not changed or changed != [header - header % SECTOR]:
        return not changed
    code = inside[changed[0] - start : header - start]
    same = FlashReader(device).read(changed[0], SECTOR, reports=False).startswith(code)
    if same:
        words = "the bootloader stays: its code is the image's, only the date in its header differs"
        device.sink(Note(words))
    return same
