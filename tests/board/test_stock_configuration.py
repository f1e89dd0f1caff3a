"""The stock firmware's configuration: read as people have it, and held against what OpenBeken's users wrote down."""

from __future__ import annotations

import pytest

from tests.board.evidence import configuration, device
from wattrail.board import parse_configuration, wiring_of_configuration, wiring_of_template
from wattrail.board.model import ActiveLevel, BoardMeterBus, BoardPinRole
from wattrail.errors import ConfigError

# As a flasher printed it with a teardown: every value in quotes, and behind the last key what lay after it in flash.
LSPA7 = """
{ "rl1_lv":"1", "bt1_pin":"6", "net_trig":"2", "jv":"1.0.3", "netled1_lv":"0", "bt1_type":"0", "nety_led":"1",
"over_cur":"16000", "bt1_lv":"0", "reset_t":"5", "netled1_pin":"8", "chip_type":"3", "lose_vol":"70", "module":"CB2S",
"ch_num":"1", "ele_fun_en":"1", "rl1_pin":"26", "vol_def":"0", "crc":"29", "}hfX^Agw_dieAmf_test_close":"40.00",
"""
BARE = "{Jsonver:1.1.0,category:0505,module:CB2S,bt1_pin:10,bt1_lv:0,chip_type:0,ele_pin:7,vi_pin:6,sel_pin_pin:24,}"


def test_a_configuration_printed_by_a_flasher_is_read() -> None:
    wiring = wiring_of_configuration(parse_configuration(LSPA7, "LSPA7"), "LSPA7")
    assert (wiring.module, wiring.chip, wiring.metering_chip, wiring.bus) == (
        "CB2S",
        "BK7231N",
        "bl0942",
        BoardMeterBus.UART,
    )
    assert [str(pin) for pin in wiring.pins] == [
        "P6 button 1, active low",
        "P8 wifi led, active low",
        "P26 relay 1, active high",
    ]


def test_bare_words_of_flash_are_read_and_keep_their_text() -> None:
    found = parse_configuration(BARE, "flash")
    assert found["category"] == "0505"
    assert found["Jsonver"] == "1.1.0"
    assert found["ele_pin"] == 7


def test_the_file_of_another_tool_is_unwrapped() -> None:
    inner = '{"user_param_key": {"module": "WB2S", "rl1_pin": 26}}'
    assert parse_configuration(inner, "storage.json") == {"module": "WB2S", "rl1_pin": 26}
    as_text = '{"name": "x", "user_param_key": "{module:WB2S,rl1_pin:26}"}'
    assert parse_configuration(as_text, "storage.json") == {"module": "WB2S", "rl1_pin": 26}


@pytest.mark.parametrize("text", ["", "nothing here", "[1, 2]", "null"])
def test_a_text_without_pairs_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"notes\.txt: no configuration"):
        parse_configuration(text, "notes.txt")


@pytest.mark.parametrize(
    ("stock", "entry"),
    [
        ("tongou TO-Q-SY1-JWT", "TO-Q-SY-JWT"),
        ("LoraTap SP800WJ-EU", "SP800WJ-EU"),
        ("DETA 6294HA", "6294HA"),
        ("Aubess 20A Plug", "Aubess LSPA9 clone"),
        ("TGWF115PQM", "TGWF115PQM"),
    ],
)
def test_pins_agree_with_the_device_database_of_openbeken(stock: str, entry: str) -> None:
    ours = {pin.pin: pin.role for pin in wiring_of_configuration(configuration(stock), stock).pins}
    theirs = {pin.pin: pin.role for pin in wiring_of_template(device(entry), entry).pins}
    leds = {BoardPinRole.LED, BoardPinRole.WIFI_LED}
    for pin, role in theirs.items():
        assert ours[pin] is role or {ours[pin], role} == leds, pin


@pytest.mark.parametrize(
    ("name", "chip", "bus"),
    [
        ("LSPA9", "bl0937", BoardMeterBus.PULSES),
        ("Brilliant 20925", "hlw8012", BoardMeterBus.PULSES),
        ("DETA 6294HA", "hlw8032", BoardMeterBus.UART),
        ("WBP-1G", "bl0942", BoardMeterBus.UART),
    ],
)
def test_the_metering_chip_follows_from_the_chip_type(name: str, chip: str, bus: BoardMeterBus) -> None:
    wiring = wiring_of_configuration(configuration(name), name)
    assert (wiring.metering_chip, wiring.bus) == (chip, bus)


def test_an_led_that_is_not_wired_is_left_out_and_odd_levels_are_unknown() -> None:
    wiring = wiring_of_configuration(configuration("2-Gang Touch Switch"), "switch")
    assert BoardPinRole.WIFI_LED not in {pin.role for pin in wiring.pins}  # its pin is 31, its level 2
    odd = wiring_of_configuration({"netled1_pin": 8, "netled1_lv": 2}, "odd")
    assert odd.pins[0].active is ActiveLevel.UNKNOWN


def test_a_board_with_its_meter_switched_off_has_none() -> None:
    found = {"module": "CB2S", "chip_type": 3, "ele_fun_en": 0, "rl1_pin": 26}
    assert wiring_of_configuration(found, "x").metering_chip == ""


def test_a_rate_without_pins_is_a_microcontroller() -> None:
    wiring = wiring_of_configuration({"baud": 9600}, "storage")
    assert (wiring.bus, wiring.baud) == (BoardMeterBus.TUYAMCU, 9600)


@pytest.mark.parametrize("value", [None, True, "x", [], {}, 1.5, -1, 10**12, "9" * 400])
def test_odd_values_are_not_pins(value: object) -> None:
    assert wiring_of_configuration({"rl1_pin": value, "chip_type": value, "module": value}, "x").pins == ()
