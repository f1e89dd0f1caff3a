"""Where ``--calibration`` of a board comes from: a meter by its name, a dump, or a file of ``calibration export``."""

from __future__ import annotations

from pathlib import Path

from wattrail.calibration import Calibration
from wattrail.cli import output
from wattrail.cli.board.dump import constants_in_dump
from wattrail.cli.calibration.record import one_of, taken_from_file
from wattrail.cli.calibration_store import StoreOptions, calibrations_of_name

__all__ = ["calibration_named"]

_SUFFIX = ".json"


def calibration_named(given: str, options: StoreOptions) -> Calibration:
    """The calibration; a note for one of a simulated meter. Raises UsageError, FileError, ConfigError, ImageError."""
    if not given.endswith(_SUFFIX) and Path(given).is_file():
        return constants_in_dump(Path(given))
    if given.endswith(_SUFFIX):
        taken = taken_from_file(Path(given), None)
        simulated, scale = taken.simulated, taken.calibration
    else:
        kept = one_of(calibrations_of_name(given, options), None)
        simulated, scale = kept.simulated, kept.calibration
    if simulated:
        output.note(f"{given} is the calibration of a simulated meter: it fits no real one")
    return scale
