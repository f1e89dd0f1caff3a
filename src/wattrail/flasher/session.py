"""A session with a chip that survives a bad line: requests are repeated, the link is made again, the rate comes down.

Every request of the boot protocol may be sent twice. Reading and CRCs change nothing; an erase erases what is erased;
a sector programmed twice with the same bytes holds those bytes, and if the first time other bytes arrived, its CRC will
tell. So the layers above ask once, and need not know how often it took.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeVar

from wattrail.bootrom.commands import REBOOT, Command, Responder
from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.bootrom.events import Answered
from wattrail.bootrom.link import BootLink
from wattrail.clock import Deadline
from wattrail.diagnosis import Loss, ResetBy, SessionStatistics, Stage
from wattrail.errors import LinkError, NoAnswer, PortError, PortLost, TargetError
from wattrail.flasher.boot_client import BootClient
from wattrail.flasher.events import (
    EventSink,
    Exchanged,
    Fact,
    Lost,
    Note,
    Repeated,
    Responds,
    SessionState,
)
from wattrail.flasher.handshake import (
    MAX_BAUD_BY_HAND,
    MAX_BAUD_WIRED,
    AutoReset,
    Handshake,
    RateControl,
    ResetMark,
)
from wattrail.line_classifier import TrafficKind, classify
from wattrail.transport import Port

__all__ = ["PATIENCE_S", "BoardCheck", "FlashSession"]

PATIENCE_S: Final = 60.0
"""How long a person may take for a reset."""

MAX_TRIES: Final = 12
"""How often one request is sent before it is given up: far more than noise needs, so that something is broken."""

LISTEN_S: Final = 1.1
"""How long to listen for an application that began in place of the download mode: they speak about once a second."""

FIRMWARE: Final = (TrafficKind.TEXT, TrafficKind.TUYA_MCU, TrafficKind.BL0942)
"""What only a running application says."""

REOPEN_EVERY_S: Final = 0.5
"""Between two attempts to open a port that went away."""


_Said = TypeVar("_Said")


class BoardCheck(Protocol):
    """Says whether the board that answers after a lost link is the one that was there before."""

    def confirm(self, session: FlashSession) -> None:
        """Raise TargetError if another board answers."""


class FlashSession:
    """Requests and replies of one session.

    ``reset`` is what resets the chip, ``max_baud`` the fastest rate to try, ``reopen`` opens the port again after its
    cable was pulled, None if that cannot be done.
    """

    def __init__(
        self,
        client: BootClient,
        state: SessionState,
        *,
        reset: ResetBy = "manual",
        max_baud: int | None = None,
        patience_s: float = PATIENCE_S,
        reopen: Callable[[], Port] | None = None,
    ) -> None:
        line = None if reset == "manual" else AutoReset(reset)
        self._client = client
        self._state = state
        self._handshake = Handshake(client, line, state)
        self._rates = RateControl(client, state.record, max_baud or (MAX_BAUD_WIRED if line else MAX_BAUD_BY_HAND))
        self._mark = ResetMark(client)
        self._reopen = reopen
        self._patience_s = patience_s
        self._responder: Responder | None = None
        self._board: BoardCheck | None = None
        self._cables_lost = 0
        self._is_confirmed = True

    # ---- what the layers above may know

    @property
    def sink(self) -> EventSink:
        """Where events go."""
        return self._state.record

    @property
    def baud(self) -> int:
        """The present rate."""
        return self._client.baud

    @property
    def simulated(self) -> bool:
        """Whether a twin is at the other end."""
        return self._client.port.simulated

    def statistics(self) -> SessionStatistics:
        """What was tried, heard, repeated and lost so far."""
        return self._state.statistics()

    @property
    def links(self) -> int:
        """Links made so far."""
        return self._state.links

    @property
    def fault_generation(self) -> int:
        """How often something has gone wrong so far that may have changed flash."""
        return self._state.fault_generation

    # ---- the link

    def link(self) -> None:
        """Make the first link. Raises LinkFailed, PortLost."""
        self._handshake.link(self._patience_s)

    def climb(self, responder: Responder) -> None:
        """Go up to the fastest rate the line carries. Raises LinkFailed."""
        self._responder = responder
        self.sink(Responds(responder))
        self.leave_mark()
        self._climb()

    def leave_mark(self) -> None:
        """Make a later restart of the chip show, where it has a register to do so."""
        if self._responder is Responder.BOOT_ROM:
            self._mark.leave()

    def expect(self, board: BoardCheck) -> None:
        """The board to be confirmed whenever the link was lost and made again."""
        self._board = board

    def reboot(self) -> None:
        """Start the application. There is no reply to this; the link ends here."""
        self._client.port.write(BootLink().request(REBOOT))

    def close(self) -> None:
        """Give the port back. The chip stays as it is."""
        self._client.port.close()

    # ---- requests

    def request(
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
        for _ in range(MAX_TRIES):
            if not self._is_confirmed:
                self._confirm_board()
                self.sink(Fact.RELINKED)
            try:
                answer = self._client.request(command, data, length=length, erase=erase, **fields)
            except (LinkError, PortLost, TargetError) as error:
                if isinstance(error, TargetError) and str(error) == refused:
                    raise  # said twice: that was not a damaged byte
                refused = str(error)
                # No single flipped bit makes a request for a CRC one that writes; it makes Read4K (09) Erase4K (0B).
                self._damaged(Repeated(stage, refused, is_fault=stage is not Stage.CHECK))
                try:
                    self._recover_from(stage, error)
                except PortLost as lost:
                    self._wait_for_cable(lost)
                continue
            self._rates.count(good=True)
            self.sink(Exchanged(stage))
            return answer
        raise self._state.link_failed(f"{command} was not answered properly {MAX_TRIES} times")

    def request_agreed(self, stage: Stage, command: Command, *, length: int = 0, **fields: int) -> Answered:
        """Ask until two replies in a row say the same: for values that no CRC covers. Raises as ``request`` does."""
        # A loader on a dying link gave 0 for a CRC (bk7231tools #25): one value proves nothing. Source: bk-boot/crc.
        before = self.request(stage, command, b"", length=length, **fields)
        for _ in range(MAX_TRIES):
            answer = self.request(stage, command, b"", length=length, **fields)
            if (answer.fields, answer.data) == (before.fields, before.data):
                return answer
            self._damaged(Repeated(stage, f"{command}: two answers differ"))
            before = answer
        raise self._state.link_failed(f"{command}: no two answers were the same in {MAX_TRIES}")

    def query_optional(self, command: Command, **fields: int) -> Answered | None:
        """Ask something the chip may not know; None if it refuses or stays silent, twice. Raises LinkFailed.

        A reply counts if two in a row say the same.
        """
        # The loader ignores what it does not know, so silence is an answer; a single one may be a lost byte.
        for _ in range(2):
            if self._through_cable(lambda: self._is_answered(command, fields)):
                return self.request_agreed(Stage.IDENTIFY, command, **fields)
        return None

    def _is_answered(self, command: Command, fields: Mapping[str, int]) -> bool:
        """Whether one request is; if not, the chip is found again for the next one."""
        try:
            self._client.request(command, b"", **fields)
        except (LinkError, TargetError):
            if not self._client.resync():
                self._recover(Stage.IDENTIFY)
            return False
        return True

    def send_link_check(self) -> None:
        """A link check, for what it does to a bootloader's protection. Raises LinkFailed."""
        while not self._through_cable(self._client.answers):
            self._recover(Stage.IDENTIFY)

    def data_differs(self, stage: Stage, why: str) -> None:
        """Data does not have its CRC: count it, and go slower if that happens often. Raises LinkFailed."""
        self._damaged(Repeated(stage, why))
        if self._rates.error_rate_high and not self._through_cable(self._rates.step_down):
            self._recover(stage)

    def _damaged(self, event: Repeated) -> None:
        self._rates.count(good=False)
        self.sink(event)

    # ---- recovery

    def _recover_from(self, stage: Stage, error: LinkError | PortLost | TargetError) -> None:
        if isinstance(error, PortLost):
            self._wait_for_cable(error)
        found = self._client.resync()
        if found and self._has_restarted(error):
            self._lose(Loss(stage, self.baud, True))
            self.sink(Fact.RELINKED)
            self._resume()
        elif not found or (self._rates.error_rate_high and not self._rates.step_down()):
            self._recover(stage)

    def _recover(self, stage: Stage) -> None:
        """The chip does not answer at its rate."""
        baud = self.baud
        was_reset, traffic = self._what_happened(baud)
        self._lose(Loss(stage, baud, was_reset, traffic))
        if was_reset and self._client.answers():
            self.sink(Fact.RELINKED)
        else:
            self._relink()
        self._resume()

    def _lose(self, loss: Loss) -> None:
        self.sink(Lost(loss))
        if self._state.give_up:
            raise self._state.link_failed(f"the link was lost in the {loss.stage.value} again and again")

    def _has_restarted(self, error: LinkError | PortLost | TargetError) -> bool:
        """Whether a chip that answers has restarted meanwhile, at the rate of a reset, where that does not show."""
        return self.baud == BAUD_AT_RESET and isinstance(error, NoAnswer) and self._mark.is_gone()

    def _what_happened(self, baud: int) -> tuple[bool | None, TrafficKind]:
        """Whether it was reset: it answers at the rate of a reset, or its application is heard. None: no sign."""
        self._client.set_host_rate(BAUD_AT_RESET)
        # Only a reset takes the chip back to 115200: an answer there says that it restarted.
        if baud != BAUD_AT_RESET and (self._client.answers() or self._client.answers()):
            return True, TrafficKind.SILENCE
        traffic = classify(self._client.listen(LISTEN_S), BAUD_AT_RESET).kind
        return (True if traffic in FIRMWARE else None), traffic

    def _relink(self) -> None:
        self._through_cable(lambda: self._handshake.link(self._patience_s))

    def _resume(self) -> None:
        """Linked again: the same board? And then at a rate the line carries."""
        self._confirm_board()
        self.leave_mark()
        self._climb()

    def _confirm_board(self) -> None:
        """Raises TargetError if another board is on the wires than before the link, or the port, was lost."""
        # A chip in download mode answers at once on a cable that comes back: no reset and no lost link shows that it
        # is another one, as on a desk with two boards that a flasher has left there at the same rate.
        self._is_confirmed = False
        while not self._is_confirmed:
            self._is_confirmed = True  # what is asked for it are requests too
            try:
                if self._board is not None:
                    self._board.confirm(self)
            except PortLost as error:
                self._wait_for_cable(error)
            except BaseException:
                self._is_confirmed = False
                raise

    def _climb(self) -> None:
        if self._responder is None:
            return
        if not self._rates.climb(self._responder):
            self._recover(Stage.BAUD)
        elif self.baud == BAUD_AT_RESET and self._mark.is_gone():
            self._lose(Loss(Stage.BAUD, BAUD_AT_RESET, True))
            self.leave_mark()

    def _through_cable(self, speak: Callable[[], _Said]) -> _Said:
        """Speak to the chip, and once more if the cable was pulled meanwhile and is back. Raises PortLost."""
        while True:
            try:
                return speak()
            except PortLost as error:
                self._wait_for_cable(error)

    def _wait_for_cable(self, error: PortLost) -> None:
        """Open the port again as soon as it is back. Raises the error that took it away."""
        self._cables_lost += 1
        self.sink(Fact.CABLE_LOST)
        if self._reopen is None or self._cables_lost > MAX_TRIES:
            raise error
        self.sink(Note(f"{error}: waiting for it to come back"))
        clock = self._client.port.clock
        end = Deadline.after(self._patience_s, clock)
        self._client.port.close()
        while True:
            try:
                port = _opened_again(self._reopen)
            except PortError:
                if end.passed:
                    raise error from None
                clock.sleep(REOPEN_EVERY_S)
                continue
            self._client.move_to(port)
            self._client.set_host_rate(self.baud)
            self._is_confirmed = False
            return


def _opened_again(reopen: Callable[[], Port]) -> Port:
    """The port, once it is there and stays. Raises PortError."""
    port = reopen()
    try:
        port.drain()
    except PortError:
        port.close()  # a cable that flaps; an adapter that is left open is in use at the next attempt
        raise
    return port
