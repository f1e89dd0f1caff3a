"""What differs between the two responders besides the commands they know. Addresses and spans in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from wattrail.bk7231 import APP_START
from wattrail.bootrom.commands import Responder
from wattrail.bootrom.geometry import ERASE_64K, ERASE_SECTOR, ERASES, Erase

__all__ = ["TRAITS", "CrcEnd", "Traits"]


class CrcEnd(Enum):
    """How the end of a CRC's range is counted."""

    INCLUSIVE = "the byte at the end counts"
    BLOCKS = "whole blocks of 256 bytes"


@dataclass(frozen=True, slots=True)
class Traits:
    """One responder's ways.

    ``guard`` is the lowest address it reads, erases and programs when asked for it plainly, ``write_4k_guard`` the
    lowest that Write4K takes. Below ``lost_below`` lies the responder itself: erase it, and the chip may never be
    reached by UART again. Sizes outside ``erases`` are answered as done and not carried out. ``keepalive_s``: a
    longer silence may end the download mode; None where it never ends.
    """

    crc_end: CrcEnd
    erases: tuple[Erase, ...]
    guard: int
    write_4k_guard: int
    crc_protects: bool
    lost_below: int
    keepalive_s: float | None


TRAITS: Final = {
    # The mask ROM is not in flash: nothing written there can lose it. Source: bk-boot/rom.
    Responder.BOOT_ROM: Traits(CrcEnd.INCLUSIVE, ERASES, 0, 0, False, 0, None),
    # Its watchdog fires after about 400 000 idle polls; the seconds were never measured. Source: bk-boot/loader-1.
    Responder.BOOTLOADER: Traits(CrcEnd.BLOCKS, (ERASE_SECTOR, ERASE_64K), 0x10000, 0x20E0, True, APP_START, 1.0),
}
"""Each responder's."""
