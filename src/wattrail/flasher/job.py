"""One write from its first question to its proof: backup, journal, write, report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wattrail.bootrom.geometry import SECTOR
from wattrail.bootrom.ranges import wire_crc
from wattrail.errors import WriteRefused
from wattrail.flasher import identify
from wattrail.flasher.access import FlashAccess
from wattrail.flasher.backup import Backup
from wattrail.flasher.conversation import Conversation
from wattrail.flasher.events import Resumed
from wattrail.flasher.guards import Risk
from wattrail.flasher.journal import Journal, Unfinished
from wattrail.flasher.layer import Layer
from wattrail.flasher.new_file import sha256_of
from wattrail.flasher.plan import Wanted
from wattrail.flasher.protection import Protection
from wattrail.flasher.reader import blocks_of, compare, read_flash
from wattrail.flasher.report import Comparison, Report
from wattrail.flasher.same_board import content_fits
from wattrail.flasher.shelf import BoardFolder
from wattrail.flasher.survey import differing
from wattrail.flasher.target import Target
from wattrail.flasher.writer import Writer
from wattrail.image.rbl import PACKED_HEADER

__all__ = ["Job"]


class Job:
    """One layer to be written to one board, or compared with it. ``allow`` are the risks a person has taken."""

    def __init__(
        self,
        conversation: Conversation,
        target: Target,
        home: Callable[[], BoardFolder] | None,
        earlier: Callable[[], Unfinished | None],
        *,
        take_backup: Callable[[bool], Backup],
        can_back_up: bool,
        allow: frozenset[Risk],
        simulated: bool,
    ) -> None:
        self._conversation = conversation
        self._trace = conversation.trace
        self._target = target
        self._home = home
        self._earlier = earlier
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
        report = self._reporter(layer, name, wanted, before, spared)
        if self._earlier() is None and self._holds(wanted):
            return report()
        folder = self._home() if self._home is not None else None
        earlier = self._earlier()
        if earlier is not None:
            self._trace.tell(Resumed(earlier.since, earlier.image, earlier.backup))
        saved = self._safe(earlier)
        journal = folder.journal if folder else None
        if journal is not None:
            self._begin(journal, wanted, name, saved)
        access = self._access()
        protection = Protection(self._conversation, self._target, earlier.sr if earlier else None)
        writer = Writer(access, self._target, protection, self._trace, journal=journal, fresh=saved.flash)
        if saved.flash is not None:
            self._watch_content(wanted, writer, saved.flash)
        writer.write(wanted)
        if folder is not None:
            self._close(folder, wanted, writer, saved.flash)
        return report(access, writer.touched, resumed=earlier is not None, backup=saved.taken or saved.path)

    def _reporter(self, layer: Layer, name: str, wanted: Wanted, before: _Counts, spared: int) -> Callable[..., Report]:
        """Makes the report; without anything else said, that of a flash that held everything already."""

        def report(
            access: FlashAccess | None = None, touched: int = 0, *, resumed: bool = False, backup: Path | None = None
        ) -> Report:
            return Report(
                image=name,
                sha256=_digest(wanted),
                board=self._target.board,
                chip=self._target.chip.value if self._target.chip else None,
                simulated=self._simulated,
                seconds=before.seconds,
                baud=self._conversation.baud,
                touched=touched,
                untouched=wanted.length // SECTOR + spared - touched,
                programs=access.programmed if access else 0,
                erases=access.erases if access else 0,
                erased_bytes=access.erased_bytes if access else 0,
                repeated=before.repeated,
                losses=before.losses,
                resumed=resumed,
                backup=backup,
                kept=layer.kept,
            )

        return report

    def _holds(self, wanted: Wanted) -> bool:
        """Whether flash holds everything already, on a line where nothing has gone wrong meanwhile."""
        access, doubts = self._access(), self._trace.anomalies
        for start, data in wanted.runs:
            for at, length in blocks_of(start, len(data)):
                if access.crc(at, length) != wire_crc(data[at - start : at - start + length]):
                    return False
        return self._trace.anomalies == doubts

    def _close(self, folder: BoardFolder, wanted: Wanted, writer: Writer, fresh: bytes | None) -> None:
        """After the proof. Neither a full disk nor a folder that went away makes a proven write another one."""
        try:
            folder.journal.done((*wanted.runs, *writer.mended))
        except OSError as error:
            self._trace.note(
                f"the write is proven, but that cannot be noted ({error.strerror}): the next session says that it did"
                " not end, and proves it again"
            )
        if fresh is None:
            return
        try:
            folder.remember(_laid_over(fresh, wanted))
        except OSError as error:
            self._trace.note(f"what was written is not kept for the next backup, which takes longer: {error.strerror}")

    # ---- before the first erase

    def _safe(self, earlier: Unfinished | None) -> _Saved:
        """Where the flash as it was is kept, and its bytes if they were read just now."""
        kept = earlier.backup if earlier is not None and self._fits(earlier) else None
        if kept is not None and self._target.has_identity:
            return _Saved(kept)
        if Risk.NO_BACKUP in self._allow:
            return _Saved(kept)
        if not self._can_back_up:
            raise WriteRefused(
                "nobody said where the backup goes that is taken before the first erase",
                risk=Risk.NO_BACKUP.value,
                hint="name a file for it",
            )
        half_written = earlier is not None and bool(earlier.pending)
        taken = self._take_backup(half_written)
        if kept is not None:
            return _Saved(kept, taken.data, taken=taken.path)
        return _Saved(taken.path, taken.data, taken.sha256, half_written)

    def _fits(self, earlier: Unfinished) -> bool:
        """Whether the kept backup is one of this very flash, by what stands in it."""
        if earlier.backup is None:
            return False
        if content_fits(earlier, self._target, self._access().crc):
            return True
        self._trace.note(
            f"the flash differs from {earlier.backup} also where the write that did not end has not touched it: it is"
            " read anew before anything is written"
        )
        return False

    def _begin(self, journal: Journal, wanted: Wanted, name: str, saved: _Saved) -> None:
        journal.begin(
            self._target,
            image=name,
            sha256=_digest(wanted),
            rf_after=self._rf_after(wanted),
            backup=saved.path,
            backup_sha256=saved.sha256 or (sha256_of(saved.path) if saved.path else None),
            half_written=saved.half_written,
            simulated=self._simulated,
        )

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

    def _watch_content(self, wanted: Wanted, writer: Writer, fresh: bytes) -> None:
        """The same, where the RF block does not tell: each block holds what it did, or what it should, but for one."""
        rf = self._target.layout["rf"].start
        rewrites_rf = any(at <= rf < at + length for at, length in wanted.spans)
        after = _laid_over(fresh, wanted)
        blocks = [block for span in (*wanted.rest(len(fresh)), *wanted.spans) for block in blocks_of(*span)]

        def holds(start: int, length: int) -> bool:
            fitting = {wire_crc(flash[start : start + length]) for flash in (fresh, after)}
            return self._access().crc(start, length) in fitting

        self._conversation.on_relink(
            lambda: identify.confirm_same(
                self._conversation,
                self._target,
                rf_may_differ=rewrites_rf,
                content_fits=lambda: all(holds(*block) for block in blocks if block != writer.current),
            )
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
        if not self._is_same_loader(start, inside):
            raise WriteRefused(
                f"the image has another bootloader than the chip, below {below:#x}: it is what answers here, and"
                " if writing it fails, nothing ever answers again",
                risk=Risk.BOOTLOADER.value,
                hint="write the app alone (part 'app')",
            )
        return [(max(start, below), rest)] if rest else []

    def _is_same_loader(self, start: int, inside: bytes) -> bool:
        """Whether the code that answers here is the image's. The header at its end may differ.

        Every OpenBeken image for T and the stock dumps hold the same loader 1.0.5 under headers of other dates: seen in
        the public images, which differ from a stock dump in 36 bytes, all of the header.
        """
        access, header = self._access(), self._target.traits.lost_below - PACKED_HEADER
        changed = [
            sector
            for at, length in blocks_of(start, len(inside))
            for sector in differing(compare(access, at, inside[at - start : at - start + length]))
        ]
        if not changed or changed != [header - header % SECTOR]:
            return not changed
        code = inside[changed[0] - start : header - start]
        same = read_flash(access, changed[0], SECTOR).startswith(code)
        if same:
            self._trace.note("the bootloader stays: its code is the image's, only the date in its header differs")
        return same

    def _access(self) -> FlashAccess:
        return FlashAccess(self._conversation, self._target)


def _laid_over(flash: bytes, wanted: Wanted) -> bytes:
    changed = bytearray(flash)
    for start, data in wanted.runs:
        changed[start : start + len(data)] = data
    return bytes(changed)


def _digest(wanted: Wanted) -> str:
    return hashlib.sha256(b"".join(data for _, data in wanted.runs)).hexdigest()


@dataclass(frozen=True, slots=True)
class _Saved:
    """The backup a write rests on. ``flash`` is what was read just now, ``half_written`` that it is no original.

    ``taken`` is the file of what was read just now beside an earlier backup: without an identity that one may be of a
    board that looks the same, so it is never named as the backup of this board.
    """

    path: Path | None = None
    flash: bytes | None = None
    sha256: str | None = None
    half_written: bool = False
    taken: Path | None = None


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
