"""Readings, entries or energy of a database as rows, one after the other: memory does not grow with the database.

Every row says which meter it is of and whether that is simulated; units stand in the names of columns, times are UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from operator import itemgetter
from typing import Any, Final, Literal

from wattrail.energy_register import MWH_PER_KWH
from wattrail.ledger import By, Energy, Totals, boundaries, by_counts
from wattrail.store import queries
from wattrail.store.condensed import count_series
from wattrail.store.database import Cursor
from wattrail.store.imported_hours import imported_energy
from wattrail.store.pages import PAGE_ROWS, in_order, readings_page
from wattrail.store.rows import ENTRY_LIST, entry_from_row, from_microseconds, microseconds

__all__ = ["COLUMNS", "Cell", "Content", "Row", "Selection", "exported_rows"]

Content = Literal["readings", "entries", "energy"]
Cell = str | int | float | bool | datetime | None
Row = tuple[Cell, ...]

_MILLION: Final = 1_000_000
_EVER: Final = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

COLUMNS: Final[dict[str, tuple[tuple[str, type], ...]]] = {
    "readings": (
        ("meter", str), ("simulated", bool), ("at_utc", datetime), ("voltage_v", float), ("current_a", float),
        ("power_w", float), ("frequency_hz", float), ("power_factor", float), ("energy_counts", int),
        ("export_counts", int),
    ),
    "entries": (
        ("meter", str), ("simulated", bool), ("number", int), ("kind", str), ("start_utc", datetime),
        ("end_utc", datetime), ("epoch", int), ("positive_counts", int), ("negative_counts", int),
        ("undirected_counts", int), ("watched_s", float), ("readings", int), ("import_kwh", float),
        ("export_kwh", float), ("undirected_kwh", float), ("note", str), ("estimated", bool),
    ),
    "energy": (
        ("meter", str), ("simulated", bool), ("start_utc", datetime), ("end_utc", datetime), ("import_kwh", float),
        ("export_kwh", float), ("undirected_kwh", float), ("complete", bool), ("origin", str), ("estimated", bool),
    ),
}  # fmt: skip
"""The columns of each content, and what is in them; every cell but the first four may be None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to export: of which meter, or of all; ``[start, end)``, open where None; ``by`` is for energy."""

    what: Content
    meter: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    by: By = By.HOUR
    zone: tzinfo = UTC

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Both ends, where an open one is an end of the calendar."""
        return self.start or _EVER[0], self.end or _EVER[1]


def exported_rows(cursor: Cursor, selection: Selection) -> Iterator[Row]:
    """The rows of a selection in the order of COLUMNS, by meter, then by time."""
    rows: Callable[[Cursor, int, Selection], Iterator[Row]] = {
        "readings": _readings, "entries": _entries, "energy": _energy,
    }[selection.what]  # fmt: skip
    meters = queries.meter_names(cursor)
    for meter_id, name, simulated in meters:
        if selection.meter in {None, name}:
            for row in rows(cursor, meter_id, selection):
                yield (name, bool(simulated), *row)


def _readings(cursor: Cursor, meter_id: int, selection: Selection) -> Iterator[Row]:
    after: tuple[int, int] | None = None
    while page := readings_page(cursor, meter_id, *selection.span, after, PAGE_ROWS):
        rows: list[Any] = page
        for at, _, count, export_count, volts, amps, watts, hertz, factor in rows:
            yield (
                from_microseconds(at), _scaled(volts, 1_000), _scaled(amps, _MILLION), _scaled(watts, 1_000),
                _scaled(hertz, 1_000), _scaled(factor, _MILLION), count, export_count,
            )  # fmt: skip
        after = rows[-1][0], rows[-1][1]


def _entries(cursor: Cursor, meter_id: int, selection: Selection) -> Iterator[Row]:
    epochs = queries.epochs(cursor, meter_id)
    sql = (
        f"SELECT {ENTRY_LIST} FROM entry WHERE meter_id = ? "
        "AND sequence > ? AND ended_at >= ? AND started_at < ? ORDER BY sequence LIMIT ?"
    )
    start, end = map(microseconds, selection.span)
    after = 0
    while page := in_order(cursor.execute(sql, (meter_id, after, start, end, PAGE_ROWS)), after, itemgetter(0)):
        for entry in map(entry_from_row, page):
            epoch = epochs[entry.epoch]
            yield (
                entry.sequence, entry.kind.value, entry.start, entry.end, entry.epoch, entry.positive, entry.negative,
                entry.undirected, entry.elapsed_us / _MILLION, entry.readings,
                *(round(float(part) / MWH_PER_KWH, 9) for part in Energy.of(entry, epoch)), entry.note,
                epoch.is_estimated,
            )  # fmt: skip
        after = page[-1][0]


def _energy(cursor: Cursor, meter_id: int, selection: Selection) -> Iterator[Row]:
    """Imported periods first, then the ledger a month at a time."""
    for one in imported_energy(cursor, meter_id, *selection.span):
        origin = f"imported {one.origin}"
        yield one.start, one.end, _kwh(one.import_mwh), _kwh(one.export_mwh), None, True, origin, False
    span = _ledger_span(cursor, meter_id, selection)
    if span is None:
        return
    times, months = queries.estimated_times(cursor, meter_id), boundaries(By.MONTH, *span, selection.zone)
    for first, last in pairwise(months):
        marks = boundaries(selection.by, max(first, span[0]), min(last, span[1]), selection.zone)
        for interval in by_counts(count_series(cursor, meter_id, marks)):
            estimated = times.touches(interval.start, interval.end)
            yield (interval.start, interval.end, *_totals(interval.energy), interval.complete, "ledger", estimated)


def _ledger_span(cursor: Cursor, meter_id: int, selection: Selection) -> tuple[datetime, datetime] | None:
    sql = "SELECT MIN(started_at), MAX(ended_at) FROM entry WHERE meter_id = ?"
    began, until = cursor.execute(sql, (meter_id,)).fetchone()
    if began is None:
        return None
    start = max(from_microseconds(began), selection.start or from_microseconds(began))
    end = min(from_microseconds(until), selection.end or from_microseconds(until))
    return (start, end) if start < end else None


def _totals(energy: Totals) -> tuple[Cell, ...]:
    return _kwh(energy.import_mwh), _kwh(energy.export_mwh), _kwh(energy.undirected_mwh)


def _kwh(mwh: int | None) -> float | None:
    return None if mwh is None else mwh / MWH_PER_KWH


def _scaled(value: int | None, factor: int) -> float | None:
    return None if value is None else value / factor
