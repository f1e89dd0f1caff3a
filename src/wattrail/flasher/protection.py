"""The flash's write protection, taken off when something is to be written and put back as it was. Boot ROM only.

A status register is written only where a protection bit changes, and looked at again afterwards.
"""

from __future__ import annotations

from typing import Final

from wattrail.bootrom.protection import StatusWrite, is_busy, is_unprotected, plan_restore, plan_unprotect, settled
from wattrail.errors import TargetError
from wattrail.flasher.conversation import Conversation
from wattrail.flasher.history import Stage
from wattrail.flasher.identify import read_status
from wattrail.flasher.target import Target

__all__ = ["Protection"]

LOOKS: Final = 100
"""Looks at a busy flash before it is given up: one exchange each, so half a second and more."""


class Protection:
    """One session's. ``original`` is the status word to put back at the end, None for the one found here."""

    def __init__(self, conversation: Conversation, target: Target, original: int | None = None) -> None:
        self._conversation = conversation
        self._target = target
        self._original = target.sr if original is None else original
        self.lifted = False

    def lift(self, *, again: bool = False) -> None:
        """Make the flash writable, once; ``again`` after an erase had no effect. Raises TargetError if that fails."""
        part = self._target.part
        if (self.lifted and not again) or part is None:
            return  # a part that nobody has listed is not guessed at: the first erase will tell
        self.lifted = True
        sr = self._settled_status()
        if is_unprotected(part, sr):
            return
        sr = self._write(plan_unprotect(part, sr), sr)
        if not is_unprotected(part, sr):
            raise TargetError(
                f"the flash {part.name} stays protected: its status register reads {sr:#06x}",
                hint="cut its power for a moment and try again; a register that is locked for good cannot be written",
            )

    def restore(self) -> None:
        """Put the protection back as it was. Raises TargetError where it does not take."""
        part = self._target.part
        if part is None or self._original is None or not self.lifted:
            return
        sr = self._settled_status()
        plan = plan_restore(part, sr, self._original)
        if plan is not None and not settled(part, plan, sr := self._write(plan, sr)):
            self._conversation.trace.note(f"the flash's protection was not put back: its status reads {sr:#06x}")

    def _write(self, plan: StatusWrite | None, sr: int) -> int:
        if plan is None:
            return sr
        self._conversation.ask(Stage.UNPROTECT, plan.command, register=plan.register, sr=plan.sr)
        return self._settled_status()

    def _settled_status(self) -> int:
        part = self._target.part
        if part is None:  # pragma: no cover - both callers have looked
            return 0
        for _ in range(LOOKS):
            sr = read_status(self._conversation, part)
            if not is_busy(sr):
                return sr
        raise TargetError(f"the flash {part.name} is busy and stays so", hint="reset the chip and try again")
