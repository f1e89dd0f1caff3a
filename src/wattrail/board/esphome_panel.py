"""The button and the LED of a board as ESPHome's automations.

The LED is a plain output that one script drives without end: it looks which state holds, and plays its pattern once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wattrail.board.front_panel import FrontPanel, LedPattern, PanelAction, PanelState
from wattrail.board.model import ActiveLevel, BoardDescription, BoardMeterBus, BoardPin, BoardPinRole
from wattrail.board.openbeken_script import panel_button, panel_led

__all__ = ["AP_TIMEOUT_S", "after_setup_lines", "gpio", "panel_lines", "pin_lines"]

AP_TIMEOUT_S: Final = 90
"""Seconds without the network after which the access point opens by itself; ESPHome's own default."""

_RELAYS: Final = (BoardPinRole.RELAY, BoardPinRole.RELAY_ON)
_DEBOUNCE: Final = "20ms"
_LOOK_NOWHERE: Final = (
    "wifi::WiFiAP nowhere;",
    'nowhere.set_ssid("wattrail-setup");',
    'nowhere.set_password("nobody has this one");',
    "id(wifi_link).set_sta(nowhere);",
    "id(wifi_link).set_ap_timeout(1);",
)


def panel_lines(board: BoardDescription, panel: FrontPanel) -> Iterator[str]:
    """The lines of the button and of the LED; none for a board without both."""
    buttons, led = board.pins_with(BoardPinRole.BUTTON_ALL, BoardPinRole.BUTTON), panel_led(board)
    shared = panel_button(board)
    if shared is None and led is None:
        return
    yield from _globals()
    if shared:
        yield from ("button:", "  - platform: factory_reset", "    id: factory_settings", "    internal: true")
    if buttons or board.pins_with(BoardPinRole.SWITCH_INPUT):
        yield "binary_sensor:"
        for pin in buttons:
            yield from _button(board, pin, panel, takes_gestures=pin is shared)
        for pin in board.pins_with(BoardPinRole.SWITCH_INPUT):
            yield from _switch_input(board, pin)
    leds = [pin for pin in board.pins_with(BoardPinRole.LED, BoardPinRole.WIFI_LED) if pin is led]
    if leds:
        yield from ("output:", "  - platform: gpio", "    id: panel_led", *pin_lines(board, leds[0]))
    yield "script:"
    if shared:
        yield from _hold_script(panel)
    if led:
        yield from _led_script(board, panel)
        yield from ("interval:", "  - interval: 100ms", "    then:", "      - script.execute: show_state")


def after_setup_lines(board: BoardDescription, panel: FrontPanel) -> Iterator[str]:
    """What follows once the network that was set up is reached, as lines of ``wifi:``."""
    if panel_button(board) and panel.gesture(PanelAction.WIFI_SETUP):
        yield from ("  on_connect:", "    - globals.set: {id: is_set_up, value: 'false'}")
        yield f"    - lambda: id(wifi_link).set_ap_timeout({AP_TIMEOUT_S * 1000});"


def _globals() -> Iterator[str]:
    yield "globals:"
    for name, initial in (("is_resetting", "false"), ("is_set_up", "false"), ("is_displaying", "true")):
        yield from (f"  - id: {name}", "    type: bool", f"    initial_value: '{initial}'")


def _button(board: BoardDescription, pin: BoardPin, panel: FrontPanel, *, takes_gestures: bool) -> Iterator[str]:
    # Buttons of these boards pull to ground, where nobody wrote the level down.
    level = pin.active if pin.active is not ActiveLevel.UNKNOWN else ActiveLevel.LOW
    yield from ("  - platform: gpio", f"    id: button_{pin.pin}", "    internal: true")
    yield from ("    pin:", f"      number: {gpio(board, pin)}")
    yield from ("      mode: INPUT_PULLUP", f"      inverted: {'true' if level is ActiveLevel.LOW else 'false'}")
    yield from ("    filters:", f"      - delayed_on_off: {_DEBOUNCE}")
    setup = panel.gesture(PanelAction.WIFI_SETUP)
    # A millisecond below the next gesture, so that no press is both.
    longest = f"{round(setup.min_s * 1000) - 1}ms" if setup and takes_gestures else "1s"
    if short := list(_short_actions(board, pin)):
        yield from ("    on_click:", "      - min_length: 50ms", f"        max_length: {longest}", "        then:")
        yield from (f"          - {action}" for action in short)
    if takes_gestures:
        if setup:
            yield from _setup_gesture(panel, has_click=bool(short))
        yield from ("    on_press:", "      - script.execute: held_long")
        yield from ("    on_release:", "      - script.stop: held_long", "      - globals.set:")
        yield from ("          id: is_resetting", "          value: 'false'")


def _short_actions(board: BoardDescription, pin: BoardPin) -> Iterator[str]:
    relays = board.pins_with(*_RELAYS)
    if not relays:
        # Without a relay a short press has nothing to switch: it shows, or hides, what is measured.
        yield "globals.set: {id: is_displaying, value: '!id(is_displaying)'}"
    for relay in relays:
        if pin.role is BoardPinRole.BUTTON_ALL or relay.channel == pin.channel:
            yield f"switch.toggle: relay_{relay.channel or 1}"


def _setup_gesture(panel: FrontPanel, *, has_click: bool) -> Iterator[str]:
    """Opens the access point by looking for a network that is nowhere; what is stored stays until another is saved.

    ``clear_sta`` before ``wifi.enable`` would do as well, but then the next network is saved under another key of the
    flash, and is lost at the next start.
    """
    setup, reset = panel.gesture(PanelAction.WIFI_SETUP), panel.gesture(PanelAction.FACTORY_RESET)
    if setup is None:
        return
    if not has_click:
        yield "    on_click:"
    last = f"{round((reset.min_s - reset.warn_s) * 1000) - 1}ms" if reset else "20s"
    yield from (f"      - min_length: {round(setup.min_s * 1000)}ms", f"        max_length: {last}", "        then:")
    yield from ("          - globals.set: {id: is_set_up, value: 'true'}", "          - wifi.disable:")
    yield from ("          - wifi.enable:", "          - lambda: |-")
    yield from (f"              {line}" for line in _LOOK_NOWHERE)


def _hold_script(panel: FrontPanel) -> Iterator[str]:
    reset = panel.gesture(PanelAction.FACTORY_RESET)
    yield from ("  - id: held_long", "    mode: restart", "    then:")
    if reset is None:
        # The key has to have an action under it.
        yield "      - delay: 1ms"
        return
    yield f"      - delay: {round((reset.min_s - reset.warn_s) * 1000)}ms"
    yield "      - globals.set: {id: is_resetting, value: 'true'}"
    yield from (f"      - delay: {round(reset.warn_s * 1000)}ms", "      - button.press: factory_settings")


def _switch_input(board: BoardDescription, pin: BoardPin) -> Iterator[str]:
    yield from ("  - platform: gpio", f"    id: input_{pin.pin}", "    internal: true", "    pin:")
    yield from (f"      number: {gpio(board, pin)}", "      mode: INPUT_PULLUP")
    yield from ("    filters:", "      - delayed_on_off: 50ms", "    on_state:")
    numbers = {relay.channel or 1 for relay in board.pins_with(*_RELAYS)}
    number = pin.channel if pin.channel in numbers else min(numbers, default=0)
    # The key has to have an action under it.
    yield f"      - switch.toggle: relay_{number}" if number else "      - delay: 1ms"


def _led_script(board: BoardDescription, panel: FrontPanel) -> Iterator[str]:
    conditions = {
        PanelState.RESET_WARNING: "lambda: 'return id(is_resetting);'",
        PanelState.WIFI_SETUP: "lambda: 'return id(is_set_up) && !id(wifi_link).is_connected();'",
        PanelState.WIFI_CONNECTING: "not: {wifi.connected: {}}",
        PanelState.METER: "lambda: 'return id(is_displaying);'",
    }
    if board.pins_with(*_RELAYS):
        del conditions[PanelState.METER]
    if board.meter.bus in {BoardMeterBus.UART, BoardMeterBus.PULSES}:
        conditions[PanelState.ERROR] = (
            "lambda: 'return !(id(line_voltage).state >= 1.0f);'"  # not a number before the first
        )
    yield "  # ESPHome has no Bluetooth on these chips, so that the pattern ble is left out."
    yield from ("  - id: show_state", "    mode: single", "    then:")
    indent = "      "
    for pattern in panel.patterns:
        if pattern.state in conditions:
            yield from (f"{indent}- if:", f"{indent}    condition:", f"{indent}      {conditions[pattern.state]}")
            yield f"{indent}    then:"
            yield from _pattern(pattern, f"{indent}      ")
            yield f"{indent}    else:"
            indent += "      "
    power = panel.pattern(PanelState.POWER)
    yield from _pattern(power, indent) if power else (f"{indent}- output.turn_off: panel_led",)


def _pattern(pattern: LedPattern, indent: str) -> Iterator[str]:
    for pulse in pattern.pulses:
        for action, length in (("turn_on", pulse.on_ms), ("turn_off", pulse.off_ms)):
            if length:
                yield f"{indent}- output.{action}: panel_led"
                yield f"{indent}- delay: {length}ms"


def pin_lines(board: BoardDescription, pin: BoardPin) -> Iterator[str]:
    """A pin of a component, with its level."""
    yield from ("    pin:", f"      number: {gpio(board, pin)}")
    if pin.active is ActiveLevel.LOW:
        yield "      inverted: true"


def gpio(board: BoardDescription, pin: BoardPin) -> str:
    """The name of a pin."""
    return f"GPIO{pin.pin}" if board.chip == "ESP8266" else f"P{pin.pin}"
