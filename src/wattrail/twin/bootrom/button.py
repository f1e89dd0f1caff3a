"""A patient finger on the reset button: it presses when somebody knocks and nobody answers.

A chip can only be reached just after a reset, and a program that has no wire to CEN asks its user for one. The finger
is that user: it looks at nothing but the wire.
"""

from __future__ import annotations

import math
from typing import Final

from wattrail.bootrom.commands import LINK_CHECK

__all__ = ["Finger"]

PATIENCE_S: Final = 0.2
"""How long knocking goes on before the button is pressed."""
PAUSE_S: Final = 1.0
"""The button is not pressed again before this has passed."""

_KNOCK: Final = b"\x01\xe0\xfc\x01" + bytes((LINK_CHECK.opcode,))
_ANSWER: Final = b"\x04\x0e\x05\x01\xe0\xfc" + bytes((LINK_CHECK.reply_opcode, 0))


class Finger:
    """Times are seconds of one clock."""

    def __init__(self) -> None:
        self._knock, self._answer = _Phrase(_KNOCK), _Phrase(_ANSWER)
        self._since = math.inf
        self._last = self._pressed = -math.inf

    def presses(self, said: bytes, now: float) -> bool:
        """Whether the button is pressed, now that the host has said this."""
        if not self._knock.ends_in(said):
            return False
        # Knocks with long pauses between them are no knocking: some hosts ask now and then whether the chip lives.
        self._since = now if now - self._last > PAUSE_S else min(self._since, now)
        self._last = now
        if now - self._since < PATIENCE_S or now - self._pressed < PAUSE_S:
            return False
        self._since, self._pressed = math.inf, now
        return True

    def listens(self, said: bytes) -> None:
        """The chip, or whatever else is on its wire, has said this: if it is the answer, nobody need press."""
        if self._answer.ends_in(said):
            self._since = math.inf


class _Phrase:
    """Some bytes, looked for in a stream that comes in pieces."""

    def __init__(self, words: bytes) -> None:
        self._words = words
        self._tail = b""

    def ends_in(self, piece: bytes) -> bool:
        """Whether the last byte of the phrase is in this piece."""
        text = self._tail + piece
        self._tail = text[len(text) - len(self._words) + 1 :] if len(text) >= len(self._words) else text
        return self._words in text
