"""Tokens of programs: 256 random bits behind a mark by which people, and scanners of leaked secrets, know them.

A hash without salt and without stretching is enough for that many random bits, and it can be looked up.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

__all__ = ["PREFIX_LENGTH", "new_token", "token_hash", "token_prefix"]

_MARK: Final = "wattrail_"
PREFIX_LENGTH: Final = 8
"""Characters of the random part that are kept, so that a person can tell which token is which."""

_TOKEN: Final = re.compile(rf"{_MARK}[A-Za-z0-9_-]{{43}}")


def new_token() -> str:
    """A new token. Its first letters name it on a command line, where a hyphen begins an option."""
    while (random := secrets.token_urlsafe(32)).startswith("-"):
        pass
    return _MARK + random


def token_hash(token: str) -> bytes | None:
    """The 32 bytes under which a token is looked up; None for any other text."""
    return hashlib.sha256(token.encode()).digest() if _TOKEN.fullmatch(token) else None


def token_prefix(token: str) -> str:
    """The part that is shown in lists."""
    return token.removeprefix(_MARK)[:PREFIX_LENGTH]
