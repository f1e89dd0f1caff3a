"""A twin's flash stored in a file, used by one process at a time.

A lock on the file ensures that; it ends with the process. Systems and file systems without such locks go without.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from wattrail.bk7231 import MAX_FLASH_BYTES
from wattrail.bootrom.geometry import SECTOR
from wattrail.errors import ConfigError
from wattrail.files import read_bytes
from wattrail.sanitize import printable
from wattrail.twin.bootrom.flash import NorFlash

__all__ = ["hold_image", "load_image", "save_image"]

_OPEN: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_LOCKS: Final = Path("/proc/locks")
"""Linux lists there who holds which lock: kind, mode, access, process, device and inode."""


def load_image(path: Path, size: int) -> bytes | None:
    """The image; None if the file does not exist yet, or is empty.

    Raises ConfigError for one of another size, FileError for what is not a readable file.
    """
    if not path.exists():
        return None
    image = read_bytes(path, limit=MAX_FLASH_BYTES)
    if not image:
        return None
    if len(image) != size:
        raise ConfigError(
            f"{path}: {len(image)} bytes, the flash has {size}",
            hint="give a dump of the whole flash, or a file that does not exist yet",
        )
    return image


@contextmanager
def hold_image(flash: NorFlash, path: Path) -> Iterator[None]:
    """Lock the file for this process while the block runs; a missing or empty one appears whole, with the flash.

    Raises ConfigError if another process has it, or if it cannot be opened or written.
    """
    with ExitStack() as stack:
        try:
            descriptor = _lock(path)
            stack.callback(os.close, descriptor)
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):  # root may replace a device by a file
                raise ConfigError(f"{path} is not a regular file", hint="name a file, or one that does not exist yet")
            if found.st_size == 0:
                stack.callback(os.close, _replace(path, bytes(flash.data)))
        except OSError as error:
            raise _unwritable(path, error) from error
        yield


def save_image(flash: NorFlash, path: Path) -> int:
    """Write the sectors that changed since the last save; returns how many. Raises ConfigError.

    A new file appears whole. Killed during a later save, it holds some sectors of before and some of after.
    """
    changed = sorted(flash.dirty)
    try:
        if path.exists() and path.stat().st_size == flash.size:
            with path.open("r+b") as file:
                for sector in changed:
                    file.seek(sector * SECTOR)
                    file.write(flash.data[sector * SECTOR : (sector + 1) * SECTOR])
        else:
            whole = path.with_name(f"{path.name}.new")
            whole.write_bytes(flash.data)
            whole.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    flash.dirty.clear()
    return len(changed)


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{path}: the flash image cannot be written: {error.strerror}", hint="name a file in a folder of yours"
    )


# ---- the lock


def _lock(path: Path) -> int:
    while True:
        descriptor = _open_locked(path, _OPEN)
        if os.path.samestat(os.fstat(descriptor), path.stat()):  # else another process has just replaced it
            return descriptor
        os.close(descriptor)


def _open_locked(path: Path, flags: int) -> int:
    descriptor = os.open(path, flags, 0o666)
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # a system without such locks
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
    descriptor = _open_locked(new, _OPEN | os.O_TRUNC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        new.replace(path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _holder(inode: int) -> str:
    """The process that has the lock, by number and name where the system lists them."""
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
