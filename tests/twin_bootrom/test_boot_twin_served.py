"""A twin's flashing UART on a pseudo-terminal, met with other people's serial library."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import serial

from tests.cli.test_processes import line_with, started
from wattrail.clock import ManualClock, SystemClock
from wattrail.errors import ConfigError, FileError, PortError, PortOpenError
from wattrail.transport import open_port
from wattrail.twin.bootrom import AT_ONCE, BootPhase, BootTwin
from wattrail.twin.bootrom.serve import FlashSaver, ServedBoot, SimulatedAutoReset, serve_boot

LINK_CHECK = bytes.fromhex("01 E0 FC 01 00")
LINKED = bytes.fromhex("04 0E 05 01 E0 FC 01 00")
UNPROTECT = bytes.fromhex("01 E0 FC FF F4 04 00 0D 01 00 00")
READ_11000 = bytes.fromhex("01 E0 FC FF F4 05 00 09 00 10 01 00")
WRITE_11000 = bytes.fromhex("01 E0 FC FF F4 05 10 07 00 10 01 00") + b"\x5a" * 4096
LONGEST_S = 10.0


@contextmanager
def opened(served: ServedBoot, baud: int = 115200) -> Iterator[serial.Serial]:
    with serial.Serial(served.path, baud, timeout=LONGEST_S) as port:
        yield port


def linked(port: serial.Serial) -> bool:
    """Send LinkCheck as flashers do, every few milliseconds, until there is an answer."""
    port.timeout = 0.01
    heard = b""
    for _ in range(300):
        port.write(LINK_CHECK)
        heard += port.read(len(LINKED))
        if LINKED in heard:
            break
    while port.read(4096):  # the replies to the other link checks
        pass
    port.timeout = LONGEST_S
    return LINKED in heard


def set_baud(port: serial.Serial, baud: int) -> bytes:
    """Half of the delay asked for passes before the host changes its own rate, as with real ones; the answer."""
    asked = baud.to_bytes(4, "little") + b"\xc8"
    port.write(b"\x01\xe0\xfc\x06\x0f" + asked)
    port.timeout = 0.1
    assert port.read(1) == b""
    port.baudrate, port.timeout = baud, LONGEST_S
    return port.read(12)[-5:]


@pytest.mark.parametrize("baud", [230400, 921600, 2_000_000, 250_000, 1_234_567])
def test_a_program_reads_at_whatever_rate_it_sets_even_one_without_a_name(baud: int) -> None:
    twin = BootTwin("N", image=bytes(range(256)) * 8192)
    with serve_boot(twin, auto_reset=True) as served, opened(served) as port:
        assert linked(port)
        assert set_baud(port, baud)[:4] == baud.to_bytes(4, "little")
        port.write(READ_11000)
        assert port.read(4111)[15:] == bytes(range(256)) * 16


def servers() -> int:
    """Threads that serve a twin; others come and go as they like."""
    return sum(thread.name == "wattrail-twin" for thread in threading.enumerate())


def test_a_program_at_the_wrong_rate_hears_no_sense() -> None:
    twin = BootTwin("N")
    with serve_boot(twin) as served, opened(served) as port:
        twin.reset()
        assert linked(port)
        port.baudrate = 230400
        port.timeout = 0.2
        port.write(LINK_CHECK)
        assert LINKED not in port.read(100)
        port.baudrate = 115200
        assert linked(port)


def test_bytes_take_the_time_of_the_wire() -> None:
    clock = SystemClock()
    twin = BootTwin("N", timing=replace(AT_ONCE, pace_replies=True))
    with serve_boot(twin, auto_reset=True) as served, opened(served) as port:
        assert linked(port)
        began = clock.monotonic()
        port.write(READ_11000)
        assert len(port.read(4111)) == 4111
        assert 0.3 < clock.monotonic() - began < 3  # 0.357 s at 115200


def test_our_own_serial_port_opens_it_and_says_that_it_is_simulated() -> None:
    with serve_boot(BootTwin("N")) as served, open_port(served.url) as port:
        assert port.simulated


def test_a_tap_hears_both_sides() -> None:
    heard: list[tuple[str, bytes]] = []
    twin = BootTwin("N", timing=AT_ONCE)
    with serve_boot(twin, tap=lambda who, data: heard.append((who, data))) as served, opened(served) as port:
        twin.reset()
        assert linked(port)
    assert heard[0][0] == "host"
    assert LINK_CHECK in b"".join(data for who, data in heard if who == "host")
    assert LINKED in b"".join(data for who, data in heard if who == "chip")


def test_without_auto_reset_the_application_does_not_answer() -> None:
    twin = BootTwin("N")
    with serve_boot(twin) as served, opened(served) as port:
        port.timeout = 0.3
        for _ in range(3):
            port.write(LINK_CHECK)
            assert port.read(8) == b""
        assert twin.phase is BootPhase.APP


@pytest.mark.parametrize("chip", ["N", "M", "T"])
def test_link_checks_get_the_board_reset_and_the_next_program_gets_in(chip: str) -> None:
    with serve_boot(BootTwin(chip), auto_reset=True) as served:  # type: ignore[arg-type]
        with opened(served) as port:
            assert linked(port)
            assert set_baud(port, 921600)
        with opened(served) as port:  # the chip has kept the other's rate
            assert linked(port)


def test_auto_reset_waits_and_resets_once_a_second_at_most() -> None:
    auto_reset = SimulatedAutoReset()
    resets = [tick for tick in range(300) if auto_reset.is_due(LINK_CHECK, tick / 100)]
    assert resets == [20, 120, 220]
    assert not any(auto_reset.is_due(b"reboot\r\n", 10 + tick) for tick in range(9))


def test_auto_reset_hears_a_split_link_check_and_forgets_answered_ones() -> None:
    auto_reset = SimulatedAutoReset()
    assert not auto_reset.is_due(LINK_CHECK[:3], 0.0)
    assert not auto_reset.is_due(LINK_CHECK[3:], 0.0)
    assert auto_reset.is_due(LINK_CHECK, 0.3)
    assert not auto_reset.is_due(LINK_CHECK, 2.0)
    auto_reset.note_reply(LINKED[:5])
    auto_reset.note_reply(LINKED[5:])
    assert not auto_reset.is_due(LINK_CHECK, 2.3)


def test_auto_reset_ignores_chatter_and_a_link_check_now_and_then() -> None:
    auto_reset = SimulatedAutoReset()
    assert not auto_reset.is_due(LINK_CHECK, 0.0)
    auto_reset.note_reply(bytes.fromhex("55 AA 00 00 00 00 FF"))
    assert auto_reset.is_due(LINK_CHECK, 0.3)
    assert not any(auto_reset.is_due(LINK_CHECK, 10 + 1.5 * number) for number in range(5))


def test_what_was_flashed_is_in_the_file_and_the_next_twin_has_it(tmp_path: Path) -> None:
    file = tmp_path / "flash.bin"
    twin = BootTwin("N", image_file=file, timing=AT_ONCE)
    with serve_boot(twin, auto_reset=True) as served, opened(served) as port:
        assert file.stat().st_size == 1 << 21  # from the beginning on
        assert linked(port)
        port.write(UNPROTECT + WRITE_11000)
        assert len(port.read(14 + 15)) == 29
    assert file.read_bytes()[0x11000:0x12000] == b"\x5a" * 4096
    assert BootTwin("N", image_file=file).flash.read(0x11000, 2) == b"\x5a\x5a"


def test_the_file_is_saved_on_silence_and_otherwise_every_two_seconds(tmp_path: Path) -> None:
    file = tmp_path / "flash.bin"
    clock = ManualClock()
    twin = BootTwin("N", clock=clock, image_file=file, sr=0)
    saver = FlashSaver(twin)

    def kept() -> bool:
        return file.exists() and file.read_bytes() == bytes(twin.flash.data)

    twin.flash.program(0, b"\x01")
    saver.save_if_due(busy=True)
    assert not kept()
    clock.advance(0.3)
    saver.save_if_due(busy=False)
    assert kept()
    for _ in range(19):
        twin.flash.program(0x1000, b"\x01")
        saver.save_if_due(busy=True)
        clock.advance(0.1)
    assert not kept()
    clock.advance(0.2)
    saver.save_if_due(busy=True)
    assert kept()


def test_a_killed_server_has_kept_what_was_flashed_before_the_silence(tmp_path: Path) -> None:
    file = tmp_path / "flash.bin"
    with started("twin", "serve", "pziot-e01", "--flash", str(file)) as process:
        path = line_with(process.stdout, "other flashers").split()[3].rstrip(";")
        with opened(ServedBoot(path)) as port:
            assert linked(port)
            port.write(UNPROTECT + WRITE_11000)
            assert len(port.read(14 + 15)) == 29
            port.timeout = 0.5
            silences = (port.read(1) == b"" for _ in range(20))
            assert any(silent and file.read_bytes()[0x11000:0x12000] == b"\x5a" * 4096 for silent in silences)
        process.kill()
        process.wait(LONGEST_S)
    assert file.stat().st_size == 1 << 21


def test_a_second_server_is_refused_a_file_in_use_and_learns_by_whom(tmp_path: Path) -> None:
    file = tmp_path / "flash.bin"
    with started("twin", "serve", "pziot-e01", "--flash", str(file)) as first:
        line_with(first.stdout, "Ctrl-C ends it")
        before = file.stat().st_ino
        with started("twin", "serve", "pziot-e01", "--flash", str(file)) as second:
            assert second.wait(LONGEST_S) == 2
            assert second.stderr is not None
            told = second.stderr.read()
        assert "flash.bin is in use as a flash by" in told
        if sys.platform == "linux":  # other systems do not tell who it is
            assert f"process {first.pid} (" in told
            assert "twin serve pziot-e01" in told
        assert file.stat().st_ino == before
        first.kill()
        first.wait(LONGEST_S)
    with serve_boot(BootTwin("N", image_file=file)):  # the lock died with its process
        pass


def test_two_servers_that_begin_at_once_do_not_both_get_a_new_file(tmp_path: Path) -> None:
    file = tmp_path / "flash.bin"
    file.touch()  # as a server leaves it that was killed before its flash was in it
    first, second = BootTwin("N", image_file=file), BootTwin("N", image_file=file)
    with serve_boot(first), pytest.raises(ConfigError, match="in use as a flash by"), serve_boot(second):
        pass
    assert file.stat().st_size == 1 << 21
    with serve_boot(second):
        pass


def test_a_pipe_is_not_a_file_to_keep_a_flash_in(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="pipe"):
        BootTwin("N", image_file=tmp_path / "pipe")


def test_a_file_that_cannot_be_written_is_refused_at_the_beginning(tmp_path: Path) -> None:
    twin = BootTwin("N", image_file=tmp_path / "nowhere" / "flash.bin")
    complaint = r"flash\.bin: the flash image cannot be written: No such file"
    with pytest.raises(ConfigError, match=complaint), serve_boot(twin):
        pass


def test_the_server_leaves_no_thread_behind() -> None:
    before = servers()
    with serve_boot(BootTwin("N")):
        assert servers() == before + 1
    assert servers() == before


def test_what_cannot_be_served_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PortError, match="manual clock"), serve_boot(BootTwin("N", clock=ManualClock())):
        pass
    monkeypatch.setitem(sys.modules, "termios", None)
    with pytest.raises(PortOpenError, match="needs a pseudo-terminal"), serve_boot(BootTwin("N")):
        pass
