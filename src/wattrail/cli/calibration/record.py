"""A kept calibration: the one that was asked for, in a line and on a page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from wattrail.cli.calibration_store import CalibrationStore
from wattrail.cli.exits import UsageError
from wattrail.cli.output import with_options
from wattrail.cli.reading_view import SIMULATED
from wattrail.metrology.proposal import constants, toml_line

if TYPE_CHECKING:
    from wattrail.store import KeptCalibration

__all__ = ["as_line", "as_text", "one_of"]


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
    lines += [f"finding: {with_options(finding['text'])}" for finding in rests_on.get("doubts", [])]
    return "\n".join([*lines, toml_line(kept.calibration)])
