"""Export to Tasmota: the template of an ESP8266 board. The codes are those of Tasmota's list of GPIO functions.

Source: tasmota/template.
"""

from __future__ import annotations

import json
from typing import Final

from wattrail.board.model import ActiveLevel, BoardDescription, BoardPin, BoardPinRole
from wattrail.errors import ConfigError

__all__ = ["tasmota_template"]

_GPIOS: Final = (0, 1, 2, 3, 4, 5, 9, 10, 12, 13, 14, 15, 16, 17)
"""The GPIOs of the list, in its order; 17 is the analogue input."""

_CODES: Final = {
    BoardPinRole.RELAY: (224, 256),
    BoardPinRole.BUTTON: (96, 32),
    BoardPinRole.LED: (288, 320),
    BoardPinRole.WIFI_LED: (544, 576),
    BoardPinRole.CF1: (2656, 2656),
    BoardPinRole.SEL: (2624, 2592),
    BoardPinRole.SWITCH_INPUT: (160, 160),
}
"""For active high and active low. SEL is high for voltage in a BL0937; Tasmota calls that inverted."""

_BY_CHIP: Final = {
    (BoardPinRole.CF, "bl0937"): 2720,
    (BoardPinRole.CF, "hlw8012"): 2688,
    (BoardPinRole.METER_TX, "cse7766"): 3072,
    (BoardPinRole.METER_RX, "cse7766"): 3104,
    (BoardPinRole.METER_TX, ""): 2272,
    (BoardPinRole.METER_RX, ""): 2304,
}
_NUMBERED: Final = frozenset({BoardPinRole.RELAY, BoardPinRole.BUTTON, BoardPinRole.LED, BoardPinRole.SWITCH_INPUT})
_GENERIC_MODULE: Final = 18
_TUYA_MODULE: Final = 54


def tasmota_template(board: BoardDescription) -> str:
    """One line for Tasmota's template page. Raises ConfigError for a board with another chip than the ESP8266."""
    if board.chip != "ESP8266":
        raise ConfigError(
            f"Tasmota runs on ESP chips, and {board.name} has a {board.chip}",
            hint="export to openbeken or esphome instead",
        )
    codes = dict.fromkeys(_GPIOS, 0)
    leds = 0
    for pin in board.pins:
        number = max(pin.channel - 1, 0)
        if pin.role is BoardPinRole.LED:
            # Tasmota numbers LEDs by themselves, not by the relay they show. Source: tasmota/template
            number, leds = leds, leds + 1
        codes[pin.pin] = _code(pin, board.meter.chip) + (number if pin.role in _NUMBERED else 0)
    # A board whose microcontroller measures needs Tasmota's own module for those. Source: tasmota/template
    base = _GENERIC_MODULE if board.meter.chip else _TUYA_MODULE
    template = {"NAME": board.title, "GPIO": list(codes.values()), "FLAG": 0, "BASE": base}
    return json.dumps(template, separators=(",", ":"), ensure_ascii=False) + "\n"


def _code(pin: BoardPin, chip: str) -> int:
    if (pin.role, chip) in _BY_CHIP:
        return _BY_CHIP[pin.role, chip]
    level = pin.active
    if level is ActiveLevel.UNKNOWN:
        # Buttons pull to ground, relays and LEDs close high, where nobody wrote the level down.
        level = ActiveLevel.LOW if pin.role is BoardPinRole.BUTTON else ActiveLevel.HIGH
    return _CODES.get(pin.role, (0, 0))[level is ActiveLevel.LOW]
