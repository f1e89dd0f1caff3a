"""A conversation that survives: questions are repeated, the link is made anew, the rate comes down, the cable returns.

Every question of the boot protocol may be asked twice. Reading and CRCs change nothing; an erase erases what is erased;
a sector programmed twice with the same bytes holds those bytes, and if the first time other bytes arrived, its CRC will
tell. So whoever flashes asks here, and need not know how often it took.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wattrail.bootrom.commands import Command, Responder
from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.bootrom.events import Answered
from wattrail.clock import Deadline
from wattrail.errors import LinkError, NoAnswer, PortError, PortLost, TargetError
from wattrail.flasher.dialogue import Dialogue
from wattrail.flasher.history import Loss, Stage
from wattrail.flasher.linkup import LinkUp
from wattrail.flasher.rates import Rates
from wattrail.flasher.reset_mark import ResetMark
from wattrail.flasher.trace import Trace
from wattrail.line_classifier import TrafficKind, classify
from wattrail.transport import Port

__all__ = ["Conversation"]

TRIES: Final = 12
"""How often one question is asked before it is given up: far more than noise needs, so that something is broken."""

TALK_S: Final = 1.1
"""How long to listen for an application that began in place of the download mode: they speak about once a second."""

FIRMWARE: Final = (TrafficKind.TEXT, TrafficKind.TUYA_MCU, TrafficKind.BL0942)
"""What only a running application says."""

_REOPEN_S: Final = 0.5
"""Between two attempts to open a port that went away."""


class Conversation:
    """One session's questions. ``reopen`` opens the port anew after its cable was pulled, None if that cannot be."""

    def __init__(
        self,
        dialogue: Dialogue,
        linkup: LinkUp,
        rates: Rates,
        trace: Trace,
        *,
        reopen: Callable[[], Port] | None,
        patience_s: float,
    ) -> None:
        self._dialogue = dialogue
        self._linkup = linkup
        self._rates = rates
        self._reopen = reopen
        self._responder: Responder | None = None
        self._same_board: Callable[[], None] = lambda: None
        self._mark = ResetMark(dialogue)
        self.trace = trace
        self.patience_s = patience_s

    @property
    def baud(self) -> int:
        """The present rate."""
        return self._dialogue.baud

    def link(self) -> None:
        """Make the first link. Raises LinkFailed, PortLost."""
        self._linkup.link(self.patience_s)

    def climb(self, responder: Responder) -> None:
        """Go up to the fastest rate the line carries. Raises LinkFailed."""
        self._responder = self.trace.responder = responder
        self.leave_mark()
        self._climb()

    def leave_mark(self) -> None:
        """Make a later restart of the chip show, where it has a register to do so."""
        if self._responder is Responder.BOOT_ROM:
            self._mark.leave()

    def on_relink(self, same_board: Callable[[], None]) -> None:
        """What to look at when the link was lost and made again: raise TargetError if it is another board."""
        self._same_board = same_board

    def curious(self, command: Command, **fields: int) -> Answered | None:
        """Ask something the chip may not know; None if it refuses or stays silent, twice. Raises LinkFailed.

        An answer counts if two in a row say the same.
        """
        silent = 0
        while silent < 2:
            try:
                self._dialogue.ask(command, b"", **fields)
            except (LinkError, TargetError):
                silent += 1
                if not self._dialogue.resync():
                    self._recover(Stage.IDENTIFY)
                continue
            return self.agreed(Stage.IDENTIFY, command, length=0, **fields)
        return None

    def knock(self) -> None:
        """A LinkCheck, for what it does to a bootloader's protection. Raises LinkFailed."""
        while not self._dialogue.answers():
            self._recover(Stage.IDENTIFY)

    def ask(
        self,
        stage: Stage,
        command: Command,
        data: bytes = b"",
        *,
        length: int = 0,
        erase: int | None = None,
        **fields: int,
    ) -> Answered:
        """Ask until it is answered. Raises LinkFailed when the link is gone for good, TargetError for a refusal."""
        refused = ""
        for _ in range(TRIES):
            try:
                answer = self._dialogue.ask(command, data, length=length, erase=erase, **fields)
            except (LinkError, PortLost, TargetError) as error:
                if isinstance(error, TargetError) and str(error) == refused:
                    raise  # said twice: that is no damaged byte
                refused = str(error)
                self.trace.spoiled(stage, refused)
                try:
                    self._mend(stage, error)
                except PortLost as lost:
                    self._wait_for_cable(lost)
                continue
            self.trace.good(stage)
            return answer
        raise self._linkup.failure(f"{command} was not answered properly {TRIES} times")

    # ---- mending

    def agreed(self, stage: Stage, command: Command, *, length: int = 0, **fields: int) -> Answered:
        """Ask until two answers in a row say the same: for values that no CRC covers. Raises as ``ask`` does."""
        before = self.ask(stage, command, b"", length=length, **fields)
        for _ in range(TRIES):
            answer = self.ask(stage, command, b"", length=length, **fields)
            if (answer.fields, answer.data) == (before.fields, before.data):
                return answer
            self.trace.mismatched(stage, f"{command}: two answers differ")
            before = answer
        raise self._linkup.failure(f"{command}: no two answers were the same in {TRIES}")

    def mismatch(self, stage: Stage, why: str) -> None:
        """Data did not match its CRC: note it, and go slower if that happens often. Raises LinkFailed."""
        self.trace.mismatched(stage, why)
        if self.trace.strained and not self._rates.step_down():
            self._recover(stage)

    def _mend(self, stage: Stage, error: LinkError | PortLost | TargetError) -> None:
        if isinstance(error, PortLost):
            self._wait_for_cable(error)
        found = self._dialogue.resync()
        if found and self._restarted(error):
            self._note_loss(Loss(stage, self._dialogue.baud, True))
            self.trace.links += 1
            self._go_on()
        elif not found or (self.trace.strained and not self._rates.step_down()):
            self._recover(stage)

    def _recover(self, stage: Stage) -> None:
        """The chip does not answer at its rate."""
        baud = self._dialogue.baud
        was_reset, sound = self._fate(baud)
        self._note_loss(Loss(stage, baud, was_reset, sound))
        if was_reset and self._dialogue.answers():
            self.trace.links += 1
        else:
            self._relink()
        self._go_on()

    def _note_loss(self, loss: Loss) -> None:
        self.trace.lost(loss)
        if self.trace.hopeless:
            raise self._linkup.failure(f"the link was lost in the {loss.stage.value} again and again")

    def _restarted(self, error: LinkError | PortLost | TargetError) -> bool:
        """Whether a chip that answers has restarted meanwhile, at the rate of a reset, where that does not show."""
        return self._dialogue.baud == BAUD_AT_RESET and isinstance(error, NoAnswer) and self._mark.gone()

    def _fate(self, baud: int) -> tuple[bool | None, TrafficKind]:
        """Whether it was reset: it answers at the rate of a reset, or its application is heard. None: no sign."""
        self._dialogue.set_host_rate(BAUD_AT_RESET)
        if baud != BAUD_AT_RESET and (self._dialogue.answers() or self._dialogue.answers()):
            return True, TrafficKind.SILENCE
        sound = classify(self._dialogue.listen(TALK_S), BAUD_AT_RESET).kind
        return (True if sound in FIRMWARE else None), sound

    def _relink(self) -> None:
        while True:
            try:
                self._linkup.link(self.patience_s)
                return
            except PortLost as error:
                self._wait_for_cable(error)

    def _go_on(self) -> None:
        """Linked again: the same board? And then at a rate the line carries."""
        self._same_board()
        self.leave_mark()
        self._climb()

    def _climb(self) -> None:
        if self._responder is None:
            return
        if not self._rates.climb(self._responder):
            self._recover(Stage.BAUD)
        elif self._dialogue.baud == BAUD_AT_RESET and self._mark.gone():
            self._note_loss(Loss(Stage.BAUD, BAUD_AT_RESET, True))
            self.leave_mark()

    def _wait_for_cable(self, error: PortLost) -> None:
        """Open the port again as soon as it is back. Raises the error that took it away."""
        self.trace.cable_lost += 1
        self.trace.anomalies += 1
        if self._reopen is None or self.trace.cable_lost > TRIES:
            raise error
        self.trace.note(f"{error}: waiting for it to come back")
        clock = self._dialogue.port.clock
        end = Deadline.after(self.patience_s, clock)
        self._dialogue.port.close()
        while True:
            try:
                port = self._reopen()
                port.drain()
            except PortError:
                if end.passed:
                    raise error from None
                clock.sleep(_REOPEN_S)
                continue
            self._dialogue.move_to(port)
            self._dialogue.set_host_rate(self._dialogue.baud)
            return
