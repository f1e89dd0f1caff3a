"""Exports to OpenBeken against the firmware's own grammar, and templates against its device database."""

from __future__ import annotations

import json
import re

import pytest

from tests.board.evidence import device
from tests.board.openbeken_commands import COMMANDS, ROLES, faults_of
from wattrail.bk7231 import Chip
from wattrail.board import board_names, export_board, load_board, load_front_panel, wiring_of_template
from wattrail.board.export import ExportTarget
from wattrail.board.model import ActiveLevel, BoardMeterBus, BoardPin, BoardPinRole
from wattrail.board.openbeken import openbeken_settings, openbeken_template
from wattrail.board.openbeken_roles import ROLE_NAMES, pin_of_role
from wattrail.board.openbeken_script import autoexec
from wattrail.calibration import Calibration
from wattrail.errors import ConfigError
from wattrail.openbeken import ROLES as FIRMWARE_ROLES

# What users of the database carried from their own devices: VREF 15987.125, IREF 272302.6875, PREF -683.023987.
NEDIS = Calibration(15987.125, 272302.6875, 683.023987, inverted=True)


def exported(name: str, calibration: Calibration | None = None) -> dict[str, str]:
    return export_board(load_board(name), ExportTarget.OPENBEKEN, load_front_panel(), calibration)


@pytest.mark.parametrize("name", board_names())
def test_every_script_is_in_the_grammar_of_the_firmware(name: str) -> None:
    assert list(faults_of(exported(name)["autoexec.bat"])) == []


@pytest.mark.parametrize("name", board_names())
def test_every_template_fits_the_schema_of_the_device_database(name: str) -> None:
    template = json.loads(exported(name)["template.json"])
    assert {"vendor", "name", "chip", "pins", "image", "wiki"} <= set(template)
    for pin, role in template["pins"].items():
        assert re.fullmatch(r"\d+", pin)
        assert role.partition(";")[0] in ROLES
    assert len(template["command"]) <= 511
    assert template["flags"].isdecimal()


def test_the_grammar_refuses_what_the_firmware_does_not_have() -> None:
    script = "VREF 15188\nstartDriver BL0943\ngoto nowhere\nSetPinRole 20 Button\nif $CH1 then restart\nSetFlag 90 1"
    script += '\na:\nif $CH1==1 then "goto a"'
    assert len(list(faults_of(script))) == 8
    assert "vref" not in COMMANDS


def test_the_first_meter_gets_its_driver_its_button_and_its_sign() -> None:
    script = exported("pziot-e01")["autoexec.bat"].splitlines()
    assert "startDriver BL0942SPI" in script
    assert "SetFlag 25 1" in script
    assert "SetPinRole 20 Btn_ScriptOnly" in script
    assert "SetPinRole 22 LED" in script
    assert "addEventHandler OnClick 20 ToggleChannel 29" in script
    assert any("level of P22 is not known" in line for line in script)
    template = json.loads(exported("pziot-e01")["template.json"])
    assert template["pins"] == {"20": "Btn_ScriptOnly;0", "22": "LED;0"}
    assert int(template["flags"]) & 1 << 25


def test_wifi_setup_erases_nothing_and_a_reset_is_warned_of() -> None:
    script = exported("pziot-e01")["autoexec.bat"]
    lines = script.splitlines()
    assert "setButtonTimes 50 3 10" in lines  # 5 s for a long press, then an event each second
    assert "alias open_ap if $CH28<12 then open_now" in lines
    assert "alias open_now backlog OpenAP; SetChannel 27 1" in lines
    assert "addChangeHandler Channel28 == 15 factory_reset" in lines
    assert "if $CH28>11 then goto led_reset_warning" in lines
    assert script.count("clearConfig") == 1


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("lspa9-au", "Tuya AU LSPA9?"),
        ("tongou-to-q-sy1", "TO-Q-SY-JWT"),
        ("loratap-sp800wj-eu", "SP800WJ-EU"),
        ("rr620w", "RR620W"),
    ],
)
def test_a_template_says_what_the_device_database_says(name: str, entry: str) -> None:
    ours = wiring_of_template(openbeken_template(load_board(name)), "ours")
    theirs = wiring_of_template(device(entry), "theirs")
    assert (ours.chip, ours.metering_chip, ours.bus) == (theirs.chip, theirs.metering_chip, theirs.bus)
    known = {pin.pin: pin.role for pin in theirs.pins}
    metered = [pin for pin in ours.pins if "led" not in pin.role]
    assert metered
    assert all(known[pin.pin] is pin.role for pin in metered)


def test_a_calibration_is_carried_over_by_readings_times_a_factor() -> None:
    files = exported("nedis-wifip110fwt", NEDIS)
    script = files["calibrate_once.bat"]
    assert list(faults_of(script)) == []
    factors = dict(re.findall(r"^(\w+)Set \$\w+\*(\S+)$", script, re.MULTILINE))
    # constant = count / reading, as the firmware computes it from its own reading of count / default
    for name, default, wanted in (
        ("Voltage", 15188, 15987.125),
        ("Current", 251210, 272302.6875),
        ("Power", 598, -683.023987),
    ):
        count = 1_234_567
        assert count / (count / default * float(factors[name])) == pytest.approx(wanted, rel=1e-7)
    assert "calibrate_once.bat sets it" in files["autoexec.bat"]


def test_our_own_scripts_are_recognised_on_a_device() -> None:
    template = {"chip": "BK7231N", "pins": {"20": "Btn_ScriptOnly;0", "21": "Btn_pd_n;1", "22": "ADC;3"}}
    pins = wiring_of_template(template, "x").pins
    assert [str(pin) for pin in pins] == ["P20 button, active low", "P21 button 1, active high"]


def test_a_calibration_of_counts_is_refused_for_a_pulse_chip() -> None:
    with pytest.raises(ConfigError, match="lspa9-bl0937 has a bl0937: a calibration in counts"):
        exported("lspa9-bl0937", NEDIS)


def test_a_microcontroller_is_linked_by_its_data_points() -> None:
    script = exported("pj-mgw1103")["autoexec.bat"].splitlines()
    assert script[1:] == [
        "startDriver TuyaMCU",
        "tuyaMcu_setBaudRate 115200",
        "setChannelType 1 Current_div1000",
        "linkTuyaMCUOutputToChannel 18 val 1",
        "setChannelType 2 Power_div10",
        "linkTuyaMCUOutputToChannel 19 val 2",
        "setChannelType 3 Voltage_div10",
        "linkTuyaMCUOutputToChannel 20 val 3",
    ]


def test_only_a_chip_that_knows_the_sign_gets_the_flag() -> None:
    for name in board_names():
        board, script = load_board(name), exported(name)["autoexec.bat"]
        is_signed = board.meter.chip == "bl0942" and board.meter.bus is not BoardMeterBus.TUYAMCU
        assert ("SetFlag 25 1" in script) is is_signed, name


def test_every_role_that_a_board_gets_is_one_of_the_firmware() -> None:
    names = {name for pair in ROLE_NAMES.values() for name in pair}
    assert names <= set(FIRMWARE_ROLES)


def test_a_role_in_another_spelling_is_the_same_role() -> None:
    assert (
        pin_of_role(26, "Relay", 1)
        == pin_of_role(26, "rel", 1)
        == BoardPin(26, BoardPinRole.RELAY, ActiveLevel.HIGH, 1)
    )
    assert pin_of_role(26, "no such role", 1) is None


def test_a_board_is_settings_of_a_device_with_its_constants() -> None:
    settings = openbeken_settings(load_board("pziot-e01"), NEDIS)
    assert settings.pins is not None
    assert settings.pins[20].role_name == "Btn_ScriptOnly"
    assert settings.texts == {"startup_command": "startDriver BL0942SPI"}
    assert settings.flags == {10, 25}
    assert settings.calibration == {0: 15987.125, 1: 272302.6875, 2: -683.023987}


def test_constants_are_refused_for_a_meter_that_has_none() -> None:
    with pytest.raises(ConfigError, match="a calibration in counts per volt"):
        openbeken_settings(load_board("aubess-20a"), NEDIS)


@pytest.mark.parametrize("name", board_names())
def test_every_board_is_settings_or_says_which_chip_it_has(name: str) -> None:
    board = load_board(name)
    if board.chip.startswith("BK72"):
        assert openbeken_settings(board).texts["startup_command"] == openbeken_template(board)["command"]
    else:
        with pytest.raises(ConfigError, match=board.chip):
            openbeken_settings(board)


@pytest.mark.parametrize("name", board_names())
def test_settings_with_the_script_are_what_the_script_sets(name: str) -> None:
    """Seen with 1.18.300: where they differed, each setup undid what the script had set, and never came to an end."""
    board = load_board(name)
    if board.chip not in {chip.value for chip in Chip}:
        return
    panel = load_front_panel()
    settings = openbeken_settings(board, scripted=panel)
    pins = settings.pins or {}
    for line in autoexec(board, panel).splitlines():
        match line.split():
            case ["SetPinRole", pin, role]:
                assert pins[int(pin)].role_name == role
            case ["SetPinChannel", pin, channel]:
                assert pins[int(pin)].channel == int(channel)
            case ["setButtonTimes", *times]:
                assert [settings.numbers[f"button_{which}"] for which in ("long", "short", "repeat")] == [
                    *map(int, times)
                ]
