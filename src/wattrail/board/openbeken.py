"""Export to OpenBeken: a template as in its device database, ``autoexec.bat``, and a script for the calibration."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import cast

from wattrail.bk7231 import Chip
from wattrail.board.front_panel import FrontPanel
from wattrail.board.model import BoardDescription, BoardMeterBus, BoardPinRole, check_takes_calibration
from wattrail.board.openbeken_roles import role_name
from wattrail.board.openbeken_script import (
    SIGNED_POWER_FLAG,
    autoexec,
    calibration_script,
    driver_commands,
    script_button_times,
    script_roles,
)
from wattrail.calibration import Calibration
from wattrail.errors import ConfigError
from wattrail.image.openbeken_settings import OpenBekenSettings, template_settings

__all__ = ["openbeken_files", "openbeken_settings", "openbeken_template"]

_USUAL_FLAGS = 1 << 10
"""Flag 10, which every device has from the factory: the state is published when MQTT connects."""

_HOW_TO_CALIBRATE = "with VoltageSet, CurrentSet and PowerSet on the device"

_MAX_STARTUP_COMMAND = 511
"""Characters of a start command, by the schema of the device database."""


def openbeken_files(
    board: BoardDescription, panel: FrontPanel, calibration: Calibration | None = None
) -> dict[str, str]:
    """The files by name. Raises ConfigError for a calibration that the board's chip cannot take."""
    if calibration is not None:
        check_takes_calibration(board, _HOW_TO_CALIBRATE)
    files = {
        "template.json": json.dumps(openbeken_template(board), indent=2, ensure_ascii=False) + "\n",
        "autoexec.bat": autoexec(board, panel, calibration),
    }
    if calibration is not None:
        files["calibrate_once.bat"] = calibration_script(calibration)
    return files


def openbeken_template(board: BoardDescription) -> dict[str, object]:
    """The board as an entry of the device database; pins without a role there are left out, as those of a UART."""
    pins = {str(pin.pin): f"{name};{pin.channel}" for pin in board.pins if (name := role_name(pin))}
    # A plain Btn toggles channels; a meter has none, and its gestures come from the script.
    if not board.pins_with(BoardPinRole.RELAY, BoardPinRole.RELAY_ON):
        buttons = {str(pin.pin) for pin in board.pins_with(BoardPinRole.BUTTON)}
        pins = {pin: role.replace("Btn;", "Btn_ScriptOnly;") if pin in buttons else role for pin, role in pins.items()}
    # Flag 25 keeps the sign: without it the firmware shows exported power as 0 W. Source: openbeken/commands
    flags = _USUAL_FLAGS | (1 << SIGNED_POWER_FLAG if board.meter.is_signed else 0)
    command = "; ".join(driver_commands(board))
    # A start command is one line: several are chained by backlog. Source: openbeken/commands
    command = f"backlog {command}" if ";" in command else command
    return {
        "vendor": board.vendor,
        "bDetailed": "0",
        "name": board.title,
        "model": ", ".join(board.models),
        "chip": board.chip,
        "board": board.module,
        "flags": str(flags),
        "keywords": [board.kind.value, board.meter.chip.upper() or BoardMeterBus.TUYAMCU.value],
        "pins": pins,
        "command": command[:_MAX_STARTUP_COMMAND],
        "image": "",
        "wiki": next((source.where for source in board.sources if source.where.startswith("https://")), ""),
    }


def openbeken_settings(
    board: BoardDescription, calibration: Calibration | None = None, *, scripted: FrontPanel | None = None
) -> OpenBekenSettings:
    """The template as settings of a device, and the constants as they are stored.

    ``scripted`` is the front panel of an ``autoexec.bat`` that goes to the device as well: what it sets is then wanted.

    Raises ConfigError for a board whose chip has no such settings, and for a calibration that its meter cannot take.
    """
    if board.chip not in {chip.value for chip in Chip}:
        raise ConfigError(
            f"{board.name} has a {board.chip}: OpenBeken's settings are written only on chips of the BK7231 family",
            hint="'wattrail board export' writes files for its firmware",
        )
    template = openbeken_template(board)
    if scripted is not None:
        pins = {str(pin): f"{role};{channel}" for pin, (role, channel) in script_roles(board).items()}
        template["pins"] = cast(dict[str, str], template["pins"]) | pins
    settings = template_settings(json.dumps(template), board.name)
    if scripted is not None and (times := script_button_times(board, scripted)):
        names = ("button_long", "button_short", "button_repeat")
        settings = replace(settings, numbers=dict(zip(names, times, strict=True)))
    if calibration is None:
        return settings
    check_takes_calibration(board, _HOW_TO_CALIBRATE)
    watt = calibration.counts_per_watt
    constants = (calibration.counts_per_volt, calibration.counts_per_amp, -watt if calibration.inverted else watt)
    return replace(settings, calibration=dict(enumerate(constants)))
