"""Writing flash: only what differs, and nothing is believed that a CRC has not said afterwards.

Each block is compared, erased and programmed where it differs, and compared again. Whatever goes wrong on the way (a
damaged question, a lost link) puts in doubt what was checked before, for a damaged address erases elsewhere: then
everything is compared once more, also what lies outside the range.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from wattrail.bootrom.geometry import SECTOR
from wattrail.bootrom.ranges import wire_crc
from wattrail.errors import VerifyError, WriteProtected
from wattrail.flasher.access import FlashAccess
from wattrail.flasher.journal import Journal
from wattrail.flasher.plan import BlockPlan, Wanted, plan_block
from wattrail.flasher.protection import Protection
from wattrail.flasher.reader import blocks_of, compare
from wattrail.flasher.survey import Found, Span, blank_crc, differing
from wattrail.flasher.target import Target
from wattrail.flasher.trace import Trace

__all__ = ["Writer"]

logger = logging.getLogger(__name__)

ATTEMPTS: Final = 2
"""Further attempts to change a sector that did not change, before the flash counts as protected."""

REWRITES: Final = 8
"""Turns of erasing and programming a block that does not take its content."""

PASSES: Final = 5
"""Turns of comparing everything after something went wrong; each begins only because the last one met trouble."""


class Writer:
    """One write. ``fresh`` is the whole flash as this session has just read it, None if it has not."""

    def __init__(
        self,
        access: FlashAccess,
        target: Target,
        protection: Protection,
        trace: Trace,
        *,
        journal: Journal | None = None,
        fresh: bytes | None = None,
    ) -> None:
        self._access = access
        self._target = target
        self._protection = protection
        self._trace = trace
        self._journal = journal
        self._fresh = fresh
        self._proven: dict[Span, int] = {}
        self._erase_works = False
        self._changed = False
        self._all_new = False
        self._touched: set[int] = set()
        self.current: Span = (0, 0)
        """The block that is being written."""
        self.mended: tuple[tuple[int, bytes], ...] = ()
        """Runs outside the range that a damaged command had hit, and that hold again what they did."""

    @property
    def touched(self) -> int:
        """Sectors that were erased or programmed."""
        return len(self._touched)

    def write(self, wanted: Wanted) -> None:
        """Make the flash hold what is wanted. Raises VerifyError, TargetError, LinkFailed."""
        doubts = self._trace.anomalies
        outside = self._outside(wanted)
        self._access.fence_in(wanted.spans)
        self._blocks(wanted, known=self._fresh)
        for _ in range(PASSES):
            now = self._trace.anomalies
            if doubts == now and all(then == now for then in self._proven.values()):
                self._protection.restore()
                return
            if doubts != now:
                self._mend_outside(outside)
                doubts = now
            self._access.fence_in(wanted.spans)
            self._blocks(wanted, known=None)
        raise VerifyError("the line damages too much to prove what was written", hint="lower the baud rate")

    # ---- blocks

    def _blocks(self, wanted: Wanted, known: bytes | None) -> None:
        done = 0
        self._trace.begin("writing", wanted.length)
        for start, data in wanted.runs:
            for at, length in blocks_of(start, len(data)):
                if self._proven.get((at, length)) != self._trace.anomalies:
                    self._count_from(done - at)
                    self._block(at, data[at - start : at - start + length], known)
                done += length
                self._trace.reached(done)

    def _count_from(self, offset: int) -> None:
        self._access.watch(lambda at: self._trace.reached(at + offset))

    def _block(self, start: int, want: bytes, known: bytes | None) -> None:
        """Compare, mend what differs, compare that, and again, until it holds."""
        doubts = self._trace.anomalies
        self.current = start, len(want)
        found = self._first_look(start, want, known)
        for _ in range(REWRITES):
            bad = differing(found)
            if not bad:
                break
            plan = plan_block(start, want, found, self._target.traits.erases)
            logger.info(
                "block %#x: %d of %d sectors differ; to erase: %d units, to program: %d sectors",
                start, len(bad), len(found), len(plan.erases), len(plan.programs),
            )  # fmt: skip
            self._apply(plan, start, want)
            found = self._second_look(plan, start, want)
            bad = differing(found)
            self._changed = self._changed or len(bad) < len(found)
            if bad:
                self._changes(bad[0], want[bad[0] - start : bad[0] - start + SECTOR])
                self._access.did_not_take(bad)
        if bad := differing(found):
            raise VerifyError(
                f"{len(bad)} sector(s) from {bad[0]:#x} on do not take their content in {REWRITES} turns",
                offset=bad[0],
                length=SECTOR * len(bad),
                hint="the supply sags while it programs, or the flash is worn out there: try a bench supply first",
            )
        self._proven[start, len(want)] = doubts
        self._trace.progress()

    def _first_look(self, start: int, want: bytes, known: bytes | None) -> dict[int, Found]:
        if known is not None:
            return _compare_bytes(start, want, known)
        found = compare(self._access, start, want, expect_new=self._all_new)
        self._all_new = len(differing(found)) == len(found)
        return found

    def _second_look(self, plan: BlockPlan, start: int, want: bytes) -> dict[int, Found]:
        """What was touched, run by run; the rest has been looked at before."""
        found: dict[int, Found] = {}
        for at, length in _runs(plan.sectors):
            found |= compare(self._access, at, want[at - start : at - start + length])
        return found

    def _apply(self, plan: BlockPlan, start: int, want: bytes) -> None:
        self._protection.lift()
        if self._journal is not None:
            self._journal.touching(
                {at: wire_crc(want[at - start : at - start + SECTOR]) for at in sorted(plan.sectors)}
            )
        for size, at in plan.steps:
            if size is None:
                self._access.program(at, want[at - start : at - start + SECTOR])
                self._touched.add(at)
                continue
            self._access.erase(size, at)
            self._touched |= set(range(at, at + size.span, SECTOR))
            if not self._erase_works:
                self._erase_works = self._access.sure_crc(at, SECTOR) == blank_crc(SECTOR) or self._changes(
                    at, want[at - start : at - start + SECTOR]
                )

    def _changes(self, at: int, data: bytes) -> bool:
        """Whether the sector can be changed at all: programmed where it is blank, erased where it is not.

        The chip says "done" on a protected flash too; only a CRC that stays the same shows it. Returns True; raises
        WriteProtected if nothing changes in ``ATTEMPTS`` attempts. A flash that is worn out, or whose supply sags,
        changes, though not to what it should.
        """
        for _ in range(ATTEMPTS):
            before = self._access.sure_crc(at, SECTOR)
            if before == blank_crc(SECTOR):
                self._access.program(at, data)
            else:
                self._access.erase(self._target.traits.erases[0], at)
            if self._access.sure_crc(at, SECTOR) != before:
                self._changed = True
                return True
            self._trace.unchanged += 1
            self._protection.lift(again=True)
        raise WriteProtected(
            f"the flash is write-protected: the sector at {at:#x} was erased or programmed {ATTEMPTS + 1} times, the"
            " chip answered each time that it was done, and not one bit of it has changed",
            offset=at,
            length=SECTOR,
            elsewhere=self._changed,
            hint=self._protected_hint(),
        )

    def _protected_hint(self) -> str:
        if self._target.flash_id and self._target.part is None:
            return (
                f"its id {self._target.flash_id:06x} is in no list, so nobody knows which bits protect it:"
                " report the id and the part's marking; docs/troubleshooting.md#protected"
            )
        return "switch its power off and on, and try again; docs/troubleshooting.md#protected"

    # ---- everything else

    def _outside(self, wanted: Wanted) -> Mapping[Span, int]:
        """What the rest of the flash holds before anything is written, as CRCs."""
        spans = wanted.rest(self._target.size)
        if self._fresh is None:
            return {span: self._access.sure_crc(*span) for span in spans}
        return {(start, length): wire_crc(self._fresh[start : start + length]) for start, length in spans}

    def _mend_outside(self, outside: Mapping[Span, int]) -> None:
        """Something went wrong: put back what it has hit outside the range."""
        hit = [span for span, crc in outside.items() if self._access.sure_crc(*span) != crc]
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
        self._trace.note("a damaged command has changed flash outside the range: it is put back from the backup")
        self._access.fence_in(hit)
        self.mended += tuple((start, self._fresh[start : start + length]) for start, length in hit)
        self._blocks(Wanted(self.mended[-len(hit) :]), known=None)


def _runs(sectors: set[int]) -> list[Span]:
    """Neighbouring sectors, joined."""
    runs: list[Span] = []
    for at in sorted(sectors):
        if runs and sum(runs[-1]) == at:
            runs[-1] = (runs[-1][0], runs[-1][1] + SECTOR)
        else:
            runs.append((at, SECTOR))
    return runs


def _compare_bytes(start: int, want: bytes, known: bytes) -> dict[int, Found]:
    """What is known of the flash, compared without asking it."""
    found = {}
    for place in range(0, len(want), SECTOR):
        is_, should = known[start + place : start + place + SECTOR], want[place : place + SECTOR]
        blank = not is_.strip(b"\xff")
        found[start + place] = Found.SAME if is_ == should else Found.BLANK if blank else Found.OTHER
    return found
