"""A host's port on UART1 of the emulated board: its waits are device time, its bytes take their time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.twin_cbu.conftest import Program
from wattrail.clock import Deadline
from wattrail.errors import PortError, PortTimeout
from wattrail.twin.cbu.board_port import BoardPort

Load = Callable[..., Program]


@pytest.fixture
def echo(program: Load) -> Program:
    one = program("echo")
    assert one.run(0.01) == ["ready"]
    return one


def received(port: BoardPort, length: int, within: float = 0.1) -> bytes:
    deadline, got = Deadline.after(within, port.clock), b""
    while len(got) < length:
        got += port.read(deadline)
    return got


def test_a_question_takes_its_time_on_the_wire_and_is_answered(echo: Program) -> None:
    port = BoardPort(echo.machine)
    assert port.simulated
    began = port.clock.monotonic()
    port.write(b"anybody there?")
    asked = port.clock.monotonic() - began

    assert received(port, 14) == b"ANYBODY THERE?"
    assert asked == pytest.approx(140 / 115200, rel=0.01)
    assert port.clock.monotonic() - began > asked


def test_silence_ends_at_the_deadline_of_the_device(echo: Program) -> None:
    port = BoardPort(echo.machine)
    began = port.clock.monotonic()
    with pytest.raises(PortTimeout, match="nothing arrived"):
        port.read(Deadline.after(0.02, port.clock))
    assert port.clock.monotonic() - began == pytest.approx(0.02, abs=0.0005)


def test_at_another_rate_nothing_is_understood(echo: Program) -> None:
    port = BoardPort(echo.machine)
    port.set_baud(921600)
    port.write(b"hello")
    assert received(port, 5) == bytes(5)
    with pytest.raises(PortError, match="above 0"):
        port.set_baud(0)


def test_the_wired_line_holds_the_chip_in_reset_the_other_does_nothing(echo: Program) -> None:
    port = BoardPort(echo.machine, reset_line="rts")
    port.set_lines(dtr=True)
    port.set_lines(rts=True)
    port.write(b"hello")
    port.clock.sleep(0.1)
    assert echo.heard.count(b"ready") == 1

    port.set_lines(rts=False)
    port.clock.sleep(0.01)

    assert [reason for _, reason in echo.machine.resets] == ["CEN"]
    assert echo.heard.count(b"ready") == 2
    assert port.drain() == b""
