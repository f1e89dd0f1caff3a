"""The verbs about twins."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome, Type
from wattrail.cli.twin.flash_terminal import FlashTwinOptions, enter_resets
from wattrail.cli.twin.serve import ServeOptions
from wattrail.clock import Deadline, SystemClock
from wattrail.errors import PortTimeout
from wattrail.extras import install_command
from wattrail.meter import open_meter
from wattrail.transport import Port, open_port
from wattrail.twin.bootrom import BootPhase, BootTwin

LINK_CHECK = bytes.fromhex("01 E0 FC 01 00")
LINKED = bytes.fromhex("04 0E 05 01 E0 FC 01 00")
NO_TERMINALS = pytest.mark.skipif(not Path("/dev/pts").is_dir(), reason="no pseudo-terminals here")


def test_the_list_names_boards_scenarios_and_options(wattrail: Type) -> None:
    said = wattrail("twin", "list")
    assert (said.code, said.err) == (0, "")
    for word in ("pziot-e01", "lspa9", "bw-shp10      BL0940  UART", "house", "cloudy", "seed", "volts"):
        assert word in said.out


def test_the_list_in_json_has_the_same(wattrail: Type) -> None:
    found = json.loads(wattrail("twin", "list", "--json").out)
    chips = {board["name"]: board["chip"] for board in found["boards"]}
    assert chips.items() >= {"pziot-e01": "bl0942", "lspa9": "bl0942", "bw-shp10": "bl0940"}.items()
    assert {scenario["name"] for scenario in found["scenarios"]} >= {"house", "bench"}
    assert {"name", "default", "help"} == set(found["options"][0])


def test_without_numpy_the_install_command_is_shown(wattrail: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("wattrail.twin.") and not name.endswith("boards")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numpy", None)
    for words in (["list"], ["serve"]):
        said = wattrail("twin", *words)
        assert said.code == 2
        assert f"hint: {install_command('numpy', 'twin')}" in said.err


def test_the_times_of_the_flash_can_be_asked_for(wattrail: Type) -> None:
    asked, plain = FlashTwinOptions(page_ms=0.2, crc_us=2.3).timing(), FlashTwinOptions().timing()
    assert (asked.page_s, asked.crc_byte_s) == (pytest.approx(0.0002), pytest.approx(2.3e-6))
    assert (plain.page_s, plain.crc_byte_s) == (0.0007, 2.0e-6)
    # A host whose deadline is counted from where the terminal took its bytes must not pay for the wire as well.
    assert (plain.pace_requests, plain.pace_replies) == (False, True)
    for option in ("--page-ms", "--crc-us"):
        said = wattrail("twin", "serve", option, "-1")
        assert said.code == 2
        assert option in said.err


@pytest.mark.parametrize(
    ("board", "wishes", "url"),
    [
        ("lspa9", ServeOptions(), "twin://lspa9"),
        ("lspa9", ServeOptions(seed=7, volts=230.0), "twin://lspa9?seed=7&volts=230.0"),
        ("twin://lspa9?errors=0.1", ServeOptions(seed=7), "twin://lspa9?errors=0.1&seed=7"),
    ],
)
def test_what_is_wished_becomes_the_twins_url(board: str, wishes: ServeOptions, url: str) -> None:
    assert wishes.url(board) == url


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["pziot"], "no twin of a board 'pziot'; known: pziot-e01, lspa9"),
        (["openbekn"], "bw-shp10, openbeken, tasmota, mqtt-json, tuya\nhint: did you mean openbeken?"),
        (["twin://pziot-e02"], "known: pziot-e01, lspa9, bw-shp10\nhint: did you mean pziot-e01?"),
        (["--volts", "999"], "option volts='999.0' does not fit: must be from 0 to 400"),
        (["--volts", "200", "--scenario", "house"], "volts holds a steady state"),
        (["--scenario", "hose"], "no scenario 'hose'; known: bench"),
        (["serial:///dev/ttyUSB0"], "'serial:///dev/ttyUSB0' is not a twin"),
        (["lspa9", "--flash", "flash.bin"], "the meter chip of lspa9 is on the UART its module is flashed by"),
        (["--flash", "flash.bin", "--no-flash"], "--flash and --no-flash contradict each other"),
        (["--supply", "a potato"], "no supply 'a potato'"),
        (["--flash", "nowhere/flash.bin"], "nowhere/flash.bin: the flash image cannot be written"),
    ],
)
def test_what_cannot_be_served_is_refused_plainly(wattrail: Type, words: list[str], complaint: str) -> None:
    said = wattrail("twin", "serve", *words)
    assert said.code == 2
    assert complaint in said.err


def test_a_tcp_port_in_use_is_a_port_error(wattrail: Type) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = wattrail("twin", "serve", "--port", str(taken.getsockname()[1]))
    assert said.code == 3
    assert "cannot listen on 127.0.0.1" in said.err


@NO_TERMINALS
def test_a_served_uart_is_opened_as_its_directions_say(
    wattrail: Type, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    visits: list[str] = []

    def visit() -> None:
        directions = capsys.readouterr().out
        url = re.search(r"read it: wattrail meter watch '(\S+)' --front-end lspa9\n", directions)
        assert url
        with open_meter(url[1], front_end="lspa9") as meter:
            meter.connect()
            assert meter.simulated
        visits.append(directions)
        raise KeyboardInterrupt

    monkeypatch.setattr("wattrail.cli.twin.serve._until_stopped", visit)
    assert wattrail("twin", "serve", "lspa9", "--volts", "231").code == 0
    (directions,) = visits
    assert directions.startswith("SIMULATED: ")
    assert "at 4800 baud, 8 data bits, no parity, 1 stop bit; chip address 0" in directions


@NO_TERMINALS
def test_a_served_bl0940_is_read_as_its_directions_say(served: Serve) -> None:
    visited: list[float | None] = []

    def visit(directions: str) -> None:
        url = re.search(r"read it: wattrail meter watch '(\S+)' --front-end bw-shp10\n", directions)
        assert url
        with open_meter(url[1], front_end="bw-shp10") as meter:
            meter.connect()
            assert meter.simulated
            visited.append(meter.read().volts)

    directions, after = served("bw-shp10", "--volts", "231", visit=visit)
    assert after.code == 0
    assert visited == [pytest.approx(231, abs=0.5)]
    assert "at 4800 baud, 8 data bits, no parity, 1 stop bit; frame heads 50 and A0" in directions
    assert "address" not in directions


@pytest.mark.parametrize(("board", "scheme"), [("pziot-e01", "spi+tcp"), ("lspa9", "tcp"), ("bw-shp10", "tcp")])
def test_a_twin_on_a_tcp_port_is_read_as_its_directions_say(
    wattrail: Type,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    board: str,
    scheme: str,
) -> None:
    visited: list[str] = []

    def visit() -> None:
        url = re.search(r"read it: wattrail meter watch '?(\S+?)'? --front-end", capsys.readouterr().out)
        assert url
        with open_meter(url[1], front_end=board) as meter:
            meter.connect()
            assert meter.simulated
        visited.append(url[1])
        raise KeyboardInterrupt

    monkeypatch.setattr("wattrail.cli.twin.serve._until_stopped", visit)
    assert wattrail("twin", "serve", board, "--port", "0").code == 0
    assert visited[0].startswith(f"{scheme}://127.0.0.1:")


Serve = Callable[..., tuple[str, Outcome]]


@pytest.fixture
def served(wattrail: Type, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serve a twin, visit it as its directions say, and stop it: the directions, and what came after them."""

    def serve(*words: str, visit: Callable[[str], None] = lambda _: None) -> tuple[str, Outcome]:
        directions: list[str] = []

        def come_and_go() -> None:
            said = capsys.readouterr()
            directions.append(said.out + said.err)
            visit(said.out)
            raise KeyboardInterrupt

        monkeypatch.setattr("wattrail.cli.twin.serve._until_stopped", come_and_go)
        after = wattrail("twin", "serve", *words)
        return directions[0], after

    return serve


def answers(port: Port) -> bool:
    """Send link checks every few milliseconds, as flashers do, for as long as a patient one."""
    clock = SystemClock()
    heard, end = b"", Deadline.after(5, clock)
    while end.remaining and LINKED not in heard:
        port.write(LINK_CHECK)
        try:
            heard += port.read(Deadline.after(0.01, clock))
        except PortTimeout:
            continue
    return LINKED in heard


@NO_TERMINALS
def test_one_board_is_read_and_flashed_as_its_directions_say(served: Serve, tmp_path: Path) -> None:
    visited: list[bool] = []
    file = tmp_path / "flash.bin"

    def visit(directions: str) -> None:
        found = re.search(r"flash it: wattrail flash info '(\S+)'\n", directions)
        assert found
        with open_port(f"{found[1]}&baud=115200") as port:
            assert isinstance(port, Port)
            assert port.simulated
            visited.append(answers(port))

    directions, after = served("pziot-e01", "--flash", str(file), "--chip", "T", visit=visit)
    assert (after.code, visited) == (0, [True])
    assert "read it: wattrail meter watch spi+tcp://" in directions
    assert f"SIMULATED too: its module, a BK7231T; flash: in {file}" in directions
    assert "they begin at 115200 baud" in directions
    assert "it is reset when link checks go unanswered for 0.2 s" in directions
    assert directions.endswith("Ctrl-C ends it\n")
    assert file.stat().st_size == 1 << 21


@NO_TERMINALS
def test_a_flash_without_a_file_says_that_it_will_be_lost(served: Serve) -> None:
    directions, _ = served("pziot-e01")
    assert "flash: blank, and lost at the end; --flash FILE keeps it" in directions


@pytest.mark.parametrize("words", [["pziot-e01", "--no-flash"], ["lspa9", "--port", "0"]])
def test_a_board_whose_flash_is_unused_is_served_as_a_meter_alone(served: Serve, words: list[str]) -> None:
    directions, after = served(*words)
    assert after.code == 0
    assert "read it" in directions
    assert "flash" not in directions


def test_without_terminals_on_the_system_the_meter_is_still_served(
    served: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "termios", None)
    directions, after = served("pziot-e01")
    assert after.code == 0
    assert "SPI at spi+tcp://" in directions
    assert "note: the board cannot be flashed here: a twin on a serial device needs a pseudo-terminal" in directions


@NO_TERMINALS
def test_enter_resets_the_chip_and_another_key_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    twin = BootTwin("M")
    keyboard, person = os.pipe()
    clock = SystemClock()
    end = Deadline.after(5, clock)
    with enter_resets(twin, keyboard):
        os.write(person, b"x")
        assert twin.phase is BootPhase.APP
        os.write(person, b"\n")
        while twin.phase is BootPhase.APP and end.remaining:
            pass
        assert twin.phase is not BootPhase.APP
    os.close(person)
    os.close(keyboard)
    assert capsys.readouterr().err == "reset\n"


def test_firmware_on_a_network_device_is_refused(wattrail: Type, tmp_path: Path) -> None:
    said = wattrail("twin", "serve", "openbeken", "--firmware", str(tmp_path / "none.bin"))
    assert said.code == 2
    assert "--firmware runs on the module of pziot-e01, not of openbeken" in said.err


def test_a_port_that_cannot_be_is_refused_before_anything_runs(wattrail: Type, tmp_path: Path) -> None:
    said = wattrail("twin", "debug", str(tmp_path / "none.bin"), "--port", "80000")
    assert (said.code, said.out) == (2, "")
    assert "--port" in said.err
    assert "65535" in said.err


@pytest.mark.parametrize("given", [["--host", "0.0.0.0"], ["--port", "4711"], ["--host", "127.0.0.1", "--port", "0"]])
def test_an_emulated_module_is_not_served_on_a_network(wattrail: Type, given: list[str]) -> None:
    said = wattrail("twin", "serve", "--firmware", "app.bin", *given)
    assert said.code == 2
    assert f"{' and '.join(given[::2])} cannot be used with --firmware" in said.err
