"""Energy registers of a network meter for people and for programs: what each counts, how it falls, what boots leave."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wattrail.cli import reading_view
from wattrail.cli.source_reader import SourceReader
from wattrail.energy_register import BootEvidence, EnergyRegister, Persistence
from wattrail.units import Reading

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["as_evidence", "as_json", "as_table"]

_PERSISTENCE: Final[Mapping[Persistence, str]] = MappingProxyType(
    {
        Persistence.KEPT: "kept: never falls",
        Persistence.SAVED: "saved: a power cut takes it back to its last save",
        Persistence.VOLATILE: "volatile: begins at 0 with each boot",
        Persistence.PERIODIC: "periodic: begins at 0 at a known time, or on command",
        Persistence.UNKNOWN: "unknown: every fall is confirmed by a second reading",
    }
)


def as_table(reading: Reading) -> Table:
    """A line a register."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("register", "count", "value", "one count", "adds up", "class"):
        table.add_column(name, justify="right" if name in {"count", "value"} else "left", no_wrap=name != "class")
    for count in reading.registers:
        register = count.register
        table.add_row(
            register.name,
            str(count.count),
            f"{reading_view.energy_words(count)} Wh",
            _step(register),
            reading_view.DIRECTIONS[register.direction],
            f"{register.persistence}, {_PERSISTENCE[register.persistence]}{_limits(register)}{_origin(register)}",
        )
    return table


def as_evidence(evidence: BootEvidence) -> str:
    """What the device says of its restarts, a line each; what it does not say is a dash."""
    power_on = {None: "", True: "the power came on", False: "not by power"}[evidence.is_power_on]
    rows = {
        "Uptime": f"{evidence.uptime_s:.0f} s" if evidence.uptime_s is not None else "",
        "Boots": "" if evidence.boot_count is None else str(evidence.boot_count),
        "Last boot": ", ".join(filter(None, [evidence.reset_reason, power_on])),
        "Counting since": evidence.start_stamp,
        "Firmware": evidence.revision,
    }
    lines = [f"  {label:<15} {value or '–'}" for label, value in rows.items()]
    return "\n".join(["Evidence of restarts", *lines])


def as_json(reading: Reading, meter: SourceReader) -> str:
    """One JSON object: the one of a reading, with the class of each register spelled out."""
    fields = json.loads(reading_view.as_json(reading, meter))
    for shown, count in zip(fields["registers"], reading.registers, strict=True):
        shown["class_words"] = _PERSISTENCE[count.register.persistence]
    return json.dumps(fields)


def _step(register: EnergyRegister) -> str:
    step = register.step_mwh
    exact = f"{float(step):g}" if step.denominator in (1, 10, 100, 1000) else str(step)
    return f"{exact} mWh"


def _limits(register: EnergyRegister) -> str:
    modulus = f"; begins again after {register.modulus} counts" if register.modulus else ""
    slack = f"; may fall by {register.slack} counts without a reason" if register.slack else ""
    return modulus + slack


def _origin(register: EnergyRegister) -> str:
    return "; estimated: power added up since it was opened" if register.is_estimated else ""
