"""Every frame as a line: one place for all schemes, nothing where nobody asks, no secret in it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from wattrail.chips import BL0942
from wattrail.chips.bl0942.constants import HEADS
from wattrail.chips.bl0942.registers import V_RMS
from wattrail.clock import Deadline, ManualClock
from wattrail.errors import PortTimeout
from wattrail.meter.chip_client import Statistics, UartClient, open_client
from wattrail.transport import logged, open_port, withhold
from wattrail.transport.frame_log import MAX_SHOWN, LoggedBus, LoggedPort
from wattrail.transport.record import RecordedBus
from wattrail.twin.ports import TwinBus, TwinPort

UART, SPI = "twin://lspa9?seed=7", "twin://pziot-e01?seed=7"


class Peer(TwinPort):
    """A port whose other end has said something already."""

    def __init__(self, url: str, *said: bytes) -> None:
        self._url, self._clock, self._simulated, self._closed = url, ManualClock(), True, False
        self.said = list(said)

    def read(self, deadline: Deadline) -> bytes:
        if not self.said:
            raise PortTimeout("nothing")
        return self.said.pop(0)

    def write(self, data: bytes) -> None:
        pass

    def drain(self) -> bytes:
        return b"".join(self.said.pop(0) for _ in range(len(self.said)))


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, logger="wattrail")
    return caplog


def soon(port) -> Deadline:
    return Deadline.after(1, port.clock)


def test_nothing_is_wrapped_while_nobody_wants_to_see_frames() -> None:
    with open_port(UART, clock=ManualClock()) as port, open_port(SPI, clock=ManualClock()) as bus:
        assert (type(port), type(bus)) == (TwinPort, TwinBus)


def test_a_question_and_its_answer_are_a_line_each(lines: pytest.LogCaptureFixture) -> None:
    with open_port(UART, clock=ManualClock()) as port:
        count = open_client(port, BL0942, Statistics()).read_register(V_RMS)
    sent = lines.messages.index(f"-> 58 04  {UART}")
    low, middle, high, _ = bytes.fromhex(lines.messages[sent + 1].removeprefix("<- ").removesuffix(f"  {UART}"))
    assert high << 16 | middle << 8 | low == count  # the datasheet: low byte first on the UART
    assert lines.messages[0] == f"opened  {UART}"
    assert lines.messages[-1] == f"closed  {UART}"


def test_a_transfer_is_a_line_each_way(lines: pytest.LogCaptureFixture) -> None:
    with open_port(SPI, clock=ManualClock()) as bus:
        assert isinstance(bus, LoggedBus)
        count = open_client(bus, BL0942, Statistics()).read_register(V_RMS)
    answer = bytes.fromhex(lines.messages[lines.messages.index(f"-> 58 04 00 00 00 00  {SPI}") + 1][3:20])
    assert int.from_bytes(answer[2:5], "big") == count  # the datasheet: high byte first over SPI


def test_a_reply_bears_the_moment_of_its_first_byte(lines: pytest.LogCaptureFixture) -> None:
    peer = Peer("tcp://h:1", b"\x55", b"\xaa")
    with logged(peer) as port:
        port.read(soon(port))
        peer.clock.sleep(5)
        port.read(soon(port))
    (reply,) = [record for record in lines.records if record.getMessage() == "<- 55 AA  tcp://h:1"]
    assert reply.monotonic == 0.0  # type: ignore[attr-defined]


def test_silence_has_a_line(lines: pytest.LogCaptureFixture) -> None:
    with logged(Peer("tcp://h:1")) as port, pytest.raises(PortTimeout):
        port.read(soon(port))
    assert "<- nothing before the deadline  tcp://h:1" in lines.messages


def test_a_carrier_within_another_is_logged_once(lines: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    url = f"record:{tmp_path}/c.jsonl?of={SPI}"
    with open_port(url, clock=ManualClock()) as bus:
        assert isinstance(bus, LoggedBus)
        assert isinstance(bus.inner, RecordedBus)
        open_client(bus, BL0942, Statistics()).read_register(V_RMS)
    assert lines.messages.count(f"-> 58 04 00 00 00 00  {url}") == 1
    assert len([line for line in lines.messages if line.startswith("->")]) == 1


def test_a_long_frame_is_shortened_with_its_length(lines: pytest.LogCaptureFixture) -> None:
    with logged(Peer("tcp://h:1", bytes(2000), bytes(2096))) as port:
        assert len(port.read(soon(port)) + port.drain()) == 4096
    assert f"<- {bytes(MAX_SHOWN).hex(' ')} ... (4096 bytes)  tcp://h:1" in lines.messages


def test_what_is_withheld_shows_its_length_alone(lines: pytest.LogCaptureFixture) -> None:
    with logged(Peer("tcp://h:1", b"\x01", b"\xc0\xde", b"\x02")) as port:
        port.read(soon(port))
        withhold(port, "a key")
        port.read(soon(port))
        withhold(port, "")
        port.read(soon(port))
    shown = [line for line in lines.messages if line.startswith("<-")]
    assert shown == ["<- 01  tcp://h:1", "<- (2 bytes, not shown: a key)  tcp://h:1", "<- 02  tcp://h:1"]


def test_a_url_shows_neither_its_password_nor_its_escapes(lines: pytest.LogCaptureFixture) -> None:
    with logged(Peer("rfc2217://me:sesame@h:1?key=sesame2#\x1b[2J")) as port:
        assert isinstance(port, LoggedPort)
        assert port.url.startswith("rfc2217://me:sesame@")  # what opens it again
        port.write(b"\x00")
    assert "sesame" not in lines.text
    assert "\x1b" not in lines.text
    assert r"-> 00  rfc2217://***@h:1?key=***#\x1b[2J" in lines.messages


def test_a_question_that_is_put_again_says_why(lines: pytest.LogCaptureFixture) -> None:
    with Peer("tcp://h:1") as port, pytest.raises(Exception, match="no answer"):
        UartClient(port, BL0942, Statistics(), heads=HEADS[:1], tries=2).read_register(V_RMS)
    assert "asking again: V_RMS at tcp://h:1, address 0: no answer" in lines.messages
