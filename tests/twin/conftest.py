from __future__ import annotations

from collections.abc import Callable

import pytest

from wattrail.clock import Deadline, ManualClock
from wattrail.errors import PortTimeout
from wattrail.transport import Bus, Port
from wattrail.twin import open_twin
from wattrail.twin.front_end import Deviation
from wattrail.twin.twin import Twin

IDEAL = Deviation()


class Plug:
    """A UART twin on ideal parts, with what a host would do to it."""

    def __init__(self, board: str = "lspa9", **options: object) -> None:
        self.clock = ManualClock()
        options = {"deviation": IDEAL, "volts": 230.0, "amps": 5.0} | options
        if board == "lspa9" and "chip" not in options:
            options = {"toggling": False} | options
        self.twin: Twin = open_twin(board, clock=self.clock, **options)  # type: ignore[arg-type]
        self.port = self.twin.carrier()
        assert isinstance(self.port, Port)

    def send(self, text: str) -> None:
        self.port.write(bytes.fromhex(text))

    def ask(self, text: str, seconds: float = 0.2) -> str:
        """Everything that comes back within the time, as hex pairs."""
        self.send(text)
        return self.listen(seconds)

    def listen(self, seconds: float = 0.2) -> str:
        deadline, got = Deadline.after(seconds, self.clock), b""
        try:
            while True:
                got += self.port.read(deadline)
        except PortTimeout:
            return got.hex(" ").upper()


class Rail:
    """An SPI twin on ideal parts."""

    def __init__(self, **options: object) -> None:
        self.clock = ManualClock()
        options = {"deviation": IDEAL, "toggling": False, "volts": 230.0, "amps": 5.0} | options
        self.twin: Twin = open_twin("pziot-e01", clock=self.clock, **options)  # type: ignore[arg-type]
        self.bus = self.twin.carrier()
        assert isinstance(self.bus, Bus)

    def clock_in(self, text: str) -> str:
        answer = self.bus.transfer(bytes.fromhex(text), Deadline.after(1, self.clock))
        return answer.hex(" ").upper()

    def read(self, address: int) -> str:
        """The four bytes of a read's answer."""
        return self.clock_in(f"58 {address:02X} 00 00 00 00")[6:]


@pytest.fixture
def plug() -> Plug:
    return Plug()


@pytest.fixture
def rail() -> Rail:
    return Rail()


@pytest.fixture
def make_plug() -> Callable[..., Plug]:
    return Plug


@pytest.fixture
def make_rail() -> Callable[..., Rail]:
    return Rail
