"""One session's hold on the board's folder: which it is, what did not end there, which backups it has."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from wattrail.flasher.backup import Backup
from wattrail.flasher.backup_catalog import KeptBackup, Origin, origin_in
from wattrail.flasher.journal import Unfinished
from wattrail.flasher.same_board import Ask
from wattrail.flasher.shelf import BoardFolder, Shelf
from wattrail.flasher.target import Target
from wattrail.flasher.trace import Trace

__all__ = ["BoardHome"]

MAX_DOUBTFUL: Final = 3
"""Unfinished writes on boards like this one that are named: more of them are no help."""


class BoardHome:
    """The folder of the board that answers, once ``find`` has looked for it. None until a board without one is kept."""

    def __init__(self, shelf: Shelf, trace: Trace) -> None:
        self._shelf = shelf
        self._trace = trace
        self._target: Target | None = None
        self.folder: BoardFolder | None = None

    def find(self, target: Target, ask: Ask) -> None:
        """The board's folder, and what did not end on it, which is said at every connect. Raises LinkFailed."""
        self._target = target
        earlier = self._shelf.unfinished(target, ask)
        self.folder = self._shelf.home(target, earlier)
        if earlier is not None:
            self._trace.note(
                f"a write of {earlier.image!r}, begun {earlier.since}, did not end: flash may be half-written"
            )
            return
        for doubtful in self._shelf.doubtful(target)[:MAX_DOUBTFUL]:
            self._trace.note(
                f"a write of {doubtful.image!r}, begun {doubtful.since}, did not end on a board such as this one, which"
                f" has no RF block to tell it by; its flash from before is in {doubtful.backup}"
            )

    def move(self, target: Target) -> None:
        """The board has another RF block now, and another name."""
        self._target = target
        if self.folder is not None and self.folder.journal.unfinished(target.size) is None:
            self.release()
            self.folder = self._shelf.home(target, None)

    def locked(self) -> BoardFolder:
        """The folder, for this process alone; made where there is none. Raises FileError where another has it."""
        if self.folder is None:
            self.folder = self._shelf.new_home(self._known)
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
        found = [folder.backups.original() for folder in (self.folder, *self._shelf.relatives(self._known))]
        return [kept for kept in found if kept is not None]

    def kept_with(self, data: bytes, *, half_written: bool) -> KeptBackup | None:
        """A kept backup with this content, that says the same of it."""
        digest = sha256(data).hexdigest()
        same = self.folder.backups.same_as(digest, len(data)) if self.folder else None
        if same is None and not self._known.has_identity and not half_written:
            same = self._shelf.same_content(self._known, digest)
        return same if same is not None and (half_written or same.is_whole) else None

    def note(self, backup: Backup, origin: Origin) -> None:
        """Add a backup to the list; where that cannot be, its name says the same."""
        if self.folder is None:
            return
        try:
            self.folder.backups.note(backup.path, backup.data, origin_in(backup.path) or origin)
        except OSError as error:
            self._trace.note(f"the backup is whole, but the list of backups is not: {error.strerror}")

    @property
    def _known(self) -> Target:
        if self._target is None:
            raise RuntimeError("not connected: call connect() first")
        return self._target
