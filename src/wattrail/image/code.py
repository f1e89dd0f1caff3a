"""How code is stored in flash: enciphered by address, then 32 bytes and their CRC-16, big-endian, block for block.

    logical   0x00 .......... 0x1F   0x20 .......... 0x3F
    physical  0x00 .......... 0x1F CC CC   0x22 .......... 0x41 CC CC

34 bytes of flash for every 32 that the processor sees. An erased block is 34 times FF, and reads as 32 times FF: it is
blank, not bad. Source: bk7231-image/packing.

The cipher has one word of keystream for each word of code, a function of its logical address and a key, whose four
words are burnt into the chip. Enciphering and deciphering are the same. The first words of any ARM program are known
well enough to tell which key fits. Source: bk7231-image/cipher.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from types import MappingProxyType
from typing import Final, Self

from wattrail.bk7231 import TUYA_KEY_WORDS
from wattrail.errors import ImageError

__all__ = [
    "BLANK",
    "BLOCK",
    "KEYS",
    "PACKED",
    "TUYA_KEY",
    "ZERO_KEY",
    "CodeKey",
    "Packing",
    "check",
    "crypt",
    "detect_key",
    "grid_shift",
    "looks_like_code",
    "pack",
    "strip",
    "to_logical",
    "to_physical",
    "unpack",
    "without_blank_end",
]

BLOCK: Final = 32
PACKED: Final = 34
"""Bytes of a block as the processor sees it, and as it is stored in flash."""

BLANK: Final = b"\xff" * PACKED
"""An erased block."""

_SAMPLE: Final = 64
"""Blocks that decide where the grid lies: chance agrees with one in 65536, and we ask for nearly all of them."""


@dataclass(frozen=True, slots=True)
class Packing:
    """What the blocks of some bytes amount to. ``first_bad`` is a block's number, ``tail`` the bytes after the last."""

    blocks: int
    blank: int
    bad: int
    first_bad: int | None
    got: int
    want: int
    tail: int

    @property
    def good(self) -> int:
        """Blocks whose CRC holds, without the blank ones."""
        return self.blocks - self.blank - self.bad

    @property
    def fault(self) -> str:
        """What is wrong with the first bad block, or an empty text."""
        return "" if self.first_bad is None else f"CRC-16 is {self.got:04X}, {self.want:04X} expected"


def to_physical(logical: int) -> int:
    """The flash address of a code address."""
    return logical + logical // BLOCK * (PACKED - BLOCK)


def to_logical(physical: int) -> int:
    """The code address of a flash address. Raises ValueError where a CRC stands, which no code sees."""
    block, inside = divmod(physical, PACKED)
    if inside >= BLOCK:
        raise ValueError(f"{physical:#x} holds the CRC of block {block}, not code")
    return block * BLOCK + inside


def pack(code: bytes, *, keep_blank: bool = False) -> bytes:
    """Code with the CRC of every block, the last one filled up with FF.

    With ``keep_blank`` a block of 32 times FF becomes an erased one, which undoes ``unpack`` byte for byte as long as
    no block of FF was written with its CRC.
    """
    from wattrail.image import vectorised

    return vectorised.with_crcs(code + b"\xff" * (-len(code) % BLOCK), keep_blank=keep_blank)


def unpack(packed: bytes) -> bytes:
    """Code without its CRCs; every block is checked first.

    Raises ImageError with the first block whose CRC does not hold, or with a rest that is not a whole block. A rest of
    FF is flash that was never written, and is left out.
    """
    found = check(packed)
    if found.first_bad is not None:
        raise ImageError(
            f"block {found.first_bad} at {found.first_bad * PACKED:#x}: {found.fault} "
            f"({found.bad} of {found.blocks} blocks are bad)",
            offset=found.first_bad * PACKED,
            hint="read or download the file again; if it is not packed at all, there is nothing to unpack",
        )
    if found.tail and packed[-found.tail :].strip(b"\xff"):
        raise ImageError(
            f"the file ends {found.tail} bytes into a block of {PACKED}: {len(packed)} bytes are "
            f"{found.blocks} blocks and a rest",
            offset=len(packed) - found.tail,
            hint="it was cut short, or something was appended to it",
        )
    return strip(packed)


def strip(packed: bytes) -> bytes:
    """Code without its CRCs, whether they hold or not, and without a rest that is not a whole block."""
    from wattrail.image import vectorised

    return vectorised.without_crcs(packed)


def check(packed: bytes) -> Packing:
    """Count blocks that hold, blank ones and bad ones; raises nothing."""
    from wattrail.image import vectorised

    blank, bad, first, got, want = vectorised.count_blocks(packed)
    return Packing(len(packed) // PACKED, blank, bad, first, got, want, len(packed) % PACKED)


def grid_shift(data: bytes) -> int | None:
    """Where the first whole block begins, 0 to 33, by the CRCs alone; None if they agree nowhere."""
    for shift in range(PACKED):
        found = check(data[shift : shift + _SAMPLE * PACKED])
        if found.good >= 2 and found.bad * 8 <= found.good:
            return shift
    return None


def without_blank_end(packed: bytes) -> bytes:
    """Packed code up to its last block that is not erased."""
    # Up to a whole block: the last one may end in FF itself, and so may its CRC.
    used = len(packed.rstrip(b"\xff"))
    return packed[: used + -used % PACKED]


# ---- the cipher


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
        # The low bits are active-low: each switches a term of the keystream off. Source: bk7231-image/cipher.
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
        # Two words are enough: under another key, or for another address, what is deciphered has no vectors.
        # Source: bk7231-image/cipher
        if looks_like_code(crypt(code[:8], key, address)):
            return key
    return None


def looks_like_code(code: bytes) -> bool:
    """Whether plain code begins with ARM exception vectors: each a branch, or a load of the program counter."""
    words = [int.from_bytes(code[i : i + 4], "little") for i in (0, 4)]
    return len(code) >= 8 and all(word >> 24 == 0xEA or word >> 12 == 0xE59FF for word in words)
