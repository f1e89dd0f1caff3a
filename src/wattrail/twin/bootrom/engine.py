"""One chip's life by the clock: power, the listening window after a reset, download mode, the application.

Everything happens at its moment and in order: ``advance`` runs the chip up to a time, byte by byte where that matters.
While a step is under way (a page, an erase, a CRC, a reply leaving) arriving bytes wait in a ring of limited size; what
does not fit is lost, as on the chip. Nothing is done before its time, so that cutting the power half-way leaves exactly
what a real flash would hold.

Guessed: a reset loses whatever stood in the ring; before the link is made every command is carried out, and only
LinkCheck keeps the chip from starting its application. Source: bk-boot/loader-1, bk-boot/link.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

from wattrail.bootrom.constants import BAUD_AT_RESET, CLOCK_HZ, LEAST_DIVIDER, MOST_DIVIDER
from wattrail.twin.bootrom.deeds import Deed, Responding, Step, short_reply
from wattrail.twin.bootrom.faults import BootFaults
from wattrail.twin.bootrom.receiver import Heard, Page, Receiver
from wattrail.twin.bootrom.timing import BootTiming
from wattrail.twin.bootrom.wire import Burst, Incoming
from wattrail.twin.bootrom.work import NEVER, Work

__all__ = ["BootEngine", "Phase"]

_PORTION_S: Final = 0.004
"""How long an adapter may gather bytes of one reply before it hands them over."""
_APP_EARS: Final = 64
"""Bytes of what the host says that an application remembers."""


class Phase(Enum):
    """What the chip is doing."""

    OFF = "off"
    STARTING = "starting"
    WINDOW = "listening"
    APP = "application"
    LINKED = "download mode"


class BootEngine:
    """The chip between its wire and its responder. Times are the twin's seconds."""

    def __init__(
        self,
        responder: Responding,
        timing: BootTiming,
        faults: BootFaults,
        *,
        app_reboots_on: tuple[bytes, ...] = (),
    ) -> None:
        self._responder = responder
        self._timing = timing
        self._faults = faults
        self._app_reboots_on = app_reboots_on
        self._receiver = Receiver(streaming=responder.streaming)
        self.phase = Phase.OFF
        self.baud_asked = BAUD_AT_RESET
        self._baud = _real(BAUD_AT_RESET)
        self._now = 0.0
        self._phase_ends = NEVER
        self._heard_any = False
        self._last_byte = 0.0
        self._incoming: deque[Incoming] = deque()
        self._ring = bytearray()
        self._app_ears = b""
        self._work = Work(faults)
        self.outbox: deque[Burst] = deque()

    @property
    def baud(self) -> float:
        """The rate the chip really has."""
        return self._baud

    # ---- from outside

    def receive(self, data: bytes, now: float, host_baud: int) -> None:
        """Somebody begins to send this now, or as soon as what was sent before is through.

        Two senders take turns here; that real ones destroy each other's bytes is not modelled.
        """
        begins = max(now, self._incoming[-1].ends if self._incoming else now)
        if data:
            self._incoming.append(Incoming(data, begins, host_baud, paced=self._timing.pace_requests))

    def advance(self, now: float) -> None:
        """Live up to this moment."""
        while (at := self._next_moment()) <= now:
            self._now = max(self._now, at)
            self._turn(now)
        self._now = max(self._now, now)

    def next_at(self, now: float) -> float:
        """When a reader should look again, as things stand; infinity if nothing is under way.

        Bytes of a reply are handed over in portions, its last one on time.
        """
        if self.outbox:
            return min(self.outbox[0].ends, max(self.outbox[0].next_at, now + _PORTION_S))
        at = min(self._work.ends, self._work.fails_at, self._phase_ends)
        if self._incoming and not self._work:
            incoming = self._incoming[0]
            incoming.tune(self._baud)
            at = min(at, incoming.at(self._receiver.missing))
        return at

    def power(self, on: bool, now: float) -> None:
        """The supply comes, or goes in the midst of whatever is under way."""
        self.advance(now)
        self._fail(now)
        if on:
            self.phase, self._phase_ends = Phase.STARTING, now + self._timing.ready_s

    def collect(self, now: float, host_baud: int) -> bytes:
        """What has arrived at a host that listens at this rate."""
        self.advance(now)
        taken = bytearray()
        while self.outbox:
            taken += self.outbox[0].take(now, host_baud)
            if not self.outbox[0].done:
                break
            self.outbox.popleft()
        return bytes(taken)

    # ---- moments

    def _next_moment(self) -> float:
        return min(self._work.fails_at, self._work.ends, self._phase_end(), self._byte_moment())

    def _phase_end(self) -> float:
        """The bootloader's silence is not counted while it is at work."""
        return NEVER if self.phase is Phase.LINKED and self._work else self._phase_ends

    def _byte_moment(self) -> float:
        if self._work and not self._timing.pace_requests:
            return NEVER  # bytes that take no time on the wire wait where they are, or every ring would overflow
        if self._ring and not self._work:
            return self._now
        while self._incoming:
            self._incoming[0].tune(self._baud)
            if self._incoming[0].left:
                return self._incoming[0].at()
            self._incoming.popleft()
        return NEVER

    def _turn(self, now: float) -> None:
        """One thing, the earliest."""
        others = min(self._work.fails_at, self._work.ends, self._phase_end())
        if self._byte_moment() <= others:
            self._hear(min(others, now))
        elif self._work.fails_at == others:
            self._strike()
        elif self._work.ends == others:
            self._finish_step()
        else:
            self._end_phase()

    # ---- phases

    def _fail(self, now: float) -> None:
        """The supply is gone."""
        self._work.tear(now)
        for burst in self.outbox:
            burst.cut(now)
        self._ring.clear()
        self._receiver.restart()
        self._responder.restart()
        self._set_baud(BAUD_AT_RESET)
        self._heard_any = False
        self.phase, self._phase_ends = Phase.OFF, NEVER

    def _end_phase(self) -> None:
        at = self._phase_ends
        if self.phase is Phase.STARTING and self._responder.alive():
            wait = self._timing.idle_window_s if self._responder.streaming else self._timing.window_s
            self.phase, self._phase_ends, self._heard_any = Phase.WINDOW, at + wait, False
        elif self.phase is Phase.LINKED:
            self._restart(at)
        else:
            self._start_app()

    def _start_app(self) -> None:
        self.phase, self._phase_ends, self._app_ears = Phase.APP, NEVER, b""
        self._work.drop()
        self._receiver.restart()
        self._ring.clear()
        self._set_baud(BAUD_AT_RESET)

    def _restart(self, at: float) -> None:
        self._fail(at)
        self.phase, self._phase_ends = Phase.STARTING, at + self._timing.ready_s

    def start_app(self) -> None:
        """Skip the window: the chip has been running for long."""
        self._start_app()

    # ---- hearing

    def _hear(self, until: float) -> None:
        if self._ring and not self._work:
            self._listen(bytes(self._take_ring(self._receiver.missing)), self._now)
            return
        incoming = self._incoming[0]
        count = max(1, incoming.arrived(until))
        deaf = self.phase in (Phase.OFF, Phase.STARTING)
        if not self._work and not deaf and self.phase is not Phase.APP:
            count = min(count, self._receiver.missing)
        at = incoming.at(count)
        data = incoming.take(count)
        if deaf:
            return
        if self.phase is Phase.APP:
            self._tell_app(data, at)
            return
        self._note_byte(at)
        if self._work:
            self._ring += data[: max(0, self._timing.ring - len(self._ring))]
        else:
            self._listen(data, at)

    def _take_ring(self, count: int) -> bytearray:
        taken = self._ring[:count]
        del self._ring[:count]
        return taken

    def _note_byte(self, at: float) -> None:
        """Any byte, even noise, keeps the bootloader listening."""
        gap = self._timing.byte_gap_s
        if gap is not None and at - self._last_byte > gap and not self._work:
            self._receiver.restart()
        self._last_byte = at
        if not self._responder.streaming:
            return
        if self.phase is Phase.WINDOW and not self._heard_any:
            self._heard_any = True
            self._phase_ends += self._timing.noisy_window_s - self._timing.idle_window_s
        elif self.phase is Phase.LINKED:
            self._phase_ends = at + self._timing.quiet_s

    def _listen(self, data: bytes, at: float) -> None:
        self._now = max(self._now, at)
        for found in self._receiver.feed(data):
            if isinstance(found, Page):
                step = self._responder.page(found)
                if step is not None:
                    self._work.start(step, self._now)
            else:
                self._obey(found)

    def _tell_app(self, data: bytes, at: float) -> None:
        self._app_ears = (self._app_ears + data)[-_APP_EARS:]
        if any(text in self._app_ears for text in self._app_reboots_on):
            self._restart(max(at, self._now))

    # ---- doing

    def _obey(self, heard: Heard) -> None:
        code = self._faults.failure()
        deed = self._responder.handle(heard, self._now) if code is None else Deed(reply=short_reply(code, b""))
        if deed is None:
            return
        if deed.links and self.phase is Phase.WINDOW:
            self.phase = Phase.LINKED
            self._phase_ends = self._now + self._timing.quiet_s if self._responder.streaming else NEVER
        wait = self._timing.command_s + deed.wait_s
        self._work.start(Step(wait, lambda: self._begin(deed)), self._now)

    def _begin(self, deed: Deed) -> None:
        if deed.reboots == "app":
            self._work.then(Step(0.0, self._start_app))
        elif deed.reboots == "reset":
            self._work.then(Step(0.0, lambda: self._restart(self._now)))
        if deed.baud is not None:
            self._set_baud(deed.baud)
        self._work.then(*deed.steps)
        if deed.reply:
            self._work.then(Step(0.0, lambda: self._reply(deed.reply)))

    def _reply(self, data: bytes) -> None:
        out = self._faults.reply(data)
        self._work.next(Step(out.late, lambda: self._send(out.data)))

    def _send(self, data: bytes) -> None:
        burst = Burst(data, self._now, self._baud, paced=self._timing.pace_replies)
        if data:
            self.outbox.append(burst)
        self._work.next(Step(burst.ends - burst.begins))

    def _finish_step(self) -> None:
        self._work.finish(self._now)
        if not self._work and self.phase is Phase.LINKED and self._responder.streaming:
            self._phase_ends = max(self._phase_ends, self._now + self._timing.quiet_s)

    def _strike(self) -> None:
        """The supply fails as the faults have it."""
        at, returns = self._work.fails_at, self._work.power_returns
        self._fail(at)
        if returns:
            self.phase, self._phase_ends = Phase.STARTING, at + self._timing.ready_s

    def _set_baud(self, baud: int) -> None:
        self.baud_asked = baud or BAUD_AT_RESET
        self._baud = _real(self.baud_asked)


def _real(baud: int) -> float:
    """The rate that the chip's divider makes of the one asked for."""
    divider = (CLOCK_HZ - 1 + baud // 2) // baud - 1
    return CLOCK_HZ / (max(LEAST_DIVIDER, min(MOST_DIVIDER, divider)) + 1)
