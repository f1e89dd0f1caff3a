"""Exports to wattrail itself and to ESPHome; ESPHome's own judgement is in tests/contract."""

from __future__ import annotations

import tomllib

import pytest
import yaml

from wattrail.app.schema import Config
from wattrail.board import board_names, export_board, load_board, load_front_panel
from wattrail.board.export import ExportTarget
from wattrail.calibration import Calibration
from wattrail.errors import ConfigError
from wattrail.toml_schema import read_model

NEDIS = Calibration(15987.125, 272302.6875, 683.023987, inverted=True)


def esphome(name: str, calibration: Calibration | None = None) -> str:
    files = export_board(load_board(name), ExportTarget.ESPHOME, load_front_panel(), calibration)
    return files[f"{name}.yaml"]


def document(text: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(text.replace("!secret ", ""))
    return found


@pytest.mark.parametrize("name", board_names())
def test_the_lines_of_a_configuration_are_one_that_wattrail_takes(name: str) -> None:
    text = export_board(load_board(name), ExportTarget.WATTRAIL, load_front_panel())["wattrail.toml"]
    assert read_model(Config, text, name).meter[0].name == name


def test_the_lines_by_wire_carry_the_calibration() -> None:
    text = export_board(load_board("nedis-wifip110fwt"), ExportTarget.WATTRAIL, load_front_panel(), NEDIS)[
        "wattrail.toml"
    ]
    by_wire = "\n".join(line.removeprefix("# ") for line in text.splitlines()[6:])
    table = tomllib.loads(by_wire)
    assert table["url"] == "serial:///dev/ttyUSB0?baud=4800"
    assert Calibration(**table["calibration"], inverted=table["inverted"]) == NEDIS


def test_esphome_says_that_it_does_not_measure_over_spi() -> None:
    text = esphome("pziot-e01")
    assert "# ESPHome reads the BL0942 over a UART only, and this board has it on SPI" in text
    found = document(text)
    assert found["sensor"] == [
        {
            "platform": "pulse_counter",
            "pin": "P9",
            "name": "Energy pulses",
            "total": {"name": "Energy pulses in total"},
        }
    ]
    assert "uart" not in found


def test_esphome_opens_the_access_point_and_keeps_the_stored_network() -> None:
    text = esphome("pziot-e01")
    button = document(text)["binary_sensor"][0]  # type: ignore[index]
    short, setup = button["on_click"]
    assert (short["max_length"], setup["min_length"], setup["max_length"]) == ("4999ms", "5000ms", "11999ms")
    # Cleared before wifi.enable, the next network would be saved where no start looks for it.
    assert [next(iter(action)) for action in setup["then"]] == ["globals.set", "wifi.disable", "wifi.enable", "lambda"]
    assert "clear_sta" not in text
    assert document(text)["wifi"]["on_connect"][1] == {"lambda": "id(wifi_link).set_ap_timeout(90000);"}  # type: ignore[index]


def test_esphome_takes_the_constants_of_the_chip() -> None:
    (sensor,) = document(esphome("nedis-wifip110fwt", NEDIS))["sensor"]  # type: ignore[misc]
    assert sensor["voltage_reference"] == 15987.125
    assert sensor["current_reference"] == 272302.6875
    assert sensor["power_reference"] == -683.023987


def test_esphome_sel_is_inverted_where_the_pin_is_high_for_voltage() -> None:
    (sensor,) = document(esphome("lspa9-bl0937"))["sensor"]  # type: ignore[misc]
    assert sensor["sel_pin"] == {"number": "P24", "inverted": True}
    assert (sensor["cf_pin"], sensor["cf1_pin"], sensor["current_resistor"]) == ("P7", "P6", 0.001)


def test_esphome_sends_pulses_to_a_latching_relay() -> None:
    switches = {one["id"]: one for one in document(esphome("tongou-to-q-sy1"))["switch"]}  # type: ignore[attr-defined]
    assert switches["relay_1_on"]["pin"]["number"] == "P24"
    assert switches["relay_1_off"]["pin"]["number"] == "P26"
    assert switches["relay_1"]["turn_off_action"] == [{"switch.turn_on": "relay_1_off"}]


def test_esphome_is_refused_for_a_chip_without_an_export() -> None:
    with pytest.raises(ConfigError, match="eightree-et31-rtl8720 has a RTL87X0C"):
        esphome("eightree-et31-rtl8720")
