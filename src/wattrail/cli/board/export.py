"""``wattrail board export``."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.board import ExportTarget, calibration_in_dump, export_board, load_board, load_front_panel
from wattrail.calibration import Calibration
from wattrail.cli import output
from wattrail.cli.board.show import BoardName
from wattrail.cli.calibration.record import one_of
from wattrail.cli.calibration_store import calibrations_of_name
from wattrail.cli.exits import UsageError
from wattrail.cli.image.files import load
from wattrail.cli.option_types import BooksOptions, Json
from wattrail.image.inspection import inspect_image
from wattrail.sanitize import printable

__all__ = ["calibration_named", "export"]


def export(
    board: BoardName,
    *,
    to: Annotated[ExportTarget, Parameter(help="Which firmware it is for, or wattrail itself.")],
    calibration: Annotated[
        str | None,
        Parameter(help="Carry it over: name of a meter, a dump, or a file of 'calibration export' (.json)."),
    ] = None,
    panel: Annotated[Path | None, Parameter(help="Gestures and patterns of your own, a .toml file.")] = None,
    folder: Annotated[Path | None, Parameter(help="Write the files there; none may exist yet. Else to stdout.")] = None,
    json: Json = False,
    options: BooksOptions | None = None,
) -> None:
    """Write what OpenBeken, ESPHome or Tasmota needs to know of it.

    For OpenBeken a template and autoexec.bat, for ESPHome a configuration, for Tasmota a template, for wattrail the
    lines of wattrail.toml.
    """
    scale = calibration_named(calibration, options or BooksOptions()) if calibration else None
    files = export_board(load_board(board), to, load_front_panel(panel), scale)
    if folder is not None:
        _write(files, folder)
    elif json:
        print(dumps({"board": board, "to": to, "files": files}))
    else:
        for name, text in files.items():
            if len(files) > 1:
                output.note(f"---- {name}")
            print(text, end="")


def _write(files: dict[str, str], folder: Path) -> None:
    """All of the files, or none where one exists. Raises UsageError."""
    existing = [name for name in files if (folder / name).exists()]
    if existing:
        raise UsageError(f"{folder} already holds {', '.join(existing)}", hint="name another folder, or remove them")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            # x, not w: the look above was a moment ago.
            with (folder / name).open("x", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
            output.note(f"{folder / name} written")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from error


# ---- where --calibration comes from


_SUFFIX = ".json"


def calibration_named(given: str, options: BooksOptions) -> Calibration:
    """The calibration; a note for one of a simulated meter. Raises UsageError, FileError, ConfigError, ImageError."""
    if not given.endswith(_SUFFIX) and Path(given).is_file():
        return _constants_in_dump(Path(given))
    if given.endswith(_SUFFIX):
        from wattrail.store.calibration_file import taken_from_file

        taken = taken_from_file(Path(given), None)
        simulated, scale = taken.simulated, taken.calibration
    else:
        kept = one_of(calibrations_of_name(given, options), None)
        simulated, scale = kept.simulated, kept.calibration
    if simulated:
        output.note(f"{given} is the calibration of a simulated meter: it fits no real one")
    return scale


def _constants_in_dump(path: Path) -> Calibration:
    """The calibration in a dump: the factory's, else OpenBeken's own. Raises UsageError for one without."""
    scale = calibration_in_dump(inspect_image(load(path)))
    if scale is None:
        raise UsageError(
            f"{printable(path.name)}: no factory constants, and no calibration of OpenBeken, are in it",
            hint="calibrate the meter: docs/calibration.md",
        )
    return scale
