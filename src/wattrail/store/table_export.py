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

from wattrail.ledger import By, Counts, Energy, Totals, boundaries, by_interval
from wattrail.store import queries
from wattrail.store.database import Cursor
from wattrail.store.imported_hours import imported_energy
from wattrail.store.pages import in_order
from wattrail.store.rows import ENTRY_COLUMNS, LATER_COLUMNS, entry_from_row, from_microseconds, microseconds

__all__ = ["COLUMNS", "Cell", "Content", "Row", "Selection", "exported_rows"]

Content = Literal["readings", "entries", "energy"]
Cell = str | int | float | bool | datetime | None
Row = tuple[Cell, ...]

_MILLION: Final = 1_000_000
_ROWS_OF_A_PAGE: Final = 5_000
_MWH_PER_KWH: Final = 1_000_000

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


def _span(selection: Selection) -> dict[str, int]:
    start, end = selection.start, selection.end
    return {
        "start": -(2**63) if start is None else microseconds(start),
        "end": 2**63 - 1 if end is None else microseconds(end),
    }


def _readings(cursor: Cursor, meter_id: int, selection: Selection) -> Iterator[Row]:
    sql = (
        "SELECT id, at, millivolts, microamps, milliwatts, millihertz, power_factor_ppm, energy_count, export_count "
        "FROM reading WHERE meter_id = :meter AND id > :after AND at >= :start AND at < :end ORDER BY id LIMIT :limit"
    )
    for _, at, volts, amps, watts, hertz, factor, count, export in _paged(cursor, sql, meter_id, selection):
        yield (
            from_microseconds(at), _scaled(volts, 1_000), _scaled(amps, _MILLION), _scaled(watts, 1_000),
            _scaled(hertz, 1_000), _scaled(factor, _MILLION), count, export,
        )  # fmt: skip


def _entries(cursor: Cursor, meter_id: int, selection: Selection) -> Iterator[Row]:
    epochs = queries.epochs(cursor, meter_id)
    sql = (
        f"SELECT {', '.join(ENTRY_COLUMNS + LATER_COLUMNS)} FROM entry WHERE meter_id = :meter "
        "AND sequence > :after AND ended_at >= :start AND started_at < :end ORDER BY sequence LIMIT :limit"
    )
    for row in _paged(cursor, sql, meter_id, selection):
        entry = entry_from_row(row)
        energy = Energy.of(Counts(entry.positive, entry.negative, entry.undirected), epochs[entry.epoch])
        yield (
            entry.sequence, entry.kind.value, entry.start, entry.end, entry.epoch, entry.positive, entry.negative,
            entry.undirected, entry.elapsed_us / _MILLION, entry.readings,
            *(round(float(part) / _MWH_PER_KWH, 9) for part in energy), entry.note,
            epochs[entry.epoch].is_estimated,
        )  # fmt: skip


def _paged(cursor: Cursor, sql: str, meter_id: int, selection: Selection) -> Iterator[Any]:
    """The rows of a query, some at a time: a server would send all of them at once. The first column orders them."""
    after = 0
    while True:
        found = cursor.execute(sql, {"meter": meter_id, "after": after, "limit": _ROWS_OF_A_PAGE, **_span(selection)})
        rows: list[Any] = in_order(found, after, itemgetter(0))
        if not rows:
            return
        yield from rows
        after = rows[-1][0]


def _energy(cursor: Cursor, meter_id: int, selection: Selection) -> Iterator[Row]:
    """Imported periods first, then the ledger a month at a time."""
    far = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
    for one in imported_energy(cursor, meter_id, selection.start or far[0], selection.end or far[1]):
        yield (
            one.start,
            one.end,
            _kwh(one.import_mwh),
            _kwh(one.export_mwh),
            None,
            True,
            f"imported {one.origin}",
            False,
        )
    span = _ledger_span(cursor, meter_id, selection)
    if span is None:
        return
    times, months = queries.estimated_times(cursor, meter_id), boundaries(By.MONTH, *span, selection.zone)
    for first, last in pairwise(months):
        start, end = max(first, span[0]), min(last, span[1])
        marks = boundaries(selection.by, start, end, selection.zone)
        for interval in by_interval(queries.slice_between(cursor, meter_id, marks[0], marks[-1]), marks):
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
    return None if mwh is None else mwh / _MWH_PER_KWH


def _scaled(value: int | None, factor: int) -> float | None:
    return None if value is None else value / factor
