"""History from before the ledger stands beside it: once, marked with its origin, and only as long as it is wanted."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest

from tests.store.rig import CALIBRATION, START, live_through, register
from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.store import open_store, open_to_read
from wattrail.store.engines import database_at
from wattrail.store.history.periods import HistoryPeriod
from wattrail.store.imported_hours import ImportedHours, imported_energy
from wattrail.store.rows import microseconds

HOUR = timedelta(hours=1)
BEGIN = START.replace(minute=0, second=0, microsecond=0)


def hours(first: int, last: int, *, mwh: int = 500) -> list[HistoryPeriod]:
    """Hours counted from the one in which the ledger begins."""
    return [
        HistoryPeriod(start=BEGIN + hour * HOUR, end=BEGIN + (hour + 1) * HOUR, import_mwh=mwh, export_mwh=None)
        for hour in range(first, last)
    ]


@pytest.fixture
def path(address: DatabaseAddress) -> DatabaseAddress:
    with open_store(address) as store:
        live_through(store, register(store), range(200))
        store.register_meter("toy", "twin://pziot-e01", simulated=True, calibration=CALIBRATION, at=START)
    return address


def stored(path: DatabaseAddress) -> list[tuple[int, int | None, str]]:
    with database_at(path).snapshot() as cursor:
        found = imported_energy(cursor, 1, BEGIN - 100 * HOUR, BEGIN + 100 * HOUR)
    return [((one.start - BEGIN) // HOUR, one.import_mwh, one.origin) for one in found]


def test_hours_are_stored_once_and_cut_where_the_ledger_begins(path: DatabaseAddress) -> None:
    with ImportedHours(path) as imported:
        first = imported.add("house", "tibber", hours(-3, 2))
        again = imported.add("house", "tibber", hours(-3, 2))
    assert (first.new, first.in_ledger, first.ledger_begins) == (3, 2, START)
    assert (again.new, again.same, again.in_ledger) == (0, 3, 2)
    assert stored(path) == [(-3, 500, "tibber"), (-2, 500, "tibber"), (-1, 500, "tibber")]


def test_the_ledger_does_not_know_of_imported_hours(path: DatabaseAddress) -> None:
    with open_to_read(path) as reader:
        before = reader.ledger_slice(1)
    with ImportedHours(path) as imported:
        imported.add("house", "tibber", hours(-3, 0))
    with open_to_read(path) as reader:
        assert reader.ledger_slice(1) == before
        assert reader.broken_links(1) == ()


def test_a_corrected_hour_of_the_same_origin_replaces_the_first(path: DatabaseAddress) -> None:
    with ImportedHours(path) as imported:
        imported.add("house", "tibber", hours(-3, 0))
        assert imported.add("house", "tibber", hours(-2, 0, mwh=700)).replaced == 2
    assert [mwh for _, mwh, _ in stored(path)] == [500, 700, 700]


def test_two_origins_never_hold_the_same_time(path: DatabaseAddress) -> None:
    day = HistoryPeriod(start=BEGIN - 24 * HOUR, end=BEGIN, import_mwh=9, export_mwh=9)
    with ImportedHours(path) as imported:
        imported.add("house", "tibber", hours(-3, -1))
        outcome = imported.add("house", "dsmr-reader", [day, *hours(-30, -25), *hours(-1, 0)])
    assert (outcome.new, outcome.elsewhere) == (6, 1)
    assert {origin for hour, _, origin in stored(path) if hour in {-3, -2}} == {"tibber"}


def test_an_import_can_be_taken_back_by_its_origin(path: DatabaseAddress) -> None:
    with ImportedHours(path) as imported:
        imported.add("house", "tibber", hours(-3, -1))
        imported.add("house", "dsmr-reader", hours(-1, 0))
        with pytest.raises(StoreError, match="nothing of 'house' was imported from 'tiber'") as caught:
            imported.remove("house", "tiber")
        assert caught.value.hint == "there is: tibber, dsmr-reader"
        assert imported.remove("house", "tibber", is_dry_run=True) == 2
        assert imported.remove("house", "tibber") == 2
        assert [(one.origin, one.periods, one.export_mwh) for one in imported.summaries()] == [("dsmr-reader", 1, None)]


def test_a_dry_run_stores_nothing(path: DatabaseAddress) -> None:
    with ImportedHours(path) as imported:
        assert imported.add("house", "tibber", hours(-3, 0), is_dry_run=True).new == 3
    assert stored(path) == []


@pytest.mark.parametrize(
    ("meter", "says"), [("toy", "history of a real meter"), ("barn", "no meter is named 'barn' in .*house, toy")]
)
def test_no_history_for_a_twin_or_a_meter_that_is_not_there(path: DatabaseAddress, meter: str, says: str) -> None:
    with ImportedHours(path) as imported, pytest.raises(StoreError, match=says):
        imported.add(meter, "tibber", hours(-3, 0))


def test_adjacent_spans_share_no_period(path: DatabaseAddress) -> None:
    with ImportedHours(path) as imported:
        imported.add("house", "tibber", hours(-3, 0))
    with database_at(path).snapshot() as cursor:
        spans = [(BEGIN - 3 * HOUR, BEGIN - HOUR), (BEGIN - HOUR, BEGIN)]
        assert [len(imported_energy(cursor, 1, *span)) for span in spans] == [2, 1]


def test_energy_by_period_goes_on_before_the_ledger(path: DatabaseAddress) -> None:
    marks = [BEGIN + hour * HOUR for hour in range(-4, 2)]
    with ImportedHours(path) as imported:
        imported.add("house", "tibber", hours(-3, 0))
    with open_to_read(path) as reader:
        rows = reader.energy(1, marks)
        assert [row.energy.import_mwh for row in rows[:4]] == [0, 500, 500, 500]
        assert [row.imported.origins if row.imported else () for row in rows] == [(), *[("tibber",)] * 3, ()]
        assert reader.energy_since(1) == BEGIN - 3 * HOUR


def test_a_day_that_begins_before_the_span_gives_its_part(path: DatabaseAddress) -> None:
    day = HistoryPeriod(start=BEGIN - 24 * HOUR, end=BEGIN, import_mwh=2400, export_mwh=None)
    with ImportedHours(path) as imported:
        imported.add("house", "dsmr-reader", [day])
    with open_to_read(path) as reader:
        (row,) = reader.energy(1, [BEGIN - 2 * HOUR, BEGIN - HOUR])
    assert (row.energy.import_mwh, row.imported.export_mwh if row.imported else 0, row.complete) == (100, None, False)


def test_a_simulated_meter_never_shows_imported_energy(path: DatabaseAddress) -> None:
    with closing(database_at(path).own_session("the test", read_only=False)) as session:
        row = (2, microseconds(BEGIN - HOUR), microseconds(BEGIN), 500, None, "tibber")
        session.write(
            lambda cursor: cursor.execute("INSERT INTO imported_hours VALUES (?, ?, ?, ?, ?, ?)", row), durable=True
        )
    with open_to_read(path) as reader:
        (hour,) = reader.energy(2, [BEGIN - HOUR, BEGIN])
        assert (hour.energy.import_mwh, hour.imported, reader.energy_since(2)) == (0, None, None)
