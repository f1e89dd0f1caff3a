"""The CRC of the wire, and the ranges it is asked over. Offsets and lengths in bytes."""

from __future__ import annotations

import zlib

from wattrail.bootrom.commands import Responder
from wattrail.bootrom.constants import CRC_BLOCK, CRC_MOST_BLOCKS
from wattrail.bootrom.responders import TRAITS, CrcEnd

__all__ = ["crc_range", "crc_span", "wire_crc"]


def wire_crc(data: bytes) -> int:
    """CRC-32 as the chip says it: without the final inversion. Source: bk-boot/crc."""
    return zlib.crc32(data) ^ 0xFFFF_FFFF


def crc_range(start: int, length: int, responder: Responder) -> tuple[int, int]:
    """Start and end to send so that exactly ``length`` bytes are counted.

    Raises ValueError for an empty range, or for one the responder cannot count: the bootloader takes whole blocks of
    256 bytes, up to 65535 of them. Source: bk-boot/crc.
    """
    if length <= 0 or start < 0 or start + length - 1 > 0xFFFF_FFFF:
        raise ValueError(f"{length} bytes from {start:#x} are no range")
    blocks, rest = divmod(length, CRC_BLOCK)
    if TRAITS[responder].crc_end is CrcEnd.BLOCKS and (rest or blocks > CRC_MOST_BLOCKS):
        raise ValueError(
            f"the {responder.value} counts 1 to {CRC_MOST_BLOCKS} blocks of {CRC_BLOCK} bytes, not {length} bytes"
        )
    return start, start + length - 1


def crc_span(start: int, end: int, responder: Responder) -> int:
    """How many bytes from ``start`` a CRC command with this end covers."""
    if TRAITS[responder].crc_end is CrcEnd.INCLUSIVE:
        return end - start + 1
    return ((end - start + 1) // CRC_BLOCK & CRC_MOST_BLOCKS) * CRC_BLOCK
