"""Downloads: readings, series, energy and ledger entries of a meter, as CSV, JSON or Parquet.

Rows are read page by page, each through a connection of its own: a visitor who reads slowly keeps no transaction open.
Every row says whether it is simulated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import StreamingResponse

from wattrail.access import Scope
from wattrail.database_address import DatabaseAddress
from wattrail.errors import MissingExtra
from wattrail.ledger import By, Energy, Entry, Interval, LedgerSlice, Totals
from wattrail.store import MeterRow, SeriesQuantity, open_to_read
from wattrail.store.rows import from_microseconds
from wattrail.store.table_formats import MEDIA_TYPES, Columns, Rows, TableFormat, encode_table, require_format
from wattrail.web.openapi import may_fail
from wattrail.web.permissions import needs
from wattrail.web.site_meters import SiteMeters
from wattrail.web.spans import First, Until, asked_zone, period_label, periods_of, span_of

__all__ = ["add_download_routes"]

_PAGE: Final = 5_000
_MAX_PERIODS: Final = 400_000
"""Quarter hours of eleven years."""

_PAGE_OF_PERIODS: Final = 3_000

Page = Sequence[tuple[object, ...]]
Span = tuple[datetime, datetime]

READING_COLUMNS: Final[Columns] = {
    "meter": str, "simulated": bool, "at": datetime, "watts": float, "volts": float, "amps": float, "hertz": float,
    "power_factor": float, "energy_count": int, "export_count": int,
}  # fmt: skip
SERIES_COLUMNS: Final[Columns] = {
    "meter": str, "simulated": bool, "quantity": str, "unit": str, "start": datetime, "end": datetime, "lowest": float,
    "mean": float, "highest": float, "readings": int,
}  # fmt: skip
_ENERGY: Final[Columns] = {"import_wh": float, "export_wh": float, "undirected_wh": float}
ENERGY_COLUMNS: Final[Columns] = {
    "meter": str, "simulated": bool, "label": str, "start": datetime, "end": datetime, **_ENERGY, "in_gaps_wh": float,
    "stated_wh": float, "imported_wh": float, "origin": str, "complete": bool, "estimated": bool,
}  # fmt: skip
ENTRY_COLUMNS: Final[Columns] = {
    "meter": str, "simulated": bool, "number": int, "manual": bool, "kind": str, "start": datetime, "end": datetime,
    **_ENERGY, "epoch": int, "positive": int, "negative": int, "undirected": int, "count": int, "readings": int,
    "who": str, "note": str, "estimated": bool,
}  # fmt: skip

Format = Annotated[TableFormat, Query(alias="format", description="csv, json or parquet.")]


def add_download_routes(router: APIRouter, site: SiteMeters) -> None:
    """The routes below /meters/{name}/download."""
    database = site.setup.database

    def account(name: str, kind: TableFormat) -> MeterRow:
        site.view(name)
        try:  # here, for once the answer has begun nothing can be refused
            require_format(kind)
        except MissingExtra as error:
            raise HTTPException(501, f"{error}; {error.hint}") from error
        with site.account(name) as (_, row):
            return row

    @router.get("/meters/{name}/download/readings", tags=["energy"], responses=may_fail(404, 503))
    @needs(Scope.READ)
    def download_readings(
        name: str, first: First = None, until: Until = None, kind: Format = TableFormat.CSV
    ) -> StreamingResponse:
        """Every reading of a span that is still kept; of the last day if nothing is asked for."""
        row, span = account(name, kind), span_of(first, until, site.zone, now=site.now(), usual=timedelta(days=1))
        return _answer(kind, f"{name}-readings", READING_COLUMNS, _reading_pages(database, row, span))

    @router.get("/meters/{name}/download/series", tags=["energy"], responses=may_fail(404, 503))
    @needs(Scope.READ)
    def download_series(
        name: str, first: First = None, until: Until = None, kind: Format = TableFormat.CSV,
        points: Annotated[int, Query(ge=2, le=100_000)] = 10_000, quantity: SeriesQuantity = SeriesQuantity.POWER,
    ) -> StreamingResponse:  # fmt: skip
        """A quantity of a span, summed up to about ``points`` rows; of the last day if nothing is asked for."""
        row, span = account(name, kind), span_of(first, until, site.zone, now=site.now(), usual=timedelta(days=1))
        return _answer(
            kind, f"{name}-{quantity.value}", SERIES_COLUMNS, _series_pages(database, row, span, points, quantity)
        )

    @router.get("/meters/{name}/download/energy", tags=["energy"], responses=may_fail(404, 503))
    @needs(Scope.READ)
    def download_energy(
        name: str, first: First = None, until: Until = None, kind: Format = TableFormat.CSV,
        by: Literal["15min", "hour", "day", "week", "month", "year"] = "day", zone: str | None = None,
    ) -> StreamingResponse:  # fmt: skip
        """Energy by periods of local time; of the last year if nothing is asked for."""
        row, periods, place = account(name, kind), By(by), asked_zone(zone, site.zone)
        span = span_of(first, until, place, now=site.now(), usual=timedelta(days=366))
        marks = periods_of(periods, *span, place, limit=_MAX_PERIODS)

        def pages() -> Iterator[Page]:
            for begin in range(0, len(marks) - 1, _PAGE_OF_PERIODS):
                with open_to_read(database) as reader:
                    found = reader.energy(row.id, marks[begin : begin + _PAGE_OF_PERIODS + 1])
                    times = reader.estimated_times(row.id)
                yield [
                    (
                        name, row.simulated, period_label(periods, one.start, place), one.start, one.end,
                        *_watt_hours(one.energy), sum(_watt_hours(one.gaps)), sum(_watt_hours(one.stated)),
                        *_imported(one), one.complete, times.touches(one.start, one.end),
                    )
                    for one in found
                ]  # fmt: skip

        return _answer(kind, f"{name}-energy-by-{by}", ENERGY_COLUMNS, pages())

    @router.get("/meters/{name}/download/entries", tags=["energy"], responses=may_fail(404, 503))
    @needs(Scope.READ)
    def download_entries(name: str, kind: Format = TableFormat.CSV) -> StreamingResponse:
        """The whole ledger: every entry of the counter by its number, then the manual entries."""
        row = account(name, kind)
        return _answer(kind, f"{name}-ledger", ENTRY_COLUMNS, _entry_pages(database, row))


def _imported(one: Interval) -> tuple[float, str]:
    """The imported part of a period, and its origins; an unknown direction adds nothing."""
    if (part := one.imported) is None:
        return 0.0, ""
    return ((part.import_mwh or 0) + (part.export_mwh or 0)) / 1000, ", ".join(part.origins)


def _answer(kind: TableFormat, title: str, columns: Columns, pages: Rows) -> StreamingResponse:
    headers = {"content-disposition": f'attachment; filename="{title}.{kind.value}"'}
    return StreamingResponse(encode_table(kind, columns, pages), media_type=MEDIA_TYPES[kind], headers=headers)


def _reading_pages(database: DatabaseAddress, row: MeterRow, span: Span) -> Iterator[Page]:
    # By key and not by offset: readings come in, and old ones go, while a slow visitor downloads.
    after: tuple[int, int] | None = None
    while True:
        with open_to_read(database) as reader:
            found = reader.readings_page(row.id, *span, after, _PAGE)
        if not found:
            return
        yield [_reading(row, values) for values in found]
        at, number, *_ = found[-1]
        assert at is not None
        assert number is not None
        after = at, number


def _reading(row: MeterRow, values: tuple[int | None, ...]) -> tuple[object, ...]:
    at, _, count, export_count, millivolts, microamps, milliwatts, millihertz, ppm = values
    assert at is not None
    return (
        row.name, row.simulated, from_microseconds(at), _unscaled(milliwatts, 1e3), _unscaled(millivolts, 1e3),
        _unscaled(microamps, 1e6), _unscaled(millihertz, 1e3), _unscaled(ppm, 1e6), count, export_count,
    )  # fmt: skip


def _unscaled(value: int | None, factor: float) -> float | None:
    return None if value is None else value / factor


def _series_pages(
    database: DatabaseAddress, row: MeterRow, span: Span, points: int, quantity: SeriesQuantity
) -> Iterator[Page]:
    with open_to_read(database) as reader:
        buckets = reader.series(row.name, *span, points=points, quantity=quantity)
    for begin in range(0, len(buckets), _PAGE):
        yield [
            (
                row.name, row.simulated, quantity.value, quantity.unit, one.start, one.end, one.lowest, one.mean,
                one.highest, one.readings,
            )
            for one in buckets[begin : begin + _PAGE]
        ]  # fmt: skip


def _entry_pages(database: DatabaseAddress, row: MeterRow) -> Iterator[Page]:
    number, ledger_slice = 0, None
    while ledger_slice is None or ledger_slice.entries:
        with open_to_read(database) as reader:
            ledger_slice = reader.entries_page(row.id, number, _PAGE)
        if ledger_slice.entries:
            number = ledger_slice.entries[-1].sequence
            yield [_entry(row, entry, ledger_slice) for entry in ledger_slice.entries]
    yield [_entry(row, entry, ledger_slice) for entry in ledger_slice.stated]


def _entry(row: MeterRow, entry: Entry, ledger_slice: LedgerSlice) -> tuple[object, ...]:
    counted = Energy.of(entry, ledger_slice.epochs[entry.epoch])
    stated = (entry.import_mwh, entry.export_mwh, 0)
    energy = (float(one + mwh) / 1000 for one, mwh in zip(counted, stated, strict=True))
    return (
        row.name, row.simulated, entry.sequence, entry.stated_at is not None, entry.kind.value, entry.start, entry.end,
        *energy, entry.epoch, entry.positive, entry.negative, entry.undirected, entry.count, entry.readings,
        entry.who or None, entry.note, entry.stated_at is None and ledger_slice.epochs[entry.epoch].is_estimated,
    )  # fmt: skip


def _watt_hours(totals: Totals) -> tuple[float, float, float]:
    return totals.import_mwh / 1000, totals.export_mwh / 1000, totals.undirected_mwh / 1000
