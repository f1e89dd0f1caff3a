"""The BK7231 family: what both the boot protocol and the images of its flash rest on, each number once."""

from __future__ import annotations

from enum import Enum
from typing import Final

__all__ = ["APP_START", "MAX_FLASH_BYTES", "TUYA_KEY_WORDS", "Chip"]

APP_START: Final = 0x11000
"""Flash offset of the application on every chip of the family; the bootloader lies below it.

Source: bk-boot/flash-map.
"""

MAX_FLASH_BYTES: Final = 16 << 20
"""The largest flash the commands can count: addresses have 24 bits. Boards carry 2 MiB, rarely 4."""

TUYA_KEY_WORDS: Final = (0x510FB093, 0xA3CBEADC, 0x5993A17E, 0xC7ADEB03)
"""The code key in every Tuya N and T examined: four words, which the eFuse holds low byte first.

Source: bk-boot/efuse.
"""


class Chip(Enum):
    """The members of the family that differ in what their flash holds."""

    N = "BK7231N"
    T = "BK7231T"
    M = "BK7231M"
    U = "BK7231U"
    Q = "BK7231Q"
    BK7238 = "BK7238"
    BK7252 = "BK7252"
    BK7252N = "BK7252N"

    @property
    def is_flashable(self) -> bool:
        """Whether wattrail writes the flash of such a chip; images for the others are recognised, not written."""
        return self in (Chip.N, Chip.T, Chip.M)
