"""Where the journals and backups of all boards are kept: a folder for each board, found by the board.

A board with an identity has one folder, under its name. A board without one gets a folder for each session; an earlier
one is taken up again only where the content of the flash proves that it is the same board.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wattrail.clock import Clock
from wattrail.errors import FileError
from wattrail.files import read_bytes
from wattrail.flasher.backup_catalog import BackupCatalog, KeptBackup
from wattrail.flasher.file_lock import FileLock
from wattrail.flasher.journal import JOURNAL, Journal, Unfinished
from wattrail.flasher.new_file import MAX_FLASH_BYTES
from wattrail.flasher.reader import Known
from wattrail.flasher.same_board import Ask, content_fits, is_by_identity, may_be
from wattrail.flasher.target import Target

__all__ = ["BoardFolder", "Shelf"]

_LAST: Final = "last-written.bin"
_LOCK: Final = "board.lock"
MAX_FOLDERS: Final = 1000
"""Sessions with boards without identity for one chip and flash."""


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

    def likely(self) -> Iterator[Known]:
        """What may still stand in this board's flash: what was last written, then the newest backup."""
        newest = [kept.path for kept in self.backups.all()][-1:]
        for path in (self.path / _LAST, *newest):
            try:
                yield Known(0, read_bytes(path, limit=MAX_FLASH_BYTES))
            except FileError:
                continue  # it only saves time

    def remember(self, flash: bytes) -> None:
        """Keep what the flash holds after a write: the next backup reads only what has changed. Raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        beside = self.path / f"{_LAST}.part"
        try:
            beside.write_bytes(flash)
            beside.replace(self.path / _LAST)
        except OSError:
            beside.unlink(missing_ok=True)
            raise

    @property
    def is_unused(self) -> bool:
        """Whether nothing stands in it but the beginning of a backup."""
        return not (self.path / JOURNAL).exists() and not self.backups.all()


class Shelf:
    """The folders of all boards."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self._clock = clock

    def unfinished(self, target: Target, ask: Ask | None = None) -> Unfinished | None:
        """What did not end on this board. ``ask`` the chip for CRCs where its identity alone does not tell.

        Raises LinkFailed while asking.
        """
        found = [one for one in self._unfinished_of_kind(target)]
        for one in found:
            if is_by_identity(one, target):
                return one
        if ask is None:
            return None
        return next((one for one in found if may_be(one, target) and content_fits(one, target, ask)), None)

    def doubtful(self, target: Target) -> list[Unfinished]:
        """What did not end on some board that this one may be, though its content does not prove it."""
        return [] if target.has_identity else [one for one in self._unfinished_of_kind(target) if may_be(one, target)]

    def home(self, target: Target, earlier: Unfinished | None) -> BoardFolder | None:
        """The board's folder, or that of what did not end on it; None for a board without identity that has none."""
        if earlier is not None:
            return self._folder(earlier.journal.folder)
        return self._folder(self.folder / target.board) if target.has_identity else None

    def new_home(self, target: Target) -> BoardFolder:
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

    def same_content(self, target: Target, sha256: str) -> KeptBackup | None:
        """A backup of some board without identity, of such a chip and flash, with this very content."""
        for path in sorted(self.folder.glob(f"{target.board}-*/")):
            if (kept := self._folder(path).backups.same_as(sha256, target.size)) is not None and kept.is_whole:
                return kept
        return None

    def journal(self, target: Target) -> Journal:
        """The one to write to: that of what did not end on this board, else the board's own."""
        found = self.unfinished(target)
        return found.journal if found else Journal(self.folder / target.board, self._clock)

    def relatives(self, target: Target) -> list[BoardFolder]:
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

    def _unfinished_of_kind(self, target: Target) -> Iterator[Unfinished]:
        for path in sorted(self.folder.glob(f"*/{JOURNAL}")):
            journal = Journal(path.parent, self._clock)
            if journal.is_of_kind(target) and (found := journal.unfinished(target.size)) is not None:
                yield found

    def _folder(self, path: Path) -> BoardFolder:
        return BoardFolder(path, self._clock)
