"""A reading for people (a table, a line) and for programs (JSON)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wattrail.chips import Capability
from wattrail.cli.output import with_options
from wattrail.energy_register import Direction, RegisterCount
from wattrail.meter import Meter, Statistics
from wattrail.meter.opening import scale_finding
from wattrail.metrology.scale_origin import ScaleSource
from wattrail.units import QUANTITIES, TEMPERATURE, Quantity, Reading, utc_text

if TYPE_CHECKING:
    from wattrail.sources.source_reader import SourceReader

__all__ = [
    "DIRECTIONS",
    "FROM_TWIN",
    "SIMULATED",
    "as_json",
    "as_line",
    "as_table",
    "energy_words",
    "finding_words",
    "heading",
    "meter_words",
    "value_of",
]

SIMULATED: Final = "SIMULATED"
_NAME_IT: Final = ". Name the board by --front-end, or by front_end in wattrail.toml; or calibrate it"
FROM_TWIN: Final = f"{SIMULATED}: these numbers come from a digital twin, not from a meter"

DIRECTIONS: Final[Mapping[Direction, str]] = MappingProxyType(
    {
        Direction.IMPORT: "import",
        Direction.EXPORT: "export",
        Direction.SUM: "import + export",
        Direction.NET: "import - export",
    }
)
"""What a register adds up, for people."""


def value_of(reading: Reading, quantity: Quantity) -> float | None:
    """A quantity of a reading, by its table line."""
    value: float | None = getattr(reading, quantity.key)
    return value


def heading(meter: Meter | SourceReader) -> str:
    """Where the numbers come from, and by which constants, unless they are a twin's own."""
    lines = [meter.url]
    if meter.simulated:
        lines.append(FROM_TWIN)
    if isinstance(meter, Meter) and meter.scale.source is not ScaleSource.TWIN:
        remedy = _NAME_IT if meter.scale.is_assumed else ""
        lines.append(f"scale: {meter.scale.words()}{remedy}")
    return "\n".join(lines)


def as_table(reading: Reading, meter: Meter | SourceReader) -> str:
    """One line a quantity, then the energy registers."""
    rows = [(q.label, q.format(value_of(reading, q)), q.unit) for q in QUANTITIES]
    if isinstance(meter, Meter) and (obstacle := meter.chip.obstacles.get(Capability.FREQUENCY)):
        rows[-1] = (*rows[-1][:2], f"{rows[-1][2]}  ({obstacle.reason})")
    if reading.celsius is not None:
        rows.append((TEMPERATURE.label, TEMPERATURE.format(reading.celsius), TEMPERATURE.unit))
    if isinstance(meter, Meter):
        name = meter.chip.energy.name if meter.chip.energy else "pulses"
        counter = f"{name} {reading.energy_count}; it wraps, and restarts"
        rows.append(("Energy counter", f"{reading.energy_count * meter.wh_per_count:.1f}", f"Wh  ({counter})"))
    else:
        rows += [_register_row(count) for count in reading.registers]
    return "\n".join(f"{label:<15}{value:>10} {unit}".rstrip() for label, value, unit in rows)


def _register_row(count: RegisterCount) -> tuple[str, str, str]:
    register = count.register
    label = "Energy" if register.name == register.direction else f"Energy {register.name}"
    origin = ", estimated from power since it was opened" if register.is_estimated else ""
    return label, energy_words(count), f"Wh  ({DIRECTIONS[register.direction]}{origin})"


def energy_words(count: RegisterCount) -> str:
    """The value of an energy register in watt-hours, with the decimals that its step can show, at most three."""
    watt_hours = count.register.milliwatt_hours(count.count) / 1000
    decimals = next((n for n in range(3) if (count.register.step_mwh / 1000 * 10**n).denominator == 1), 3)
    return f"{float(watt_hours):.{decimals}f}"


def as_line(reading: Reading) -> str:
    """Local time and the quantities, in one line."""
    values = (f"{q.format(value_of(reading, q)):>8} {q.unit or 'PF':<2}" for q in QUANTITIES)
    line = f"{reading.at.astimezone():%Y-%m-%d %H:%M:%S%z} {' '.join(values)}"
    return f"{line}  {SIMULATED}" if reading.simulated else line


def as_json(reading: Reading, meter: Meter | SourceReader) -> str:
    """One JSON object in one line; its fields are listed in docs/cli.md."""
    fields = {
        "meter": meter.url,
        "simulated": reading.simulated,
        "at": utc_text(reading.at),
        **({"chip": meter.chip.name} if isinstance(meter, Meter) else {}),
        **{q.key: value_of(reading, q) for q in (*QUANTITIES, TEMPERATURE)},
        **(_chip_fields(reading, meter) if isinstance(meter, Meter) else _device_fields(reading, meter)),
    }
    return json.dumps(fields)


def _chip_fields(reading: Reading, meter: Meter) -> dict[str, object]:
    return {
        "energy_count": reading.energy_count,
        "watt_count": reading.watt_count,
        "wh_per_count": meter.wh_per_count,
        "scale": {**meter.scale.as_dict(meter.calibration), "doubt": scale_finding(meter, reading)},
        "status": reading.sample.counts.get("status"),
        "mode": reading.sample.counts.get("mode"),
        "restarted": reading.evidence.is_reset,
    }


def _device_fields(reading: Reading, meter: SourceReader) -> dict[str, object]:
    return {
        "registers": [_register_fields(count) for count in reading.registers],
        "evidence": {name: value for name, value in asdict(reading.evidence).items() if name != "is_reset"},
        "freshness": reading.freshness,
        "signal_dbm": meter.quality.signal_dbm,
        "advice": list(meter.advice),
    }


def _register_fields(count: RegisterCount) -> dict[str, object]:
    """An energy register for programs: exact numbers as text where JSON's would be rounded."""
    register = count.register
    return {
        "name": register.name,
        "direction": register.direction,
        "count": count.count,
        "wh": float(register.milliwatt_hours(count.count)) / 1000,
        "step_mwh": str(register.step_mwh),
        "class": register.persistence,
        "modulus": register.modulus,
        "slack": register.slack,
        "estimated": register.is_estimated,
    }


def finding_words(meter: Meter | SourceReader, reading: Reading) -> str | None:
    """What speaks against the scale or the device's settings, with its remedy; None if nothing does."""
    if not isinstance(meter, Meter):
        return "; ".join(meter.advice) or None
    finding = scale_finding(meter, reading)
    return with_options(finding) if finding else None


def meter_words(meter: Meter | SourceReader) -> str:
    """What it took, in a line."""
    if isinstance(meter, Meter):
        return _statistics_words(meter.statistics)
    failed = f"{meter.failures} failed" if meter.failures else "no trouble"
    signal = meter.quality.signal_dbm
    return failed if signal is None else f"{failed}, signal {signal:.0f} dBm"


def _statistics_words(statistics: Statistics) -> str:
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
