"""Passwords as Argon2id hashes, with the second recommended parameters of RFC 9106: 64 MiB, 3 passes, 4 lanes.

Source: rfc9106/parameter-choice.
"""

from __future__ import annotations

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

__all__ = ["MAX_PASSWORD", "MIN_PASSWORD", "check_password", "hash_password", "is_outdated", "matches", "unknown_hash"]

MIN_PASSWORD: Final = 10
"""Characters. The throttle allows a few hundred guesses a day, so length is for passwords used elsewhere too."""

MAX_PASSWORD: Final = 256
"""Characters; a longer text is refused before anything is computed."""

_HASHER: Final = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


def check_password(password: str, *, user: str) -> str:
    """A password that may be set, unchanged. Raises ValueError."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise ValueError(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters, this one has {len(password)}")
    if not password.isprintable():
        raise ValueError("a password has no control characters and no line breaks")
    if password.casefold() == user.casefold() or len(set(password)) < 4:
        raise ValueError("this password is the first one that is tried: take another")
    return password


def hash_password(password: str) -> str:
    """The hash, with its parameters and a salt of its own."""
    return _HASHER.hash(password)


def matches(password: str, password_hash: str) -> bool:
    """Whether this is the password. Takes as long for a wrong one as for the right one."""
    try:
        return len(password) <= MAX_PASSWORD and _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(password_hash: str) -> bool:
    """Whether it was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)


def unknown_hash() -> str:
    """A hash that no password matches: verified for a user that does not exist, which takes the same time."""
    global _unknown  # made when first needed: it takes 64 MiB and a core, and most processes check no password
    if not _unknown:
        from secrets import token_hex

        _unknown = hash_password(token_hex(32))
    return _unknown


_unknown = ""
