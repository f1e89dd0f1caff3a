"""Exports of a board by the name of the firmware they are for."""

from __future__ import annotations

from enum import StrEnum

from wattrail.board.esphome import esphome_yaml
from wattrail.board.front_panel import FrontPanel
from wattrail.board.model import BoardDescription
from wattrail.board.openbeken import openbeken_files
from wattrail.board.tasmota import tasmota_template
from wattrail.board.wattrail_toml import wattrail_lines
from wattrail.calibration import Calibration

__all__ = ["ExportTarget", "export_board"]


class ExportTarget(StrEnum):
    """What an export is for."""

    OPENBEKEN = "openbeken"
    ESPHOME = "esphome"
    TASMOTA = "tasmota"
    WATTRAIL = "wattrail"


def export_board(
    board: BoardDescription, target: ExportTarget, panel: FrontPanel, calibration: Calibration | None = None
) -> dict[str, str]:
    """The files of an export by name. Raises ConfigError for a board or a calibration that the target cannot take."""
    match target:
        case ExportTarget.OPENBEKEN:
            return openbeken_files(board, panel, calibration)
        case ExportTarget.ESPHOME:
            return {f"{board.name}.yaml": esphome_yaml(board, panel, calibration)}
        case ExportTarget.TASMOTA:
            return {"template.json": tasmota_template(board)}
        case ExportTarget.WATTRAIL:
            return {"wattrail.toml": wattrail_lines(board, calibration)}
