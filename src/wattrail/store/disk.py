"""What a database asks of the disk: room, and files that only their owner reads."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from wattrail.errors import StoreError

__all__ = ["flush", "new_file", "require_room"]


def new_file(path: Path) -> None:
    """An empty file that only its owner can read, in place of one that an earlier attempt left. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    # Created with its mode: a chmod afterwards would leave a moment in which others can open it.
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def require_room(folder: Path, needed: int, purpose: str) -> None:
    """Raises StoreError unless the disk of a folder has that many bytes free."""
    place = next((one for one in (folder, *folder.absolute().parents) if one.is_dir()), Path("/"))
    free = shutil.disk_usage(place).free
    if free < needed:
        raise StoreError(
            f"{purpose} needs {needed} bytes in {place}, and {free} are free",
            hint=f"free at least {needed - free} bytes, or use another disk",
        )


def flush(path: Path) -> None:
    """Return once the disk has the content of a file. Raises OSError."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
