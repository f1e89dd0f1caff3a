"""Files that appear under their name only when they are whole, and that never replace one which came there meanwhile.

A file grows beside its place, in one that is this process's own while it is open: it is locked, it is a regular file,
and no second name leads to it. At the end it is read back, its hash is compared, and it gets its name by a link, which
fails where that name exists.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from wattrail.errors import FileError, WriteRefused
from wattrail.files import give_name, read_bytes
from wattrail.flasher.file_lock import FileLock
from wattrail.sanitize import printable

__all__ = ["MAX_FLASH_BYTES", "PartFile", "sha256_of"]

MAX_FLASH_BYTES: Final = 16 << 20
"""No flash of this family is larger; a file that is cannot be a backup of one."""

_FLAGS: Final = (
    os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)  # fmt: skip


class PartFile:
    """The beginning of a file. Use it by ``with``; ``begun`` is what an earlier try has left."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begun = b""
        self._lock = FileLock(path.with_name(f"{path.name}.lock"), printable(str(path)))
        self._descriptor = -1

    def __enter__(self) -> Self:
        self._lock.acquire()
        try:
            self._descriptor = self._opened()
            self.begun = self._content()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._lock.release()

    def put(self, at: int, block: bytes) -> None:
        """Write some bytes at their place."""
        os.lseek(self._descriptor, at, os.SEEK_SET)
        view = memoryview(block)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def publish(self, path: Path, data: bytes) -> None:
        """Give the file its name, once it is seen to hold ``data``.

        Raises WriteRefused where the name exists, FileError where the file does not hold what was written to it.
        """
        os.ftruncate(self._descriptor, len(data))
        os.fsync(self._descriptor)
        wrong = self._content() != data or not self._is_mine()
        if wrong:
            raise FileError(
                f"{printable(str(self.path))} does not hold what was written to it",
                hint="check the disk, and whether another program writes there; then repeat the command",
            )
        _publish(self.path, path, data)
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove it: what it holds is not wanted."""
        if self._is_mine():
            self.path.unlink(missing_ok=True)

    def _opened(self) -> int:
        for _ in range(3):
            try:
                return os.open(self.path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                found = os.lstat(self.path)
            if not stat.S_ISREG(found.st_mode):
                raise FileError(f"{printable(str(self.path))} is not a regular file", hint="remove it, or name another")
            if found.st_nlink > 1:
                self.path.unlink(missing_ok=True)  # it has its final name already: that one is not to be written to
                continue
            return os.open(self.path, _FLAGS)
        raise FileError(f"{printable(str(self.path))} cannot be made", hint="name another file")

    def _content(self) -> bytes:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        size = os.fstat(self._descriptor).st_size
        if size > MAX_FLASH_BYTES:
            os.ftruncate(self._descriptor, 0)
            return b""
        content = bytearray()
        while block := os.read(self._descriptor, 1 << 20):
            content += block
        return bytes(content)

    def _is_mine(self) -> bool:
        """Whether the name still leads to the file that is open."""
        try:
            there = os.lstat(self.path)
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptor))


def sha256_of(path: Path) -> str | None:
    """The hash of a regular file that may be a flash's; None for anything else."""
    try:
        return hashlib.sha256(read_bytes(path, limit=MAX_FLASH_BYTES)).hexdigest()
    except FileError:
        return None


def _publish(beside: Path, path: Path, data: bytes) -> None:
    try:
        give_name(beside, path)
    except FileExistsError as error:
        raise _exists(path) from error
    if sha256_of(path) != hashlib.sha256(data).hexdigest():
        raise FileError(f"{printable(str(path))} does not hold what was written to it", hint="check the disk")


def _exists(path: Path) -> WriteRefused:
    return WriteRefused(
        f"{printable(str(path))} exists already, and a backup replaces nothing",
        risk="",
        hint="name another file for the backup",
    )
