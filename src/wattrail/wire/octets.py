"""Bytes of the wires we meet: their checksums, and how people quote them."""

from __future__ import annotations

__all__ = ["crc16_arc", "hex_pairs", "inverted_sum"]


def inverted_sum(data: bytes) -> int:
    """The complement of the 8-bit sum of all bytes (BL0942, both buses).

    Blind to the order of the bytes and to errors that cancel: one random frame in 256 passes.
    Source: bl0942-ds/uart-frame.
    """
    return ~sum(data) & 0xFF


def crc16_arc(data: bytes) -> int:
    """CRC-16/ARC: polynomial 0x8005 reflected, initial value 0. The telegrams of smart meters carry it.

    Source: dsmr/p1-5.
    """
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def hex_pairs(data: bytes) -> str:
    """Upper-case pairs with spaces, ``58 AA``; the word ``nothing`` for no bytes."""
    return data.hex(" ").upper() or "nothing"
