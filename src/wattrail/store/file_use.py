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

__all__ = ["FileUse"]

_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_TAKEN: Final = {EACCES, EAGAIN, EWOULDBLOCK}
_MAX_BYTES: Final = 2_000

logger = logging.getLogger(__name__)


class FileUse:
    """The lock on ``<database>.gateway``, see ``ExclusiveUse``. Two names of one file have one lock."""

    def __init__(self, database: Path) -> None:
        target = database.resolve()
        self._path = target.with_name(f"{target.name}.gateway")
        self._descriptor: int | None = None
        self._is_ours = False

    def take(self) -> bool:
        """See ``ExclusiveUse``."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, _FLAGS, 0o644)
        except OSError as error:
            raise StoreError(
                f"{self._path} cannot be made: {error.strerror}",
                hint="check that you may write in the database's folder",
            ) from error
        self._is_ours = _lock(self._descriptor, self._path)
        return self._is_ours

    def write(self, text: str) -> None:
        """See ``ExclusiveUse``. A full disk costs the text only; the lock holds."""
        if self._descriptor is None:
            return
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, text.encode() + b"\n")

    def read(self) -> str | None:
        """See ``ExclusiveUse``."""
        if self._descriptor is None:
            return None
        with suppress(OSError, ValueError):
            return os.pread(self._descriptor, _MAX_BYTES, 0).decode()
        return None

    def release(self) -> None:
        """See ``ExclusiveUse``."""
        if self._descriptor is None:
            return
        if self._is_ours:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = None


def _lock(descriptor: int, path: Path) -> bool:
    """Whether the lock is ours. Where the file system or the system has none, it is, with a warning."""
    fcntl = _fcntl()
    if fcntl is None:  # pragma: no cover - Windows
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        logger.warning("%s cannot be locked (%s): take care that only one gateway uses it", path, error.strerror)
    return True


def _fcntl() -> ModuleType | None:
    try:
        return import_module("fcntl")
    except ImportError:  # pragma: no cover - Windows
        return None
