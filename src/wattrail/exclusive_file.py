"""Files of one process at a time: locks between processes, and files that appear under their name only when whole.

A lock is one file, held by one process at a time, and free when that one ends, however it ends. The system's own file
locks are used where there are any; they die with their process. Elsewhere the file is made by whoever gets there first,
with its process number in it, and one whose process is gone is taken over.

A new file grows beside its place, in one that is this process's own while it is open: it is locked, it is a regular
file, and no second name leads to it. At the end it is read back, its hash is compared, and it gets its name by a link,
which fails where that name exists: a file that came there meanwhile is never replaced.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Self

from wattrail.bk7231 import MAX_FLASH_BYTES
from wattrail.errors import FileError, WriteRefused
from wattrail.files import read_bytes
from wattrail.sanitize import printable
from wattrail.whole_file import give_name

__all__ = ["FileLock", "PartFile", "port_lock", "sha256_of"]

# A link in its place is not followed: the lock is emptied and written to, and so would be what the link leads to.
_LOCK_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_MAX_NOTE_BYTES: Final = 32
"""A process number and a line break."""

_LOCK_BYTE: Final = 1 << 20
"""Windows locks bytes, and a locked byte cannot be read: this one lies behind the process number."""

# A pipe in its place must not block the opening, nor Windows take a byte of flash for the end of a line.
_PART_FLAGS: Final = (
    os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)  # fmt: skip


class FileLock:
    """Not held until ``acquire``. ``what`` it stands for is named where somebody else has it."""

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._what = what
        self._descriptor: int | None = None
        self._made = False

    @property
    def held(self) -> bool:
        """Whether it is held by this object."""
        return self._descriptor is not None

    def acquire(self) -> None:
        """Take it, at once. Raises FileError where another process has it, OSError where such a file cannot be made."""
        if self.held:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = self._opened()
            if not _system_lock(descriptor) and not self._made:
                os.close(descriptor)
                raise self._busy()
            if self._made or _leads_to(self._path, descriptor):
                break
            os.close(descriptor)  # whoever held it before has removed it: another one is there now
        self._descriptor = descriptor
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Give it back, and remove the file while it is still held."""
        if self._descriptor is None:
            return
        with suppress(OSError):  # Windows removes no open file: it stays, and is free
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None
        if self._made:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            self._made = False

    def _opened(self) -> int:
        if _HAS_LOCKS:
            return os.open(self._path, _LOCK_FLAGS, 0o644)
        for _ in range(2):
            try:
                descriptor = os.open(self._path, _LOCK_FLAGS | os.O_EXCL, 0o644)
            except FileExistsError:
                if _is_alive(_owner(self._path)):
                    raise self._busy() from None
                self._path.unlink(missing_ok=True)
                continue
            self._made = True
            return descriptor
        raise self._busy()

    def _busy(self) -> FileError:
        owner = _owner(self._path)
        who = f"process {owner}" if owner else "another process"
        return FileError(
            f"{self._what} is in use by {who}",
            hint=f"wait for it to end, or end it; the lock is {printable(str(self._path))}",
        )


def port_lock(name: str) -> FileLock:
    """The lock of one port on this machine, by the name under which it is opened."""
    folder = Path(tempfile.gettempdir()) / f"wattrail-{getattr(os, 'getuid', lambda: 0)()}"
    return FileLock(
        folder / f"port-{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock", f"the port {printable(name)}"
    )


def _leads_to(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _owner(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    try:
        return int(os.read(descriptor, _MAX_NOTE_BYTES))
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)


def _is_alive(process: int | None) -> bool:
    """Whether there is such a process; where that is not known, there is."""
    if process is None or process <= 0:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _module(name: str) -> Any:  # noqa: ANN401 - a module of one system or the other
    """A module that not every system has; None there."""
    try:
        return import_module(name)
    except ImportError:
        return None


_FCNTL: Final = _module("fcntl")
_MSVCRT: Final = _module("msvcrt")
_HAS_LOCKS: Final = _FCNTL is not None or _MSVCRT is not None


def _system_lock(descriptor: int) -> bool:
    """Lock an open file. False where somebody else has it, or where the system has no locks."""
    try:
        if _FCNTL is not None:
            _FCNTL.flock(descriptor, _FCNTL.LOCK_EX | _FCNTL.LOCK_NB)
        elif _MSVCRT is not None:  # pragma: no cover - Windows
            os.lseek(descriptor, _LOCK_BYTE, os.SEEK_SET)
            _MSVCRT.locking(descriptor, _MSVCRT.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            return False
    except OSError:
        return False
    return True


# ---- a new file


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
        if self._content() != data or not self._is_mine():
            raise FileError(
                f"{printable(str(self.path))} does not hold what was written to it",
                hint="check the disk, and whether another program writes there; then repeat the command",
            )
        try:
            give_name(self.path, path)
        except FileExistsError as error:
            raise WriteRefused(
                f"{printable(str(path))} exists already, and a backup replaces nothing",
                risk="",
                hint="name another file for the backup",
            ) from error
        if sha256_of(path) != hashlib.sha256(data).hexdigest():
            raise FileError(f"{printable(str(path))} does not hold what was written to it", hint="check the disk")
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove it: what it holds is not wanted."""
        if self._is_mine():
            self.path.unlink(missing_ok=True)

    def _opened(self) -> int:
        for _ in range(3):
            try:
                return os.open(self.path, _PART_FLAGS | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                found = os.lstat(self.path)
            if not stat.S_ISREG(found.st_mode):
                raise FileError(f"{printable(str(self.path))} is not a regular file", hint="remove it, or name another")
            if found.st_nlink > 1:
                self.path.unlink(missing_ok=True)  # it has its final name already: that one is not to be written to
                continue
            return os.open(self.path, _PART_FLAGS)
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
