"""What every port does, whatever carries it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.fair_time import fair_time
from transport_rigs import PORT_SCHEMES, Rig, read_exactly, shortly, soon

from wattrail.clock import Deadline, ManualClock
from wattrail.errors import PortError, PortLost, PortTimeout
from wattrail.transport import Port

OpenRig = Callable[..., Rig]
LIVE = [f"{wrapped}{name}" for wrapped in ("", "record+") for name in PORT_SCHEMES if name != "replay"]
"""In a capture bytes arrive when they were read: its draining has a story of its own in test_record_and_replay."""

REQUEST = bytes.fromhex("58 AA")
ANSWER = bytes([0x55, 0xFF, 0x00, *range(20)])  # FF and 00 trip telnet escapes and terminal modes


def test_a_request_goes_out_whole_and_its_answer_comes_in(open_rig: OpenRig) -> None:
    rig = open_rig([(REQUEST, ANSWER)])
    rig.port.write(REQUEST)
    assert read_exactly(rig.port, len(ANSWER)) == ANSWER


def test_a_long_block_arrives_byte_for_byte(open_rig: OpenRig) -> None:
    block = bytes(range(256)) * 4
    rig = open_rig([(block, b"ok")])
    rig.port.write(block)
    assert read_exactly(rig.port, 2) == b"ok"
    if rig.peer is not None:
        assert bytes(rig.peer.heard) == block


def test_several_requests_get_their_answers_in_order(open_rig: OpenRig) -> None:
    rig = open_rig([(b"a", b"1"), (b"b", b"22"), (b"c", b"333")])
    for request, answer in ((b"a", b"1"), (b"b", b"22"), (b"c", b"333")):
        rig.port.write(request)
        assert read_exactly(rig.port, len(answer)) == answer


def test_silence_ends_at_the_deadline(open_rig: OpenRig) -> None:
    rig = open_rig()
    with fair_time() as taken, pytest.raises(PortTimeout, match="before the deadline"):
        rig.port.read(shortly())
    assert taken.seconds < 1.0


def test_a_deadline_that_has_passed_does_not_wait(open_rig: OpenRig) -> None:
    clock = ManualClock()
    rig = open_rig(clock=clock)
    with pytest.raises(PortTimeout):
        rig.port.read(Deadline(clock, at=-1.0))
    assert clock.monotonic() == 0.0


def test_a_quiet_line_drains_to_nothing_at_once(open_rig: OpenRig) -> None:
    assert open_rig().port.drain() == b""


@pytest.mark.parametrize("open_rig", LIVE, indirect=True)
def test_what_has_arrived_is_drained_without_a_deadline(open_rig: OpenRig) -> None:
    rig = open_rig([(REQUEST, ANSWER)])
    rig.port.write(REQUEST)
    deadline, got = soon(), b""
    while len(got) < len(ANSWER) and not deadline.passed:
        got += rig.port.drain()
    assert got == ANSWER


def test_a_far_end_that_leaves_is_a_lost_port(open_rig: OpenRig) -> None:
    rig = open_rig([(REQUEST, ANSWER)], hang_up=True)
    rig.port.write(REQUEST)
    if rig.scheme != "serial":  # a pty throws away what it holds when its far end closes, as a pulled cable does
        assert read_exactly(rig.port, len(ANSWER)) == ANSWER
    with pytest.raises(PortLost):
        read_exactly(rig.port, 1000)


def test_closing_twice_is_harmless(open_rig: OpenRig) -> None:
    port = open_rig().port
    port.close()
    port.close()


@pytest.mark.parametrize(
    "use",
    [
        lambda port: port.read(shortly()),
        lambda port: port.write(b"x"),
        lambda port: port.drain(),
    ],
    ids=["read", "write", "drain"],
)
def test_a_closed_port_says_so(open_rig: OpenRig, use: Callable[[Port], object]) -> None:
    port = open_rig().port
    port.close()
    with pytest.raises(PortLost, match="closed"):
        use(port)


def test_leaving_the_block_closes_the_port(open_rig: OpenRig) -> None:
    with open_rig().port as port:
        pass
    with pytest.raises(PortLost):
        port.drain()


def test_a_port_knows_its_url_its_clock_and_that_it_is_real(open_rig: OpenRig) -> None:
    clock = ManualClock()
    rig = open_rig(clock=clock)
    assert rig.port.url == rig.url
    assert rig.port.clock is clock
    assert rig.port.simulated is False


def test_rate_and_lines_change_or_are_refused_by_name(open_rig: OpenRig) -> None:
    port, scheme = (rig := open_rig()).port, rig.scheme
    if scheme in {"tcp", "replay"}:
        with pytest.raises((PortError, PortLost)):
            port.set_baud(9600)
        with pytest.raises((PortError, PortLost)):
            port.set_lines(dtr=True)
    else:
        port.set_baud(9600)
        port.set_lines(dtr=False, rts=True)
