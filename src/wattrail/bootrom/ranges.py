"""Addresses a responder accepts, and the ranges of the flash that its CRC covers. Offsets and lengths in bytes.

The bootloader compares the address as it was sent; the flash takes it modulo its size. So the same byte is reached one
flash size higher, where nothing is compared. Source: bk-boot/loader-1.
"""

from __future__ import annotations

import zlib

from wattrail.bootrom.commands import ERASE, FLASH_WRITE, READ_4K, TRAITS, WRITE_4K, Command, CrcEnd, Responder
from wattrail.bootrom.constants import CRC_BLOCK, CRC_MAX_BLOCKS

__all__ = ["crc_range", "is_guarded", "wire_crc", "wrapped"]


def is_guarded(command: Command, address: int, responder: Responder) -> bool:
    """Whether the responder refuses this command at this address (status 06)."""
    traits = TRAITS[responder]
    if command is WRITE_4K:
        return address < traits.write_4k_guard
    if command is ERASE or command is FLASH_WRITE or command is READ_4K:
        # The loader's comparison is signed: the upper half of all addresses counts as below the guard. Write4K's is
        # not, and its guard is lower: what lies between is kept from erases only. Source: bk-boot/loader-1.
        signed = address - (1 << 32) if address >> 31 else address
        return signed < traits.guard
    return False


def wrapped(address: int, flash_bytes: int) -> int:
    """The same byte one flash size higher, where the bootloader's guard does not apply.

    Meant for reading: writing there overwrites the only program that answers on the UART.
    Raises ValueError if the address lies outside the flash.
    """
    if not 0 <= address < flash_bytes:
        raise ValueError(f"{address:#x} lies outside the flash of {flash_bytes:#x} bytes")
    return address + flash_bytes


def wire_crc(data: bytes) -> int:
    """CRC-32 as the chip sends it: without the final inversion. Source: bk-boot/crc."""
    return zlib.crc32(data) ^ 0xFFFF_FFFF


def crc_range(start: int, length: int, responder: Responder) -> tuple[int, int]:
    """Start and end to send so that exactly ``length`` bytes are counted.

    Raises ValueError for an empty range, or for one the responder cannot count: the bootloader takes whole blocks of
    256 bytes, up to 65535 of them. Source: bk-boot/crc.
    """
    if length <= 0 or start < 0 or start + length - 1 > 0xFFFF_FFFF:
        raise ValueError(f"{length} bytes from {start:#x} are not a valid range")
    blocks, rest = divmod(length, CRC_BLOCK)
    if TRAITS[responder].crc_end is CrcEnd.BLOCKS and (rest or blocks > CRC_MAX_BLOCKS):
        raise ValueError(
            f"the {responder.value} counts 1 to {CRC_MAX_BLOCKS} blocks of {CRC_BLOCK} bytes, got {length} bytes"
        )
    # One end suits both: the boot ROM counts the byte at the end, the bootloader divides end - start + 1 by 256.
    return start, start + length - 1
