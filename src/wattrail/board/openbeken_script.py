"""OpenBeken's ``autoexec.bat`` for a board: its driver, its flags, its button and its LED.

Every command used here, its arguments and its events stand in the table of ``tests/board/openbeken_commands.py``, which
was read in the firmware's source. Source: openbeken/commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wattrail.board.front_panel import FrontPanel, LedPattern, PanelAction, PanelState
from wattrail.board.model import ActiveLevel, BoardDescription, BoardMeterBus, BoardPin, BoardPinRole, StockDatapoint
from wattrail.calibration import Calibration

__all__ = [
    "SIGNED_POWER_FLAG",
    "autoexec",
    "calibration_script",
    "driver_commands",
    "panel_button",
    "panel_led",
    "script_button_times",
    "script_roles",
]

SIGNED_POWER_FLAG: Final = 25
"""Without it negative power is shown as 0, and export looks like no load."""

_DEFAULT_CONSTANTS: Final = {"VoltageSet": 15188.0, "CurrentSet": 251210.0, "PowerSet": 598.0}
"""Counts per volt, ampere and watt of the driver before any calibration. Source: openbeken/commands."""

_OPEN, _HELD, _DISPLAY, _WIFI, _LED = 27, 28, 29, 30, 31
"""Channels of the script: whether the access point is open, seconds held, whether the display is on, state of the
Wi-Fi, the LED.

Relays use 1 to 16. The firmware keeps what is private, and so not published, for channels below 32 only: with the LED
on channel 53 its blinking went to the broker twice a second. Seen with 1.18.300, read in its cmd_channels.c.
"""

_WIFI_CONNECTING, _WIFI_CONNECTED = 1, 4
_WIFI_STATES: Final = range(1, 7)
# The driver's own default: a rate that is not named is this one. Source: openbeken/commands
_USUAL_BAUD: Final = 4800
_CHANNEL_TYPES: Final = {
    ("V", 1): "Voltage_div10", ("V", 2): "Voltage_div100", ("A", 2): "Current_div100", ("A", 3): "Current_div1000",
    ("W", 0): "Power", ("W", 1): "Power_div10", ("W", 2): "Power_div100", ("kWh", 2): "EnergyTotal_kWh_div100",
    ("kWh", 3): "EnergyTotal_kWh_div1000",
}  # fmt: skip


def autoexec(board: BoardDescription, panel: FrontPanel, calibration: Calibration | None = None) -> str:
    """The whole file. ``calibration`` is noted in it; ``calibration_script`` sets it, once."""
    lines = [f"// {board.title}, written by wattrail", *_notes(board, calibration)]
    if board.meter.is_signed:
        lines += ["// power keeps its sign: export is negative", f"SetFlag {SIGNED_POWER_FLAG} 1"]
    lines += driver_commands(board)
    button, led = panel_button(board), panel_led(board)
    if button:
        lines += _button_lines(board, button, panel)
    if led:
        lines += _led_lines(board, led, panel)
    return "\n".join(lines) + "\n"


def driver_commands(board: BoardDescription) -> list[str]:
    """What starts the driver of the meter. A pulse chip starts by the roles of its pins."""
    match board.meter.bus:
        case BoardMeterBus.SPI:
            return ["startDriver BL0942SPI"]
        case BoardMeterBus.UART:
            driver = "CSE7766" if board.meter.chip in {"cse7766", "hlw8032"} else board.meter.chip.upper()
            baud = f" {board.meter.baud}" if board.meter.baud not in {None, _USUAL_BAUD} else ""
            return [f"startDriver {driver}{baud}"]
        case BoardMeterBus.TUYAMCU:
            rate = [f"tuyaMcu_setBaudRate {board.meter.baud}"] if board.meter.baud else []
            return ["startDriver TuyaMCU", *rate, *_links(board.datapoints)]
        case BoardMeterBus.PULSES:
            return ["startDriver BL0937"]


def _links(datapoints: tuple[StockDatapoint, ...]) -> Iterator[str]:
    for channel, point in enumerate(datapoints, start=1):
        kind = _CHANNEL_TYPES.get((point.unit, point.decimals))
        if kind:
            yield f"setChannelType {channel} {kind}"
            yield f"linkTuyaMCUOutputToChannel {point.id} val {channel}"


def panel_button(board: BoardDescription) -> BoardPin | None:
    """The button that takes the gestures: the first."""
    return board.pin_with(BoardPinRole.BUTTON_ALL, BoardPinRole.BUTTON)


def panel_led(board: BoardDescription) -> BoardPin | None:
    """The LED that shows the states: the Wi-Fi's, or one that belongs to no relay."""
    return board.pin_with(BoardPinRole.WIFI_LED) or next(
        (pin for pin in board.pins_with(BoardPinRole.LED) if not pin.channel), None
    )


def script_roles(board: BoardDescription) -> dict[int, tuple[str, int]]:
    """The role and the channel that the script gives to a pin, in place of those of the template."""
    button, led, roles = panel_button(board), panel_led(board), dict[int, tuple[str, int]]()
    if button and not board.pins_with(BoardPinRole.RELAY, BoardPinRole.RELAY_ON):
        roles[button.pin] = ("Btn_ScriptOnly_n" if button.active is ActiveLevel.HIGH else "Btn_ScriptOnly", 0)
    if led:
        roles[led.pin] = ("LED_n" if led.active is ActiveLevel.LOW else "LED", _LED)
    return roles


def script_button_times(board: BoardDescription, panel: FrontPanel) -> tuple[int, int, int] | None:
    """Tenths of a second of a long press, a short one and between repeats; None where the script sets none."""
    setup = panel.gesture(PanelAction.WIFI_SETUP)
    # Repeats once a second, so that OnHold counts seconds; 0.3 s is the firmware's own short press.
    return (round(setup.min_s * 10), 3, 10) if setup and panel_button(board) else None


def _notes(board: BoardDescription, calibration: Calibration | None) -> Iterator[str]:
    for pin in (panel_button(board), panel_led(board)):
        if pin and pin.active is ActiveLevel.UNKNOWN:
            yield f"// the level of P{pin.pin} is not known: if it works the wrong way round, add or remove _n below"
    if calibration:
        yield (
            f"// calibration: {calibration.counts_per_volt:.10g} counts a volt, {calibration.counts_per_amp:.10g} "
            f"an ampere, {calibration.counts_per_watt:.10g} a watt; calibrate_once.bat sets it"
        )


def _button_lines(board: BoardDescription, button: BoardPin, panel: FrontPanel) -> Iterator[str]:
    setup, reset = panel.gesture(PanelAction.WIFI_SETUP), panel.gesture(PanelAction.FACTORY_RESET)
    if role := script_roles(board).get(button.pin):
        yield f"SetPinRole {button.pin} {role[0]}"
        if panel.gesture(PanelAction.TOGGLE_DISPLAY):
            yield f"SetChannel {_DISPLAY} 1"
            yield f"addEventHandler OnClick {button.pin} ToggleChannel {_DISPLAY}"
    times = script_button_times(board, panel)
    if setup is None or times is None:
        return
    first = round(setup.min_s)
    yield f"// held {setup.min_s:g} s: the access point opens, nothing is erased"
    yield "setButtonTimes {} {} {}".format(*times)
    # The first OnHold comes at once or after a second (both seen with 1.18.300), so the count begins one lower: a reset
    # may come a second late, never early.
    yield f"addEventHandler OnHoldStart {button.pin} SetChannel {_HELD} {first - 1}"
    yield f"addEventHandler OnHold {button.pin} AddChannel {_HELD} 1"
    # Without a reset nothing ends the gesture: 999 s is longer than anybody holds a button.
    last = round(reset.min_s - reset.warn_s) if reset else 999
    yield f"alias open_now backlog OpenAP; SetChannel {_OPEN} 1"
    yield f"alias open_ap if $CH{_HELD}<{last} then open_now"
    yield f"alias let_go backlog if $CH{_HELD}>{first - 2} then open_ap; SetChannel {_HELD} 0"
    yield f"addEventHandler OnRelease {button.pin} let_go"
    if reset:
        yield f"// held {reset.min_s:g} s: factory settings, after a warning of {reset.warn_s:g} s; letting go cancels"
        yield "alias factory_reset backlog clearConfig; restart"
        yield f"addChangeHandler Channel{_HELD} == {round(reset.min_s)} factory_reset"


def _led_lines(board: BoardDescription, led: BoardPin, panel: FrontPanel) -> Iterator[str]:
    yield "// the LED: the first state that holds is shown; OpenBeken has no Bluetooth, so ble is left out"
    role, channel = script_roles(board)[led.pin]
    yield f"SetPinRole {led.pin} {role}"
    yield f"SetPinChannel {led.pin} {channel}"
    yield from (f"SetChannelPrivate {channel} 1" for channel in (_OPEN, _HELD, _DISPLAY, _WIFI, _LED))
    yield from (f"addChangeHandler WiFiState == {state} SetChannel {_WIFI} {state}" for state in _WIFI_STATES)
    # The firmware says nothing of an access point that opens, only of somebody who joins it; without the name of a
    # network it opens it at the start. Seen with 1.18.300.
    yield f"SetChannel {_OPEN} 1"
    yield from (
        f"addChangeHandler WiFiState == {state} SetChannel {_OPEN} 0" for state in (_WIFI_CONNECTING, _WIFI_CONNECTED)
    )
    yield "led_again:"
    shown = [(state, condition) for state, condition in _conditions(board, panel) if panel.pattern(state)]
    # Without quotes: the firmware strips them only before an else, and would look for a label with a quote at its end.
    yield from (f"if {condition} then goto led_{state}" for state, condition in shown)
    for state in (PanelState.POWER, *(state for state, _ in shown)):
        if pattern := panel.pattern(state):
            yield from _pattern_lines(pattern)


def _conditions(board: BoardDescription, panel: FrontPanel) -> Iterator[tuple[PanelState, str]]:
    reset = panel.gesture(PanelAction.FACTORY_RESET)
    if reset and reset.warn_s and panel_button(board):
        yield PanelState.RESET_WARNING, f"$CH{_HELD}>{round(reset.min_s - reset.warn_s) - 1}"
    yield PanelState.WIFI_SETUP, f"$CH{_OPEN}==1"
    yield PanelState.WIFI_CONNECTING, f"$CH{_WIFI}!={_WIFI_CONNECTED}"
    if board.meter.bus is not BoardMeterBus.TUYAMCU:
        yield PanelState.ERROR, "$voltage<1"
    if panel_button(board) and not board.pins_with(BoardPinRole.RELAY, BoardPinRole.RELAY_ON):
        yield PanelState.METER, f"$CH{_DISPLAY}==1"


def _pattern_lines(pattern: LedPattern) -> Iterator[str]:
    yield f"led_{pattern.state}:"
    for pulse in pattern.pulses:
        for value, length in ((1, pulse.on_ms), (0, pulse.off_ms)):
            if length:
                yield f"SetChannel {_LED} {value}"
                yield f"delay_ms {length}"
    yield "goto led_again"


def calibration_script(calibration: Calibration) -> str:
    """A script that carries the constants over, to be run once, by hand, under load.

    The firmware takes no constants, only what a reference meter reads: constant = count / reading. Its own reading is
    count / default, so that ``reading * default / constant`` leaves exactly our constant. That holds while the default
    is in force, and only for quantities that are not 0.
    """
    constants = {
        "VoltageSet": ("$voltage", calibration.counts_per_volt),
        "CurrentSet": ("$current", calibration.counts_per_amp),
        "PowerSet": ("$power", -calibration.counts_per_watt if calibration.inverted else calibration.counts_per_watt),
    }
    lines = [
        "// Sets the calibration of this meter, once, by hand: startScript calibrate_once.bat",
        "// It needs a device that was never calibrated, and a load of 100 W or more. A second run would be wrong:",
        "// only after clearConfig may it run again.",
    ]
    for command, (variable, constant) in constants.items():
        lines.append(f"{command} {variable}*{_DEFAULT_CONSTANTS[command] / constant:.9f}")
    return "\n".join(lines) + "\n"
