"""Energy by period: the one place where it is put together for pages, downloads and lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from wattrail.ledger import Interval, by_interval
from wattrail.store.condensed import condensed_slice
from wattrail.store.database import Cursor

__all__ = ["energy_by_period"]


def energy_by_period(cursor: Cursor, meter_id: int, boundaries: Sequence[datetime]) -> tuple[Interval, ...]:
    """Energy of a meter between each two neighbouring boundaries, as its ledger has it.

    What else knows energy of the meter's past, before its ledger began, is added here, and then is everywhere.
    """
    return by_interval(condensed_slice(cursor, meter_id, boundaries), boundaries)
