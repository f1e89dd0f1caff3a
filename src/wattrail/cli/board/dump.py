"""A dump as a file: what it says of its board, and its calibration."""

from __future__ import annotations

from pathlib import Path

from wattrail.board import ObservedWiring, calibration_in_dump, wirings_of_dump
from wattrail.calibration import Calibration
from wattrail.cli.exits import UsageError
from wattrail.cli.image.files import load
from wattrail.image.inspection import inspect_image
from wattrail.sanitize import printable

__all__ = ["constants_in_dump", "observed_in_dump"]


def observed_in_dump(path: Path) -> tuple[ObservedWiring, ...]:
    """Every configuration in a dump. Raises UsageError for one without, FileError, ImageError."""
    found, name = inspect_image(load(path)), printable(path.name)
    observed = wirings_of_dump(found, name)
    if not observed:
        answer = "its settings name no pins" if found.storage else found.storage_answer
        raise UsageError(
            f"{name}: no configuration of a board is in it ({answer})",
            hint=found.storage_hint or f"'wattrail image inspect {name}' says what is",
        )
    return observed


def constants_in_dump(path: Path) -> Calibration:
    """The calibration in a dump: the factory's, else OpenBeken's own. Raises UsageError for one without."""
    scale = calibration_in_dump(inspect_image(load(path)))
    if scale is None:
        raise UsageError(
            f"{printable(path.name)}: no factory constants, and no calibration of OpenBeken, are in it",
            hint="calibrate the meter: docs/calibration.md",
        )
    return scale
