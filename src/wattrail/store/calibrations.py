"""Calibrations that a person has kept, by the name of the meter: the newest holds, and none is ever changed.

They stand apart from the epochs of the ledger. An epoch says which constants held while something was counted; a kept
calibration says which constants the gateway is to take from now on, and on what evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from wattrail.calibration import Calibration
from wattrail.errors import StoreError
from wattrail.store.database import Cursor
from wattrail.store.rows import epoch_constants, from_microseconds, microseconds

__all__ = ["KeptCalibration", "calibrations_of", "keep"]

_COLUMNS: Final = (
    "number, meter, simulated, kept_at, kept_by, origin, micro_counts_per_volt, micro_counts_per_amp, "
    "micro_counts_per_watt, inverted, turns, note, evidence"
)
_INSERT: Final = f"INSERT INTO calibration ({_COLUMNS}) VALUES ({', '.join('?' * 13)})"
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCalibration:
    """One calibration of one meter, and what it rests on.

    ``origin`` is ``measured``, ``factory``, ``settings`` or ``restored``; ``turns`` is how often the wire passes the
    transformer, already part of the constants; ``evidence`` is a JSON object.
    """

    number: int
    meter: str
    simulated: bool
    at: datetime
    by: str
    origin: str
    calibration: Calibration
    turns: int
    note: str
    evidence: str


def calibrations_of(cursor: Cursor, name: str) -> tuple[KeptCalibration, ...]:
    """Every calibration kept for a name, oldest first."""
    sql = f"SELECT {_COLUMNS} FROM calibration WHERE meter = ? ORDER BY number"
    return tuple(_from_row(row) for row in cursor.execute(sql, (name,)))


def keep(cursor: Cursor, kept: KeptCalibration) -> None:
    """Write one down. Raises StoreError where a twin's constants would calibrate a meter, or the other way round."""
    _refuse_mixing(cursor, kept)
    row = (
        kept.number, kept.meter, kept.simulated, microseconds(kept.at), kept.by, kept.origin,
        *epoch_constants(kept.calibration), kept.turns, kept.note, kept.evidence,
    )  # fmt: skip
    cursor.execute(_INSERT, row)


def _from_row(row: tuple[int, str, int, int, str, str, int, int, int, int, int, str, str]) -> KeptCalibration:
    number, meter, simulated, at, by, origin, volt, amp, watt, inverted, turns, note, evidence = row
    return KeptCalibration(
        number=number, meter=meter, simulated=bool(simulated), at=from_microseconds(at), by=by, origin=origin,
        calibration=Calibration(volt / _MILLION, amp / _MILLION, watt / _MILLION, inverted=bool(inverted)),
        turns=turns, note=note, evidence=evidence,
    )  # fmt: skip


def _refuse_mixing(cursor: Cursor, kept: KeptCalibration) -> None:
    sql = "SELECT simulated FROM meter WHERE name = ? UNION SELECT simulated FROM calibration WHERE meter = ?"
    if all(bool(simulated) == kept.simulated for (simulated,) in cursor.execute(sql, (kept.meter, kept.meter))):
        return
    is_, comes = ("a meter", "a twin") if kept.simulated else ("a twin", "a meter")
    raise StoreError(
        f"{kept.meter!r} is {is_} here, and this calibration comes from {comes}: they must not share one name",
        hint="give another (name=NAME), or use another database file",
    )
