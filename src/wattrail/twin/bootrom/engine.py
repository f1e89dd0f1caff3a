"""One chip's life by the clock: power, the listening window after a reset, download mode, the application.

Everything happens at its moment and in order: ``advance`` runs the chip up to a time, byte by byte where that matters.
While a step is under way (a page, an erase, a CRC, a reply leaving) arriving bytes wait in a ring of limited size; what
does not fit is lost, as on the chip. Nothing is done before its time, so that cutting the power half-way leaves exactly
what a real flash would hold.

Guessed: a reset loses whatever stood in the ring; before the link is made every command is carried out, and only
LinkCheck keeps the chip from starting its application. Source: bk-boot/loader-1, bk-boot/link.
"""

from __future__ import annotations

from typing import Final

from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.twin.bootrom.deeds import Deed, Responding, Step, short_reply
from wattrail.twin.bootrom.faults import BootFaults
from wattrail.twin.bootrom.outbox import Outbox
from wattrail.twin.bootrom.phase import Phase
from wattrail.twin.bootrom.power import Power
from wattrail.twin.bootrom.receiver import Heard, Page
from wattrail.twin.bootrom.talk import Messages, Voice
from wattrail.twin.bootrom.timing import BootTiming
from wattrail.twin.bootrom.uart import Uart
from wattrail.twin.bootrom.wire import Burst
from wattrail.twin.bootrom.work import NEVER, Work

__all__ = ["UNHEARD", "BootEngine"]

UNHEARD: Final = 64
"""Blocks of talk that wait for a host that does not take them; what is beyond is lost."""


class BootEngine:
    """The chip between its wires and its responder. Times are the twin's seconds."""

    def __init__(
        self,
        responder: Responding,
        timing: BootTiming,
        faults: BootFaults,
        *,
        power: Power,
        voice: Voice,
        messages: Messages,
    ) -> None:
        self._responder = responder
        self._timing = timing
        self._faults = faults
        self._power = power
        self._voice = voice
        self._messages = messages
        self._uart = Uart(timing)
        self._work = Work(faults)
        self.phase = Phase.OFF
        self._now = 0.0
        self._phase_ends = NEVER
        self._heard_any = False
        self.outbox = self._uart.outbox
        self.log = Outbox(UNHEARD)

    @property
    def baud(self) -> float:
        """The rate the chip really has."""
        return self._uart.baud

    @property
    def baud_asked(self) -> int:
        """The rate the chip was last told to use."""
        return self._uart.baud_asked

    # ---- from outside

    def receive(self, data: bytes, now: float, host_baud: int) -> None:
        """Somebody begins to send this now, or as soon as what was sent before is through."""
        self._uart.receive(data, now, host_baud)

    def advance(self, now: float) -> None:
        """Live up to this moment."""
        while True:
            byte = self._uart.byte_at(self._now, working=bool(self._work))
            other = self._other_moment()
            at = min(byte, other)
            if at > now:
                break
            self._now = max(self._now, at)
            if byte <= other:
                self._hear(min(other, now))
            else:
                self._turn(other)
            self._power.follow(self._work.step, self.phase, self._now)
        self._now = max(self._now, now)

    def next_at(self, now: float, heard: Outbox) -> float:
        """When who listens there should look again, as things stand; infinity if nothing is under way."""
        if heard:
            return heard.next_at(now)
        at = min(self._work.ends, self._work.fails_at, self._phase_ends, self._power.turns_at, self._voice.next_at)
        return at if self._work else min(at, self._uart.portion_at())

    def reset(self, held: bool, now: float) -> None:
        """CEN is pulled low, or let go: whatever was under way is torn."""
        self.advance(now)
        self._power.held = held
        self._restart(now)

    def connect(self, on: bool, now: float) -> None:
        """The supply comes, or goes in the midst of whatever is under way."""
        self.advance(now)
        self._power.connect(on, now)
        self._restart(now)

    def start_app(self) -> None:
        """Skip the window: the chip has been running for long."""
        self._enter_app()
        self._voice.begin(self._now)
        self._power.rest("transmitting", self._now)

    # ---- moments

    def _other_moment(self) -> float:
        work = self._work
        return min(work.fails_at, work.ends, self._phase_end(), self._power.turns_at, self._voice.next_at)

    def _phase_end(self) -> float:
        """The bootloader's silence is not counted while it is at work."""
        return NEVER if self.phase is Phase.LINKED and self._work else self._phase_ends

    def _turn(self, at: float) -> None:
        """One thing that is due, no byte."""
        if self._power.turns_at == at:
            if self._power.turn(self.phase):
                self._fail(at)
            self._start(at)
        elif self._work.fails_at == at:
            self._power.connect(self._work.power_returns, self._now)
            self._restart(at)
        elif self._work.ends == at:
            self._finish_step()
        elif self._voice.next_at == at:
            self._speak()
        else:
            self._end_phase()

    # ---- phases

    def _restart(self, at: float) -> None:
        self._fail(at)
        self._start(at)

    def _fail(self, at: float) -> None:
        """The chip stops where it stands."""
        self._work.tear(at)
        self.outbox.cut(at)
        self.log.cut(at)
        self._voice.stop()
        self._uart.restart()
        self._responder.restart()
        self._heard_any = False
        self.phase, self._phase_ends = Phase.OFF, NEVER
        self._power.follow(None, self.phase, at)

    def _start(self, at: float) -> None:
        """If nothing holds it in reset."""
        if self.phase is Phase.OFF and self._power.good:
            self.phase, self._phase_ends = Phase.STARTING, at + self._timing.ready_s
            self._power.follow(None, self.phase, at)

    def _end_phase(self) -> None:
        at = self._phase_ends
        if self.phase is Phase.LINKED:
            self._restart(at)
        elif self.phase is Phase.WINDOW:
            self._start_app(at)
        elif self._responder.alive():
            wait = self._timing.idle_window_s if self._responder.has_watchdog else self._timing.window_s
            self.phase, self._phase_ends, self._heard_any = Phase.WINDOW, at + wait, False
            self._print(self._messages.listening, at)
        else:
            self._enter_app()  # where nothing lives
            self._power.rest("listening", at)

    def _start_app(self, at: float) -> None:
        self._enter_app()
        self._voice.begin(at)
        self._print(self._messages.starting, at)

    def _enter_app(self) -> None:
        self.phase, self._phase_ends = Phase.APP, NEVER
        self._work.drop()
        self._uart.restart()

    # ---- hearing

    def _hear(self, until: float) -> None:
        working, listening = bool(self._work), self.phase in (Phase.WINDOW, Phase.LINKED)
        if self._uart.holds_any and not working:
            self._listen(self._uart.kept(), self._now)
            return
        data, at = self._uart.take(until, framed=listening and not working)
        if self.phase is Phase.APP:
            if self._voice.hears(data):
                self._restart(max(at, self._now))
        elif listening:
            self._note_byte(at)
            if working:
                self._uart.keep(data)
            else:
                self._listen(data, at)

    def _note_byte(self, at: float) -> None:
        """Any byte, even noise, keeps the bootloader listening."""
        self._uart.note(at, working=bool(self._work))
        if not self._responder.has_watchdog:
            return
        if self.phase is Phase.WINDOW and not self._heard_any:
            self._heard_any = True
            self._phase_ends += self._timing.noisy_window_s - self._timing.idle_window_s
        elif self.phase is Phase.LINKED:
            self._phase_ends = at + self._timing.quiet_s

    def _listen(self, data: bytes, at: float) -> None:
        self._now = max(self._now, at)
        for found in self._uart.feed(data):
            if isinstance(found, Page):
                for step in self._responder.page(found, self._now):
                    self._work.start(step, self._now)
            else:
                self._obey(found)

    # ---- doing

    def _obey(self, heard: Heard) -> None:
        code = self._faults.failure()
        deed = self._responder.handle(heard, self._now) if code is None else Deed(reply=short_reply(code, b""))
        if deed is None:
            return
        if deed.links and self.phase is Phase.WINDOW:
            self.phase = Phase.LINKED
            self._phase_ends = self._now + self._timing.quiet_s if self._responder.has_watchdog else NEVER
        wait = self._timing.command_s + deed.wait_s
        self._work.start(Step(wait, lambda: self._begin(deed)), self._now)

    def _begin(self, deed: Deed) -> None:
        if deed.reboots == "app":
            self._work.then(Step(0.0, lambda: self._start_app(self._now)))
        elif deed.reboots == "reset":
            self._work.then(Step(0.0, lambda: self._restart(self._now)))
        if deed.baud is not None:
            self._uart.set_baud(deed.baud)
        self._work.then(*deed.steps)
        if deed.reply:
            self._work.then(Step(0.0, lambda: self._reply(deed.reply)))

    def _reply(self, data: bytes) -> None:
        out = self._faults.reply(data)
        self._work.next(Step(out.late, lambda: self._send(out.data)))

    def _send(self, data: bytes) -> None:
        self._work.next(Step(self._uart.send(data, self._now) - self._now, kind="send"))

    def _finish_step(self) -> None:
        self._work.finish(self._now)
        if not self._work and self.phase is Phase.LINKED and self._responder.has_watchdog:
            self._phase_ends = max(self._phase_ends, self._now + self._timing.quiet_s)

    # ---- talking

    def _speak(self) -> None:
        """The application says what it has to say, whether anybody listens or not."""
        data = self._faults.talk(self._voice.speak())
        if len(self.outbox) < UNHEARD:
            self._uart.send(data, self._now, self._voice.application.baud)

    def _print(self, text: bytes, at: float) -> None:
        if text:
            self.log.put(Burst(text, at, BAUD_AT_RESET, paced=self._timing.pace_replies))
