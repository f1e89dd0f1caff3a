"""Where a database is: a file of this machine."""

from __future__ import annotations

from pathlib import Path

__all__ = ["DatabaseAddress", "parse_address"]

DatabaseAddress = Path


def parse_address(text: str) -> DatabaseAddress:
    """The database that a text names."""
    return Path(text)
