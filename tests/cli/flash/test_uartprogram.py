"""The command lines guides have shown for years."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome, Type
from tests.cli.flash.conftest import PORT, Bench, board, written

pytestmark = pytest.mark.usefixtures("new_bin")


@pytest.fixture
def typed(wattrail: Type, bench: Bench) -> Callable[[str], Outcome]:
    """A line as it stands in a tutorial, with the device of the bench, and RTS wired."""

    def run(line: str) -> Outcome:
        words = line.replace("/dev/ttyUSB0", PORT).replace("COM5", PORT).split()
        return wattrail("uartprogram", *words, "--reset", "rts")

    return run


@pytest.mark.parametrize(
    "line",
    [
        "new.bin --unprotect -d /dev/ttyUSB0 -w --startaddr 0x0",
        "--unprotect -d /dev/ttyUSB0 -w --startaddr 0x0 new.bin",
        "-w -u -s 0 -d COM5 new.bin",
        "new.bin -d /dev/ttyUSB0 -b 921600 -uws 0x0",
        "new.bin --device /dev/ttyUSB0 --unprotect --baudrate 1500000 --write",
        "new.bin -d/dev/ttyUSB0",
    ],
)
def test_a_tutorials_line_writes_the_image_safely(
    typed: Callable[[str], Outcome], bench: Bench, home: Path, line: str
) -> None:
    said = typed(line)
    assert said.code == 0
    assert bench.flash == written()
    (kept,) = (home / "data/wattrail/boards/simulated").glob("*/backup-*.bin")
    assert kept.read_bytes() == bench.before
    assert "new.bin: done and verified" in said.out
    assert said.err.startswith("a backup comes first; then only what differs is written, and all of it is checked")
    assert ("--unprotect is not needed" in said.err) == ("-u" in line)


def test_a_rate_that_was_typed_is_the_fastest_that_is_tried(typed: Callable[[str], Outcome], bench: Bench) -> None:
    assert "460800 baud, " in typed("new.bin -d /dev/ttyUSB0 -w -b 460800").out


def test_the_flash_is_read_as_it_was_typed(typed: Callable[[str], Outcome], bench: Bench) -> None:
    assert typed("-r -s 0x0 -l 0x200000 -d /dev/ttyUSB0 dump.bin").code == 0
    assert Path("dump.bin").read_bytes() == bench.before
    assert typed("-r -d /dev/ttyUSB0 app.bin").code == 0
    assert Path("app.bin").read_bytes() == bench.before[0x11000:][:0x119000]


def test_a_file_is_not_replaced_by_a_read(typed: Callable[[str], Outcome], bench: Bench) -> None:
    image = Path("new.bin").read_bytes()
    said = typed("-r -s 0 -l 1000 -d /dev/ttyUSB0 new.bin")
    assert said.code == 2
    assert said.err == "error: new.bin exists already\nhint: name another file: nothing is replaced here\n"
    assert Path("new.bin").read_bytes() == image
    assert bench.opened == []


def test_an_address_that_contradicts_the_image_is_refused(typed: Callable[[str], Outcome], bench: Bench) -> None:
    said = typed("new.bin -u -w -s 0x11000 -d /dev/ttyUSB0")
    assert said.code == 5
    assert "error: the QIO image belongs at 0x0, not at 0x11000" in said.err
    assert "use --allow wrong-place to override" in said.err
    assert bench.flash == bench.before


def test_without_an_address_an_image_goes_where_it_belongs(typed: Callable[[str], Outcome], bench: Bench) -> None:
    Path("ua.bin").write_bytes(board("N", 2).ua)
    assert typed("ua.bin -w -d /dev/ttyUSB0 --allow unknown-chip").code == 0  # it does not say which chip it is for
    assert bench.flash == written()


def test_an_ambiguous_file_goes_where_uartprogram_put_it_once_allowed(
    typed: Callable[[str], Outcome], bench: Bench
) -> None:
    Path("raw.bin").write_bytes(b"raw" * 2000)
    said = typed("raw.bin -w -d /dev/ttyUSB0")
    assert said.code == 5
    assert "use --allow unknown-image to override" in said.err
    assert typed("raw.bin -w -d /dev/ttyUSB0 --allow unknown-image").code == 0
    assert bench.flash[0x11000:][:6000] == b"raw" * 2000


@pytest.mark.parametrize(
    ("line", "error", "hint"),
    [
        ("-r -w new.bin", "--read and --write exclude each other; keep one of them", ""),
        ("-p new.bin", "--unpackage touches no board, and is not done here", "wattrail image convert"),
        ("-w -s zero new.bin", "--startaddr zero: not a hexadecimal number", "for example 0x11000"),
        ("-r -l 2M out.bin", "--length 2M: not a hexadecimal number", "for example 0x11000"),
        ("-w nowhere.bin", "nowhere.bin does not exist", "check its name"),
        ("-w", "", "see wattrail uartprogram --help"),
        ("-w -e new.bin", "unknown option: -e", "see wattrail uartprogram --help"),
        ("-w -b 9600 new.bin", "", "see wattrail uartprogram --help"),
    ],
)
def test_what_cannot_be_done_is_refused_before_a_port_is_opened(
    typed: Callable[[str], Outcome], bench: Bench, line: str, error: str, hint: str
) -> None:
    said = typed(f"{line} -d /dev/ttyUSB0")
    assert said.code == 2
    assert f"error: {error}" in said.err
    assert hint in said.err
    assert bench.opened == []


def test_the_device_that_everybody_has_needs_no_mention(wattrail: Type, bench: Bench) -> None:
    assert wattrail("uartprogram", "new.bin", "-w", "--reset", "rts", "--mains-off").code == 0
    assert bench.opened[0][0] == "serial:///dev/ttyUSB0"
