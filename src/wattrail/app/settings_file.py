"""``wattrail.toml`` as a file that is changed: read with a version, written as a whole or not at all."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattrail.errors import ConfigError
from wattrail.files import read_text
from wattrail.sanitize import printable
from wattrail.whole_file import whole_file

__all__ = ["FileState", "SettingsFile", "replace_text"]

_BACKUP: Final = ".before"
_NEW_MODE: Final = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """A text and its version; a file that is not there has an empty text."""

    text: str
    is_there: bool

    @property
    def version(self) -> str:
        """Differs whenever the text does."""
        return hashlib.sha256(f"{self.is_there}{self.text}".encode()).hexdigest()[:16]


class SettingsFile:
    """The file at a path; a link stays one. ``name`` is for people."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def name(self) -> str:
        """Its path as text."""
        return printable(str(self.path))

    @property
    def backup(self) -> Path:
        """Where the text before the last change is kept."""
        target = self.path.resolve()
        return target.with_name(f"{target.name}{_BACKUP}")

    def read(self) -> FileState:
        """What it says now. Raises FileError."""
        if not os.path.lexists(self.path):
            return FileState(text="", is_there=False)
        return FileState(text=read_text(self.path), is_there=True)

    def why_not_writable(self) -> str | None:
        """Why this process cannot write it, None where it can."""
        folder = self.path.resolve().parent
        # Folders that are missing are made, so the nearest one that is there decides.
        while not folder.exists():
            folder = folder.parent
        if os.access(folder, os.W_OK | os.X_OK):
            return None
        return f"the user of the gateway may not write in {printable(str(folder))}"

    def write(self, text: str, before: FileState) -> None:
        """Replace the text, and keep the one before beside it. Raises ConfigError where the file cannot be written.

        Owner and mode stay. A power cut leaves the old file or the new one.
        """
        # The file behind a link, so that the link stays one.
        target = self.path.resolve()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if before.is_there:
                replace_text(self.backup, before.text, like=target)
            replace_text(target, text)
        except OSError as error:
            raise ConfigError(
                f"{self.name} cannot be written: {error.strerror or error}",
                hint="let the user of the gateway write in its folder (docs/page.md, settings), or edit it by hand and "
                "type: wattrail reload",
            ) from error

    def __str__(self) -> str:
        return self.name


def replace_text(path: Path, text: str, *, like: Path | None = None) -> None:
    """Write a file as a whole or not at all. Owner and mode are those of ``like``, else they stay. Raises OSError."""
    # Nobody else may look into it before it has the owner and the mode of the file whose place it takes.
    with whole_file(path, replace=True, mode=0o600, prepare=lambda number: _take_over(number, like or path)) as file:
        file.write(text.encode())


def _take_over(number: int, like: Path) -> None:
    """Give a new file the owner and the mode of another. Raises PermissionError where the owner cannot be kept."""
    try:
        found = like.stat()
    except FileNotFoundError:
        os.fchmod(number, _NEW_MODE)
        return
    own = os.fstat(number)
    # Only where they differ: none but root may give a file away.
    if (own.st_uid, own.st_gid) != (found.st_uid, found.st_gid):
        os.fchown(number, found.st_uid, found.st_gid)
    os.fchmod(number, found.st_mode & 0o777)
