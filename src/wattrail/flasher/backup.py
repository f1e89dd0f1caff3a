"""The flash as it was, in a file, before anything is changed. Run the same again to resume a backup that was cut."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from wattrail.bootrom.ranges import wire_crc
from wattrail.errors import VerifyError, WriteRefused
from wattrail.flasher.access import FlashAccess
from wattrail.flasher.new_file import PartFile
from wattrail.flasher.reader import Known, blocks_of, read_flash

__all__ = ["Backup", "take_backup"]


class Backup:
    """A whole flash, read and vouched for. ``data`` is what stood there at that moment.

    ``is_new``: the file was made for it; else one was kept that has the same content.
    """

    def __init__(self, path: Path, data: bytes, *, is_new: bool = True) -> None:
        self.path = path
        self.data = data
        self.is_new = is_new
        self.sha256 = hashlib.sha256(data).hexdigest()


def _prove(access: FlashAccess, data: bytes) -> None:
    """After a lost link: every block still there? Another board may have been put on the wires meanwhile."""
    for start, length in blocks_of(0, len(data)):
        if access.sure_crc(start, length) != wire_crc(data[start : start + length]):
            raise VerifyError(
                f"the flash between {start:#x} and {start + length:#x} is not what was read before the link was lost",
                offset=start,
                length=length,
                hint="leave the board on the wires, and repeat the command",
            )


def take_backup(
    access: FlashAccess,
    size: int,
    name: Path | Callable[[bytes], Path],
    *,
    partial: Path | None = None,
    known: Sequence[Known] = (),
    kept: Callable[[bytes], Path | None] = lambda _: None,
) -> Backup:
    """Read the whole flash into a file, which appears under its name only when it is whole and holds what was read.

    ``name`` may be worked out from the content. Until then the file grows in ``partial``, and what stands there already
    is taken where the chip's CRC agrees. ``kept`` names a file that has this content already: then none is made. Raises
    WriteRefused for a file that exists, FileError for one that cannot be used or that another process holds,
    VerifyError for a flash that reads as nothing but 00: that is a dead line, not a backup.
    """
    if isinstance(name, Path):
        if name.exists():
            raise WriteRefused(
                f"{name} exists already, and a backup replaces nothing",
                risk="",
                hint="name another file for the backup",
            )
        partial = partial or name.with_name(f"{name.name}.part")
    if partial is None:
        raise ValueError("a backup that is named by its content needs a place to grow in")
    partial.parent.mkdir(parents=True, exist_ok=True)
    with PartFile(partial) as part:
        sources = [*known, *([Known(0, part.begun)] if part.begun else [])]
        doubts = access.doubts
        data = read_flash(access, 0, size, known=sources, done=part.put)
        if access.doubts != doubts:
            _prove(access, data)
        if set(data) == {0}:
            raise VerifyError(
                "the flash reads as nothing but 00: that is a dead line, not a backup",
                offset=0,
                length=size,
                hint="check the wires and the supply, or refuse the backup in words if you know better",
            )
        if (same := kept(data)) is not None:
            part.discard()
            return Backup(same, data, is_new=False)
        path = name if isinstance(name, Path) else name(data)
        part.publish(path, data)
    return Backup(path, data)
