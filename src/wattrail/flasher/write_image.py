"""The write operation, from its first request to its proof: backup, journal, sectors, report."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from wattrail.bootrom.crc_compare import Span, blocks_of, differing
from wattrail.bootrom.geometry import SECTOR
from wattrail.bootrom.requests import wire_crc
from wattrail.diagnosis import SessionStatistics
from wattrail.errors import LinkError, PortError, TargetError, VerifyError, WriteProtected, WriteRefused
from wattrail.exclusive_file import PartFile, sha256_of
from wattrail.flasher.backup_store import BoardFolder, BoardHome, content_fits
from wattrail.flasher.backups import Backup
from wattrail.flasher.device import FlashDevice, FlashReader, KnownBytes, compare
from wattrail.flasher.events import BackedUp, Note, ProgressCounter, Resumed
from wattrail.flasher.flash_target import FlashTarget
from wattrail.flasher.identify import ExpectedBoard
from wattrail.flasher.journal import Journal, Unfinished
from wattrail.flasher.safety_checks import Risk
from wattrail.flasher.sector_writer import SectorWriter, wanted_sectors
from wattrail.flasher.write_plan import SectorRuns, WritePlan

__all__ = ["Comparison", "Report", "compare_plan", "take_backup", "write_image"]


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
    wanted, _ = wanted_sectors(device, plan, allow)
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
    wanted, spared = wanted_sectors(device, plan, allow)
    board = _expected_board(device.target, wanted)
    device.expect(board)
    report = _Reporter(device, name, wanted, spared, before, plan.kept)
    # A write that did not end is always gone through, for only a proof closes its journal. ADR 22.
    if (home is None or home.unfinished is None) and _holds(device, wanted):
        return report.of()
    folder = home.locked() if home is not None else None
    earlier = home.unfinished if home is not None else None
    if earlier is not None:
        device.sink(Resumed(earlier.since, earlier.image, earlier.backup))
        # What is found now is how the session that was cut has left it: unprotected.
        device.original_status = device.original_status if earlier.sr is None else earlier.sr
    # First the backup, then the line that names it, then the first erase: a cut between any two of them loses
    # nothing, and the next session finds the backup by the journal.
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


# ---- a backup


def take_backup(
    device: FlashDevice,
    home: BoardHome | None,
    path: Path | None,
    *,
    known: Sequence[KnownBytes] = (),
    half_written: bool = False,
    before_write: bool = False,
) -> Backup:
    """Read the whole flash into a file, which appears under its name only when it is whole and holds what was read.

    Without a ``path`` it goes into the board's folder, where no second file is made of a content that is kept there
    already. ``before_write``: the board's folder lists the file wherever it is. Until it is whole the file grows beside
    its place, and what stands there already is taken where the chip's CRC agrees. Raises ValueError for a backup with
    no place, WriteRefused for a file that exists, FileError for one that cannot be used or that another process holds,
    VerifyError for a flash that reads as nothing but 00: that is a dead line, not a backup.
    """
    is_listed = path is None or before_write
    folder = (home.locked() if is_listed else home.folder) if home is not None else None
    place = path or folder
    if place is None:
        raise ValueError("a backup needs a path, or a flasher with a folder")
    if path is not None and path.exists():
        raise WriteRefused(
            f"{path} exists already, and a backup replaces nothing", risk="", hint="name another file for the backup"
        )
    origin = folder.backups.next_origin(half_written=half_written) if folder is not None else "later"
    part = place.part if isinstance(place, BoardFolder) else place.with_name(f"{place.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with PartFile(part) as file:
        begun = [KnownBytes(0, file.begun)] if file.begun else []
        data = _whole_flash(device, file, [*known, *(folder.likely() if folder is not None else ()), *begun])
        kept = home.kept_with(data, half_written=half_written) if home is not None and path is None else None
        if kept is not None:
            file.discard()
            backup = Backup(kept.path, data, is_new=False)
        else:
            new = place if isinstance(place, Path) else place.backups.name(data, origin, simulated=device.simulated)
            file.publish(new, data)
            backup = Backup(new, data)
    if home is not None and backup.is_new and is_listed:
        home.note(backup, origin)
    device.sink(BackedUp(backup.path, backup.sha256))
    return backup


def _whole_flash(device: FlashDevice, file: PartFile, known: Sequence[KnownBytes]) -> bytes:
    size, faults = device.target.size, device.fault_generation
    data = FlashReader(device, known).read(0, size, into=file)
    if device.fault_generation != faults:
        _prove(device, data)
    if not data.strip(b"\0"):
        raise VerifyError(
            "the flash reads as nothing but 00: that is a dead line, not a backup",
            offset=0,
            length=size,
            hint="check the wires and the supply; write without a backup only if the flash really holds nothing but 00",
        )
    return data


def _prove(device: FlashDevice, data: bytes) -> None:
    """After a lost link: every block still there? Another board may have been put on the wires meanwhile."""
    for start, length in blocks_of(0, len(data)):
        if device.agreed_crc(start, length) != wire_crc(data[start : start + length]):
            raise VerifyError(
                f"the flash between {start:#x} and {start + length:#x} is not what was read before the link was lost",
                offset=start,
                length=length,
                hint="leave the board on the wires, and repeat the command",
            )
