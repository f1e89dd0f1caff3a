"""Energy by period: the one place where it is put together for pages, downloads and lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from wattrail.ledger import Interval, by_counts, with_imported
from wattrail.store import queries
from wattrail.store.condensed import count_series
from wattrail.store.database import Cursor
from wattrail.store.imported_hours import imported_over, imported_since

__all__ = ["energy_by_period", "energy_since"]


def energy_by_period(cursor: Cursor, meter_id: int, boundaries: Sequence[datetime]) -> tuple[Interval, ...]:
    """Energy of a meter between each two neighbouring boundaries: of its ledger, and imported before that began."""
    imported = imported_over(cursor, meter_id, boundaries[0], boundaries[-1])
    series = count_series(cursor, meter_id, boundaries)
    return with_imported(by_counts(series), imported, series.others, began=series.began)


def energy_since(cursor: Cursor, meter_id: int) -> datetime | None:
    """The earliest moment of which energy of a meter is known, imported or counted; None if there is none."""
    known = queries.adjustable_entries(cursor, meter_id).began, imported_since(cursor, meter_id)
    return min((moment for moment in known if moment is not None), default=None)
