"""Boards from the command line: listed, shown, found by what a device says of itself, exported."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.board.evidence import HERE, configuration
from tests.cli.conftest import Type
from wattrail.board import board_names
from wattrail.calibration import Calibration
from wattrail.store import open_store

NEDIS = Calibration(15987.125, 272302.6875, 683.023987, inverted=True)


def written(folder: Path, name: str, content: object) -> str:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def test_every_board_is_listed_with_its_chip(wattrail: Type) -> None:
    said = wattrail("board", "list")
    assert [line.split()[0] for line in said.out.splitlines()] == list(board_names())
    listed = json.loads(wattrail("board", "list", "--json").out)
    assert {one["name"]: one["meter"] for one in listed}["pziot-e01"] == {"chip": "bl0942", "bus": "spi"}


def test_a_board_is_shown_with_the_source_of_its_facts(wattrail: Type) -> None:
    said = wattrail("board", "show", "pziot-e01")
    assert "  P20 button" in said.out
    assert "103  power, 0.01 W" in said.out
    assert "https://www.elektroda.com/rtvforum/topic3945667.html" in said.out
    shown = json.loads(wattrail("board", "show", "pziot-e01", "--json").out)
    assert {"pin": 14, "role": "spi_clock", "active": "unknown", "channel": 0} in shown["pins"]


def test_an_unknown_board_brings_those_that_are_near(wattrail: Type) -> None:
    said = wattrail("board", "show", "lspa")
    assert said.code == 2
    assert "did you mean lspa9" in said.err


def test_a_configuration_finds_its_board(wattrail: Type, tmp_path: Path) -> None:
    said = wattrail("board", "match", written(tmp_path, "aubess.json", configuration("Aubess 20A")))
    assert said.code == 0
    assert "aubess-20a: likely, 100% agrees" in said.out


def test_two_configurations_that_disagree_are_said_so_first(wattrail: Type, tmp_path: Path) -> None:
    first = written(tmp_path, "storage.json", configuration("LSPA9"))
    second = written(tmp_path, "code.txt", "{module:CB2S,bt1_pin:11,rl1_pin:26,chip_type:0}")
    said = wattrail("board", "match", first, second)
    assert said.out.startswith(
        "the sources contradict each other:\n  button 1: storage.json says P10, code.txt says P11\n"
    )
    found = json.loads(wattrail("board", "match", first, second, "--json").out)
    assert found["disagreements"] == ["button 1: storage.json says P10, code.txt says P11"]
    assert [one["source"] for one in found["sources"]] == ["storage.json", "code.txt"]


def test_a_device_that_runs_openbeken_finds_its_board(wattrail: Type, httpserver: HTTPServer) -> None:
    answers = json.loads((HERE / "openbeken_answers.json").read_text(encoding="utf-8"))
    for path, body in answers.items():
        chip = body.replace('"chipset":"LIN"', '"chipset":"BK7231T"')  # the Linux build says what it runs on
        httpserver.expect_request(path).respond_with_data(chip, content_type="application/json")
    said = wattrail("board", "match", f"openbeken://127.0.0.1:{httpserver.port}", "--json")
    (found,) = json.loads(said.out)["sources"]
    assert found["pins"] == ["P6 wifi led, active low", "P7 button 1, active low", "P26 relay 1, active high"]
    assert {"loratap-sp800wj-eu", "sp400w-il"} <= {one["board"] for one in found["matches"] if one["agreement"] == 1.0}


def test_a_device_in_safe_mode_says_what_to_do(wattrail: Type, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/pins").respond_with_data("<html>Not found</html>", content_type="text/html")
    said = wattrail("board", "match", f"openbeken://127.0.0.1:{httpserver.port}")
    assert said.code == 4
    assert "/api/pins: no JSON object (status 200)" in said.err
    assert "in safe mode it has no /api: restart it" in said.err


def test_a_configuration_of_nothing_known_fails(wattrail: Type, tmp_path: Path) -> None:
    said = wattrail("board", "match", written(tmp_path, "lamp.txt", "{module:CB2L,iicscl:7,iicsda:8}"))
    assert said.code == 1
    assert "no known board fits" in said.out


def test_another_url_than_openbekens_is_refused(wattrail: Type) -> None:
    said = wattrail("board", "match", "tasmota://192.0.2.9")
    assert said.code == 2
    assert "only a device that runs OpenBeken says how its pins are used" in said.err


def test_files_of_an_export_are_written_once(wattrail: Type, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    first = wattrail("board", "export", "pziot-e01", "--to", "openbeken", "--folder", str(folder))
    assert first.code == 0
    assert {path.name for path in folder.iterdir()} == {"template.json", "autoexec.bat"}
    assert "startDriver BL0942SPI\n" in (folder / "autoexec.bat").read_text(encoding="utf-8")
    again = wattrail("board", "export", "pziot-e01", "--to", "openbeken", "--folder", str(folder))
    assert again.code == 2
    assert "already holds template.json, autoexec.bat" in again.err


@pytest.mark.parametrize("to", ["esphome", "wattrail"])
def test_an_export_of_one_file_is_printed_as_it_is(wattrail: Type, to: str) -> None:
    said = wattrail("board", "export", "lspa9", "--to", to)
    files = json.loads(wattrail("board", "export", "lspa9", "--to", to, "--json").out)["files"]
    assert [said.out] == list(files.values())
    assert said.err == ""


def test_an_export_that_cannot_be_says_which_can(wattrail: Type) -> None:
    said = wattrail("board", "export", "pziot-e01", "--to", "tasmota")
    assert said.code == 2
    assert "hint: export to openbeken or esphome instead" in said.err


def test_a_kept_calibration_goes_into_the_export(wattrail: Type, tmp_path: Path) -> None:
    database = tmp_path / "w.sqlite"
    at = datetime(2026, 11, 1, tzinfo=UTC)
    with open_store(database) as store:
        row = store.register_meter("plug", "serial:///dev/ttyUSB0", simulated=False, calibration=NEDIS, at=at)
        store.keep_calibration(
            row.name, NEDIS, at=at, by="me", origin="measured", note="", turns=1, evidence="{}", simulated=False
        )
    words = ("board", "export", "nedis-wifip110fwt", "--to", "esphome", "--calibration")
    said = wattrail(*words, "plug", "--database", str(database))
    assert "    voltage_reference: 15987.125\n" in said.out
    file = tmp_path / "plug.json"
    wattrail("calibration", "export", "plug", str(file), "--database", str(database))
    assert wattrail(*words, str(file)).out == said.out


def test_search_looks_into_a_copy_of_the_device_database(wattrail: Type) -> None:
    devices = str(HERE / "openbeken_devices.json")
    said = wattrail("board", "search", "lspa9", "BL0942", "--devices", devices, "--json")
    assert [one["origin"] for one in json.loads(said.out)] == ["wattrail", "OpenBeken"]
    nothing = wattrail("board", "search", "toaster")
    assert nothing.code == 1
    assert "--devices FILE searches a copy" in nothing.out
