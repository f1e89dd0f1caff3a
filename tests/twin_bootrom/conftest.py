from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from wattrail.bootrom import BootLink, Command, problem
from wattrail.bootrom import commands as c
from wattrail.bootrom.events import NEED_DATA, Answered, Event
from wattrail.clock import Deadline, ManualClock
from wattrail.errors import PortTimeout
from wattrail.twin.bootrom import BootTiming, BootTwin

STEADY = BootTiming(quiet_s=1e9)
"""A bootloader that never grows tired, for stories about something else."""


class Bench:
    """A twin, an adapter, and what a host would do; driver and twin meet as bytes only."""

    def __init__(self, chip: str = "N", *, linked: bool = True, echo: bool = False, **options: object) -> None:
        self.clock = ManualClock()
        options = {"timing": STEADY} | options
        if isinstance(timing := options["timing"], dict):
            options["timing"] = replace(STEADY, **timing)
        self.twin = BootTwin(chip, clock=self.clock, **options)  # type: ignore[arg-type]
        self.port = self.twin.port(echo=echo)
        self.link = BootLink()
        self.took = 0.0
        if linked:
            self.connect()

    def connect(self) -> None:
        self.twin.reset()
        self.clock.advance(0.01)
        assert isinstance(self.ask(c.LINK_CHECK), Answered)

    def ask(self, command: Command, data: bytes = b"", *, seconds: float = 5.0, **fields: int) -> Event:
        """One question and its event; ``took`` is how long it lasted."""
        began = self.clock.monotonic()
        self.port.write(self.link.request(command, data, **fields))
        deadline = Deadline.after(seconds, self.clock)
        try:
            while (event := self.link.next_event()) is NEED_DATA:
                self.link.receive(self.port.read(deadline))
        except PortTimeout:
            event = self.link.end()
        self.took = self.clock.monotonic() - began
        return event

    def do(self, command: Command, data: bytes = b"", *, seconds: float = 5.0, **fields: int) -> Answered:
        """A question that must be answered."""
        event = self.ask(command, data, seconds=seconds, **fields)
        assert isinstance(event, Answered), problem(command, event)
        return event

    def set_baud(self, baud: int, delay_ms: int = 20) -> Event:
        self.port.write(self.link.request(c.SET_BAUD, baud=baud, delay_ms=delay_ms))
        self.clock.sleep(10 * 10 / self.port.baud + delay_ms / 2000)
        self.port.set_baud(baud)
        self.link.receive(self.listen(0.5))
        return self.link.end()

    def listen(self, seconds: float = 0.2) -> bytes:
        deadline, got = Deadline.after(seconds, self.clock), b""
        try:
            while True:
                got += self.port.read(deadline)
        except PortTimeout:
            return got

    def say(self, text: str | bytes, seconds: float = 0.2) -> str:
        """Raw bytes out, and everything that comes back, as hex pairs."""
        self.port.write(text if isinstance(text, bytes) else bytes.fromhex(text))
        return self.listen(seconds).hex(" ").upper()

    def unprotect(self) -> None:
        self.twin.flash.sr = 0


@pytest.fixture
def rom() -> Bench:
    bench = Bench("N")
    bench.unprotect()
    return bench


@pytest.fixture
def loader() -> Bench:
    return Bench("T")


@pytest.fixture
def make_bench() -> Callable[..., Bench]:
    return Bench
