from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from transport_rigs import FRAME, STUCK_S, ByteChip, answer_of, listening, serving, shortly, soon

from wattrail.errors import PortError, PortLost, PortOpenError, PortTimeout, TargetError
from wattrail.transport import Bus, open_port
from wattrail.transport.spi_wire import REPLIES, Configured, Decoder, Hello, Refused, Selected, Transferred, encode


def open_bus(port: int, options: str = "") -> Bus:
    bus = open_port(f"spi+tcp://127.0.0.1:{port}{options}")
    assert isinstance(bus, Bus)
    return bus


@contextmanager
def slave_that(speaks: Callable[[socket.socket], object]) -> Iterator[int]:
    """A slave of our making, which hangs up once it has spoken."""
    with listening() as (listener, port):

        def visit() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(STUCK_S)
                speaks(sock)

        thread = threading.Thread(target=visit, daemon=True)
        thread.start()
        yield port
        thread.join(STUCK_S)


def hear_out(sock: socket.socket) -> bytes:
    """Everything until the other end hangs up."""
    heard = b""
    try:
        while data := sock.recv(4096):
            heard += data
    except OSError:
        pass
    return heard


def refusal(heard: bytes) -> str:
    decoder = Decoder(REPLIES)
    decoder.receive(heard)
    messages = []
    while (message := decoder.next_message()) is not None:
        messages.append(message)
    assert isinstance(messages[-1], Refused)
    return messages[-1].text


def test_a_frame_stands_under_chip_select() -> None:
    with serving(chip := ByteChip()) as port, open_bus(port) as bus:
        bus.transfer(FRAME, soon())
        assert chip.selects == [True, False]
        assert chip.settings == {(1, 800_000)}


def test_without_chip_select_a_frame_may_come_in_two_transfers() -> None:
    with serving(chip := ByteChip()) as port, open_bus(port, "?cs=no&hz=100000") as bus:
        assert bus.transfer(FRAME[:2], soon()) + bus.transfer(FRAME[2:], soon()) == answer_of(FRAME)
        assert chip.selects == []
        assert chip.frames == [FRAME[:2], FRAME[2:]]
        assert chip.settings == {(1, 100_000)}


def test_a_twin_at_the_far_end_is_marked_as_simulated() -> None:
    chip = ByteChip()
    chip.simulated = True
    with serving(chip) as port, open_bus(port) as bus:
        assert bus.simulated


def test_a_second_master_learns_that_the_bus_is_busy_and_may_come_later() -> None:
    with serving(ByteChip()) as port:
        with open_bus(port), pytest.raises(PortOpenError, match="busy: another master"):
            open_bus(port)
        with open_bus(port) as bus:
            assert bus.transfer(FRAME, soon()) == answer_of(FRAME)


def test_what_the_slave_refuses_is_said_and_the_bus_lives_on() -> None:
    chip = ByteChip()

    def refuse(data: bytes, *, mode: int, hz: int) -> bytes:
        raise TargetError("the supply is off")

    with serving(chip) as port, open_bus(port) as bus:
        chip.transfer = refuse  # type: ignore[method-assign]
        with pytest.raises(PortError, match="the slave refused: the supply is off"):
            bus.transfer(FRAME, soon())
        del chip.transfer  # type: ignore[method-assign]
        assert bus.transfer(FRAME, soon()) == answer_of(FRAME)


def test_a_browser_is_refused_and_the_next_master_is_served() -> None:
    with serving(ByteChip()) as port:
        with socket.create_connection(("127.0.0.1", port), STUCK_S) as browser:
            browser.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert "no message starts with 47 45 54" in refusal(hear_out(browser))
        with open_bus(port) as bus:
            assert bus.transfer(FRAME, soon()) == answer_of(FRAME)


def test_a_master_that_vanishes_in_a_frame_leaves_the_chip_unselected() -> None:
    with serving(chip := ByteChip()) as port:
        with socket.create_connection(("127.0.0.1", port), STUCK_S) as master:
            master.sendall(bytes.fromhex("02 00 01 01 01 00 06 58"))
            assert master.recv(11)
            assert master.recv(3) == encode(Selected())
        with open_bus(port) as bus:
            bus.transfer(FRAME, soon())
        assert chip.selects == [True, False, True, False]


def test_a_slave_that_cannot_release_the_chip_serves_the_next_master() -> None:
    class Stuck(ByteChip):
        def select(self, selected: bool, /) -> None:
            if not selected:
                raise TargetError("the select line is stuck")

    with serving(Stuck()) as port:
        with open_bus(port) as bus, pytest.raises(PortError, match="select line is stuck"):
            bus.transfer(FRAME, soon())
        with open_bus(port, "?cs=no") as bus:
            assert bus.transfer(FRAME, soon()) == answer_of(FRAME)


def test_a_slave_of_another_version_is_named_with_the_remedy() -> None:
    newer = bytearray(encode(Hello()))
    newer[7] = 2
    with slave_that(lambda sock: (sock.sendall(newer), hear_out(sock))) as port:
        with pytest.raises(PortOpenError, match="speaks version 2") as caught:
            open_bus(port)
        assert caught.value.hint == "update the older of the two"


def test_a_server_of_something_else_is_recognised() -> None:
    with (
        slave_that(lambda sock: (sock.sendall(b"SSH-2.0-OpenSSH\r\n"), hear_out(sock))) as port,
        pytest.raises(PortOpenError, match="no SPI slave there: no message starts with 53 53 48"),
    ):
        open_bus(port)


def test_a_server_that_says_nothing_is_given_up() -> None:
    with slave_that(hear_out) as port, pytest.raises(PortOpenError, match="no reply before the deadline"):
        open_bus(port, "?connect_timeout_s=0.03")


def test_a_late_reply_ends_the_connection_and_answers_no_later_request() -> None:
    with (
        slave_that(lambda sock: (sock.sendall(encode(Hello()) + encode(Configured())), hear_out(sock))) as port,
        open_bus(port) as bus,
    ):
        with pytest.raises(PortTimeout, match="connection was dropped"):
            bus.transfer(FRAME, shortly())
        with pytest.raises(PortLost, match="closed"):
            bus.transfer(FRAME, soon())


def test_a_slave_that_leaves_is_a_lost_port() -> None:
    greeting = encode(Hello()) + encode(Configured())
    with (
        slave_that(lambda sock: (sock.sendall(greeting), sock.recv(100))) as port,
        open_bus(port) as bus,
        pytest.raises(PortLost),
    ):
        bus.transfer(FRAME, soon())


def test_a_reply_of_another_length_is_not_a_reply() -> None:
    greeting = encode(Hello()) + encode(Configured())
    with (
        slave_that(lambda sock: (sock.sendall(greeting + encode(Transferred(b"x"))), hear_out(sock))) as port,
        open_bus(port, "?cs=no") as bus,
        pytest.raises(Exception, match="TRANSFER of 6 bytes was answered by TRANSFERRED of 1 bytes"),
    ):
        bus.transfer(FRAME, soon())


def test_a_small_slave_is_not_asked_for_more_than_it_takes() -> None:
    greeting = encode(Hello(max_transfer=4)) + encode(Configured())
    with (
        slave_that(lambda sock: (sock.sendall(greeting), hear_out(sock))) as port,
        open_bus(port) as bus,
        pytest.raises(PortError, match="6 bytes in one transfer, the slave takes 4"),
    ):
        bus.transfer(FRAME, soon())
