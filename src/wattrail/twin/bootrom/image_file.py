"""A twin's flash in a file, so that what was flashed today is there tomorrow."""

from __future__ import annotations

from pathlib import Path

from wattrail.bootrom.geometry import SECTOR
from wattrail.errors import ConfigError
from wattrail.twin.bootrom.flash import NorFlash

__all__ = ["load_image", "save_image"]


def load_image(path: Path, size: int) -> bytes | None:
    """The image, None if there is no such file yet. Raises ConfigError for a file of another size."""
    if not path.exists():
        return None
    image = path.read_bytes()
    if len(image) != size:
        raise ConfigError(
            f"{path}: {len(image)} bytes, the flash has {size}",
            hint="give a dump of the whole flash, or a file that does not exist yet",
        )
    return image


def save_image(flash: NorFlash, path: Path) -> int:
    """Write what has changed since the last time; returns how many sectors that were."""
    changed = sorted(flash.dirty)
    if path.exists() and path.stat().st_size == flash.size:
        with path.open("r+b") as file:
            for sector in changed:
                file.seek(sector * SECTOR)
                file.write(flash.data[sector * SECTOR : (sector + 1) * SECTOR])
    else:
        path.write_bytes(flash.data)
    flash.dirty.clear()
    return len(changed)
