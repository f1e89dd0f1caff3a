"""Bytes as people quote them."""

from __future__ import annotations

__all__ = ["hex_pairs"]


def hex_pairs(data: bytes) -> str:
    """Upper-case pairs with spaces, ``58 AA``; the word ``nothing`` for no bytes."""
    return data.hex(" ").upper() or "nothing"
