"""Exports to Tasmota against the templates that Tasmota publishes for the same devices."""

from __future__ import annotations

import json

import pytest

from wattrail.board import load_board
from wattrail.board.tasmota import tasmota_template
from wattrail.errors import ConfigError

# Lines of arendst/Tasmota, TEMPLATES.md, as of April 2022.
PUBLISHED = {
    "topgreener-tgwf115pqm-esp8266": "[0,320,0,32,2720,2656,0,0,2624,321,224,0,0,0]",
    "wipro-dsp1160-esp8266": "[0,0,0,32,2720,2656,0,0,2624,576,224,0,0,0]",
    "ultralink-ul-p01w": "[0,288,0,32,2720,2656,0,0,2624,544,224,0,0,0]",
    "vizia-16a": "[32,0,0,0,2688,2656,0,0,2624,320,224,0,0,0]",
    "varna-crafts-16a": "[544,0,0,0,0,2720,0,0,2624,32,2656,224,0,0]",
    "tova-dual": "[320,0,0,2624,33,2720,0,0,0,32,2656,225,224,0]",
    "yelomin-jh-g01e": "[0,3072,0,3104,0,0,0,0,32,320,224,0,0,0]",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_template_has_the_codes_that_tasmota_publishes(name: str) -> None:
    template = json.loads(tasmota_template(load_board(name)))
    assert template["GPIO"] == json.loads(PUBLISHED[name])
    assert (template["FLAG"], template["BASE"]) == (0, 18)


def test_a_board_with_a_serial_chip_names_its_receiver() -> None:
    assert json.loads(tasmota_template(load_board("sonoff-s31")))["GPIO"] == [
        32,
        0,
        0,
        3104,
        *[0] * 4,
        224,
        576,
        *[0] * 4,
    ]


def test_a_chip_that_tasmota_does_not_run_on_is_refused() -> None:
    with pytest.raises(ConfigError, match="Tasmota runs on ESP chips, and pziot-e01 has a BK7231N"):
        tasmota_template(load_board("pziot-e01"))
