"""Registers and the evidence of restarts as JSON: exact, in a fixed order of keys, since hashes cover the text."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from fractions import Fraction
from typing import Any, Final

from wattrail.calibration import Calibration
from wattrail.chips import BL0942
from wattrail.energy_register import BootEvidence, Direction, EnergyRegister, Persistence

__all__ = ["boot_from_text", "boot_text", "counts_alike", "registers_from_text", "registers_text"]

_EXACT: Final = ("step_mwh", "max_counts_per_us")
"""Fields that are fractions, written as text: ``50/3``."""

_IF_SET: Final = "is_estimated"
"""Written where it is so: texts of other registers stay as they were, and so do their hashes."""

_NOTHING_SAID: Final = BootEvidence()
_NOT_KEPT: Final = {"uptime_age_s"}
"""Counts for the reading that brings it, and never for the one after."""


def registers_text(registers: tuple[EnergyRegister, ...]) -> str:
    """Registers as JSON."""
    rows = [{**asdict(register), **{key: str(getattr(register, key)) for key in _EXACT}} for register in registers]
    written = [{key: value for key, value in row.items() if value or key != _IF_SET} for row in rows]
    return json.dumps(written, separators=(",", ":"))


def registers_from_text(text: str | None, micro_counts_per_watt: int | None) -> tuple[EnergyRegister, ...]:
    """The registers of an epoch again; None is that of a BL0942, the only meter of older versions."""
    if text is None:
        return (BL0942.energy_register(Calibration(1, 1, (micro_counts_per_watt or 0) / 1_000_000)),)
    return tuple(_register(row) for row in json.loads(text))


def counts_alike(some: tuple[EnergyRegister, ...], others: tuple[EnergyRegister, ...]) -> bool:
    """Whether counts of both mean the same. A name, a limit or another class does not change what was counted.

    Counts of a device and an estimate by its power never mean the same.
    """
    return [_meaning(register) for register in some] == [_meaning(register) for register in others]


def boot_text(boot: BootEvidence | None) -> str | None:
    """What a device says of its restarts as JSON, without what it does not say; None where that is nothing."""
    if boot is None:
        return None
    said = {field.name: getattr(boot, field.name) for field in fields(boot) if field.name not in _NOT_KEPT}
    given = {key: value for key, value in said.items() if value != getattr(_NOTHING_SAID, key)}
    return json.dumps(given, separators=(",", ":")) if given else None


def boot_from_text(text: str | None) -> BootEvidence | None:
    """The same again. Raises ValueError or TypeError for what none is, as in a damaged file."""
    return None if text is None else BootEvidence(**json.loads(text))


def _meaning(register: EnergyRegister) -> tuple[Fraction, Direction, int | None, bool]:
    return register.step_mwh, register.direction, register.modulus, register.is_estimated


def _register(row: dict[str, Any]) -> EnergyRegister:
    exact = {key: Fraction(row[key]) for key in _EXACT}
    kinds = {"direction": Direction(row["direction"]), "persistence": Persistence(row["persistence"])}
    return EnergyRegister(**{**row, **exact, **kinds})
