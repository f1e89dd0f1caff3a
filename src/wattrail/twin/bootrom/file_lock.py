"""One process at a time keeps its flash in a file: a lock on the file itself, which dies with the process."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from wattrail.errors import ConfigError
from wattrail.sanitize import printable

__all__ = ["locked"]

_OPEN: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_LOCKS: Final = Path("/proc/locks")
"""Linux tells there who holds which lock: kind, mode, access, process, device and inode."""


@contextmanager
def locked(path: Path, content: bytes) -> Iterator[None]:
    """Keep the file for this process while the block runs; a missing or empty one appears whole, with ``content``.

    Raises ConfigError if another process has it, OSError if it cannot be opened or written. Systems and file systems
    without such locks go without.
    """
    descriptor = _lock(path)
    try:
        if os.fstat(descriptor).st_size == 0:
            new = _replace(path, content)
            os.close(descriptor)
            descriptor = new
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path) -> int:
    while True:
        descriptor = _opened(path, _OPEN)
        if os.path.samestat(os.fstat(descriptor), path.stat()):  # else somebody has just put another in its place
            return descriptor
        os.close(descriptor)


def _opened(path: Path, flags: int) -> int:
    descriptor = os.open(path, flags, 0o666)
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # no such locks on this system
        pass
    except BlockingIOError as error:
        holder = _holder(os.fstat(descriptor).st_ino)
        os.close(descriptor)
        raise ConfigError(
            f"{printable(str(path))} is in use as a flash by {holder}",
            hint="stop that process first, or name another file",
        ) from error
    except OSError:  # a file system without locks
        pass
    return descriptor


def _replace(path: Path, content: bytes) -> int:
    """A new file in its place, whole from the moment it has the name, and locked before."""
    new = path.with_name(f"{path.name}.new")
    descriptor = _opened(new, _OPEN | os.O_TRUNC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        new.replace(path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _holder(inode: int) -> str:
    """The process that has the lock, by number and name where the system tells them."""
    try:
        text = _LOCKS.read_text(encoding="ascii")
    except OSError:
        return "another process"
    found = re.search(rf"FLOCK\s+ADVISORY\s+WRITE\s+([1-9]\d*)\s+[\da-f]+:[\da-f]+:{inode}\s", text)
    if found is None:
        return "another process"
    process = int(found[1])
    return f"process {process}{_name(process)}"


def _name(process: int) -> str:
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return ""
    return f" ({printable(b' '.join(words).decode(errors='replace'))})"
