from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from transport_rigs import (
    FRAME,
    ByteChip,
    answer_of,
    listening,
    port_rig,
    read_exactly,
    serving,
    shortly,
    soon,
    terminal,
    write_capture,
)

from wattrail.clock import Deadline, ManualClock
from wattrail.errors import PortError, PortLost, PortOpenError, PortTimeout, UnexpectedReply, UrlError
from wattrail.transport import Bus, Port, is_physical, open_port
from wattrail.transport.capture import BaudSet, BusTransfer, Drained, LinesSet, Received, Sent
from wattrail.transport.replay import MAX_LINE_CHARS, CaptureReader


def opened(url: str, clock: ManualClock | None = None) -> Port:
    port = open_port(url, clock=clock)
    assert isinstance(port, Port)
    return port


def uart_capture(folder: Path, *events: object, simulated: bool = False) -> str:
    write_capture(folder / "capture.jsonl", "uart", events, simulated=simulated)
    return f"replay:{folder / 'capture.jsonl'}"


def test_what_a_uart_said_is_said_again(tmp_path: Path) -> None:
    with port_rig("record+serial", tmp_path, [(b"\x58\xaa", b"\x55\x00\xff")]) as rig:
        rig.port.set_lines(dtr=True)
        rig.port.set_baud(9600)
        rig.port.write(b"\x58\xaa")
        assert read_exactly(rig.port, 3) == b"\x55\x00\xff"
        with pytest.raises(PortTimeout):
            rig.port.read(shortly())
    with opened(f"replay:{tmp_path / 'recorded.jsonl'}") as again:
        again.set_lines(dtr=True)
        again.set_baud(9600)
        again.write(b"\x58\xaa")
        assert read_exactly(again, 3) == b"\x55\x00\xff"
        with pytest.raises(PortTimeout, match="as recorded"):
            again.read(soon())
        with pytest.raises(PortLost, match="the capture ended at line"):
            again.read(soon())


def test_what_a_bus_said_is_said_again_and_a_twin_stays_a_twin(tmp_path: Path) -> None:
    chip = ByteChip()
    chip.simulated = True
    path = tmp_path / "bus.jsonl"
    with serving(chip) as port:
        bus = open_port(f"record:{path}?of=spi+tcp://127.0.0.1:{port}?cs=no")
        assert isinstance(bus, Bus)
        with bus:
            assert bus.simulated
            bus.transfer(FRAME, soon())
            with pytest.raises(PortTimeout):
                bus.transfer(FRAME, Deadline(ManualClock(), at=-1.0))
    again = open_port(f"replay:{path}")
    assert isinstance(again, Bus)
    with again:
        assert again.simulated
        assert again.transfer(FRAME, soon()) == answer_of(FRAME)
        with pytest.raises(PortTimeout, match="as recorded"):
            again.transfer(FRAME, soon())
        with pytest.raises(PortLost, match="the capture ended"):
            again.transfer(FRAME, soon())


def test_every_line_is_in_the_file_before_the_next_thing_happens(tmp_path: Path) -> None:
    with port_rig("record+tcp", tmp_path, [(b"a", b"b")]) as rig:
        rig.port.write(b"a")
        assert (tmp_path / "recorded.jsonl").read_text().splitlines()[1].endswith('"tx": "61"}')


def test_a_capture_is_never_overwritten_unless_asked(tmp_path: Path) -> None:
    (tmp_path / "recorded.jsonl").write_text("precious")
    with pytest.raises(PortOpenError, match="exists already") as caught, port_rig("record+replay", tmp_path):
        pass
    assert caught.value.hint is not None
    assert "overwrite=yes" in caught.value.hint
    assert (tmp_path / "recorded.jsonl").read_text() == "precious"


def test_overwriting_can_be_asked_for(tmp_path: Path) -> None:
    source = uart_capture(tmp_path, Sent(0.0, b"a"))
    (tmp_path / "copy.jsonl").write_text("old")
    with opened(f"record:{tmp_path / 'copy.jsonl'}?overwrite=yes&of={source}") as port:
        port.write(b"a")
    assert "wattrail-capture" in (tmp_path / "copy.jsonl").read_text()


def test_a_port_that_does_not_open_leaves_no_file_behind(tmp_path: Path) -> None:
    with listening() as (_, free):
        pass
    with pytest.raises(PortOpenError, match="cannot connect"):
        open_port(f"record:{tmp_path / 'new.jsonl'}?of=tcp://127.0.0.1:{free}")
    assert not (tmp_path / "new.jsonl").exists()


def test_a_file_that_cannot_be_written_gives_the_port_back(tmp_path: Path) -> None:
    with terminal() as (_, device):
        with pytest.raises(PortOpenError, match="cannot write"):
            open_port(f"record:{tmp_path / 'no' / 'folder.jsonl'}?of=serial://{device}")
        opened(f"serial://{device}").close()


def test_a_full_disk_is_reported_by_name() -> None:
    if not (full := Path("/dev/full")).exists():
        pytest.skip("only Linux has a disk that is always full")
    with listening() as (_, port), pytest.raises(PortError, match="/dev/full cannot be written"):
        open_port(f"record:{full}?overwrite=yes&of=tcp://127.0.0.1:{port}")


def test_a_recording_needs_something_to_record(tmp_path: Path) -> None:
    with pytest.raises(UrlError, match="does not say what to record"):
        open_port(f"record:{tmp_path / 'x.jsonl'}")


def test_recording_a_real_port_counts_as_touching_it() -> None:
    assert is_physical("record:x.jsonl?of=serial:///dev/ttyUSB0")
    assert not is_physical("record:x.jsonl?of=replay:y.jsonl")


def test_another_request_than_recorded_names_both_and_the_line(tmp_path: Path) -> None:
    with opened(uart_capture(tmp_path, Sent(0.0, b"\x58\xaa"))) as port:
        with pytest.raises(
            UnexpectedReply, match=r"capture.jsonl:2: got a write of 58 03, recorded was a write of 58 AA"
        ):
            port.write(b"\x58\x03")
        port.write(b"\x58\xaa")  # the capture stayed where it was


def test_another_transfer_than_recorded_names_both_and_the_line(tmp_path: Path) -> None:
    write_capture(tmp_path / "x.jsonl", "spi", [BusTransfer(0.0, b"\x58\x03", b"\0\0")])
    bus = open_port(f"replay:{tmp_path / 'x.jsonl'}")
    assert isinstance(bus, Bus)
    with bus, pytest.raises(UnexpectedReply, match=r"x.jsonl:2: got a transfer of 58 04, .* a transfer of 58 03"):
        bus.transfer(b"\x58\x04", soon())


def test_another_rate_or_line_than_recorded_is_named(tmp_path: Path) -> None:
    with opened(uart_capture(tmp_path, BaudSet(0.0, 9600), LinesSet(0.0, True, None))) as port:
        with pytest.raises(UnexpectedReply, match="a rate of 4800 baud, recorded was a rate of 9600 baud"):
            port.set_baud(4800)
        port.set_baud(9600)
        with pytest.raises(UnexpectedReply, match="dtr=False"):
            port.set_lines(dtr=False)


def test_bytes_nobody_read_before_a_write_wait_for_the_next_read(tmp_path: Path) -> None:
    url = uart_capture(tmp_path, Sent(0.0, b"a"), Received(0.1, b"1"), Received(0.2, b"2"), Sent(0.3, b"b"))
    with opened(url) as port:
        port.write(b"a")
        port.write(b"b")
        assert port.read(soon()) == b"12"


def test_drained_bytes_are_drained_again_and_answers_are_not(tmp_path: Path) -> None:
    with opened(uart_capture(tmp_path, Drained(0.0, b"old"), Sent(0.1, b"a"), Received(0.2, b"new"))) as port:
        assert port.drain() == b"old"
        port.write(b"a")
        assert port.drain() == b""
        assert port.read(soon()) == b"new"


def test_at_real_pace_an_answer_takes_as_long_as_it_took(tmp_path: Path) -> None:
    clock = ManualClock()
    with opened(uart_capture(tmp_path, Sent(1.0, b"a"), Received(1.25, b"b")) + "?pace=real", clock) as port:
        clock.advance(60.0)
        port.write(b"a")
        assert port.read(Deadline.after(1.0, clock)) == b"b"
        assert clock.monotonic() == pytest.approx(60.25)


def test_at_real_pace_a_deadline_may_come_before_the_answer(tmp_path: Path) -> None:
    clock = ManualClock()
    with opened(uart_capture(tmp_path, Sent(0.0, b"a"), Received(0.25, b"b")) + "?pace=real", clock) as port:
        port.write(b"a")
        with pytest.raises(PortTimeout):
            port.read(Deadline.after(0.1, clock))
        assert clock.monotonic() == pytest.approx(0.1)
        assert port.read(Deadline.after(1.0, clock)) == b"b"
        assert clock.monotonic() == pytest.approx(0.25)


def test_at_fast_pace_nothing_waits(tmp_path: Path) -> None:
    clock = ManualClock()
    with opened(uart_capture(tmp_path, Received(0.0, b""), Received(9.0, b"b")), clock) as port:
        with pytest.raises(PortTimeout):
            port.read(Deadline.after(5.0, clock))
        assert port.read(Deadline.after(5.0, clock)) == b"b"
        assert clock.monotonic() == 0.0


def test_a_twins_capture_is_simulated(tmp_path: Path) -> None:
    with opened(uart_capture(tmp_path, simulated=True)) as port:
        assert port.simulated


def test_a_malformed_line_is_named_by_number(tmp_path: Path) -> None:
    url = uart_capture(tmp_path, Sent(0.0, b"a"))
    with (tmp_path / "capture.jsonl").open("a") as file:
        file.write('{"t": 0.2, "rx": "5')
    with opened(url) as port, pytest.raises(PortError, match=r"capture.jsonl:3 is not a capture event"):
        port.write(b"a")


@pytest.mark.parametrize("content", [b"", b"58 AA\n", b"\xff\xfe", b'{"format": "other"}\n'])
def test_a_file_that_is_not_a_capture_is_refused_at_once(tmp_path: Path, content: bytes) -> None:
    (path := tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(PortOpenError, match="is not a capture file") as caught:
        open_port(f"replay:{path}")
    assert caught.value.hint == "'wattrail meter record METER FILE' writes one"


def test_a_line_without_an_end_is_not_read_to_the_end_of_memory() -> None:
    class Endless(io.StringIO):
        asked = 0

        def readline(self, size: int = -1, /) -> str:
            self.asked = size
            return "0" * size

    file = Endless()
    with pytest.raises(ValueError, match="a line of more than 16777216 characters"):
        CaptureReader("/dev/zero", file)
    assert file.asked == MAX_LINE_CHARS + 1


def test_a_capture_that_is_not_there_is_reported() -> None:
    with pytest.raises(PortOpenError, match=r"nowhere.jsonl does not exist"):
        open_port("replay:nowhere.jsonl")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/tty", "/"])
def test_what_is_not_a_file_is_refused_at_once(device: str) -> None:
    with pytest.raises(PortOpenError, match=r"not a file|cannot be read"):
        open_port(f"replay:{device}")


def test_a_pipe_that_nobody_writes_to_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PortOpenError, match="is a pipe, not a file"):
        open_port(f"replay:{tmp_path / 'pipe'}")
