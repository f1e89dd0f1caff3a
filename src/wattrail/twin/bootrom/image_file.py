"""A twin's flash in a file, so that what was flashed today is there tomorrow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from wattrail.bootrom.geometry import SECTOR
from wattrail.errors import ConfigError
from wattrail.files import read_bytes
from wattrail.twin.bootrom.file_lock import locked
from wattrail.twin.bootrom.flash import NorFlash

__all__ = ["hold_image", "load_image", "save_image"]


MAX_BYTES: Final = 1 << 24
"""The largest flash a twin has."""


def load_image(path: Path, size: int) -> bytes | None:
    """The image; None if there is no such file yet, or an empty one.

    Raises ConfigError for one of another size, FileError for what is no readable file.
    """
    if not path.exists():
        return None
    image = read_bytes(path, limit=MAX_BYTES)
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
    """Keep the file for this process, from its first whole appearance on. Raises ConfigError if another has it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path, bytes(flash.data)))
        except OSError as error:
            raise _trouble(path, "written", error) from error
        yield


def save_image(flash: NorFlash, path: Path) -> int:
    """Write what has changed since the last time; returns how many sectors that were. Raises ConfigError.

    A new file appears whole. Killed in the midst of a later save, it holds some sectors of before and some of after.
    """
    changed = sorted(flash.dirty)
    try:
        if path.exists() and path.stat().st_size == flash.size:
            _renew(flash, path, changed)
        else:
            whole = path.with_name(f"{path.name}.new")
            whole.write_bytes(flash.data)
            whole.replace(path)
    except OSError as error:
        raise _trouble(path, "written", error) from error
    flash.dirty.clear()
    return len(changed)


def _renew(flash: NorFlash, path: Path, changed: list[int]) -> None:
    with path.open("r+b") as file:
        for sector in changed:
            file.seek(sector * SECTOR)
            file.write(flash.data[sector * SECTOR : (sector + 1) * SECTOR])


def _trouble(path: Path, done: str, error: OSError) -> ConfigError:
    return ConfigError(
        f"{path}: the flash image cannot be {done}: {error.strerror}", hint="name a file in a folder of yours"
    )
