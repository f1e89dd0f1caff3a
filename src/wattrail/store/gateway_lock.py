"""One gateway a database: a lock beside the file, which names who holds it.

The lock is the system's own (``flock``) on ``<database>.gateway``: it ends with its process, however that ends, so
nothing stale is left after a kill. The file stays, and its text counts only while the lock is held. Reading verbs take
no lock, and neither do those that add a calibration or a manual entry beside a running gateway.
"""

from __future__ import annotations

import json
import logging
import os
import platform
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from errno import EACCES, EAGAIN, EWOULDBLOCK
from importlib import import_module
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Final, Self

from wattrail.errors import StoreError
from wattrail.sanitize import printable

__all__ = ["GatewayLock", "LockHolder", "running_gateway"]

_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_TAKEN: Final = {EACCES, EAGAIN, EWOULDBLOCK}
_MAX_BYTES: Final = 2_000
_MAX_TEXT: Final = 200

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockHolder:
    """The gateway that holds a database. ``started`` is UTC in ISO 8601; ``address`` is its page, None without one."""

    pid: int
    host: str
    started: str
    address: str | None = None

    def __str__(self) -> str:
        page = f", page {self.address}" if self.address else ""
        return f"process {self.pid} on {self.host}, since {self.started}{page}"


class GatewayLock:
    """The lock of one database, held inside a ``with`` block. Two names of one file have one lock."""

    def __init__(self, database: Path | str) -> None:
        self._database = Path(database)
        self._descriptor: int | None = None
        self._holder = LockHolder(
            pid=os.getpid(), host=platform.node(), started=datetime.now(UTC).isoformat(timespec="seconds")
        )

    def __enter__(self) -> Self:
        """Raises StoreError where another gateway holds it, or where its file cannot be made."""
        path = _path_of(self._database)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, _FLAGS, 0o644)
        except OSError as error:
            raise StoreError(
                f"{path} cannot be made: {error.strerror}", hint="check that you may write in the database's folder"
            ) from error
        if not _lock(descriptor, path):
            holder = _read(descriptor)
            os.close(descriptor)
            raise StoreError(
                f"another gateway uses {self._database}: {holder or 'a process that has not given its name yet'}",
                hint="stop that one, or give this one a database of its own: database=FILE",
            )
        self._descriptor = descriptor
        self._write(self._holder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is None:
            return
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = None

    def set_address(self, address: str) -> None:
        """Name the page, for whoever is refused."""
        self._write(LockHolder(**{**asdict(self._holder), "address": address}))

    def _write(self, holder: LockHolder) -> None:
        """A full disk costs the name only; the lock holds."""
        if self._descriptor is None:
            return
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, json.dumps(asdict(holder)).encode() + b"\n")


def running_gateway(database: Path) -> LockHolder | None:
    """The gateway that uses a database now, if one does and has given its name.

    Only where a name stands in the file, perhaps of one that was killed, is the lock tried, and given back at once.
    """
    fcntl = _fcntl()
    try:
        descriptor = os.open(_path_of(database), os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None  # none ever ran here
    holder = _read(descriptor)
    try:
        if holder is not None and fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except OSError as error:
        return holder if error.errno in _TAKEN else None
    finally:
        os.close(descriptor)


def _path_of(database: Path) -> Path:
    target = database.resolve()
    return target.with_name(f"{target.name}.gateway")


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


def _read(descriptor: int) -> LockHolder | None:
    """What the file says; None for nothing, or nothing clear."""
    try:
        text = os.pread(descriptor, _MAX_BYTES, 0)
        said = json.loads(text)
        address = said["address"]
        return LockHolder(
            pid=int(said["pid"]), host=_short(said["host"]), started=_short(said["started"]),
            address=None if address is None else _short(address),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _short(text: object) -> str:
    return printable(str(text), limit=_MAX_TEXT)
