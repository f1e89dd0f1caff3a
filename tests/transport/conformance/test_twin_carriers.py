"""What every carrier does, on a twin's: a chip that answers only what it understands."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from transport_rigs import read_exactly

from wattrail.clock import Deadline, ManualClock
from wattrail.errors import PortLost, PortTimeout
from wattrail.transport import Bus, Port, open_port
from wattrail.twin.bootrom import BootTiming, BootTwin

UART, SPI = "twin://lspa9?volts=230", "twin://pziot-e01?volts=230"
MODE_OVER_UART = (bytes.fromhex("58 19"), bytes.fromhex("87 00 00 07"))
LINK_CHECK = (bytes.fromhex("01 E0 FC 01 00"), bytes.fromhex("04 0E 05 01 E0 FC 01 00"))
MODE_OVER_SPI = (bytes.fromhex("58 19 00 00 00 00"), bytes.fromhex("00 00 87 07"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


PortRig = tuple[Port, str, tuple[bytes, bytes]]
"""A twin's port, its URL, and a request with its answer."""


def meter_port(clock: ManualClock) -> PortRig:
    port = open_port(UART, clock=clock)
    assert isinstance(port, Port)
    return port, UART, MODE_OVER_UART


def boot_port(clock: ManualClock) -> PortRig:
    """A chip that listens from the first moment on, and for as long as a story lasts."""
    twin = BootTwin("N", clock=clock, timing=BootTiming(ready_s=0.0, window_s=60.0))
    twin.reset()
    return twin.port(), "twin://bk7231n", LINK_CHECK


@pytest.fixture(params=[meter_port, boot_port])
def rig(request: pytest.FixtureRequest, clock: ManualClock) -> PortRig:
    return request.param(clock)


@pytest.fixture
def port(rig: PortRig) -> Port:
    return rig[0]


@pytest.fixture
def bus(clock: ManualClock) -> Bus:
    bus = open_port(SPI, clock=clock)
    assert isinstance(bus, Bus)
    return bus


def test_a_request_goes_out_whole_and_its_answer_comes_in(rig: PortRig, bus: Bus, clock: ManualClock) -> None:
    port, _, (request, answer) = rig
    port.write(request)
    assert read_exactly(port, len(answer)) == answer
    request, answer = MODE_OVER_SPI
    assert bus.transfer(request, Deadline.after(1, clock))[2:] == answer


def test_silence_ends_at_the_deadline_and_not_before(port: Port, clock: ManualClock) -> None:
    with pytest.raises(PortTimeout, match="before the deadline"):
        port.read(Deadline.after(0.25, clock))
    assert clock.monotonic() == pytest.approx(0.25)


def test_a_deadline_that_has_passed_does_nothing(port: Port, bus: Bus, clock: ManualClock) -> None:
    with pytest.raises(PortTimeout):
        port.read(Deadline(clock, at=-1.0))
    with pytest.raises(PortTimeout):
        bus.transfer(MODE_OVER_SPI[0], Deadline(clock, at=-1.0))
    assert clock.monotonic() == 0


def test_what_has_arrived_is_drained_without_a_deadline(rig: PortRig, clock: ManualClock) -> None:
    port, _, (request, answer) = rig
    assert port.drain() == b""
    port.write(request)
    clock.advance(0.1)
    assert port.drain() == answer


@pytest.mark.parametrize(
    "use",
    [lambda port, _: port.read(Deadline.after(1, port.clock)), lambda port, _: port.write(b"x"),
     lambda port, _: port.drain(), lambda _, bus: bus.transfer(b"x", Deadline.after(1, bus.clock))],
    ids=["read", "write", "drain", "transfer"],
)  # fmt: skip
def test_closing_twice_is_harmless_and_a_closed_carrier_says_so(
    port: Port, bus: Bus, use: Callable[[Port, Bus], object]
) -> None:
    for carrier in (port, bus):
        with carrier:
            pass
        carrier.close()
    with pytest.raises(PortLost, match="closed"):
        use(port, bus)


def test_a_carrier_knows_its_url_its_clock_and_that_it_is_simulated(rig: PortRig, bus: Bus, clock: ManualClock) -> None:
    port, url, _ = rig
    assert (port.url, bus.url) == (url, SPI)
    assert port.clock is bus.clock is clock
    assert port.simulated
    assert bus.simulated
