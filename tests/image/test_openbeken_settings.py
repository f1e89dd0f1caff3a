"""Wanted settings: templates as public lists have them, applied to a configuration, and what differs afterwards."""

from __future__ import annotations

import json

import pytest

from wattrail.bk7231 import Chip
from wattrail.errors import ConfigError
from wattrail.image.openbeken_configuration import OpenBekenConfiguration, PinSetting, default_configuration
from wattrail.image.openbeken_settings import (
    OpenBekenSettings,
    differences,
    pin_setting,
    role_number,
    template_settings,
)
from wattrail.openbeken import ROLES


def plain() -> OpenBekenConfiguration:
    return default_configuration(Chip.N, bytes.fromhex("c8478c0102fe"))


# Entries as they stand in devices.json of OpenBekenIOT/webapp, November 2026: 656 of its 660 for this family are taken;
# the others name a Buzzer, an SCL or a Btnl, which no firmware knows.
@pytest.mark.parametrize(
    ("template", "pins", "flags"),
    [
        (
            {"name": "PZIOT-E01", "pins": {}, "command": "startDriver BL0942SPI", "bDetailed": "0"},
            None,
            None,
        ),
        (
            {"pins": {"6": "WifiLED_n;0", "7": "BL0937CF1;0", "26": "Btn;1"}, "command": "", "flags": "1024"},
            {6: PinSetting(9), 7: PinSetting(19), 26: PinSetting(3, 1)},
            {10},
        ),
        ({"pins": {"8": "WiFi_LED_n", "9": "Btn;1,2"}, "flags": ""}, {8: PinSetting(9), 9: PinSetting(3, 1, 2)}, None),
        ({"pins": {"24": "SM2135_DAT;0"}, "flag": 1}, {24: PinSetting(21)}, {0}),
    ],
)
def test_templates_of_the_public_list_are_taken(
    template: dict[str, object], pins: dict[int, PinSetting] | None, flags: set[int] | None
) -> None:
    found = template_settings(json.dumps(template))
    assert found.pins == pins
    assert found.flags == flags
    assert found.texts.get("startup_command", "") == template.get("command", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pins: 20", "is not JSON"),
        ("[]", "is not a template"),
        ('{"name": "x"}', "none of pins, command, flags"),
        ('{"pins": {"40": "Btn"}}', "pin '40' is not one of 0 to 28"),
        ('{"pins": {"4": "Buzzer;1"}}', "no pin role 'Buzzer'"),
        ('{"pins": {"4": "Btn;99"}}', "channels 0 to 63"),
        ('{"flags": "-5"}', "flags '-5' is not one whole number"),
        ('{"command": 5}', "command is not text"),
    ],
)
def test_what_is_not_a_template_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        template_settings(text)


def test_every_role_is_found_by_its_name_whatever_the_capitals() -> None:
    assert [role_number(name.upper()) for name in ROLES] == list(range(len(ROLES)))
    assert pin_setting("btn_n;3;4") == PinSetting(4, 3, 4)


def test_the_later_settings_decide_and_the_rest_stays() -> None:
    below = OpenBekenSettings({"name": "a", "mqtt_host": "one"}, pins={1: PinSetting(1)}, flags_on=frozenset({25}))
    above = OpenBekenSettings({"mqtt_host": "two"}, {"mqtt_port": 1999}, flags_off=frozenset({25, 10}))
    made = above.over(below).applied_to(plain())
    assert (made.text("name"), made.text("mqtt_host"), made.number("mqtt_port")) == ("a", "two", 1999)
    assert made.flags == frozenset()
    assert made.pins == {1: PinSetting(1)}
    assert made.text("ntp_server") == plain().text("ntp_server")


def test_differences_name_each_setting_and_hide_passwords() -> None:
    after = OpenBekenSettings(
        {"wifi_password": "correct horse"}, {"mqtt_port": 1}, {"static_ip": "10.0.0.7"}, {20: PinSetting(3, 1)},
        flags_on=frozenset({40}), calibration={1: 2.5},
    ).applied_to(plain())  # fmt: skip
    shown = [str(change) for change in differences(plain(), after)]
    assert shown == [
        "wifi_password: none -> ***",
        "mqtt_port: 1883 -> 1",
        "static_ip: 0.0.0.0 -> 10.0.0.7",
        "pin P20: none -> Btn;1;0",
        "flag 40: off -> on",
        "calibration amps: the driver's default -> 2.5",
    ]
    assert differences(after, after) == ()


def test_bytes_of_no_known_field_are_a_difference_of_their_own() -> None:
    after = OpenBekenConfiguration(plain().data[:0x4D0] + b"\x07" + plain().data[0x4D1:])
    assert [change.name for change in differences(plain(), after)] == ["bytes of no known field"]


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"static_ip: '10\.0\.0\.300' is not an address"):
        OpenBekenSettings(addresses={"static_ip": "10.0.0.300"}).applied_to(plain())


@pytest.mark.parametrize(
    "document",
    [{"flags": "9" * 5000}, {"pins": {"9" * 5000: "Rel;1"}}, {"pins": {"1": "Rel;" + "9" * 5000}}],
    ids=["flags", "pin", "channel"],
)
def test_a_number_of_thousands_of_digits_is_refused_as_any_other(document: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="999"):
        template_settings(json.dumps(document))
