"""One chip over time: power, the listening window after a reset, download mode, the application.

Every event happens at its time and in order: ``advance`` runs the chip up to a time, byte by byte where that matters.
While a step is under way (a page, an erase, a CRC, a reply leaving) arriving bytes wait in a ring of limited size; what
does not fit is lost, as on the chip. Nothing is done before its time, so that cutting the power half-way leaves exactly
what a real flash would hold.

Guessed: a reset loses what stood in the ring; before the link is made every command is carried out, and only LinkCheck
keeps the chip from starting its application. Source: bk-boot/loader-1, bk-boot/link.
"""

from __future__ import annotations

from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.twin.bootrom.activity import NEVER, BootPhase, Response, StepQueue, WorkStep, short_reply
from wattrail.twin.bootrom.faults import BootFaults
from wattrail.twin.bootrom.firmware import BootMessages, FirmwareUart
from wattrail.twin.bootrom.rail import Power
from wattrail.twin.bootrom.receiver import ReceivedCommand, ReceivedPage
from wattrail.twin.bootrom.responders import TwinResponder
from wattrail.twin.bootrom.timing import BootTiming
from wattrail.twin.bootrom.uart import MAX_BLOCKS, SentBlock, TransmitQueue, Uart

__all__ = ["BootEngine"]


class BootEngine:
    """The chip between its wires and its responder. Times are the twin's seconds."""

    def __init__(
        self,
        responder: TwinResponder,
        timing: BootTiming,
        faults: BootFaults,
        *,
        power: Power,
        firmware: FirmwareUart,
        messages: BootMessages,
    ) -> None:
        self._responder = responder
        self._timing = timing
        self._faults = faults
        self._power = power
        self._firmware = firmware
        self._messages = messages
        self._uart = Uart(timing)
        self._steps = StepQueue(faults)
        self.phase = BootPhase.OFF
        self._now = 0.0
        self._phase_ends = NEVER
        self._received_any = False
        self._due = 0.0  # nothing happens before this time unless something comes from outside
        self.transmitted = self._uart.transmitted
        self.log = TransmitQueue(MAX_BLOCKS)

    @property
    def baud(self) -> float:
        """The rate the chip really has."""
        return self._uart.baud

    @property
    def baud_asked(self) -> int:
        """The rate that was last set."""
        return self._uart.baud_asked

    # ---- from outside

    def receive(self, data: bytes, now: float, host_baud: int) -> None:
        """A host begins to send this now, or as soon as what was sent before is through."""
        self._uart.receive(data, now, host_baud)
        self._due = now

    def advance(self, now: float) -> None:
        """Run the chip up to this time."""
        # A host that waits asks thousands of times for each thing that happens.
        if now >= self._due:
            self._run(now)
        if now > self._now:
            self._now = now

    def _run(self, now: float) -> None:
        """Everything that happens up to this time."""
        while True:
            byte_at = self._uart.byte_at(self._now, working=bool(self._steps))
            event_at = self._next_event()
            at = byte_at if byte_at < event_at else event_at
            if at > now:
                self._due = at
                return
            if at > self._now:
                self._now = at
            if byte_at <= event_at:
                self._take_bytes(min(event_at, now))
            else:
                self._handle_event(event_at)
            self._power.follow(self._steps.current, self.phase, self._now)

    def next_at(self, now: float, queue: TransmitQueue, portion_s: float) -> float:
        """When a reader of this queue, who takes portions, should look again; NEVER if nothing is under way."""
        if queue:
            return queue.next_at(now, portion_s)
        at = self._next_event()
        return at if self._steps else min(at, self._uart.frame_at() + self._timing.command_s)

    def reset(self, held: bool, now: float) -> None:
        """CEN is pulled low, or let go: what was under way is torn."""
        self.advance(now)
        self._power.held = held
        self._restart(now)
        self._due = now

    def connect(self, on: bool, now: float) -> None:
        """The supply is connected or cut, whatever is under way."""
        self.advance(now)
        self._power.connect(on, now)
        self._restart(now)
        self._due = now

    def start_app(self) -> None:
        """Skip the window: the chip has been running for long."""
        self._enter_app()
        self._firmware.start(self._now)
        self._power.run_app("transmitting", self._now)
        self._due = self._now

    # ---- events other than bytes

    def _next_event(self) -> float:
        steps = self._steps
        # The bootloader's silence is not counted while it works.
        phase_ends = NEVER if steps and self.phase is BootPhase.LINKED else self._phase_ends
        return min(steps.fails_at, steps.ends, phase_ends, self._power.crosses_at, self._firmware.next_at)

    def _handle_event(self, at: float) -> None:
        if self._power.crosses_at == at:
            if self._power.cross(self.phase):
                self._stop(at)
            self._start(at)
        elif self._steps.fails_at == at:
            self._power.connect(self._steps.power_returns, self._now)
            self._restart(at)
        elif self._steps.ends == at:
            self._finish_step()
        elif self._firmware.next_at == at:
            self._send_app_text()
        else:
            self._end_phase()

    # ---- phases

    def _restart(self, at: float) -> None:
        self._stop(at)
        self._start(at)

    def _stop(self, at: float) -> None:
        """The chip stops at once."""
        self._steps.tear(at)
        self.transmitted.cut(at)
        self.log.cut(at)
        self._firmware.stop()
        self._uart.restart()
        self._responder.restart()
        self._received_any = False
        self.phase, self._phase_ends = BootPhase.OFF, NEVER
        self._power.follow(None, self.phase, at)

    def _start(self, at: float) -> None:
        """Start, unless something holds the chip in reset."""
        if self.phase is BootPhase.OFF and self._power.is_good:
            self.phase, self._phase_ends = BootPhase.STARTING, at + self._timing.ready_s
            self._power.follow(None, self.phase, at)

    def _end_phase(self) -> None:
        at = self._phase_ends
        if self.phase is BootPhase.LINKED:
            self._restart(at)
        elif self.phase is BootPhase.WINDOW:
            self._boot_app(at)
        elif self._responder.is_alive():
            wait = self._timing.idle_window_s if self._responder.has_watchdog else self._timing.window_s
            self.phase, self._phase_ends, self._received_any = BootPhase.WINDOW, at + wait, False
            self._write_log(self._messages.listening, at)
        else:
            self._enter_app()  # the bootloader is damaged: nothing runs
            self._power.run_app("listening", at)

    def _boot_app(self, at: float) -> None:
        self._enter_app()
        self._firmware.start(at)
        self._write_log(self._messages.starting, at)

    def _enter_app(self) -> None:
        self.phase, self._phase_ends = BootPhase.APP, NEVER
        self._steps.clear()
        self._uart.restart()

    # ---- receiving

    def _take_bytes(self, until: float) -> None:
        working, listening = bool(self._steps), self.phase in (BootPhase.WINDOW, BootPhase.LINKED)
        if not working and (waiting := self._uart.take_ring()):
            self._feed(waiting, self._now)
            return
        data, first, at = self._uart.take(until, framed=listening and not working)
        if self.phase is BootPhase.APP:
            # Nothing else reaches a running application: it does not answer LinkCheck.
            if self._firmware.resets_on(data):
                self._restart(max(at, self._now))
        elif listening:
            self._note_bytes(first, at)
            if working:
                self._uart.keep(data)
            else:
                self._feed(data, at)

    def _note_bytes(self, first: float, at: float) -> None:
        """Any byte, even noise, keeps the bootloader listening."""
        self._uart.note_bytes(first, at, working=bool(self._steps))
        if not self._responder.has_watchdog:
            return
        if self.phase is BootPhase.WINDOW and not self._received_any:
            self._received_any = True
            self._phase_ends += self._timing.noisy_window_s - self._timing.idle_window_s
        elif self.phase is BootPhase.LINKED:
            self._phase_ends = at + self._timing.quiet_s

    def _feed(self, data: bytes, at: float) -> None:
        self._now = max(self._now, at)
        for received in self._uart.feed(data):
            if isinstance(received, ReceivedPage):
                for step in self._responder.page(received, self._now):
                    self._steps.start(step, self._now)
            else:
                self._execute(received)

    # ---- responding

    def _execute(self, command: ReceivedCommand) -> None:
        code = self._faults.failure()
        response = (
            self._responder.handle(command, self._now) if code is None else Response(reply=short_reply(code, b""))
        )
        if response is None:
            return
        if response.links and self.phase is BootPhase.WINDOW:
            self.phase = BootPhase.LINKED
            self._phase_ends = self._now + self._timing.quiet_s if self._responder.has_watchdog else NEVER
        wait = self._timing.command_s + response.wait_s
        self._steps.start(WorkStep(wait, lambda: self._respond(response)), self._now)

    def _respond(self, response: Response) -> None:
        if response.reboots == "app":
            self._steps.append(WorkStep(0.0, lambda: self._boot_app(self._now)))
        elif response.reboots == "reset":
            self._steps.append(WorkStep(0.0, lambda: self._restart(self._now)))
        # At once: the reply waits for its delay, and comes at the new rate. Source: bk-boot/loader-1.
        if response.baud is not None:
            self._uart.set_baud(response.baud)
        self._steps.append(*response.steps)
        if response.reply:
            self._steps.append(WorkStep(0.0, lambda: self._reply(response.reply)))

    def _reply(self, data: bytes) -> None:
        out = self._faults.reply(data)
        self._steps.insert(WorkStep(out.late, lambda: self._send(out.data)))

    def _send(self, data: bytes) -> None:
        self._steps.insert(WorkStep(self._uart.send(data, self._now) - self._now, kind="send"))

    def _finish_step(self) -> None:
        self._steps.finish(self._now)
        if not self._steps and self.phase is BootPhase.LINKED and self._responder.has_watchdog:
            self._phase_ends = max(self._phase_ends, self._now + self._timing.quiet_s)

    # ---- sending unasked

    def _send_app_text(self) -> None:
        """The application sends whether anybody listens or not."""
        data = self._faults.unasked(self._firmware.take_text())
        # Nobody may ever read it, and an application sends for days.
        if len(self.transmitted) < MAX_BLOCKS:
            self._uart.send(data, self._now, self._firmware.application.baud)

    def _write_log(self, text: bytes, at: float) -> None:
        if text:
            self.log.put(SentBlock(text, at, BAUD_AT_RESET, paced=self._timing.pace_replies))
