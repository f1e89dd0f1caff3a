"""Checksums of the wires we meet."""

from __future__ import annotations

__all__ = ["inverted_sum"]


def inverted_sum(data: bytes) -> int:
    """The complement of the 8-bit sum of all bytes (BL0942, both buses).

    Blind to the order of the bytes and to errors that cancel: one random frame in 256 passes.
    Source: bl0942-ds/uart-frame.
    """
    return ~sum(data) & 0xFF
