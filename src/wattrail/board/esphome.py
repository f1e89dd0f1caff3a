"""Export to ESPHome: a configuration for LibreTiny (Beken) and for the ESP8266.

Each part of the file is a function that gives lines of YAML; ``tests/contract/test_esphome.py`` has ESPHome itself
check the exports of every board. Source: esphome/components.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from wattrail.board.esphome_panel import AP_TIMEOUT_S, after_setup_lines, gpio, panel_lines, pin_lines
from wattrail.board.front_panel import FrontPanel
from wattrail.board.model import (
    ActiveLevel,
    BoardDescription,
    BoardMeterBus,
    BoardPin,
    BoardPinRole,
    check_takes_calibration,
)
from wattrail.calibration import Calibration
from wattrail.errors import ConfigError

__all__ = ["esphome_yaml"]

_BEKEN: Final = frozenset({"BK7231N", "BK7231T", "BK7238"})
_BOARDS: Final = frozenset(
    {
        "cb1s", "cb2l", "cb2s", "cb3l", "cb3s", "cb3se", "cblc5", "cbu", "t1-2s", "t1-3s", "t1-m", "t1-u",
        "wb1s", "wb2l", "wb2s", "wb3l", "wb3s", "wblc5",
    }
)  # fmt: skip
# For modules without a board of their own in ESPHome: the generic ones carry Tuya's layout of the flash.
_GENERIC: Final = {
    "BK7231N": "generic-bk7231n-qfn32-tuya",
    "BK7231T": "generic-bk7231t-qfn32-tuya",
    "BK7238": "generic-bk7238-tuya",
}
_MAX_NAME: Final = 31
"""Characters of a host name that ESPHome takes."""

_UNITS: Final = {
    "V": ("voltage", "measurement"),
    "A": ("current", "measurement"),
    "W": ("power", "measurement"),
    "kWh": ("energy", "total_increasing"),
}
_QUANTITIES: Final = ("voltage", "current", "power", "energy")


def esphome_yaml(board: BoardDescription, panel: FrontPanel, calibration: Calibration | None = None) -> str:
    """The configuration. Raises ConfigError for a chip that ESPHome is not exported for, or a useless calibration."""
    if board.chip not in {*_BEKEN, "ESP8266"}:
        raise ConfigError(
            f"{board.name} has a {board.chip}: exports to ESPHome are for {', '.join(sorted(_BEKEN))} and ESP8266",
            hint="export to openbeken instead",
        )
    if calibration is not None:
        check_takes_calibration(board, "in ESPHome")
    parts = (
        _head(board), _network(board, panel), _meter(board, calibration), _relays(board), panel_lines(board, panel),
    )  # fmt: skip
    return "\n".join("\n".join(part) for part in map(list, parts) if part) + "\n"


def _head(board: BoardDescription) -> Iterator[str]:
    yield f"# {board.title}, written by wattrail"
    yield from _missing(board)
    name = re.sub(r"[^a-z0-9]+", "-", board.name.lower()).strip("-")[:_MAX_NAME].rstrip("-")
    yield from ("esphome:", f"  name: {name}", f"  friendly_name: {_text(board.title.replace('/', ' '))}")
    if board.chip == "ESP8266":
        yield from ("esp8266:", "  board: esp01_1m")
    else:
        yield from ("bk72xx:", f"  board: {_board_id(board)}")
    # The metering chip or the MCU has the UART on which ESPHome would log.
    yield from ("logger:", *(["  baud_rate: 0"] if _uses_uart(board) else []), "api:")
    yield from ("ota:", "  - platform: esphome")


def _missing(board: BoardDescription) -> Iterator[str]:
    if board.meter.bus is BoardMeterBus.SPI:
        chip = board.meter.chip.upper()
        yield f"# ESPHome reads the {chip} over a UART only, and this board has it on SPI: nothing here"
        yield "# measures voltage, current or power. OpenBeken does. What ESPHome can do is count the pulses of energy,"
        yield "# without their direction; how many make a kilowatt-hour has to be measured."
    unknown = [pin for pin in board.pins if pin.active is ActiveLevel.UNKNOWN and pin.role in _WITH_LEVEL]
    for pin in unknown:
        yield f"# The level of {gpio(board, pin)} is not known: if it works the wrong way round, change 'inverted'."


_WITH_LEVEL: Final = frozenset(
    {
        BoardPinRole.RELAY,
        BoardPinRole.BUTTON,
        BoardPinRole.BUTTON_ALL,
        BoardPinRole.LED,
        BoardPinRole.WIFI_LED,
        BoardPinRole.SEL,
    }
)


def _board_id(board: BoardDescription) -> str:
    module = board.module.lower()
    found = next((known for known in (module, module.removesuffix("-hl"), module.removesuffix("-nl"))
                  if known in _BOARDS), None)  # fmt: skip
    return found or _GENERIC[board.chip]


def _network(board: BoardDescription, panel: FrontPanel) -> Iterator[str]:
    yield from ("wifi:", "  id: wifi_link", "  ssid: !secret wifi_ssid", "  password: !secret wifi_password")
    yield from ("  ap:", f"    ap_timeout: {AP_TIMEOUT_S}s")
    yield from after_setup_lines(board, panel)
    yield "captive_portal:"


def _uses_uart(board: BoardDescription) -> bool:
    return board.meter.bus in {BoardMeterBus.UART, BoardMeterBus.TUYAMCU}


def _meter(board: BoardDescription, calibration: Calibration | None) -> Iterator[str]:
    match board.meter.bus:
        case BoardMeterBus.UART:
            yield from _uart(board)
            yield from ("sensor:", *_uart_sensor(board, calibration))
        case BoardMeterBus.PULSES:
            yield from ("sensor:", *_pulse_sensor(board))
        case BoardMeterBus.TUYAMCU:
            yield from _uart(board)
            yield "tuya:"
            if board.datapoints:
                yield from ("sensor:", *_tuya_sensors(board))
        case BoardMeterBus.SPI:
            if pulses := board.pin_with(BoardPinRole.ENERGY_PULSE):
                yield from ("sensor:", "  - platform: pulse_counter", f"    pin: {gpio(board, pulses)}")
                yield from ("    name: Energy pulses", "    total:", "      name: Energy pulses in total")


def _uart(board: BoardDescription) -> Iterator[str]:
    pins = {"rx_pin": board.pin_with(BoardPinRole.METER_RX), "tx_pin": board.pin_with(BoardPinRole.METER_TX)}
    yield "uart:"
    # Only its own UART will do for a meter: the other one of an ESP8266 cannot receive.
    if board.chip == "ESP8266":
        yield "  rx_pin: RX"
        if board.meter.bus is BoardMeterBus.TUYAMCU:
            yield "  tx_pin: TX"
    else:
        for key, pin in pins.items():
            yield f"  {key}: {gpio(board, pin) if pin else key[:2].upper() + '1'}"
    usual = 9600 if board.meter.bus is BoardMeterBus.TUYAMCU else 4800
    if board.meter.baud is None:
        yield "  # the rate is not known: 9600 and 115200 are usual with a microcontroller, 4800 with a metering chip"
    yield f"  baud_rate: {board.meter.baud or usual}"
    # 4800 baud with even parity, by the chip's manual. Source: cse7766-ds/frame
    if board.meter.chip in {"cse7766", "hlw8032"} and board.meter.bus is BoardMeterBus.UART:
        yield "  parity: EVEN"


def _uart_sensor(board: BoardDescription, calibration: Calibration | None) -> Iterator[str]:
    # One frame under two names.
    platform = "cse7766" if board.meter.chip == "hlw8032" else board.meter.chip
    yield f"  - platform: {platform}"
    if platform == "cse7766":
        yield from _named((*_QUANTITIES,))
        return
    yield "    update_interval: 10s"
    yield from _named((*_QUANTITIES, *(("frequency",) if platform == "bl0942" else ())))
    if calibration:
        power = -calibration.counts_per_watt if calibration.inverted else calibration.counts_per_watt
        yield f"    voltage_reference: {calibration.counts_per_volt:.10g}"
        yield f"    current_reference: {calibration.counts_per_amp:.10g}"
        yield f"    power_reference: {power:.10g}"


def _pulse_sensor(board: BoardDescription) -> Iterator[str]:
    yield "  - platform: hlw8012"
    yield f"    model: {board.meter.chip.upper()}"
    for key, role in (("cf_pin", BoardPinRole.CF), ("cf1_pin", BoardPinRole.CF1)):
        if pin := board.pin_with(role):
            yield f"    {key}: {gpio(board, pin)}"
    if sel := board.pin_with(BoardPinRole.SEL):
        # ESPHome holds the pin high for current, and the chip wants it high for voltage.
        inverted = "false" if sel.active is ActiveLevel.LOW else "true"
        yield from ("    sel_pin:", f"      number: {gpio(board, sel)}", f"      inverted: {inverted}")
    if board.meter.shunt_milliohms:
        yield f"    current_resistor: {board.meter.shunt_milliohms / 1000:g}"
    yield from ("    update_interval: 10s", *_named(_QUANTITIES))


def _named(quantities: tuple[str, ...]) -> Iterator[str]:
    for quantity in quantities:
        yield from (f"    {quantity}:", f"      name: {quantity.capitalize()}")
        if quantity == "voltage":
            yield "      id: line_voltage"


def _tuya_sensors(board: BoardDescription) -> Iterator[str]:
    for point in board.datapoints:
        if point.unit in _UNITS:
            device_class, state_class = _UNITS[point.unit]
            yield from ("  - platform: tuya", f"    name: {_text(point.quantity.capitalize())}")
            yield from (f"    sensor_datapoint: {point.id}", f"    unit_of_measurement: {point.unit}")
            yield from (f"    device_class: {device_class}", f"    state_class: {state_class}")
            yield f"    accuracy_decimals: {point.decimals}"
            # The wire carries whole numbers only: 2304 for 230.4 V. Source: tuya/data-points
            if point.decimals:
                yield from ("    filters:", f"      - multiply: {10**-point.decimals:g}")


def _relays(board: BoardDescription) -> Iterator[str]:
    relays = board.pins_with(BoardPinRole.RELAY)
    latching = board.pins_with(BoardPinRole.RELAY_ON)
    if not relays and not latching:
        return
    yield "switch:"
    for relay in relays:
        yield from (
            "  - platform: gpio",
            f"    id: relay_{relay.channel or 1}",
            f"    name: {_relay_name(board, relay)}",
        )
        yield from pin_lines(board, relay)
    for coil in latching:
        yield from _latching(board, coil)


def _relay_name(board: BoardDescription, relay: BoardPin) -> str:
    return f"Relay {relay.channel}" if len(board.pins_with(BoardPinRole.RELAY, BoardPinRole.RELAY_ON)) > 1 else "Relay"


def _latching(board: BoardDescription, on: BoardPin) -> Iterator[str]:
    """A relay of two coils: a pulse of 100 ms on one or the other."""
    off = next((pin for pin in board.pins_with(BoardPinRole.RELAY_OFF) if pin.channel == on.channel), None)
    number = on.channel or 1
    for coil, word in ((on, "on"), (off, "off")):
        if coil:
            yield from ("  - platform: gpio", f"    id: relay_{number}_{word}", "    internal: true")
            yield from pin_lines(board, coil)
            yield from ("    on_turn_on:", "      - delay: 100ms", f"      - switch.turn_off: relay_{number}_{word}")
    yield from ("  - platform: template", f"    id: relay_{number}", f"    name: {_relay_name(board, on)}")
    yield from ("    optimistic: true", "    turn_on_action:", f"      - switch.turn_on: relay_{number}_on")
    if off:
        yield from ("    turn_off_action:", f"      - switch.turn_on: relay_{number}_off")


def _text(text: str) -> str:
    """A text as a scalar of YAML, which takes JSON's strings."""
    return json.dumps(text, ensure_ascii=False)
