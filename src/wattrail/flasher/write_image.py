"""The write operation, from its first request to its proof: backup, journal, sectors, report."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from wattrail.bootrom.geometry import SECTOR
from wattrail.bootrom.ranges import wire_crc
from wattrail.errors import LinkError, PortError, TargetError, WriteProtected, WriteRefused
from wattrail.flasher.backup_store import BoardFolder, BoardHome, content_fits
from wattrail.flasher.backups import KnownBytes
from wattrail.flasher.crc_compare import Span, blocks_of, differing
from wattrail.flasher.device import FlashDevice
from wattrail.flasher.events import Note, ProgressCounter, Resumed
from wattrail.flasher.exclusive_file import sha256_of
from wattrail.flasher.identify import ExpectedBoard, FlashTarget
from wattrail.flasher.journal import Journal, Unfinished
from wattrail.flasher.read_flash import FlashReader, compare, take_backup
from wattrail.flasher.safety_checks import Risk
from wattrail.flasher.sector_writer import SectorWriter
from wattrail.flasher.session_statistics import SessionStatistics
from wattrail.flasher.write_plan import SectorRuns, WritePlan
from wattrail.image.rbl import PACKED_HEADER

__all__ = ["Comparison", "Report", "compare_plan", "write_image"]


@dataclass(frozen=True, slots=True)
class Report:
    """A write that was verified; a write that failed has no report.

    ``touched`` sectors were erased or programmed, ``untouched`` ones held what they should before; ``programs`` and
    ``erases`` count commands, so repeated ones count twice. ``repeated`` are requests sent again, ``losses`` links
    made again. ``kept`` says what of the image was left out.
    """

    image: str
    sha256: str
    board: str
    chip: str | None
    simulated: bool
    seconds: float
    baud: int
    touched: int
    untouched: int
    programs: int
    erases: int
    erased_bytes: int
    repeated: int
    losses: int
    resumed: bool
    backup: Path | None
    kept: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {**asdict(self), "backup": str(self.backup) if self.backup else None, "verified": True}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Flash against an image. ``differing`` are addresses of sectors, ``compared`` the ranges that were looked at."""

    compared: tuple[Span, ...]
    differing: tuple[int, ...]
    kept: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether every sector holds what it should."""
        return not self.differing


def compare_plan(device: FlashDevice, plan: WritePlan, allow: frozenset[Risk]) -> Comparison:
    """What of the flash differs. Raises WriteRefused for a bootloader that may not be written, LinkFailed."""
    wanted, _ = _wanted(device, plan, allow)
    progress, bad, done = ProgressCounter(device.sink, "comparing", wanted.length), list[int](), 0
    for at, data in wanted.blocks:
        bad += differing(compare(device, at, data, exact=True))
        done += len(data)
        progress.reached(done)
    return Comparison(wanted.spans, tuple(bad), plan.kept)


def write_image(
    device: FlashDevice,
    plan: WritePlan,
    name: str,
    *,
    allow: frozenset[Risk],
    home: BoardHome | None,
    backup: Path | None = None,
    known: Sequence[KnownBytes] = (),
) -> Report:
    """Write a plan, and prove it.

    The backup goes to ``backup``, else into the board's folder; ``known`` is what this session has read already. Raises
    WriteRefused, VerifyError, TargetError, LinkFailed.
    """
    before = device.statistics()
    wanted, spared = _wanted(device, plan, allow)
    board = _expected_board(device.target, wanted)
    device.expect(board)
    report = _Reporter(device, name, wanted, spared, before, plan.kept)
    if (home is None or home.unfinished is None) and _holds(device, wanted):
        return report.of()
    folder = home.locked() if home is not None else None
    earlier = home.unfinished if home is not None else None
    if earlier is not None:
        device.sink(Resumed(earlier.since, earlier.image, earlier.backup))
        device.original_status = device.original_status if earlier.sr is None else earlier.sr
    saved = _saved(device, earlier, allow, home, backup, known)
    journal = folder.journal if folder is not None else None
    if journal is not None:
        _begin(journal, device, wanted, name, saved)
    if saved.flash is not None:
        board.content = _fitting_content(wanted, saved.flash)
    writer = SectorWriter(device, board, journal=journal, fresh=saved.flash)
    try:
        writer.write(wanted)
    except TargetError as error:
        _note_if_unchanged(writer, journal, error)
        raise
    if folder is not None:
        _close(device, folder, wanted, writer, saved.flash)
    return report.of(writer.touched, resumed=earlier is not None, backup=saved.taken or saved.path)


@dataclass(frozen=True, slots=True)
class _Reporter:
    """What a report is made from; ``before`` are the session's statistics when the operation began."""

    device: FlashDevice
    name: str
    wanted: SectorRuns
    spared: int
    before: SessionStatistics
    kept: tuple[str, ...]

    def of(self, touched: int = 0, *, resumed: bool = False, backup: Path | None = None) -> Report:
        """The report; by itself that of a flash that held everything already."""
        device, target, now = self.device, self.device.target, self.device.statistics()
        return Report(
            image=self.name,
            sha256=_digest(self.wanted),
            board=target.board,
            chip=target.chip.value if target.chip else None,
            simulated=device.simulated,
            seconds=now.seconds - self.before.seconds,
            baud=device.baud,
            touched=touched,
            untouched=self.wanted.length // SECTOR + self.spared - touched,
            programs=device.programs,
            erases=device.erases,
            erased_bytes=device.erased_bytes,
            repeated=sum(now.damaged.values()) - sum(self.before.damaged.values()),
            losses=len(now.losses) - len(self.before.losses),
            resumed=resumed,
            backup=backup,
            kept=self.kept,
        )


# ---- what is to lie in flash


def _wanted(device: FlashDevice, plan: WritePlan, allow: frozenset[Risk]) -> tuple[SectorRuns, int]:
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


def _holds(device: FlashDevice, wanted: SectorRuns) -> bool:
    """Whether flash holds everything already, on a line where nothing has gone wrong meanwhile."""
    faults = device.fault_generation
    if any(device.crc(at, len(data)) != wire_crc(data) for at, data in wanted.blocks):
        return False
    return device.fault_generation == faults


# ---- is it still the same board?


def _expected_board(target: FlashTarget, wanted: SectorRuns) -> ExpectedBoard:
    rf = target.layout["rf"].start
    return ExpectedBoard(target, rf_may_differ=any(at <= rf < at + length for at, length in wanted.spans))


def _fitting_content(wanted: SectorRuns, fresh: bytes) -> dict[Span, frozenset[int]]:
    """Each block holds what it did, or what it should: what tells a board whose RF block does not."""
    after = wanted.laid_over(fresh)
    return {
        (start, length): frozenset(wire_crc(flash[start : start + length]) for flash in (fresh, after))
        for span in (*wanted.rest(len(fresh)), *wanted.spans)
        for start, length in blocks_of(*span)
    }


# ---- before the first erase


@dataclass(frozen=True, slots=True)
class _Saved:
    """The backup a write rests on. ``flash`` is what was read just now, ``half_written`` that it is not an original.

    ``taken`` is the file of what was read just now beside an earlier backup: without an identity that one may be of a
    board that looks the same, so it is never named as the backup of this board.
    """

    path: Path | None = None
    flash: bytes | None = None
    sha256: str | None = None
    half_written: bool = False
    taken: Path | None = None


def _saved(
    device: FlashDevice,
    earlier: Unfinished | None,
    allow: frozenset[Risk],
    home: BoardHome | None,
    path: Path | None,
    known: Sequence[KnownBytes],
) -> _Saved:
    """Where the flash as it was is kept, and its bytes if they were read just now."""
    kept = earlier.backup if earlier is not None and _fits(device, earlier) else None
    if Risk.NO_BACKUP in allow or (kept is not None and device.target.has_identity):
        return _Saved(kept)
    if path is None and home is None:
        raise WriteRefused(
            "no path says where the backup goes that is taken before the first erase",
            risk=Risk.NO_BACKUP.value,
            hint="name a file for it",
        )
    half_written = earlier is not None and bool(earlier.pending)
    taken = take_backup(device, home, path, known=known, half_written=half_written, before_write=True)
    if kept is not None:
        return _Saved(kept, taken.data, taken=taken.path)
    return _Saved(taken.path, taken.data, taken.sha256, half_written)


def _fits(device: FlashDevice, earlier: Unfinished) -> bool:
    """Whether the kept backup is one of this very flash, by what stands in it."""
    if earlier.backup is None:
        return False
    if content_fits(earlier, device.target, device.crc):
        return True
    words = "also where the write that did not end has not touched it: it is read again before anything is written"
    device.sink(Note(f"the flash differs from {earlier.backup} {words}"))
    return False


def _begin(journal: Journal, device: FlashDevice, wanted: SectorRuns, name: str, saved: _Saved) -> None:
    target = device.target
    rf, rf_after = target.layout["rf"], target.rf_crc
    for start, data in wanted.runs:
        if start <= rf.start < start + len(data):
            rf_after = wire_crc(data[rf.start - start : rf.end - start])
    journal.begin(
        target,
        image=name,
        sha256=_digest(wanted),
        rf_after=rf_after,
        backup=saved.path,
        backup_sha256=saved.sha256 or (sha256_of(saved.path) if saved.path else None),
        half_written=saved.half_written,
        simulated=device.simulated,
    )


# ---- afterwards


def _note_if_unchanged(writer: SectorWriter, journal: Journal | None, error: TargetError) -> None:
    """A flash that took nothing is as it was, and no session has to continue there; that is proven, not assumed."""
    unchanged = False
    with suppress(LinkError, PortError, TargetError):
        unchanged = writer.has_left_flash_unchanged()
    if isinstance(error, WriteProtected):
        error.elsewhere = not unchanged
    if journal is not None and unchanged:
        with suppress(OSError):  # then the next session says that it did not end, and proves it again
            journal.unchanged()


def _close(
    device: FlashDevice, folder: BoardFolder, wanted: SectorRuns, writer: SectorWriter, fresh: bytes | None
) -> None:
    """After the proof. Neither a full disk nor a folder that went away makes a proven write another one."""
    try:
        folder.journal.done((*wanted.runs, *writer.put_back))
    except OSError as error:
        words = "the next session says that it did not end, and proves it again"
        device.sink(Note(f"the write is proven, but that cannot be noted ({error.strerror}): {words}"))
    if fresh is None:
        return
    try:
        folder.remember(wanted.laid_over(fresh))
    except OSError as error:
        words = f"what was written is not kept for the next backup, which takes longer: {error.strerror}"
        device.sink(Note(words))


def _digest(wanted: SectorRuns) -> str:
    return hashlib.sha256(b"".join(data for _, data in wanted.runs)).hexdigest()
