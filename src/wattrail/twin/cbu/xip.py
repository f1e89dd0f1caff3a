"""The code window: flash as the CPU sees it, without block CRCs and deciphered.

34 bytes of flash are 32 of code, a block. The window is made once and then kept up to date, block by block.
"""

from __future__ import annotations

from typing import Any, Final

from wattrail.image.code import BLOCK, PACKED, CodeKey, crypt, pack, strip
from wattrail.twin.bootrom.flash import NorFlash

__all__ = ["CodeStores", "CodeWindow"]

_ERASED: Final = b"\xff" * BLOCK


class CodeWindow:
    """Translates both ways; logical addresses begin at 0."""

    def __init__(self, flash: NorFlash, key: CodeKey) -> None:
        self._flash = flash
        self.key = key
        self.size = flash.size // PACKED * BLOCK

    def whole(self) -> bytes:
        """All code."""
        return self.code(0, self.size)

    def code(self, address: int, length: int) -> bytes:
        """Code of whole blocks, as the CPU reads it. An erased block reads as FF."""
        packed = self._flash.read(address // BLOCK * PACKED, length // BLOCK * PACKED)
        stored = strip(packed)
        plain = crypt(stored, self.key, address)
        # Blank flash has no CRC and holds no code: deciphered it would be noise, and firmware looks for FF there.
        if _ERASED not in stored:
            return plain
        return b"".join(
            _ERASED if stored[at : at + BLOCK] == _ERASED else plain[at : at + BLOCK]
            for at in range(0, len(stored), BLOCK)
        )

    def blocks_of(self, physical: int, length: int) -> tuple[int, int]:
        """Logical address and length of the blocks that a physical range touches."""
        first, last = physical // PACKED, (physical + length - 1) // PACKED
        start, end = first * BLOCK, min((last + 1) * BLOCK, self.size)
        return start, max(0, end - start)

    def program(self, address: int, code: bytes) -> int:
        """Program one block of plain code, enciphered and with its CRC; gives its physical address."""
        physical = address // BLOCK * PACKED
        self._flash.program(physical, pack(crypt(code, self.key, address)))
        return physical


class CodeStores:
    """What the CPU stores into the code window, gathered until a block is whole: only then it can get its CRC.

    Nothing says what the controller does with a block of which a part is missing when the next one begins: here it is
    lost. Genuine bootloaders store whole blocks.
    """

    def __init__(self, window: CodeWindow) -> None:
        self._window = window
        self._block = 0
        self._given: dict[int, int] = {}

    def store(self, address: int, size: int, value: int) -> int | None:
        """One store. If it makes a block whole that is programmed, and its physical address is the result."""
        block, offset = address - address % BLOCK, address % BLOCK
        if block != self._block:
            self._block, self._given = block, {}
        self._given.update((offset + n, value >> 8 * n & 0xFF) for n in range(size))
        # The CRC of a block is made of all its 32 bytes, and flash that was programmed once cannot be put right
        # afterwards.
        if len(self._given) < BLOCK:
            return None
        code = bytes(self._given[n] for n in range(BLOCK))
        self._given = {}
        return self._window.program(block, code) if block < self._window.size else None

    def forget(self) -> None:
        """The chip was reset."""
        self._given = {}

    def save(self) -> list[object]:
        """For a snapshot."""
        return [self._block, sorted(self._given.items())]

    def load(self, state: list[Any]) -> None:
        """The opposite."""
        self._block, self._given = int(state[0]), {int(offset): int(byte) for offset, byte in state[1]}
