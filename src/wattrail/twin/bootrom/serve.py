"""The chip's flashing UART as a serial device of this machine, for people and for other people's programs.

The thread that serves it wakes at the moment the next byte is due, so that a host at 2 Mbaud waits for the wire and not
for the server. A served twin lives in real time.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Literal

from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.clock import ManualClock
from wattrail.errors import ConfigError, PortError
from wattrail.twin.bootrom.button import Finger
from wattrail.twin.bootrom.twin import BootTwin
from wattrail.twin.terminal import Terminal, open_terminal, running

__all__ = ["Press", "ServedBoot", "Tap", "serve_boot"]

Press = Literal["never", "knock"]
"""Who presses the reset button: nobody, or a finger when a host knocks in vain."""

Tap = Callable[[Literal["host", "chip"], bytes], None]
"""Hears what passes, and who says it, on the server's own thread: it must be quick."""

QUIET_S: Final = 0.2
"""The flash is written to its file once the line has been silent for this long ..."""
KEEP_S: Final = 2.0
"""... or at the latest this long after it was last written: so much is lost if the server is killed."""

_IDLE_S: Final = 0.1
"""How long the server sleeps at most before it looks whether it should stop."""
_EARLY_S: Final = 0.0006
"""The system wakes a sleeper up to this late: the rest of the time is waited out awake."""
_ALERT_S: Final = 0.001
"""How long after an answer it stays awake: a chip hears the next request the moment it begins."""


@dataclass(frozen=True, slots=True)
class ServedBoot:
    """Where the chip's flashing UART is to be found."""

    path: str

    @property
    def url(self) -> str:
        """The URL for wattrail's own tools; it says that what is read there is simulated."""
        return f"serial://{self.path}?baud={BAUD_AT_RESET}&simulated=yes"


@contextmanager
def serve_boot(twin: BootTwin, *, press: Press = "never", tap: Tap | None = None) -> Iterator[ServedBoot]:
    """The twin's UART on a pseudo-terminal. The rate the other program sets counts: a wrong one makes garbage.

    A twin with an image file keeps it up to date: at the beginning, when the line falls silent, every two seconds
    while it does not, and at the end. Raises PortOpenError where the system has no pseudo-terminals, PortError for a
    twin whose time stands still, ConfigError if the image cannot be kept, or another process keeps its flash in it.
    """
    if isinstance(twin.clock, ManualClock):
        raise PortError("a twin on a manual clock cannot be served: its time stands still", hint="use a SystemClock")
    with twin.hold_file(), open_terminal(BAUD_AT_RESET) as terminal:
        twin.save()
        try:
            with running(_Server(twin, terminal, Finger() if press == "knock" else None, tap).run):
                yield ServedBoot(terminal.path)
        finally:
            twin.save()


class Keeper:
    """When the flash goes into its file."""

    def __init__(self, twin: BootTwin) -> None:
        self._twin = twin
        self._kept = self._busy = twin.now()

    def look(self, *, busy: bool) -> None:
        """Save if it is time to. ``busy``: something went over the line since the last look."""
        now = self._twin.now()
        if busy:
            self._busy = now
        if self._twin.flash.dirty and (now - self._busy >= QUIET_S or now - self._kept >= KEEP_S):
            self._kept = now
            with suppress(ConfigError):  # the last save says it, where somebody hears it
                self._twin.save()


class _Server:
    """Carries bytes between the terminal and the chip, each at its time."""

    def __init__(self, twin: BootTwin, terminal: Terminal, finger: Finger | None, tap: Tap | None) -> None:
        self._twin = twin
        self._terminal = terminal
        self._finger = finger
        self._tap = tap
        self._keeper = Keeper(twin)
        self._spoke = 0.0

    def run(self, stop: threading.Event) -> None:
        """Until told to stop."""
        while not stop.is_set():
            heard = self._wait() and self._hear()
            self._keeper.look(busy=self._speak() or heard)

    def _wait(self) -> bool:
        """Until the next moment of the chip, or until the host has sent something: whether it has.

        What the chip does then is worked out shortly before, so that its answer leaves on time however long we take.
        """
        due, ahead = self._due(), False
        while (left := due - (now := self._twin.now())) > 0:
            if left < _EARLY_S and not ahead:
                self._twin.look_ahead(left)
                due, ahead = max(due, self._due()), True
            awake = left < _EARLY_S or now - self._spoke < _ALERT_S
            if select.select([self._terminal], [], [], 0 if awake else left - _EARLY_S)[0]:
                return True
        return bool(select.select([self._terminal], [], [], 0)[0])

    def _due(self) -> float:
        return self._twin.now() + min(self._twin.wait_s(), _IDLE_S)

    def _hear(self) -> bool:
        data = self._terminal.read()
        self._twin.send(data, self._baud)
        if self._tap:
            self._tap("host", data)
        if self._finger and self._finger.presses(data, self._twin.now()):
            self._twin.reset()
        return True

    def _speak(self) -> bool:
        data = self._twin.collect(self._baud)
        if data:
            self._terminal.write(data)
            self._spoke = self._twin.now()
            if self._tap:
                self._tap("chip", data)
            if self._finger:
                self._finger.listens(data)
        return bool(data)

    @property
    def _baud(self) -> int:
        return self._terminal.baud or BAUD_AT_RESET
