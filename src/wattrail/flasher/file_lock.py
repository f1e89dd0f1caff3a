"""A lock between processes: one file, held by one of them at a time, and free when that one ends, however it ends.

The system's own file locks are used where there are any; they die with their process. Elsewhere the file is made by
whoever gets there first, with its process number in it, and one whose process is gone is taken over.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from wattrail.errors import FileError
from wattrail.sanitize import printable

__all__ = ["FileLock", "port_lock"]

_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_MAX_NOTE_BYTES: Final = 32
"""A process number and a line break."""

_LOCK_BYTE: Final = 1 << 20
"""Windows locks bytes, and a locked byte cannot be read: this one lies behind the process number."""


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
        """Take it, at once. Raises FileError where another process has it, OSError where there can be no such file."""
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
            return os.open(self._path, _FLAGS, 0o644)
        for _ in range(2):
            try:
                descriptor = os.open(self._path, _FLAGS | os.O_EXCL, 0o644)
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
    return FileLock(folder / f"port-{sha256(name.encode()).hexdigest()[:16]}.lock", f"the port {printable(name)}")


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
    """Whether there is such a process; where that cannot be told, there is."""
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
