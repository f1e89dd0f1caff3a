"""A kept calibration: in a line, on a page, as JSON, and back from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wattrail.calibration import Calibration
from wattrail.cli.calibration_store import CalibrationStore
from wattrail.cli.exits import UsageError
from wattrail.cli.output import with_options
from wattrail.cli.reading_view import SIMULATED
from wattrail.files import decode_json, read_text
from wattrail.metrology.proposal import constants, toml_line
from wattrail.sanitize import printable
from wattrail.units import utc_text

if TYPE_CHECKING:
    from wattrail.store import KeptCalibration

__all__ = ["Taken", "as_document", "as_fields", "as_line", "as_text", "one_of", "taken_from_file"]

_FORMAT: Final = "wattrail calibrations 1"
_ANY: Final = Calibration(1.0, 1.0, 1.0)

_MAX_WHOLE: Final = 1_000_000
"""Calibrations of one meter, and turns of a wire: far beyond any that were ever kept."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A calibration to be put back, and where it was taken from."""

    number: int
    calibration: Calibration
    turns: int
    simulated: bool
    words: str


def one_of(calibrations: CalibrationStore, number: int | None) -> KeptCalibration:
    """One of the kept calibrations, the newest for None. Raises UsageError."""
    kept = calibrations.all()
    for one in reversed(kept):
        if number in {None, one.number}:
            return one
    known = f"; known: 1 to {kept[-1].number}" if kept else ""
    which = "no calibration" if number is None else f"no calibration {number}"
    raise UsageError(
        f"{which} of {calibrations.name} is kept in {calibrations.database}{known}",
        hint=None if kept else f"'wattrail meter calibrate {calibrations.name}' measures one",
    )


def as_line(kept: KeptCalibration, *, holds: bool) -> str:
    """Number, time, constants and origin; a star before the one that holds."""
    scale = kept.calibration
    parts = [
        f"{'*' if holds else ' '} {kept.number:>3}  {kept.at.astimezone():%Y-%m-%d %H:%M%z}",
        f"{scale.counts_per_volt:.2f}  {scale.counts_per_amp:.2f}  {scale.counts_per_watt:.3f}",
        "inverted" if scale.inverted else "as wired",
        f"{kept.turns} turns" if kept.turns > 1 else "1 turn",
        f"{kept.origin} by {kept.by}",
    ]
    return "  ".join([*parts, *([kept.note] if kept.note else []), *([SIMULATED] if kept.simulated else [])])


def as_text(kept: KeptCalibration) -> str:
    """Everything about one, for people."""
    rests_on: dict[str, Any] = json.loads(kept.evidence)
    lines = [f"calibration {kept.number} of {kept.meter}" + (f", {SIMULATED}" if kept.simulated else "")]
    lines.append(f"{kept.origin} on {kept.at.astimezone():%Y-%m-%d %H:%M%z} by {kept.by}")
    lines += [f"note: {kept.note}"] if kept.note else []
    lines += [f"reference: {rests_on['reference']}"] if "reference" in rests_on else []
    for name, value in constants(kept.calibration).items():
        error = (rests_on.get("uncertainty") or {}).get(name)
        lines.append(f"{name.replace('_', ' '):<16} {value}" + (f"  ({100 * error:.3f} %)" if error else ""))
    lines.append(f"turns            {kept.turns}")
    if phase := rests_on.get("phase"):
        lines.append(f"phase            {phase['degrees']:+.2f} degrees ({phase['error']:.2f})")
    lines.append(f"loads            {len(rests_on.get('points', []))}")
    lines += [f"doubt: {with_options(finding['text'])}" for finding in rests_on.get("doubts", [])]
    return "\n".join([*lines, toml_line(kept.calibration)])


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


def taken_from_file(file: Path, number: int | None) -> Taken:
    """One calibration of an exported file, the newest for None. Raises UsageError for any other file, FileError."""
    name, text = printable(str(file)), read_text(file)
    try:
        found = [one for one in _exported(decode_json(text)) if number in {None, one.get("number")}]
        taken = _taken(found[-1], file) if found else None
    except ValueError as error:
        raise UsageError(
            f"{name} is not an export of calibrations: {printable(str(error))}",
            hint="'wattrail calibration export METER FILE' writes one",
        ) from error
    if taken is None:
        raise UsageError(f"{name} holds no calibration {number or ''}".rstrip())
    return taken


def _exported(document: object) -> list[dict[str, object]]:
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise ValueError(f"its format is not {_FORMAT!r}")
    found = document.get("calibrations")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError("calibrations must be a list of objects")
    return found


def _taken(fields: dict[str, object], file: Path) -> Taken:
    number, turns, scale = _whole(fields, "number"), _whole(fields, "turns"), fields.get("calibration")
    simulated = fields.get("simulated")
    if not isinstance(simulated, bool):
        raise ValueError("simulated must be true or false")  # what is not known to be a meter's may be a twin's
    if not isinstance(scale, dict) or not set(constants(_ANY)) >= set(scale):
        raise ValueError(f"calibration must hold {', '.join(constants(_ANY))}, and nothing else")
    words = f"calibration {number} of {printable(str(fields.get('meter')), limit=64)} from {printable(file.name)}"
    try:
        return Taken(number, Calibration(**scale), turns, simulated, words)
    except TypeError as error:
        raise ValueError(f"calibration must hold {', '.join(constants(_ANY))}") from error


def _whole(fields: dict[str, object], name: str) -> int:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_WHOLE:
        raise ValueError(f"{name} must be a whole number from 1 to {_MAX_WHOLE}")
    return value
