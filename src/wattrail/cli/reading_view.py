"""A reading for people (a table, a line) and for programs (JSON)."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Final

from wattrail.chips import Capability
from wattrail.cli.output import with_options
from wattrail.meter import Meter, Statistics
from wattrail.meter.opening import scale_finding
from wattrail.metrology.scale_origin import ScaleSource
from wattrail.units import QUANTITIES, TEMPERATURE, Quantity, Reading

__all__ = ["SIMULATED", "as_json", "as_line", "as_table", "finding_words", "heading", "statistics_words", "value_of"]

SIMULATED: Final = "SIMULATED"
_NAME_IT: Final = ". Name the board by --front-end, or by front_end in wattrail.toml; or calibrate it"
_FROM_TWIN: Final = f"{SIMULATED}: these numbers come from a digital twin, not from a meter"


def value_of(reading: Reading, quantity: Quantity) -> float | None:
    """A quantity of a reading, by its table line."""
    value: float | None = getattr(reading, quantity.key)
    return value


def heading(meter: Meter) -> str:
    """Where the numbers come from, and by which constants, unless they are a twin's own."""
    lines = [meter.url]
    if meter.simulated:
        lines.append(_FROM_TWIN)
    if meter.scale.source is not ScaleSource.TWIN:
        remedy = _NAME_IT if meter.scale.is_assumed else ""
        lines.append(f"scale: {meter.scale.words()}{remedy}")
    return "\n".join(lines)


def as_table(reading: Reading, meter: Meter) -> str:
    """One line a quantity, then the energy counter."""
    rows = [(q.label, q.format(value_of(reading, q)), q.unit) for q in QUANTITIES]
    if obstacle := meter.chip.obstacles.get(Capability.FREQUENCY):
        rows[-1] = (*rows[-1][:2], f"{rows[-1][2]}  ({obstacle.reason})")
    if reading.celsius is not None:
        rows.append((TEMPERATURE.label, TEMPERATURE.format(reading.celsius), TEMPERATURE.unit))
    energy_wh = reading.energy_count * meter.wh_per_count
    name = meter.chip.energy.name if meter.chip.energy else "pulses"
    counter = f"{name} {reading.energy_count}; it wraps, and restarts"
    rows.append(("Energy counter", f"{energy_wh:.1f}", f"Wh  ({counter})"))
    return "\n".join(f"{label:<15}{value:>10} {unit}".rstrip() for label, value, unit in rows)


def as_line(reading: Reading) -> str:
    """Local time and the quantities, in one line."""
    values = (f"{q.format(value_of(reading, q)):>8} {q.unit or 'PF':<2}" for q in QUANTITIES)
    line = f"{reading.at.astimezone():%Y-%m-%d %H:%M:%S%z} {' '.join(values)}"
    return f"{line}  {SIMULATED}" if reading.simulated else line


def as_json(reading: Reading, meter: Meter) -> str:
    """One JSON object in one line; its fields are listed in docs/cli.md."""
    fields = {
        "meter": meter.url,
        "simulated": reading.simulated,
        "at": f"{reading.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z",
        "chip": meter.chip.name,
        **{q.key: value_of(reading, q) for q in (*QUANTITIES, TEMPERATURE)},
        "energy_count": reading.energy_count,
        "watt_count": reading.watt_count,
        "wh_per_count": meter.wh_per_count,
        "scale": {**meter.scale.as_dict(meter.calibration), "doubt": scale_finding(meter, reading)},
        "status": reading.sample.counts.get("status"),
        "mode": reading.sample.counts.get("mode"),
        "restarted": reading.evidence.is_reset,
    }
    return json.dumps(fields)


def finding_words(meter: Meter, reading: Reading) -> str | None:
    """What speaks against the scale, with the option that names another board; None if nothing does."""
    finding = scale_finding(meter, reading)
    return with_options(finding) if finding else None


def statistics_words(statistics: Statistics) -> str:
    """What it took, in a line; what did not happen is left out."""
    troubles = {
        "retries": statistics.retries,
        "silent": statistics.silent,
        "cut short": statistics.truncated,
        "damaged": statistics.damaged,
        "disagreeing samples": statistics.disagreements,
        "implausible": statistics.implausible,
        "restarts of the chip": statistics.restarts,
    }
    happened = [f"{count} {name}" for name, count in troubles.items() if count]
    return f"{statistics.exchanges} questions, {', '.join(happened) or 'no trouble'}"
