"""Settings of OpenBeken by the board that they are for: its name, a board file, or a template."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wattrail.cli import output
from wattrail.cli.exits import UsageError

if TYPE_CHECKING:
    from wattrail.board.front_panel import FrontPanel
    from wattrail.calibration import Calibration
    from wattrail.image.openbeken_settings import OpenBekenSettings

__all__ = ["board_script", "board_settings", "is_template"]

_BOARD_FILE = ".toml"


def board_settings(given: str, calibration: str | None, *, scripted: FrontPanel | None = None) -> OpenBekenSettings:
    """Pins, startup command and flags of a board; with ``calibration`` its constants too.

    A name of a known board is that board; a file is a template, or with ``.toml`` a board of a person's own.
    ``scripted`` is the front panel of an autoexec.bat that is written too. Raises UsageError, FileError,
    ConfigError, ImageError, MissingExtra.
    """
    from wattrail.board import load_board
    from wattrail.board.openbeken import openbeken_settings

    if is_template(given):
        return _of_template(Path(given), calibration)
    board = load_board(given)
    output.note(f"board: {board.title}, {board.chip}")
    return openbeken_settings(board, _scale(calibration), scripted=scripted)


def board_script(given: str, panel: FrontPanel) -> str | None:
    """The board's ``autoexec.bat``: its driver, gestures of its button, patterns of its LED; None for a template.

    Raises FileError, ConfigError, MissingExtra.
    """
    from wattrail.board import load_board
    from wattrail.board.openbeken_script import autoexec

    return None if is_template(given) else autoexec(load_board(given), panel)


def is_template(given: str) -> bool:
    """Whether it is a file of OpenBeken's, and no board by its name or its .toml file."""
    from wattrail.board import board_names

    path = Path(given)
    return given not in board_names() and path.suffix != _BOARD_FILE and (bool(path.suffix) or path.exists())


def _of_template(path: Path, calibration: str | None) -> OpenBekenSettings:
    from wattrail.device.settings_file import read_template

    if calibration is not None:
        raise UsageError(
            f"--calibration needs a board by its name: {path} does not say what measures",
            hint="'wattrail board search WORD' finds the name; a settings file takes constants under [calibration]",
        )
    return read_template(path)


def _scale(calibration: str | None) -> Calibration | None:
    if calibration is None:
        return None
    from wattrail.cli.board.calibration_source import calibration_named
    from wattrail.cli.calibration_store import StoreOptions

    return calibration_named(calibration, StoreOptions())
