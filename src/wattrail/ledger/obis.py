"""The OBIS codes under which the registers are exported.

``1-0`` is electricity, no channel. The third group is the quantity (1 import, 2 export, 16 import less export), the
fourth how it is summed (8 since the beginning, 29 over the interval of the row), the fifth the rate, 0 for all.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["EXPORT", "EXPORT_IN_INTERVAL", "IMPORT", "IMPORT_IN_INTERVAL", "NET", "Obis", "import_at_rate"]


class Obis(NamedTuple):
    """A code and what it stands for."""

    code: str
    meaning: str


IMPORT = Obis("1-0:1.8.0", "import register, kWh")
EXPORT = Obis("1-0:2.8.0", "export register, kWh")
NET = Obis("1-0:16.8.0", "import less export, kWh")
IMPORT_IN_INTERVAL = Obis("1-0:1.29.0", "import within the interval, kWh")
EXPORT_IN_INTERVAL = Obis("1-0:2.29.0", "export within the interval, kWh")


def import_at_rate(number: int) -> str:
    """The import register of a rate, counted from 1. Raises ValueError beyond 9."""
    if not 1 <= number <= 9:
        raise ValueError(f"rates are numbered from 1 to 9, not {number}")
    return f"1-0:1.8.{number}"
