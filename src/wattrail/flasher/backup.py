"""The flash as it was, in a file, before anything is changed. A backup that was cut short is gone on with."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from wattrail.errors import VerifyError, WriteRefused
from wattrail.flasher.access import FlashAccess
from wattrail.flasher.reader import Known, read_flash

__all__ = ["Backup", "take_backup"]


class Backup:
    """A whole flash, read and vouched for. ``data`` is what stood there at that moment."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        self.data = data
        self.sha256 = hashlib.sha256(data).hexdigest()


def take_backup(
    access: FlashAccess,
    size: int,
    path: Path,
    *,
    partial: Path | None = None,
    known: Sequence[Known] = (),
) -> Backup:
    """Read the whole flash into a file, which appears under its name only when it is whole.

    Until then it grows in ``partial``, and what stands there already is gone on with. Raises WriteRefused for a file
    that exists, VerifyError for a flash that reads as nothing but 00: that is a dead line, not a backup.
    """
    if path.exists():
        raise WriteRefused(
            f"{path} exists already, and a backup replaces nothing", risk="", hint="name another file for the backup"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial or path.with_name(f"{path.name}.part")
    sources = [*known, *_begun(partial)]
    with partial.open("r+b" if partial.exists() else "w+b") as file:

        def keep(at: int, block: bytes) -> None:
            file.seek(at)
            file.write(block)
            file.flush()

        data = read_flash(access, 0, size, known=sources, done=keep)
        file.truncate(size)
        os.fsync(file.fileno())
    if set(data) == {0}:
        raise VerifyError(
            "the flash reads as nothing but 00: that is a dead line, not a backup",
            offset=0,
            length=size,
            hint="check the wires and the supply, or refuse the backup in words if you know better",
        )
    partial.replace(path)
    return Backup(path, data)


def _begun(partial: Path) -> Sequence[Known]:
    """The beginning of one that was cut short: its blocks are believed only where the chip's CRC agrees."""
    if not partial.exists():
        return ()
    return (Known(0, partial.read_bytes()),)
