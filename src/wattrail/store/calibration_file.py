"""A file of kept calibrations: every one of a meter with what it rests on as JSON, and one of them back from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattrail.calibration import Calibration
from wattrail.errors import ConfigError
from wattrail.files import decode_json, read_text
from wattrail.metrology.proposal import constants
from wattrail.sanitize import printable
from wattrail.store.calibrations import KeptCalibration
from wattrail.units import utc_text

__all__ = ["TakenCalibration", "as_document", "as_fields", "taken_from_file"]

_FORMAT: Final = "wattrail calibrations 1"
_ANY: Final = Calibration(1.0, 1.0, 1.0)

_MAX_WHOLE: Final = 1_000_000
"""Calibrations of one meter, and turns of a wire: far beyond any that were ever kept."""


@dataclass(frozen=True, slots=True)
class TakenCalibration:
    """A calibration to be put back, and where it was taken from."""

    number: int
    calibration: Calibration
    turns: int
    simulated: bool
    words: str


def as_fields(kept: KeptCalibration) -> dict[str, object]:
    """Everything about one, for programs."""
    return {
        "number": kept.number,
        "meter": kept.meter,
        "simulated": kept.simulated,
        "at": utc_text(kept.at),
        "by": kept.by,
        "origin": kept.origin,
        "note": kept.note,
        "turns": kept.turns,
        "calibration": constants(kept.calibration),
        "evidence": json.loads(kept.evidence),
    }


def as_document(kept: Sequence[KeptCalibration]) -> dict[str, object]:
    """A file of them."""
    return {"format": _FORMAT, "calibrations": [as_fields(one) for one in kept]}


def taken_from_file(file: Path, number: int | None) -> TakenCalibration:
    """One calibration of an exported file, the newest for None. Raises ConfigError for any other file, FileError."""
    name, text = printable(str(file)), read_text(file)
    try:
        found = [one for one in _exported(decode_json(text)) if number in {None, one.get("number")}]
        taken = _taken(found[-1], file) if found else None
    except ValueError as error:
        raise ConfigError(
            f"{name} is not an export of calibrations: {printable(str(error))}",
            hint="'wattrail calibration export METER FILE' writes one",
        ) from error
    if taken is None:
        raise ConfigError(f"{name} holds no calibration {number or ''}".rstrip())
    return taken


def _exported(document: object) -> list[dict[str, object]]:
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise ValueError(f"its format is not {_FORMAT!r}")
    found = document.get("calibrations")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError("calibrations must be a list of objects")
    return found


def _taken(fields: dict[str, object], file: Path) -> TakenCalibration:
    number, turns, scale = _whole(fields, "number"), _whole(fields, "turns"), fields.get("calibration")
    simulated = fields.get("simulated")
    if not isinstance(simulated, bool):
        raise ValueError("simulated must be true or false")  # what is not known to be a meter's may be a twin's
    if not isinstance(scale, dict) or not set(constants(_ANY)) >= set(scale):
        raise ValueError(f"calibration must hold {', '.join(constants(_ANY))}, and nothing else")
    words = f"calibration {number} of {printable(str(fields.get('meter')), limit=64)} from {printable(file.name)}"
    try:
        return TakenCalibration(number, Calibration(**scale), turns, simulated, words)
    except TypeError as error:
        raise ValueError(f"calibration must hold {', '.join(constants(_ANY))}") from error


def _whole(fields: dict[str, object], name: str) -> int:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_WHOLE:
        raise ValueError(f"{name} must be a whole number from 1 to {_MAX_WHOLE}")
    return value
