"""Boards out of dumps: the stock firmware's configuration, OpenBeken's beside it, and the factory's calibration.

The dumps are made: real configurations in a storage area that bk7231tools reads too (tests/image/test_tuya_peers.py).
What real dumps gave stands in docs/boards.md.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from tests.board.evidence import configuration
from tests.cli.conftest import Type
from tests.image.boards import Board
from tests.image.stock_storage import in_flash, storage
from wattrail.bk7231 import Chip
from wattrail.image.openbeken_configuration import PinSetting, default_configuration
from wattrail.openbeken import ROLES

SECTOR = 4096
MAC = bytes.fromhex("c8478c0102fe")
CONFIG, CONSTANTS = 0x1D1000, 0x1D5000
# Counts per volt, ampere / 10, watt * 10, kilowatt-hour of a Tongou TO-Q-SY1, published with esphome/issues #6155.
FACTORY = struct.pack("<4I", 15968, 12418, 3091, 2653).ljust(SECTOR, b"\xff")


def stock_dump(keys: dict[str, object]) -> bytes:
    flash = in_flash(b"\xff" * SECTOR, Board(Chip.N).dump, CONFIG)
    text = "{" + ",".join(f"{key}:{value}" for key, value in keys.items()) + ",}"
    return in_flash(storage({"user_param_key": text.encode()}, seed=2), flash)


def with_openbeken(dump: bytes, calibration: dict[int, float | None]) -> bytes:
    pins = {17: PinSetting(ROLES.index("Btn"), 1), 20: PinSetting(ROLES.index("WifiLED_n"))}
    made = default_configuration(Chip.N, MAC).with_pins(pins).with_text("startup_command", "startDriver BL0942")
    return in_flash(made.with_calibration(calibration).sector(), dump, CONFIG)


@pytest.fixture
def tongou(tmp_path: Path) -> Path:
    path = tmp_path / "tongou.bin"
    path.write_bytes(stock_dump(configuration("tongou TO-Q-SY1")))
    return path


def test_a_stock_dump_finds_its_board(wattrail: Type, tongou: Path) -> None:
    said = wattrail("board", "match", str(tongou))
    assert said.code == 0
    assert "tongou.bin, storage of the stock firmware: CBU, BL0942 by uart" in said.out
    assert "  2 boards have exactly this wiring:\n    earu-eakcb-t-m: " in said.out
    assert "\n    tongou-to-q-sy1: " in said.out


def test_a_microcontroller_alone_makes_no_board_of_a_dump(wattrail: Type, tmp_path: Path) -> None:
    # Genuine dumps of an alarm, a thermostat and a presence sensor have no more than this.
    path = tmp_path / "thermostat.bin"
    flash = in_flash(b"\xff" * SECTOR, Board(Chip.N).dump, CONFIG)
    path.write_bytes(in_flash(storage({"baud_cfg": b'{"baud":9600}'}, seed=2), flash))
    said = wattrail("board", "match", str(path))
    assert "BK7231N, a microcontroller by tuyamcu, 0 pins\n  a thermostat says the same: nothing here says" in said.out
    line = next(line for line in wattrail("image", "inspect", str(path)).out.splitlines() if line.startswith("board: "))
    assert line.startswith("board: not known; a microcontroller does the work")
    assert "agrees" not in line


def test_a_single_pin_is_said_as_one(wattrail: Type, tmp_path: Path) -> None:
    path = tmp_path / "dump.bin"
    path.write_bytes(stock_dump({"rl1_pin": 26, "module": "CB2S"}))
    assert wattrail("board", "match", str(path)).out.splitlines()[0].endswith(", 1 pin")


def test_boards_that_fit_equally_well_are_all_named(wattrail: Type, tmp_path: Path) -> None:
    path = tmp_path / "moved.bin"
    path.write_bytes(stock_dump({**configuration("tongou TO-Q-SY1"), "bt1_pin": 9}))
    out = wattrail("image", "inspect", str(path)).out
    line = next(line for line in out.splitlines() if line.startswith("board: "))
    assert "earu-eakcb-t-m, tongou-to-q-sy1" in line
    assert line.startswith("board: possible, ")


def test_two_configurations_in_one_dump_are_held_against_each_other(wattrail: Type, tongou: Path) -> None:
    tongou.write_bytes(with_openbeken(tongou.read_bytes(), {}))
    said = wattrail("board", "match", str(tongou), "--json")
    found = json.loads(said.out)
    assert [one["source"] for one in found["sources"]] == [
        "tongou.bin, storage of the stock firmware",
        "tongou.bin, OpenBeken",
    ]
    assert found["disagreements"] == [
        "wifi led: tongou.bin, storage of the stock firmware says P15, tongou.bin, OpenBeken says P20"
    ]


def test_constants_of_the_factory_survive_in_an_export(wattrail: Type, tongou: Path) -> None:
    tongou.write_bytes(in_flash(FACTORY, tongou.read_bytes(), CONSTANTS))
    said = wattrail("board", "export", "tongou-to-q-sy1", "--to", "esphome", "--calibration", str(tongou))
    assert "    voltage_reference: 15968\n    current_reference: 124180\n    power_reference: 309.1\n" in said.out


def test_a_calibration_of_openbeken_survives_in_an_export(wattrail: Type, tongou: Path) -> None:
    tongou.write_bytes(with_openbeken(tongou.read_bytes(), {0: 15987.125, 1: 272302.6875, 2: -683.0}))
    said = wattrail("board", "export", "tongou-to-q-sy1", "--to", "wattrail", "--calibration", str(tongou))
    assert "counts_per_volt = 15987.125, counts_per_amp = 272302.6875, counts_per_watt = 683 }" in said.out
    assert "# inverted = true" in said.out


def test_a_dump_without_constants_is_refused_with_the_way_to_some(wattrail: Type, tongou: Path) -> None:
    said = wattrail("board", "export", "tongou-to-q-sy1", "--to", "esphome", "--calibration", str(tongou))
    assert said.code == 2
    assert "no factory constants, and no calibration of OpenBeken, are in it" in said.err


def test_a_dump_without_a_configuration_says_why(wattrail: Type, tmp_path: Path) -> None:
    path = tmp_path / "bare.bin"
    path.write_bytes(in_flash(b"\xff" * (SECTOR * 48), Board(Chip.N).dump, CONFIG))
    said = wattrail("board", "match", str(path))
    assert said.code == 2
    assert "bare.bin: no configuration of a board is in it" in said.err


def test_an_inspection_names_the_likely_board(wattrail: Type, tongou: Path) -> None:
    said = wattrail("image", "inspect", str(tongou))
    same = "board: one of several with the same wiring: earu-eakcb-t-m, tongou-to-q-sy1"
    assert f"{same}; for the evidence: wattrail board match {tongou}" in said.out


def test_an_inspection_of_no_known_board_names_none(wattrail: Type, tmp_path: Path) -> None:
    path = tmp_path / "bare.bin"
    path.write_bytes(Board(Chip.N).dump)
    assert "\nboard: " not in wattrail("image", "inspect", str(path)).out


POINTS = json.dumps([{"id": number, "mode": "ro", "type": "obj", "property": {}} for number in (1, 18, 19, 20)])


def mcu_dump(path: Path, product: str, points: str = POINTS) -> Path:
    values = {
        "baud_cfg": b'{"baud":9600}', "gw_di": json.dumps({"pk": product, "firmk": "keyoffirmware"}).encode(),
        "000004poga": points.encode(),
    }  # fmt: skip
    path.write_bytes(in_flash(storage(values, seed=2), in_flash(b"\xff" * SECTOR, Board(Chip.N).dump, CONFIG)))
    return path


def test_a_microcontroller_is_known_by_the_key_of_its_product(wattrail: Type, tmp_path: Path) -> None:
    path = mcu_dump(tmp_path / "clamp.bin", "djfep9s6s3b2qk89")
    said = wattrail("board", "match", str(path)).out
    assert "  pj-mgw1103: likely, 100% agrees; " in said
    assert "product key djfep9s6s3b2qk89; data points 18, 19, 20" in said
    assert "a thermostat says the same" not in said
    assert "board: pj-mgw1103, likely, 100% agrees" in wattrail("image", "inspect", str(path)).out


def test_another_key_is_not_evidence_and_a_missing_data_point_is(wattrail: Type, tmp_path: Path) -> None:
    path = mcu_dump(tmp_path / "other.bin", "0000000000000000")
    record = json.loads(wattrail("board", "match", str(path), "--json").out)
    (source,) = record["sources"]
    assert (source["product"], source["datapoints"]) == ("0000000000000000", [1, 18, 19, 20])
    assert {one["confidence"] for one in source["matches"]} == {"possible"}
    (s1,) = [one for one in source["matches"] if one["board"] == "atorch-s1"]
    assert "no data point 123, 133; this board has 18, 19, 20, 123, 133" in s1["contradictions"]
    assert "a thermostat says the same" in wattrail("board", "match", str(path)).out
