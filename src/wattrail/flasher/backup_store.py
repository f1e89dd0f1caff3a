"""Where the journals and backups of all boards are kept: a folder for each board, found by the board.

A board with an identity has one folder, under its name. A board without one gets a folder for each session; an earlier
one is taken up again only where the content of the flash proves that it is the same board.

What tells one board from another: its RF block (radio calibration and MAC address, made for each board at the factory).
The chip number, the flash's id, the code key in the eFuse and the flash's size are the same on thousands of boards, and
neither the boot ROM nor the bootloader gives the flash's unique number. So a board has an identity if its RF sector
holds an RF block with a MAC address of its own, and none if that sector is blank, torn, or holds anything else.

What tells a half-written board from every other one: the rest of its flash. Sectors that no session has touched hold
what the backup has, sectors that were proven hold what was wanted, and those that were touched hold the one, the
other, or are blank. Only those in which a session was cut may hold anything. Without an identity at least one of those
that are not proven has to differ from the backup: a board that shows no trace of a cut is a board of its own. Two
boards without identity that differ in nothing but what the cut write was to change cannot be told apart; the flash of
each is read into a file before it is written all the same.

Every combination of RF sector, journal and content, and the backup the write rests on, is a line of the table in
docs/adr/0021-a-board-is-known-by-its-rf-block-or-by-its-untouched-flash.md.

"Touched" means that the RF sector itself was noted before it was erased; that it lies in the same block of 64 KiB as
another sector does not count. A board without identity gets a folder for each session, never another's backups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from wattrail.bk7231 import MAX_FLASH_BYTES
from wattrail.bootrom.crc_compare import Span, blank_crc, blocks_of
from wattrail.bootrom.geometry import SECTOR
from wattrail.bootrom.requests import wire_crc
from wattrail.clock import Clock
from wattrail.errors import FileError
from wattrail.exclusive_file import FileLock
from wattrail.files import read_bytes
from wattrail.flasher.backups import Backup, BackupCatalog, KeptBackup, Origin, origin_in
from wattrail.flasher.device import KnownBytes
from wattrail.flasher.events import EventSink, Note
from wattrail.flasher.flash_target import FlashTarget
from wattrail.flasher.journal import JOURNAL, Journal, Unfinished

__all__ = ["BackupStore", "BoardFolder", "BoardHome", "content_fits"]

_LAST: Final = "last-written.bin"
_LOCK: Final = "board.lock"
MAX_FOLDERS: Final = 1000
"""Sessions with boards without identity for one chip and flash."""

MAX_UNCERTAIN: Final = 3
"""Unfinished writes on boards like this one that are named: more of them do not help."""

AskCrc = Callable[[int, int], int]
"""The chip's CRC of a range of whole sectors: start, length."""


class BoardFolder:
    """One board's journal and backups. ``lock`` keeps every other process out while something is changed."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.journal = Journal(path, clock)
        self.backups = BackupCatalog(path, clock)
        self.lock = FileLock(path / _LOCK, f"the board's folder {path}")

    @property
    def part(self) -> Path:
        """Where a backup grows until it is whole."""
        return self.path / "backup.part"

    def likely(self) -> Iterator[KnownBytes]:
        """What may still stand in this board's flash: what was last written, then the newest backup."""
        newest = [kept.path for kept in self.backups.all()][-1:]
        for path in (self.path / _LAST, *newest):
            try:
                yield KnownBytes(0, read_bytes(path, limit=MAX_FLASH_BYTES))
            except FileError:
                continue  # it only saves time

    def remember(self, flash: bytes) -> None:
        """Keep what the flash holds after a write: the next backup reads only what has changed. Raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        beside = self.path / f"{_LAST}.part"
        try:
            # Not synced: it only saves time, and what is wrong in it differs from the chip's CRC.
            beside.write_bytes(flash)
            beside.replace(self.path / _LAST)
        except OSError:
            beside.unlink(missing_ok=True)
            raise

    @property
    def is_unused(self) -> bool:
        """Whether nothing stands in it but the beginning of a backup."""
        return not (self.path / JOURNAL).exists() and not self.backups.all()


class BackupStore:
    """The folders of all boards."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self._clock = clock

    def unfinished(self, target: FlashTarget, crc_of: AskCrc | None = None) -> Unfinished | None:
        """What did not end on this board. ``crc_of`` asks the chip where its identity alone does not tell.

        Raises LinkFailed while asking.
        """
        found = [*self._unfinished_of_kind(target)]
        for one in found:
            if _is_by_identity(one, target):
                return one
        if crc_of is None:
            return None
        return next((one for one in found if _may_be(one, target) and content_fits(one, target, crc_of)), None)

    def uncertain(self, target: FlashTarget) -> list[Unfinished]:
        """What did not end on some board that this one may be, though its content does not prove it."""
        return [] if target.has_identity else [one for one in self._unfinished_of_kind(target) if _may_be(one, target)]

    def home(self, target: FlashTarget, earlier: Unfinished | None) -> BoardFolder | None:
        """The board's folder, or that of what did not end on it; None for a board without identity that has none."""
        if earlier is not None:
            return self._folder(earlier.journal.folder)
        return self._folder(self.folder / target.board) if target.has_identity else None

    def new_home(self, target: FlashTarget) -> BoardFolder:
        """A folder that no other session has, locked. Raises FileError, OSError."""
        for turn in range(1, MAX_FOLDERS):
            folder = self._folder(self.folder / f"{target.board}-{turn}")
            try:
                folder.path.mkdir(parents=True)
            except FileExistsError:
                if not folder.path.is_dir() or not folder.is_unused:
                    continue
            try:
                folder.lock.acquire()
            except FileError:
                continue  # another session's, just now
            if folder.is_unused:
                return folder
            folder.lock.release()
        raise FileError(f"{self.folder} holds {MAX_FOLDERS} boards without identity", hint="move some of them away")

    def same_content(self, target: FlashTarget, sha256: str) -> KeptBackup | None:
        """A backup of some board without identity, of such a chip and flash, with this very content."""
        for path in sorted(self.folder.glob(f"{target.board}-*/")):
            if (kept := self._folder(path).backups.same_as(sha256, target.size)) is not None and kept.is_whole:
                return kept
        return None

    def relatives(self, target: FlashTarget) -> list[BoardFolder]:
        """Folders of boards to which this one's RF block was written: it may be one of them."""
        if not target.has_identity:
            return []
        own = self.folder / target.board
        return [
            folder
            for folder in self.boards()
            if folder.path != own and target.rf_crc in folder.journal.became() and folder.journal.is_of_kind(target)
        ]

    def boards(self) -> list[BoardFolder]:
        """All folders in which something is kept, by name."""
        found = {path.parent for path in (*self.folder.glob(f"*/{JOURNAL}"), *self.folder.glob("*/backup*"))}
        return [self._folder(path) for path in sorted(found)]

    def _unfinished_of_kind(self, target: FlashTarget) -> Iterator[Unfinished]:
        for path in sorted(self.folder.glob(f"*/{JOURNAL}")):
            journal = Journal(path.parent, self._clock)
            if journal.is_of_kind(target) and (found := journal.unfinished(target.size)) is not None:
                yield found

    def _folder(self, path: Path) -> BoardFolder:
        return BoardFolder(path, self._clock)


class BoardHome:
    """The folder of the board that answers, once ``find`` has looked for it. None until a board without one is kept."""

    def __init__(self, store: BackupStore, sink: EventSink) -> None:
        self._store = store
        self._sink = sink
        self._target: FlashTarget | None = None
        self.folder: BoardFolder | None = None

    def find(self, target: FlashTarget, crc_of: AskCrc) -> None:
        """The board's folder, and what did not end on it, which is said at every connect. Raises LinkFailed."""
        self._target = target
        earlier = self._store.unfinished(target, crc_of)
        self.folder = self._store.home(target, earlier)
        if earlier is not None:
            self._sink(
                Note(f"a write of {earlier.image!r}, begun {earlier.since}, did not end: flash may be half-written")
            )
            return
        for other in self._store.uncertain(target)[:MAX_UNCERTAIN]:
            self._sink(
                Note(
                    f"a write of {other.image!r}, begun {other.since}, did not end on a board such as this one, which"
                    f" has no RF block to tell it by; its flash from before is in {other.backup}"
                )
            )

    def move(self, target: FlashTarget) -> None:
        """The board has another RF block now, and another name."""
        self._target = target
        if self.folder is not None and self.folder.journal.unfinished(target.size) is None:
            self.release()
            self.folder = self._store.home(target, None)

    def locked(self) -> BoardFolder:
        """The folder, for this process alone; made where there is none. Raises FileError where another has it."""
        if self.folder is None:
            self.folder = self._store.new_home(self._known)
        self.folder.lock.acquire()
        return self.folder

    def release(self) -> None:
        """Let other processes have it."""
        if self.folder is not None:
            self.folder.lock.release()

    @property
    def unfinished(self) -> Unfinished | None:
        """The writes on this board that did not end."""
        return self.folder.journal.unfinished(self._known.size) if self.folder else None

    def backups(self) -> list[KeptBackup]:
        """Kept backups, oldest first."""
        return self.folder.backups.all() if self.folder else []

    def originals(self) -> list[KeptBackup]:
        """The original of this board, and of each to which its RF block was written."""
        if self.folder is None:
            return []
        found = [folder.backups.original() for folder in (self.folder, *self._store.relatives(self._known))]
        return [kept for kept in found if kept is not None]

    def kept_with(self, data: bytes, *, half_written: bool) -> KeptBackup | None:
        """A kept backup with this content, that says the same of it."""
        digest = sha256(data).hexdigest()
        same = self.folder.backups.same_as(digest, len(data)) if self.folder else None
        if same is None and not self._known.has_identity and not half_written:
            same = self._store.same_content(self._known, digest)
        return same if same is not None and (half_written or same.is_whole) else None

    def note(self, backup: Backup, origin: Origin) -> None:
        """Add a backup to the list; where that cannot be, its name says the same."""
        if self.folder is None:
            return
        try:
            self.folder.backups.note(backup.path, backup.data, origin_in(backup.path) or origin)
        except OSError as error:
            self._sink(Note(f"the backup is whole, but the list of backups is not: {error.strerror}"))

    @property
    def _known(self) -> FlashTarget:
        if self._target is None:
            raise RuntimeError("not connected: call connect() first")
        return self._target


# ---- is this the board of that journal?


def _is_by_identity(found: Unfinished, target: FlashTarget) -> bool:
    """Whether the RF block says so: it is as before the first write, or names the folder."""
    return target.has_identity and (found.rf_before == target.rf_crc or found.journal.folder.name == target.board)


def _may_be(found: Unfinished, target: FlashTarget) -> bool:
    """Whether it is worth looking at the content: nothing that is known already speaks against it."""
    if found.backup is None:
        return False
    return found.rf_before == target.rf_crc or target.layout["rf"].start in found.sectors


def content_fits(found: Unfinished, target: FlashTarget, crc_of: AskCrc) -> bool:
    """Whether the flash is the one of its backup with what its sessions have done to it. Asks for CRCs only."""
    try:
        backup = read_bytes(found.backup, limit=MAX_FLASH_BYTES) if found.backup else b""
    except FileError:
        return False
    if len(backup) != target.size:
        return False
    touched = sorted(found.sectors)
    if not all(_sector_fits(found, backup, at, crc_of) for at in touched):
        return False
    # Boards of one batch hold the same bytes. Any of them would fit a journal whose cut left no trace.
    if not target.has_identity and not _shows_a_cut(found, backup, crc_of):
        return False
    return all(
        _holds(crc_of, (start, length), {wire_crc(backup[start : start + length])})
        for start, length in _between(touched, target.size)
    )


def _shows_a_cut(found: Unfinished, backup: bytes, crc_of: AskCrc) -> bool:
    """Whether some sector that is not proven differs from the backup: without that, any board of that content fits."""
    return any(not _holds(crc_of, (at, SECTOR), {wire_crc(backup[at : at + SECTOR])}) for at in found.pending)


def _holds(crc_of: AskCrc, span: Span, fitting: set[int]) -> bool:
    """Asked twice before it is denied: an answer may be damaged."""
    return crc_of(*span) in fitting or crc_of(*span) in fitting


def _sector_fits(found: Unfinished, backup: bytes, at: int, crc_of: AskCrc) -> bool:
    sector = found.sectors[at]
    if sector.torn:
        return True
    fitting = set(sector.wanted)
    if not sector.proven:
        fitting |= {blank_crc(SECTOR), wire_crc(backup[at : at + SECTOR])}
    return _holds(crc_of, (at, SECTOR), fitting)


def _between(touched: list[int], size: int) -> Iterator[Span]:
    """Everything that was not touched, cut at the borders of blocks."""
    start = 0
    for at in (*touched, size):
        if at > start:
            yield from blocks_of(start, at - start)
        start = at + SECTOR
