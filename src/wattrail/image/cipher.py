"""The code cipher: one word of keystream for each word of code, a function of its logical address and a key.

The key's four words are burnt into the chip. Enciphering and deciphering are the same. The first words of any ARM
program are known well enough to tell which key fits. Source: bk7231-image/cipher.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from types import MappingProxyType
from typing import Final, Self

from wattrail.bk7231 import TUYA_KEY_WORDS
from wattrail.errors import ImageError

__all__ = ["KEYS", "TUYA_KEY", "ZERO_KEY", "CodeKey", "crypt", "detect_key", "looks_like_code"]


@dataclass(frozen=True, slots=True)
class CodeKey:
    """The four key words of the code cipher, as the chip holds them."""

    c0: int
    c1: int
    c2: int
    c3: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """A key by its name, or from 32 hexadecimal digits, c0 first. Raises ImageError listing the names."""
        known = KEYS.get(text.lower())
        if known is not None:
            return cls(*astuple(known))
        try:
            words = bytes.fromhex(text)
        except ValueError:
            words = b""
        if len(words) != 16:
            raise ImageError(f"code key {text!r} is neither 32 hexadecimal digits nor one of: {', '.join(KEYS)}")
        return cls(*(int.from_bytes(words[i : i + 4], "big") for i in range(0, 16, 4)))

    @property
    def bypassed(self) -> bool:
        """Whether this key leaves code as it is."""
        return self.c3 >> 24 in (0x00, 0xFF) or self.c3 & 15 == 15

    @property
    def name(self) -> str:
        """The key's name, or its digits."""
        for name, key in KEYS.items():
            if key == self:
                return name
        return "".join(f"{word:08x}" for word in astuple(self))


TUYA_KEY: Final = CodeKey(*TUYA_KEY_WORDS)
"""On every Tuya module of the N and T kind that was looked at."""

ZERO_KEY: Final = CodeKey(0, 0, 0, 0)
"""BK7231M, Q, U, BK7238, BK7252, and modules that were never given a key."""

KEYS: Final[Mapping[str, CodeKey]] = MappingProxyType({"tuya": TUYA_KEY, "zero": ZERO_KEY})


def crypt(code: bytes, key: CodeKey, address: int) -> bytes:
    """Encipher or decipher code that begins at a logical address. Raises ValueError unless that is a multiple of 4."""
    if address % 4 or not 0 <= address < 1 << 32:
        raise ValueError(f"address {address:#x} is not a multiple of 4 within 32 bits")
    if key.bypassed or not code:
        return code
    from wattrail.image import vectorised

    return vectorised.apply_keystream(code, (key.c0, key.c1, key.c2, key.c3), address)


def detect_key(code: bytes, address: int) -> CodeKey | None:
    """The known key under which code that begins at an address is a program's start; None if none fits."""
    for key in KEYS.values():
        if looks_like_code(crypt(code[:8], key, address)):
            return key
    return None


def looks_like_code(code: bytes) -> bool:
    """Whether plain code begins with ARM exception vectors: each a branch, or a load of the program counter."""
    words = [int.from_bytes(code[i : i + 4], "little") for i in (0, 4)]
    return len(code) >= 8 and all(word >> 24 == 0xEA or word >> 12 == 0xE59FF for word in words)
