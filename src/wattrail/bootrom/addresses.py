"""Addresses a responder will take: its guards, and the way round them. Offsets in bytes.

The bootloader compares the address as it was sent; the flash takes it modulo its size. So one flash size higher the
same place is reached without the comparison. Source: bk-boot/loader-1.
"""

from __future__ import annotations

from wattrail.bootrom.commands import ERASE, FLASH_WRITE, READ_4K, WRITE_4K, Command, Responder
from wattrail.bootrom.responders import TRAITS

__all__ = ["guarded", "wrapped"]


def guarded(command: Command, address: int, responder: Responder) -> bool:
    """Whether the responder refuses this command at this address (status 06)."""
    traits = TRAITS[responder]
    if command is WRITE_4K:
        return address < traits.write_4k_guard
    if command is ERASE or command is FLASH_WRITE or command is READ_4K:
        signed = address - (1 << 32) if address >> 31 else address
        return signed < traits.guard
    return False


def wrapped(address: int, flash_bytes: int) -> int:
    """The same place one flash size higher, where no guard looks.

    Meant for reading. Whoever writes there writes over the only program that can be talked to.
    Raises ValueError if the address lies outside the flash.
    """
    if not 0 <= address < flash_bytes:
        raise ValueError(f"{address:#x} lies outside the flash of {flash_bytes:#x} bytes")
    return address + flash_bytes
