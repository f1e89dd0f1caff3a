"""The verbs about twins."""

from __future__ import annotations

import json
import re
import socket
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from wattrail.cli.twin.serve import Wishes
from wattrail.meter import open_meter


def test_the_list_names_boards_scenarios_and_options(wattrail: Type) -> None:
    said = wattrail("twin", "list")
    assert (said.code, said.err) == (0, "")
    for word in ("pziot-e01", "lspa9", "house", "cloudy", "seed", "volts"):
        assert word in said.out


def test_the_list_in_json_has_the_same(wattrail: Type) -> None:
    found = json.loads(wattrail("twin", "list", "--json").out)
    assert {board["name"] for board in found["boards"]} >= {"pziot-e01", "lspa9"}
    assert {scenario["name"] for scenario in found["scenarios"]} >= {"house", "bench"}
    assert {"name", "default", "help"} == set(found["options"][0])


def test_without_numpy_the_install_command_is_told(wattrail: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("wattrail.twin.") and not name.endswith("boards")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numpy", None)
    for words in (["list"], ["serve"]):
        said = wattrail("twin", *words)
        assert said.code == 2
        assert "hint: pip install 'wattrail[twin]'" in said.err


@pytest.mark.parametrize(
    ("board", "wishes", "url"),
    [
        ("lspa9", Wishes(), "twin://lspa9"),
        ("lspa9", Wishes(seed=7, volts=230.0), "twin://lspa9?seed=7&volts=230.0"),
        ("twin://lspa9?errors=0.1", Wishes(seed=7), "twin://lspa9?errors=0.1&seed=7"),
    ],
)
def test_what_is_wished_becomes_the_twins_url(board: str, wishes: Wishes, url: str) -> None:
    assert wishes.url(board) == url


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["pziot"], "no twin of a board 'pziot'; known: pziot-e01, lspa9"),
        (["--volts", "999"], "option volts='999.0' does not fit: must be from 0 to 400"),
        (["--volts", "200", "--scenario", "house"], "volts holds a steady state"),
        (["--scenario", "hose"], "no scenario 'hose'; known: bench"),
        (["serial:///dev/ttyUSB0"], "'serial:///dev/ttyUSB0' is no twin"),
    ],
)
def test_what_cannot_be_served_is_refused_in_words(wattrail: Type, words: list[str], complaint: str) -> None:
    said = wattrail("twin", "serve", *words)
    assert said.code == 2
    assert complaint in said.err


def test_a_tcp_port_in_use_is_a_port_error(wattrail: Type) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = wattrail("twin", "serve", "--port", str(taken.getsockname()[1]))
    assert said.code == 3
    assert "cannot listen on 127.0.0.1" in said.err


@pytest.mark.skipif(not Path("/dev/pts").is_dir(), reason="no pseudo-terminals here")
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


@pytest.mark.parametrize(("board", "scheme"), [("pziot-e01", "spi+tcp"), ("lspa9", "tcp")])
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
