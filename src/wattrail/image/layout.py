"""What lies where in 2 MiB of flash, one table a chip; the only place with these numbers.

Offsets and lengths are bytes of flash. Code is packed (see ``code``), everything else is as it is.
Source: bk7231-image/flash-map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from wattrail.bk7231 import APP_START, Chip
from wattrail.image.code import TUYA_KEY, ZERO_KEY, CodeKey, to_physical

__all__ = ["FLASH", "LAYOUTS", "SECTOR", "Layout", "Partition", "code_key"]

SECTOR: Final = 0x1000
FLASH: Final = 0x200000
APP_LOGICAL: Final = 0x10000
"""The address at which the processor sees it."""

APP_CONTAINER: Final = 0x108700
"""Bytes of code, with its RBL header at the end, in the app partition of Tuya's N and T."""

APP_PACKED: Final = to_physical(APP_CONTAINER)
QIO_N: Final = APP_START + APP_PACKED
"""0x129F70: where the app's container ends."""


def code_key(chip: Chip) -> CodeKey:
    """The key of the code cipher a chip's modules are made with."""
    # An M is an N without a key, and its code is stored plain. Source: bk7231-image/cipher
    return TUYA_KEY if chip in (Chip.N, Chip.T) else ZERO_KEY


@dataclass(frozen=True, slots=True)
class Partition:
    """A named range of flash. ``packed`` code carries CRCs; ``unique`` content exists on this one board only."""

    name: str
    start: int
    end: int
    holds: str
    packed: bool = False
    unique: bool = False

    @property
    def length(self) -> int:
        """Bytes."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Layout:
    """The partitions of a flash, in order and without holes."""

    name: str
    partitions: tuple[Partition, ...]

    def __getitem__(self, name: str) -> Partition:
        for partition in self.partitions:
            if partition.name == name:
                return partition
        raise KeyError(f"{self.name} has no partition {name!r}; known: {', '.join(p.name for p in self.partitions)}")

    def at(self, offset: int) -> Partition | None:
        """The partition an offset lies in; None behind the end of the flash."""
        return next((p for p in self.partitions if p.start <= offset < p.end), None)


# fmt: off
# From the partition tables in Tuya's bootloaders 1.0.1 (N) and 1.0.5 (T), and from public dumps.
_N = Layout("BK7231N", (
    Partition("bootloader", 0x000000, 0x011000, "first program in flash, its RBL header at the end", packed=True),
    Partition("app",        0x011000, 0x12A000, "the firmware; Tuya's RBL header ends at 0x129F70", packed=True),
    Partition("download",   0x12A000, 0x1D0000, "an OTA container waiting to be installed; OpenBeken's files"),
    Partition("rf",         0x1D0000, 0x1D1000, "radio calibration and MAC address", unique=True),
    Partition("config",     0x1D1000, 0x1D2000, "network parameters; OpenBeken's settings"),
    Partition("files",      0x1D2000, 0x1ED000, "settings of LibreTiny, files of Tuya"),
    Partition("licence",    0x1ED000, 0x1EE000, "Tuya: uuid and auth key", unique=True),
    Partition("tuya-key",   0x1EE000, 0x1EF000, "Tuya: key of the settings"),
    Partition("tuya-kv",    0x1EF000, 0x200000, "Tuya: settings, enciphered", unique=True),
))
_T = Layout("BK7231T", (
    Partition("bootloader", 0x000000, 0x011000, "first program in flash, and what answers the flasher", packed=True),
    Partition("app",        0x011000, 0x132000, "the firmware; Tuya's RBL header ends at 0x129F70", packed=True),
    Partition("download",   0x132000, 0x1D8000, "an OTA container waiting to be installed; OpenBeken's files"),
    Partition("lt-kv",      0x1D8000, 0x1E0000, "LibreTiny's settings"),
    Partition("rf",         0x1E0000, 0x1E1000, "radio calibration and MAC address", unique=True),
    Partition("config",     0x1E1000, 0x1E2000, "network parameters; OpenBeken's settings"),
    Partition("files",      0x1E2000, 0x1ED000, "files of Tuya"),
    Partition("licence",    0x1ED000, 0x1EE000, "Tuya: uuid and auth key", unique=True),
    Partition("tuya-key",   0x1EE000, 0x1EF000, "Tuya: key of the settings"),
    Partition("tuya-kv",    0x1EF000, 0x200000, "Tuya: settings, enciphered", unique=True),
))
# fmt: on

LAYOUTS: Final[Mapping[Chip, Layout]] = MappingProxyType(
    {chip: _N if chip in (Chip.N, Chip.M) else _T for chip in Chip}
)
"""By chip. M is an N without a key; U, Q, BK7238, BK7252 and BK7252N have Beken's own layout, of which the places of
the app, of the waiting update, of RF and of the settings are those of T."""
