"""The place of the one gateway of a database file: the system's lock on a file beside it, which holds its text.

The lock (``flock``) ends with its process, however that ends, so nothing stale is left after a kill. The file stays,
and its text counts only while the lock is held.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from errno import EACCES, EAGAIN, EWOULDBLOCK
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

from wattrail.errors import StoreError
from wattrail.store.schema import refuse_other_programs

__all__ = ["FileUse"]

# Not through a symbolic link: who may write in the folder could have us truncate another file.
_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_TAKEN: Final = {EACCES, EAGAIN, EWOULDBLOCK}
_MAX_BYTES: Final = 20_000

logger = logging.getLogger(__name__)


class FileUse:
    """The lock on ``<database>.gateway``, see ``ExclusiveUse``. Two names of one file have one lock."""

    def __init__(self, database: Path) -> None:
        self._database = target = database.resolve()
        self._path = target.with_name(f"{target.name}.gateway")
        self._descriptor: int | None = None
        self._is_ours = False
        self.is_certain = False
        """Whether it is ours, and no other process can believe the same."""

    def take(self) -> bool:
        """See ``ExclusiveUse``. A file of another program is refused before anything is made beside it."""
        refuse_other_programs(self._database)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, _FLAGS, 0o644)
        except OSError as error:
            raise StoreError(
                f"{self._path} cannot be made: {error.strerror}",
                hint="check that you may write in the database's folder",
            ) from error
        locked = _lock(self._descriptor, self._path)
        self._is_ours, self.is_certain = locked is not False, bool(locked)
        return self._is_ours

    def write(self, text: str) -> None:
        """See ``ExclusiveUse``. A full disk costs the text only; the lock holds."""
        if self._descriptor is None:
            return
        line = text.encode() + b"\n"
        with suppress(OSError):
            os.pwrite(self._descriptor, line, 0)  # readers take the first line, and never find an empty file
            os.ftruncate(self._descriptor, len(line))

    def read(self) -> str | None:
        """See ``ExclusiveUse``."""
        return None if self._descriptor is None else _first_line(self._descriptor)

    def read_held(self) -> str | None:
        """See ``ExclusiveUse``."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(
                f"{self._path} cannot be read: {error.strerror}", hint="ask as the user of the gateway"
            ) from error
        try:
            text = _first_line(descriptor)
            # Who ends leaves none. The lock is asked only where a kill may have left one.
            return None if not text or _is_free(descriptor) else text
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """See ``ExclusiveUse``."""
        if self._descriptor is None:
            return
        if self._is_ours:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor, self.is_certain = None, False


def _lock(descriptor: int, path: Path) -> bool | None:
    """Whether the lock is ours. None where there is none: it counts as ours, with a warning."""
    fcntl = _fcntl()
    if fcntl is None:  # pragma: no cover - Windows
        return None
    try:
        # Not the locks of POSIX (lockf): those end when the process closes any descriptor of the file, as a reader here
        # does.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        logger.warning("%s cannot be locked (%s): take care that only one gateway uses it", path, error.strerror)
        return None
    return True


def _first_line(descriptor: int) -> str | None:
    with suppress(OSError, ValueError):
        return os.pread(descriptor, _MAX_BYTES, 0).partition(b"\n")[0].decode()
    return None


def _is_free(descriptor: int) -> bool:
    fcntl = _fcntl()
    if fcntl is None:  # pragma: no cover - Windows
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # ends with the descriptor
    except OSError as error:
        return error.errno not in _TAKEN
    return True


def _fcntl() -> ModuleType | None:
    try:
        return import_module("fcntl")
    except ImportError:  # pragma: no cover - Windows
        return None
