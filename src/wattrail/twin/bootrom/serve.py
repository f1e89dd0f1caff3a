"""The chip's flashing UART as a serial device of this machine, for people and for other programs.

The thread that serves it wakes when the next byte is due, so that a host at 2 Mbaud waits for the wire and not for the
server. A served twin runs in real time.
"""

from __future__ import annotations

import math
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Literal

from wattrail.bootrom.commands import LINK_CHECK
from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.clock import ManualClock
from wattrail.errors import ConfigError, PortError
from wattrail.twin.bootrom.twin import BootTwin
from wattrail.twin.terminal import Terminal, open_terminal, running

__all__ = ["FlashSaver", "ServedBoot", "SimulatedAutoReset", "Tap", "serve_boot"]

Tap = Callable[[Literal["host", "chip"], bytes], None]
"""Receives what passes, and who sent it, on the server's own thread: it must be quick."""

QUIET_S: Final = 0.2
"""The flash is written to its file after a silence this long ..."""
SAVE_S: Final = 2.0
"""... or at the latest this long after it was last written: a killed server loses that much."""

RESET_AFTER_S: Final = 0.2
"""How long LinkChecks go unanswered before the chip is reset."""
PAUSE_S: Final = 1.0
"""The chip is not reset again before this has passed."""

_IDLE_S: Final = 0.1
"""How long the server sleeps at most before it looks whether it should stop."""
_EARLY_S: Final = 0.0006
"""The system wakes a sleeper up to this late: the rest of the time is waited out awake."""
_ALERT_S: Final = 0.001
"""How long after a reply it stays awake: a chip receives the next request the moment it begins."""

_PORTION_S: Final = 0.004
"""How long it gathers bytes of one reply: programs take a pause of 10 ms for the end of one."""

_LINK_CHECK: Final = b"\x01\xe0\xfc\x01" + bytes((LINK_CHECK.opcode,))
_LINK_REPLY: Final = b"\x04\x0e\x05\x01\xe0\xfc" + bytes((LINK_CHECK.reply_opcode, 0))


@dataclass(frozen=True, slots=True)
class ServedBoot:
    """The serial device on which the chip's flashing UART is served."""

    path: str

    @property
    def url(self) -> str:
        """The URL for wattrail's own tools; it says that what is read there is simulated."""
        return f"serial://{self.path}?baud={BAUD_AT_RESET}&simulated=yes"


@contextmanager
def serve_boot(twin: BootTwin, *, auto_reset: bool = False, tap: Tap | None = None) -> Iterator[ServedBoot]:
    """Serve the twin's UART on a pseudo-terminal. The rate that the other program sets counts: a wrong one is garbage.

    ``auto_reset``: reset the chip when link checks go unanswered. A twin with an image file is saved at the start, when
    the line falls silent, every two seconds while it does not, and at the end. Raises PortOpenError where the system
    has no pseudo-terminals, PortError for a twin on a manual clock, ConfigError if the image cannot be stored, or
    another process uses the file.
    """
    if isinstance(twin.clock, ManualClock):
        raise PortError("a twin on a manual clock cannot be served: its time stands still", hint="use a SystemClock")
    with twin.hold_file(), open_terminal(BAUD_AT_RESET) as terminal:
        twin.save()
        try:
            with running(_BootServer(twin, terminal, SimulatedAutoReset() if auto_reset else None, tap).run):
                yield ServedBoot(terminal.path)
        finally:
            twin.save()


class SimulatedAutoReset:
    """Auto-reset: pulses CEN when link checks go unanswered for 0.2 s. Times are seconds of one clock.

    A chip can only be reached just after a reset, and a program without a wire to CEN asks its user for one. This
    stands for that user, and looks at the wire only.
    """

    def __init__(self) -> None:
        self._request, self._reply = _PatternSearch(_LINK_CHECK), _PatternSearch(_LINK_REPLY)
        self._since = math.inf
        self._last = self._pulsed = -math.inf

    def is_due(self, sent: bytes, now: float) -> bool:
        """Whether to reset the chip, now that the host has sent this."""
        if not self._request.found_in(sent):
            return False
        # Some hosts ask now and then whether the chip is alive: link checks with long pauses between them do not count.
        self._since = now if now - self._last > PAUSE_S else min(self._since, now)
        self._last = now
        if now - self._since < RESET_AFTER_S or now - self._pulsed < PAUSE_S:
            return False
        self._since, self._pulsed = math.inf, now
        return True

    def note_reply(self, received: bytes) -> None:
        """The chip, or another device on its wire, has sent this: the reply to a link check ends the wait."""
        if self._reply.found_in(received):
            self._since = math.inf


class _PatternSearch:
    """Some bytes, looked for in a stream that comes in pieces."""

    def __init__(self, pattern: bytes) -> None:
        self._pattern = pattern
        self._tail = b""

    def found_in(self, piece: bytes) -> bool:
        """Whether the pattern ends in this piece."""
        text = self._tail + piece
        self._tail = text[len(text) - len(self._pattern) + 1 :] if len(text) >= len(self._pattern) else text
        return self._pattern in text


class FlashSaver:
    """Decides when the flash is written to its file."""

    def __init__(self, twin: BootTwin) -> None:
        self._twin = twin
        self._saved = self._busy = twin.now()

    def save_if_due(self, *, busy: bool) -> None:
        """Save if it is time to. ``busy``: bytes went over the line since the last call."""
        now = self._twin.now()
        if busy:
            self._busy = now
        if self._twin.flash.dirty and (now - self._busy >= QUIET_S or now - self._saved >= SAVE_S):
            self._saved = now
            with suppress(ConfigError):  # the save at the end reports it to the caller
                self._twin.save()


class _BootServer:
    """Carries bytes between the terminal and the chip, each at its time."""

    def __init__(
        self, twin: BootTwin, terminal: Terminal, auto_reset: SimulatedAutoReset | None, tap: Tap | None
    ) -> None:
        self._twin = twin
        self._wires = twin.wires()
        self._terminal = terminal
        self._auto_reset = auto_reset
        self._tap = tap
        self._saver = FlashSaver(twin)
        self._replied = 0.0

    def run(self, stop: threading.Event) -> None:
        """Serve until ``stop`` is set."""
        while not stop.is_set():
            received = self._wait() and self._receive()
            self._saver.save_if_due(busy=self._send() or received)

    def _wait(self) -> bool:
        """Wait for the next event of the chip, or for bytes of the host; returns whether there are any.

        What the chip does then is worked out shortly before, so that its reply leaves on time however long that takes.
        """
        due, ahead = self._due(), False
        while (left := due - (now := self._twin.now())) > 0:
            # The work of a CRC or a page takes this machine some time as well: begun when it is due, its reply would be
            # late.
            if left < _EARLY_S and not ahead:
                self._twin.advance_ahead(left)
                due, ahead = max(due, self._due()), True
            awake = left < _EARLY_S or now - self._replied < _ALERT_S
            if select.select([self._terminal], [], [], 0 if awake else left - _EARLY_S)[0]:
                return True
        return bool(select.select([self._terminal], [], [], 0)[0])

    def _due(self) -> float:
        return self._twin.now() + min(self._wires.wait_s(_PORTION_S), _IDLE_S)

    def _receive(self) -> bool:
        data = self._terminal.read()
        self._wires.send(data, self._baud)
        if self._tap:
            self._tap("host", data)
        if self._auto_reset and self._auto_reset.is_due(data, self._twin.now()):
            self._twin.reset()
        return True

    def _send(self) -> bool:
        data = self._wires.collect(self._baud)
        if data:
            self._terminal.write(data)
            self._replied = self._twin.now()
            if self._tap:
                self._tap("chip", data)
            if self._auto_reset:
                self._auto_reset.note_reply(data)
        return bool(data)

    @property
    def _baud(self) -> int:
        return self._terminal.baud or BAUD_AT_RESET
