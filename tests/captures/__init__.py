"""Real bytes, and the values they stand for."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Capture", "captures"]


@dataclass(frozen=True)
class Capture:
    id: str
    interface: str
    data: bytes
    values: dict[str, int]
    junk_before: int
    junk_after: int


def captures(interface: str) -> list[Capture]:
    """All rows of one interface."""
    with (Path(__file__).parent / "bl0942.csv").open(encoding="utf-8", newline="") as file:
        return [_capture(row) for row in csv.DictReader(file) if row["interface"] == interface]


def _capture(row: dict[str, str]) -> Capture:
    names = ("i_rms", "v_rms", "i_fast_rms", "watt", "cf_cnt", "freq", "status")
    return Capture(
        id=row["id"],
        interface=row["interface"],
        data=bytes.fromhex(row["hex"]),
        values={name: int(row[name], 0) for name in names if row[name]},
        junk_before=int(row["junk_before"] or 0),
        junk_after=int(row["junk_after"] or 0),
    )
