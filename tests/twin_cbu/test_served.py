"""Firmware served to other programs: a serial device, a log, files that keep the flash; and a clean end."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from tests.twin_cbu.conftest import FLASH_ID, Program, flash_with
from wattrail.cli.main import main
from wattrail.errors import ConfigError
from wattrail.image.code import TUYA_KEY
from wattrail.twin.bootrom.flash import ProtectedFlash
from wattrail.twin.cbu.device_log import LogLines
from wattrail.twin.cbu.serve import MAX_WAITING, serve_module
from wattrail.twin.cbu.stalls import EmulationFinding

pytestmark = pytest.mark.skipif(not Path("/dev/pts").is_dir(), reason="no pseudo-terminals here")

PATIENCE_S = 60.0
Load = Callable[..., Program]


@pytest.fixture
def dump(compiled: Callable[..., bytes], tmp_path: Path) -> Callable[[str], Path]:
    """A dump of a flash that holds a program."""

    def make(name: str) -> Path:
        path = tmp_path / f"{name}.bin"
        path.write_bytes(bytes(flash_with(compiled(name), TUYA_KEY).data))
        return path

    return make


class Listener:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.findings: list[str] = []
        self.heard = Event()

    def line(self, seconds: float, text: str) -> None:
        self.lines.append(text)
        self.heard.set()

    def finding(self, finding: EmulationFinding) -> None:
        self.findings.append(str(finding))


def exchanged(path: str, data: bytes, length: int) -> bytes:
    """Send to a serial device and read so many bytes."""
    device, got, end = os.open(path, os.O_RDWR | os.O_NOCTTY), b"", time.monotonic() + PATIENCE_S
    try:
        os.write(device, data)
        while len(got) < length and time.monotonic() < end and select.select([device], [], [], 1.0)[0] is not None:
            if select.select([device], [], [], 0)[0]:
                got += os.read(device, 4096)
    finally:
        os.close(device)
    return got


def test_another_program_talks_to_the_firmware(program: Load) -> None:
    listener = Listener()
    with serve_module(program("echo").machine, listener) as module:
        assert listener.heard.wait(PATIENCE_S)
        assert exchanged(module.path, b"is anybody there?", 17) == b"IS ANYBODY THERE?"

    assert listener.lines == ["ready"]
    assert listener.findings == []


def test_a_host_that_writes_without_end_is_held_up(program: Load) -> None:
    machine, listener, written = program("echo").machine, Listener(), 0
    with serve_module(machine, listener) as module:
        assert listener.heard.wait(PATIENCE_S)
        device = os.open(module.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        while written < 1 << 20 and select.select([], [device], [], 0.05)[1]:
            written += os.write(device, bytes(4096))
        os.close(device)

    assert written < 1 << 18, "what the kernel holds, and a second or two of the line"
    assert machine.uart("uart1").waiting <= 2 * MAX_WAITING


def test_the_flash_is_kept_in_its_file(program: Load, tmp_path: Path) -> None:
    kept = tmp_path / "flash.bin"
    listener = Listener()
    with serve_module(program("flash").machine, listener, file=kept):
        assert listener.heard.wait(PATIENCE_S)

    again = ProtectedFlash(FLASH_ID, image=kept.read_bytes())
    assert again.read(0x1D2020, 4) == bytes.fromhex("0F0FF0F0")


def test_a_cpu_that_cannot_continue_ends_the_run_with_a_reason(program: Load) -> None:
    one, listener = program("trouble"), Listener()
    one.machine.cpu.write_memory(0x420000, b"\x04\0\0\0")
    with serve_module(one.machine, listener) as module:
        assert module.ended.wait(PATIENCE_S)

    assert "jump to an address where there is no code" in listener.findings[0]


def test_a_log_without_end_is_cut_and_counted() -> None:
    now, lines = [0.5], []
    log = LogLines(lambda: now[0], lambda _, text: lines.append(text))
    log.receive(b"x" * 10_000 + b"\n" + b"again\r\n" * 700)
    now[0] = 1.5
    log.receive(b"later\n")

    assert len(lines[0]) == 400
    assert len(lines) == 502
    assert lines[-2:] == ["(201 lines left out)", "later"]


class Deaf(Listener):
    """As a terminal behind "head", which has read enough."""

    def line(self, seconds: float, text: str) -> None:
        raise BrokenPipeError


def test_a_run_that_nobody_reads_any_more_ends(program: Load) -> None:
    listener = Deaf()
    with serve_module(program("echo").machine, listener) as module:
        assert module.ended.wait(PATIENCE_S)
    assert listener.findings == []


@contextmanager
def typed(*words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "wattrail", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_command_serves_until_ctrl_c_and_leaves_nothing(dump: Callable[[str], Path]) -> None:
    with typed("twin", "serve", "pziot-e01", "--firmware", str(dump("echo"))) as process:
        assert process.stdout is not None
        said = ""
        while not said.endswith("  ready\n"):
            line = process.stdout.readline()
            assert line, f"it ended with {process.wait(PATIENCE_S)} after {said!r}"
            said += line
        device = re.search(r"UART1 at (\S+)\n", said)
        assert said.startswith("SIMULATED: an emulated PZIOT-E01 with a BK7231N")
        assert device
        assert exchanged(device[1], b"hello", 5) == b"HELLO"

        process.send_signal(signal.SIGINT)

        assert process.wait(PATIENCE_S) == 0
        assert not Path(device[1]).exists()


def test_a_snapshot_continues_where_it_was_taken(
    dump: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "later.snapshot"

    assert main(("twin", "snapshot", str(dump("echo")), str(out), "--seconds", "0.05")) == 0

    said = capsys.readouterr()
    assert said.out.split() == ["0.000", "ready"]
    assert f"its state is kept in {out}" in said.err
    assert "its chip is not known; BK7231N assumed" in said.err
    with typed("twin", "serve", "--firmware", str(out)) as process:
        assert process.stdout is not None
        assert "a snapshot, taken at 0.1 s" in process.stdout.readline()


def test_a_trace_that_cannot_be_written_is_an_error_with_its_name(
    dump: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "nowhere" / "board.vcd"

    assert main(("twin", "trace", str(dump("echo")), "--seconds", "0.001", "--vcd", str(out))) == 2

    assert f"{out} cannot be written: No such file or directory" in capsys.readouterr().err


def test_a_file_that_is_not_firmware_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("nothing of the kind" * 100)

    assert main(("twin", "serve", "--firmware", str(tmp_path / "notes.txt"))) != 0
    assert "the emulator runs images of flash" in capsys.readouterr().err

    assert main(("twin", "serve", "lspa9", "--firmware", str(tmp_path / "notes.txt"))) == 2
    assert "--firmware runs on the module of pziot-e01" in capsys.readouterr().err


def test_a_flash_file_that_cannot_be_written_is_reported(program: Load, tmp_path: Path) -> None:
    kept, listener = tmp_path / "flash.bin", Listener()

    def lose_the_file() -> None:
        with serve_module(program("flash").machine, listener, file=kept):
            listener.heard.wait(PATIENCE_S)
            kept.unlink()
            kept.mkdir()

    with pytest.raises(ConfigError, match="the flash image cannot be written"):
        lose_the_file()

    assert "next sector" in " ".join(listener.lines)
