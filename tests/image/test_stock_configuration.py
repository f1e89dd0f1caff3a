"""The board as its stock firmware knows it, for every configuration that cloudcutter's users published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.image.stock_storage import spelt, storage
from wattrail.image import Chip
from wattrail.image.stock_configuration import (
    MeterBus,
    PinRole,
    StockConfiguration,
    configuration_in_code,
    stock_configuration,
)
from wattrail.image.tuya_storage import read_storage

PUBLISHED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "captures/tuya-configurations.json").read_text()
)
METERS = {0: ("BL0937", "pulses"), 1: ("HLW8012", "pulses"), 2: ("HLW8032", "UART"), 3: ("BL0942", "UART")}
LIKE_PINS = ("_pin", "_rx", "_tx", "iicscl", "iicsda", "irpin", "micpin", "infrr", "infre")
BUS_OF_A_STRIP = ("mosi", "MOSI", "miso", "MISO", "SCL", "CS")


def board(values: Mapping[str, object]) -> StockConfiguration:
    found = stock_configuration({"user_param_key": dict(values)})  # type: ignore[dict-item]
    assert found is not None
    return found


def expected_pins(published: Mapping[str, Any]) -> dict[str, int]:
    """By the names alone: whatever ends like a pin, the switches, the bus of a strip; -1 and 255 stand for none."""
    named = {
        name: value for name, value in published.items()
        if name.endswith(LIKE_PINS) or name in (*BUS_OF_A_STRIP, "ir") or name in ("onoff1", "onoff2")
    }  # fmt: skip
    return {name: value for name, value in named.items() if isinstance(value, int) and 0 <= value < 48}


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda published: published["name"][:40])
@pytest.mark.parametrize("spelling", [json.dumps, spelt], ids=["json", "spelt"])
def test_pins_bus_and_shunt_come_out_of_a_storage(published: dict[str, Any], spelling: Any) -> None:
    configuration = published["configuration"]
    area = storage({"gw_di": b"{}", "user_param_key": spelling(configuration).encode()}, seed=3)
    found = stock_configuration({value.name: value.value for value in read_storage(area).values})
    assert found is not None
    assert {use.source: use.pin for use in found.pins if use.source != "UART1"} == expected_pins(configuration)
    for use in found.pins:
        level = configuration.get(f"{use.source.removesuffix('_pin')}_lv")
        assert use.active_high is {0: False, 1: True}.get(level)  # one published lamp has 2
    assert found.module == configuration.get("module")
    if (kind := configuration.get("chip_type")) is None:
        assert found.meter is None
        return
    assert found.meter is not None
    assert found.meter.bus is not None
    assert (found.meter.chip, found.meter.bus.value) == METERS[kind]
    assert found.meter.shunt_milliohms == configuration.get("resistor", configuration.get("sample_resistor"))
    assert found.over_voltage == configuration.get("over_vol")


def test_every_chip_with_a_uart_has_its_pins_named_or_not() -> None:
    """Two of the nine name them; the pins of the others are those of the only UART that is left."""
    with_uart = [p["configuration"] for p in PUBLISHED if p["configuration"].get("chip_type") in (2, 3)]
    assert len(with_uart) == 9
    for configuration in with_uart:
        found = board(configuration)
        pins = {use.role: (use.pin, use.source) for use in found.pins}
        named = "ele_rx" in configuration
        assert pins[PinRole.METER_RX] == (10, "ele_rx" if named else "UART1")
        assert pins[PinRole.METER_TX] == (11, "ele_tx" if named else "UART1")


def test_a_breaker_with_a_latching_relay() -> None:
    tongou = next(p["configuration"] for p in PUBLISHED if p["name"].startswith("tongou"))
    found = board(tongou)
    assert [(use.pin, use.number) for use in found.with_role(PinRole.RELAY_SET)] == [(24, 1)]
    assert [(use.pin, use.number) for use in found.with_role(PinRole.RELAY_RESET)] == [(26, 1)]
    assert found.chip is Chip.N
    assert found.meter is not None
    assert (found.meter.chip, found.meter.bus) == ("BL0942", MeterBus.UART)


@pytest.mark.parametrize(
    ("values", "chip", "bus", "reason"),
    [
        ({"ele_pin": 7, "vi_pin": 8}, None, MeterBus.PULSES, "chip_type is missing"),
        ({"ele_pin": 7, "chip_type": 9}, None, MeterBus.PULSES, "chip_type 9 is not known"),
        ({"ele_rx": 10, "ele_tx": 11}, None, MeterBus.UART, "nothing says which chip"),
        ({"chip_type": 4}, None, None, "chip_type 4 is not known"),
    ],
)
def test_a_meter_that_is_not_fully_described(
    values: dict[str, object], chip: str | None, bus: MeterBus | None, reason: str
) -> None:
    meter = board(values).meter
    assert meter is not None
    assert (meter.chip, meter.bus) == (chip, bus)
    assert reason in meter.reason


@pytest.mark.parametrize(
    "values", [{"baud_cfg": {"baud": 9600}}, {"uart_adapt_params": {"uart_baud": 9600, "uart_databit": 8}}]
)
def test_a_board_with_a_microcontroller_has_its_rate(values: Any) -> None:
    found = stock_configuration(values)
    assert found is not None
    assert found.meter is not None
    assert (found.mcu_baud, found.meter.bus, found.pins) == (9600, MeterBus.MCU, ())


def test_the_older_nested_form_is_read_as_the_newer() -> None:
    """Names of the older form as UPK2ESPHome lists them."""
    nested = {
        "sw": {"ch": [{"rl": {"pin": 26, "lv": 1}, "bt": {"pin": 10, "lv": 0}}, {"rl": {"pin": 24, "lv": "true"}}]},
        "dltj": {"ct": 0, "epin": {"pin": 7}, "ivpin": {"pin": 8}, "ivcpin": {"pin": 6, "lv": 1}, "ri": 2},
        "net": {"wfst": {"pin": 9, "lv": False}},
    }
    found = board(nested)
    assert {use.source: (use.pin, use.active_high) for use in found.pins} == {
        "rl1_pin": (26, True), "rl2_pin": (24, True), "bt1_pin": (10, False), "netled_pin": (9, False),
        "ele_pin": (7, None), "vi_pin": (8, None), "sel_pin_pin": (6, True),
    }  # fmt: skip
    assert found.meter is not None
    assert (found.meter.chip, found.meter.shunt_milliohms) == ("BL0937", 2.0)


def test_a_configuration_in_code_is_found_and_formats_are_not() -> None:
    text = b"\0{rl1_pin:26,rl1_lv:1,bt1_pin:10,module:WB2S,crc:67,}\0"
    code = b"\0config {%s,crc:%d}\0" + bytes(4000) + text + bytes(100)
    found = configuration_in_code(code)
    assert found is not None
    assert {use.source: use.pin for use in found.pins} == {"rl1_pin": 26, "bt1_pin": 10}
    assert configuration_in_code(b"\0config {%s,crc:%d}\0" * 1000) is None


def test_values_that_are_not_pins_are_kept_as_they_are() -> None:
    found = board({"rl1_pin": 255, "bt1_pin": "x", "jv": "1.0.1", "over_cur": True})
    assert (found.pins, found.over_current_ma) == ((), None)
    assert found.other == {"bt1_pin": "x", "jv": "1.0.1", "rl1_pin": 255}


def test_without_a_configuration_there_is_none() -> None:
    assert stock_configuration({"gw_di": {}, "user_param_key": "text"}) is None


def test_metering_that_is_switched_off_is_none() -> None:
    assert board({"chip_type": 3, "ele_fun_en": 0, "rl1_pin": 26}).meter is None
    assert board({"chip_type": 3, "rl1_pin": 26}).meter is not None
