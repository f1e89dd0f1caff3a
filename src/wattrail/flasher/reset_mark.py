"""A mark in the chip that a restart wipes out: how a loss of power shows where the rate cannot tell. Boot ROM only.

At a higher rate a restarted chip gives itself away: it answers at 115200 alone. A link that never left 115200 looks the
same before and after. So the address field of the eFuse controller, which means nothing without its go bit, is set to
a value that no read of the code key leaves there. That a restart clears it is a guess: every other register of the
chip it is known to.
"""

from __future__ import annotations

from typing import Final

from wattrail.bootrom.commands import READ_REG, WRITE_REG
from wattrail.bootrom.constants import EFUSE_CONTROL
from wattrail.errors import LinkError, TargetError
from wattrail.flasher.dialogue import Dialogue

__all__ = ["ResetMark"]

_MARK: Final = 0x1F << 8


class ResetMark:
    """The mark of one dialogue's chip."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._left = False

    def leave(self) -> None:
        """Leave it; a chip that does not keep it goes without."""
        try:
            self._dialogue.ask(WRITE_REG, address=EFUSE_CONTROL, value=_MARK)
            self._left = self._read() == _MARK
        except (LinkError, TargetError):
            self._left = False

    def gone(self) -> bool:
        """Whether it was left and is not there any more, said twice."""
        if not self._left:
            return False
        try:
            return self._read() != _MARK and self._read() != _MARK
        except (LinkError, TargetError):
            return False

    def _read(self) -> int:
        return self._dialogue.ask(READ_REG, address=EFUSE_CONTROL)["value"]
