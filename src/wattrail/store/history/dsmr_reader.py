"""DSMR-reader: what its page "Export" gives as CSV, hours or days.

The first column is the start: of hours ISO 8601 with an offset, of days day-month-year, local. Then come, in this order
and in kWh, electricity 1 and 2 (import at the low and the high rate), and 1 and 2 returned (export). Headings are in
the language of the page, so columns are known by their place.
"""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Final

from wattrail.errors import FileError
from wattrail.files import read_text
from wattrail.ledger import midnight
from wattrail.sanitize import printable
from wattrail.store.history.periods import (
    MAX_BYTES,
    History,
    HistoryPeriod,
    in_order,
    local_times,
    milliwatt_hours_of,
    unit_factor,
)

__all__ = ["read_export"]

_MIN_COLUMNS: Final = 6
"""Hours have six columns, days sixteen or more; temperatures two and peaks three."""


def read_export(path: Path, zone: tzinfo) -> History:
    """Hours or days of an export. Raises FileError."""
    name = printable(str(path))
    rows = list(csv.reader(read_text(path, limit=MAX_BYTES).splitlines()))
    if len(rows) < 2 or min(len(row) for row in rows if row) < _MIN_COLUMNS:
        raise FileError(
            f"{name} is not an export of hours or days: it has fewer than {_MIN_COLUMNS} columns, or no rows",
            hint="DSMR-reader, Export, hours or days",
        )
    kilowatt_hours = unit_factor("kWh", name)
    days = [_day(row[0]) for row in rows[1:] if row]
    if None in days:
        spans = _hour_spans([row[0] for row in rows[1:] if row], zone, name)
    else:
        spans = [(midnight(day, zone), midnight(day + timedelta(days=1), zone)) for day in days if day is not None]
    periods = [
        _period(span, row, kilowatt_hours, f"{name}, {row[0]}")
        for span, row in zip(spans, (row for row in rows[1:] if row), strict=True)
    ]
    return History(origin="dsmr-reader", periods=in_order(periods, name))


def _period(span: tuple[datetime, datetime], row: list[str], factor: Decimal, where: str) -> HistoryPeriod:
    low, high, low_export, high_export = (milliwatt_hours_of(text, factor, where) for text in row[1:5])
    return HistoryPeriod(start=span[0], end=span[1], import_mwh=low + high, export_mwh=low_export + high_export)


def _hour_spans(texts: list[str], zone: tzinfo, name: str) -> list[tuple[datetime, datetime]]:
    try:
        written = [datetime.fromisoformat(text) for text in texts]
    except ValueError as error:
        raise FileError(f"{name}: {error}", hint="a start is written as 2026-03-01T06:00:00+01:00") from error
    return [(start, start + timedelta(hours=1)) for start in local_times(written, zone)]


def _day(text: str) -> date | None:
    for form in ("%d-%m-%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    return None
