"""One write from its first question to its proof: backup, journal, write, report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from wattrail.bootrom.checks import wire_crc
from wattrail.bootrom.geometry import SECTOR
from wattrail.errors import WriteRefused
from wattrail.flasher import identify
from wattrail.flasher.access import FlashAccess
from wattrail.flasher.backup import Backup
from wattrail.flasher.conversation import Conversation
from wattrail.flasher.events import Resumed
from wattrail.flasher.guards import Risk
from wattrail.flasher.journal import Journal, Shelf, Unfinished
from wattrail.flasher.layer import Layer
from wattrail.flasher.plan import Wanted
from wattrail.flasher.protection import Protection
from wattrail.flasher.reader import blocks_of, compare, read_flash
from wattrail.flasher.report import Comparison, Report
from wattrail.flasher.survey import differing
from wattrail.flasher.target import Target
from wattrail.flasher.writer import Writer

__all__ = ["Job"]


class Job:
    """One layer to be written to one board, or compared with it. ``allow`` are the risks a person has taken."""

    def __init__(
        self,
        conversation: Conversation,
        target: Target,
        shelf: Shelf | None,
        *,
        take_backup: Callable[[], Backup],
        can_back_up: bool,
        allow: frozenset[Risk],
        simulated: bool,
    ) -> None:
        self._conversation = conversation
        self._trace = conversation.trace
        self._target = target
        self._shelf = shelf
        self._take_backup = take_backup
        self._can_back_up = can_back_up
        self._allow = allow
        self._simulated = simulated

    def compare(self, layer: Layer) -> Comparison:
        """What of the flash differs. Raises WriteRefused for a bootloader that may not be written, LinkFailed."""
        wanted, _ = self._wanted(layer)
        access, bad, done = self._access(), list[int](), 0
        self._trace.begin("comparing", wanted.length)
        for start, data in wanted.runs:
            for at, length in blocks_of(start, len(data)):
                bad += differing(compare(access, at, data[at - start : at - start + length], exact=True))
                done += length
                self._trace.reached(done)
        return Comparison(wanted.spans, tuple(bad), layer.kept)

    def carry_out(self, layer: Layer, name: str) -> Report:
        """Write it, and prove it. Raises WriteRefused, VerifyError, TargetError, LinkFailed."""
        before = _Counts(self._conversation)
        wanted, spared = self._wanted(layer)
        self._watch_board(wanted)
        earlier = self._shelf.unfinished(self._target) if self._shelf else None
        if earlier is not None:
            self._trace.tell(Resumed(earlier.since, earlier.image, earlier.backup))
        saved, fresh = self._safe(earlier)
        digest = hashlib.sha256(b"".join(data for _, data in wanted.runs)).hexdigest()
        journal = self._begin(wanted, name, digest, saved)
        access = self._access()
        protection = Protection(self._conversation, self._target, earlier.sr if earlier else None)
        writer = Writer(access, self._target, protection, self._trace, journal=journal, fresh=fresh)
        writer.write(wanted)
        if journal is not None:
            journal.done()
        if self._shelf is not None and fresh is not None:
            self._shelf.remember(self._target, _laid_over(fresh, wanted))
        return Report(
            image=name,
            sha256=digest,
            board=self._target.board,
            chip=self._target.chip.value if self._target.chip else None,
            simulated=self._simulated,
            seconds=before.seconds,
            baud=self._conversation.baud,
            touched=writer.touched,
            untouched=wanted.length // SECTOR + spared - writer.touched,
            programs=access.programmed,
            erases=access.erases,
            erased_bytes=access.erased_bytes,
            repeated=before.repeated,
            losses=before.losses,
            resumed=earlier is not None,
            backup=saved,
            kept=layer.kept,
        )

    # ---- before the first erase

    def _safe(self, earlier: Unfinished | None) -> tuple[Path | None, bytes | None]:
        """Where the flash as it was is kept, and its bytes if they were read just now."""
        if earlier is not None and earlier.backup is not None:
            return earlier.backup, None
        if Risk.NO_BACKUP in self._allow:
            return None, None
        if not self._can_back_up:
            raise WriteRefused(
                "nobody said where the backup goes that is taken before the first erase",
                risk=Risk.NO_BACKUP.value,
                hint="name a file for it",
            )
        taken = self._take_backup()
        return taken.path, taken.data

    def _begin(self, wanted: Wanted, name: str, digest: str, saved: Path | None) -> Journal | None:
        if self._shelf is None:
            return None
        journal = self._shelf.journal(self._target)
        rf_after = self._rf_after(wanted)
        journal.begin(
            self._target, image=name, sha256=digest, rf_after=rf_after, backup=saved, simulated=self._simulated
        )
        return journal

    def _rf_after(self, wanted: Wanted) -> int:
        """The CRC by which the board will be known."""
        rf = self._target.layout["rf"]
        for start, data in wanted.runs:
            if start <= rf.start < start + len(data):
                return wire_crc(data[rf.start - start : rf.end - start])
        return self._target.rf_crc

    def _watch_board(self, wanted: Wanted) -> None:
        """If the link is lost and made anew, it must be the same board."""
        rf = self._target.layout["rf"].start
        rewrites_rf = any(at <= rf < at + length for at, length in wanted.spans)
        self._conversation.on_relink(
            lambda: identify.confirm_same(self._conversation, self._target, rf_may_differ=rewrites_rf)
        )

    # ---- what is to lie in flash

    def _wanted(self, layer: Layer) -> tuple[Wanted, int]:
        """Whole sectors, torn edges filled up with what stands there, less a bootloader that must stay.

        And how many sectors of that bootloader were compared and found the same.
        """
        whole = layer.whole_sectors(lambda at: read_flash(self._access(), at, SECTOR))
        if Risk.BOOTLOADER in self._allow:
            return whole, 0
        above = Wanted(tuple(run for start, data in whole.runs for run in self._above_bootloader(start, data)))
        return above, (whole.length - above.length) // SECTOR

    def _above_bootloader(self, start: int, data: bytes) -> list[tuple[int, bytes]]:
        """The run less what answers here, if that is the same already. Raises WriteRefused if it is not."""
        below = self._target.traits.lost_below
        inside, rest = data[: max(0, below - start)], data[max(0, below - start) :]
        access = self._access()
        for at, length in blocks_of(start, len(inside)):
            if differing(compare(access, at, inside[at - start : at - start + length])):
                raise WriteRefused(
                    f"the image has another bootloader than the chip, below {below:#x}: it is what answers here, and"
                    " if writing it fails, nothing ever answers again",
                    risk=Risk.BOOTLOADER.value,
                    hint="write the app alone (part 'app')",
                )
        return [(max(start, below), rest)] if rest else []

    def _access(self) -> FlashAccess:
        return FlashAccess(self._conversation, self._target)


def _laid_over(flash: bytes, wanted: Wanted) -> bytes:
    changed = bytearray(flash)
    for start, data in wanted.runs:
        changed[start : start + len(data)] = data
    return bytes(changed)


class _Counts:
    """A session's counts from one moment on."""

    def __init__(self, conversation: Conversation) -> None:
        self._trace = conversation.trace
        self._seconds = self._trace.seconds
        self._repeated = sum(self._trace.damaged.values())
        self._losses = len(self._trace.losses)

    @property
    def seconds(self) -> float:
        return self._trace.seconds - self._seconds

    @property
    def repeated(self) -> int:
        return sum(self._trace.damaged.values()) - self._repeated

    @property
    def losses(self) -> int:
        return len(self._trace.losses) - self._losses
