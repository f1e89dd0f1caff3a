"""Making the link: LinkCheck after LinkCheck until somebody, or a wired line, resets the chip while they arrive.

All the while it listens, and what it hears becomes the next line of advice. Bytes that make no sense are listened to
at other rates for a moment: a log, a second device, a chip that an earlier program left at its own rate.
"""

from __future__ import annotations

from typing import Final

from wattrail.bootrom.commands import APP_RESET, LINK_CHECK
from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.bootrom.events import Answered
from wattrail.bootrom.link import BootLink
from wattrail.clock import Deadline
from wattrail.errors import LinkFailed, PortError, PortLost, PortTimeout
from wattrail.flasher.dialogue import Dialogue
from wattrail.flasher.events import Linked
from wattrail.flasher.history import Loss, Stage
from wattrail.flasher.reset_line import ResetLine, release_lines
from wattrail.flasher.trace import Trace
from wattrail.line_classifier import LISTEN_RATES, LineReport, TrafficKind, classify

__all__ = ["LinkUp"]

KNOCK_S: Final = 0.008
"""Between two LinkChecks: the boot ROM listens for some 200 ms, the bootloader for tens of them."""

ROUND_S: Final = 0.5
"""Knocking between two looks at what was heard; after a pulse of the reset line longer than any window."""

LEFT_AT: Final = (921600, 2_000_000, 1_500_000, 460800)
"""Rates at which earlier programs leave a chip in download mode. Source: bk-boot/hosts."""

LISTEN_S: Final = 0.3
LISTEN_SLOW_S: Final = 1.1
"""A second device speaks about once a second, and slowly."""

LISTEN_EVERY: Final = 12
"""Rounds between two turns of listening elsewhere: meanwhile a reset would be missed."""

TELLING: Final = (TrafficKind.TUYA_MCU, TrafficKind.BL0942, TrafficKind.TEXT, TrafficKind.LINK)
"""What is worth hearing; with one of them found, listening ends."""

REBOOT: Final = b"reboot\r\n"
"""What OpenBeken's command line understands. Source: bk-boot/hosts."""


class LinkUp:
    """Makes the link over one dialogue, once or again."""

    def __init__(self, dialogue: Dialogue, reset: ResetLine | None, trace: Trace) -> None:
        self._dialogue = dialogue
        self._reset = reset
        self._trace = trace
        self._knock = BootLink()

    def link(self, patience_s: float) -> None:
        """Knock until the chip answers. Raises LinkFailed with a diagnosis, PortLost."""
        port = self._dialogue.port
        clock = port.clock
        began, end = clock.monotonic(), Deadline.after(patience_s, clock)
        self._trace.forget_sounds()
        release_lines(port)
        turn = 0
        while not self._found_elsewhere(turn):
            self._dialogue.set_host_rate(BAUD_AT_RESET)
            self._provoke(turn)
            if self._knock_for(ROUND_S):
                break
            self._trace.coach()
            if end.passed:
                raise self.failure(f"no link after {patience_s:g} s")
            turn += 1
        self._trace.links += 1
        self._trace.tell(Linked(self._dialogue.baud, clock.monotonic() - began))

    def failure(self, what: str) -> LinkFailed:
        """The error that says why there is no link."""
        diagnosis = self._trace.diagnosis()
        first = diagnosis.causes[0].mend if diagnosis.causes else None
        return LinkFailed(f"{what}: {diagnosis.words}", diagnosis=diagnosis.as_dict(), hint=first)

    # ---- one round

    def _provoke(self, turn: int) -> None:
        """Do what resets a chip without a person: the wired line, and what some firmware listens to."""
        port = self._dialogue.port
        if self._reset is not None:
            self._trace.pulses += 1
            # Every other pulse turned over, for modules that invert the line.
            self._reset.pulse(port, inverted=bool(turn % 2))
        elif turn % 2:
            port.write(REBOOT + BootLink().request(APP_RESET))

    def _knock_for(self, seconds: float) -> bool:
        """LinkChecks for that long; whether the chip answers them, and goes on answering."""
        end = Deadline.after(seconds, self._dialogue.port.clock)
        while not end.passed:
            if self._knock_once() and self._confirmed():
                return True
        return False

    def _knock_once(self) -> bool:
        port = self._dialogue.port
        request = self._knock.request(LINK_CHECK)
        port.write(request)
        self._trace.sent = request
        self._trace.knocks += 1
        slot = Deadline.after(KNOCK_S, port.clock)
        while True:
            try:
                heard = port.read(slot)
            except PortTimeout:
                return False
            self._trace.hear(heard, self._dialogue.baud)
            self._knock.receive(heard)
            if isinstance(self._knock.next_event(), Answered):
                return True

    def _confirmed(self) -> bool:
        """One answer may be the last before the supply gives way: two more are wanted."""
        self._trace.hear(self._dialogue.hush(), self._dialogue.baud)
        if self._dialogue.answers(2):
            return True
        self._trace.lost(Loss(Stage.LINK, self._dialogue.baud, None))
        if self._trace.hopeless:
            raise self.failure("the chip answers, and is gone again")
        return False

    # ---- elsewhere

    def _found_elsewhere(self, turn: int) -> bool:
        """Look at other rates: first for a chip left there, later for whoever makes the noise."""
        if turn == 0 and self._trace.links == 0:
            return self._left_behind()
        if turn % LISTEN_EVERY == 2 and self._hears_noise():
            for rate in LISTEN_RATES:
                if self._listen_at(rate.baud).kind in TELLING:
                    break
        return False

    def _left_behind(self) -> bool:
        """A chip that an earlier program left in download mode needs no reset."""
        for rate in (BAUD_AT_RESET, *LEFT_AT):
            try:
                self._dialogue.set_host_rate(rate)
            except PortLost:
                raise
            except PortError:
                continue  # the adapter has no such rate
            if self._dialogue.answers(2) or self._dialogue.answers(2):
                self._dialogue.hush()
                return True
        return False

    def _hears_noise(self) -> bool:
        return any(
            hearing.kind in (TrafficKind.GARBAGE, TrafficKind.BREAK) for hearing in self._trace.history().hearings
        )

    def _listen_at(self, rate: int) -> LineReport:
        try:
            self._dialogue.set_host_rate(rate)
        except PortLost:
            raise
        except PortError:
            return classify(b"", rate)
        heard = self._dialogue.listen(LISTEN_SLOW_S if rate < BAUD_AT_RESET else LISTEN_S)
        self._trace.hear(heard, rate)
        return classify(heard, rate)
