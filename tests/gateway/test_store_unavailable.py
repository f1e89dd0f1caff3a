"""The database cannot be written for a while: readings wait, the ledger stays right, and it recovers by itself."""

from __future__ import annotations

import logging
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.gateway.rig import Household, StubMeter
from wattrail.gateway import EntryBooked, Event, MeterState
from wattrail.gateway import waiting as waiting_module
from wattrail.gateway.waiting import WaitingBookings
from wattrail.ledger import By, EntryKind, Totals, boundaries, by_interval
from wattrail.store.file_check import file_findings, open_file


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A locked database is not waited for: the clock of these stories stands still meanwhile."""
    for room in ("account", "bookkeeping"):
        monkeypatch.setattr(f"wattrail.gateway.{room}.WRITE_WITHIN_S", 0.0)
    monkeypatch.setattr("wattrail.store.sqlite_database._BUSY_S", 0.0)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Household]:
    house = Household(tmp_path, StubMeter())
    yield house
    house.worker.close()
    house.store.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program writes, and does not end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def locked_house(house: Household) -> Iterator[None]:
    with locked(house.path):
        yield


@contextmanager
def read_only(house: Household) -> Iterator[None]:
    """The disk was mounted again, to read only, as Linux does after an error of an SD card."""
    writer: Any = house.store._writer
    writer._connection.execute("PRAGMA query_only = ON")
    yield
    writer._connection.execute("PRAGMA query_only = OFF")


@contextmanager
def disk_full(house: Household) -> Iterator[None]:
    """No file of this process may grow: what a full disk is, without root."""
    path = house.path
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = path.with_name(f"{path.name}-wal").stat().st_size  # smaller than the file: neither of them may grow
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def energy(house: Household) -> Totals:
    """The registers, by the database alone."""
    row = house.store.meter("house")
    assert row is not None
    ledger = house.store.ledger(row.id)
    assert ledger is not None
    return ledger.totals()


def entries_in(events: tuple[Event, ...]) -> list[int]:
    return [event.entry.sequence for event in events if isinstance(event, EntryBooked)]


def is_whole(path: Path) -> bool:
    with open_file(path) as connection:
        return file_findings(connection, path) == ()


@pytest.mark.parametrize("fault", [locked_house, disk_full, read_only])
def test_a_minute_without_the_database_costs_no_reading(house: Household, fault: object) -> None:
    house.run(50)
    entries_before = len(house.store.entries(1))
    with fault(house):  # type: ignore[operator]
        house.run(65)  # the minute's end falls in here
        view = house.view
        assert view.state is MeterState.LIVE
        assert view.unstored is not None
        assert view.unstored.count > 50
        assert view.unstored.hint is not None
        assert len(house.store.entries(1)) == entries_before
    house.run(5)
    assert house.view.unstored is None
    house.worker.close()
    entries = house.store.entries(1)
    assert {entry.kind for entry in entries} == {EntryKind.START, EntryKind.COUNTED}, "no gap"
    assert sum(entry.positive for entry in entries) == (house.meter.count - entries[0].count)
    assert is_whole(house.path)
    with closing(sqlite3.connect(house.path)) as connection:
        times = [at for (at,) in connection.execute("SELECT at FROM reading ORDER BY id")]
    assert max(later - earlier for earlier, later in pairwise(times)) < 2_000_000


def test_the_energy_shown_goes_on_while_readings_wait(house: Household) -> None:
    house.run(50)
    assert house.view.total is not None
    before = house.view.total.import_mwh
    with locked(house.path):
        house.run(120)
        assert house.view.total.import_mwh > before
        assert house.view.today == house.view.total
    house.run(5)
    assert energy(house) == house.view.total


def test_an_outage_is_logged_once_at_its_beginning_and_at_its_end(
    house: Household, caplog: pytest.LogCaptureFixture
) -> None:
    house.run(10)
    with caplog.at_level(logging.WARNING), locked(house.path):
        house.run(350)  # the journal takes the readings of the first 50 s; the entry it does not
    house.run(5)
    said = [record.getMessage() for record in caplog.records if "stored" in record.getMessage()]
    assert len(said) == 2
    assert "readings are not stored, and wait in memory" in said[0]
    assert "another program holds the file; close it" in said[0]
    assert "readings are stored again after 30" in said[1]


def test_entries_are_reported_once_they_are_stored(house: Household) -> None:
    house.run(50)
    events = house.feed.subscribe("test")
    with locked(house.path):
        house.run(200)
        assert entries_in(events.take()) == []
    house.run(3)
    stored = [entry.sequence for entry in house.store.entries(1)]
    assert entries_in(events.take()) == stored[1:]


def test_what_is_full_drops_readings_between_entries_and_no_entry(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_module, "MAX_WAITING", 100)
    house.worker.close()
    house.start_worker()
    house.run(10)
    with locked(house.path):
        house.run(1800)
        assert house.view.unstored is not None
        assert house.view.unstored.dropped > 1500
        assert house.view.unstored.count <= 101
    house.run(70)
    house.worker.close()
    entries = house.store.entries(1)
    assert {entry.kind for entry in entries} == {EntryKind.START, EntryKind.COUNTED}
    assert sum(entry.positive for entry in entries) == house.meter.count - entries[0].count
    assert is_whole(house.path)


def test_what_even_entries_overflow_is_booked_as_a_gap(house: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_module, "MAX_WAITING", 60)
    house.worker.close()
    house.start_worker()
    house.run(100)
    with locked(house.path):
        house.run(3900)
        assert house.view.state is MeterState.FAILED
    house.run(120)
    assert house.view.state is MeterState.LIVE
    house.worker.close()
    entries = house.store.entries(1)
    assert EntryKind.GAP in {entry.kind for entry in entries}
    counted = sum(entry.positive + entry.negative + entry.undirected for entry in entries)
    assert counted == house.meter.count - entries[0].count
    assert is_whole(house.path)


def test_a_defect_of_the_meter_meanwhile_costs_nothing_that_waits(house: Household) -> None:
    house.run(50)
    with locked(house.path):
        house.run(120)
        house.meter.trouble.append(ZeroDivisionError("a defect"))
        house.run(3)
        assert house.view.unstored is not None
        assert house.view.unstored.count > 100
        house.run(60)
    house.run(5)
    house.worker.close()
    assert {entry.kind for entry in house.store.entries(1)} == {EntryKind.START, EntryKind.COUNTED}


def test_a_kill_during_an_outage_loses_no_energy(house: Household) -> None:
    house.run(100)
    with locked(house.path):
        house.run(100)
    # the process is gone here: nothing of what waited is written
    house.worker._account = None
    house.start_worker()
    house.run(70)
    house.worker.close()
    entries = house.store.entries(1)
    counted = sum(entry.positive + entry.negative + entry.undirected for entry in entries)
    assert counted == house.meter.count - entries[0].count
    assert is_whole(house.path)


def test_a_clock_set_back_and_forth_in_an_outage_books_every_count(house: Household) -> None:
    house.run(50)
    with locked(house.path):
        house.run(70)
        house.clock.step(-3600)
        house.run(400)
        house.clock.step(7200)
        house.run(400)
    house.run(400)
    house.worker.close()
    entries = house.store.entries(1)
    counted = sum(entry.positive + entry.negative + entry.undirected for entry in entries)
    assert counted == house.meter.count - entries[0].count
    assert is_whole(house.path)


def test_waiting_bookings_keep_those_after_the_last_entry() -> None:
    waiting = WaitingBookings(limit=10)
    with_entry = object()
    for place in range(40):
        entries = (with_entry,) if place % 20 == 19 else ()
        waiting.add((1, place, None, entries))  # type: ignore[arg-type]
        assert len(waiting) <= 30
    kept = [booking[1] for booking in waiting.all()]
    assert {19, 39} <= set(kept)  # type: ignore[comparison-overlap]
    assert kept == sorted(kept)  # type: ignore[type-var]
    waiting.stored(waiting.all())
    assert (len(waiting), waiting.dropped) == (0, 0)


def test_a_night_of_outage_has_the_energy_of_both_days(house: Household) -> None:
    """The local day changes while nothing can be stored."""
    house.run(20)
    house.clock.advance(13.9 * 3600 - 20)
    house.run(60)
    with locked(house.path):
        house.run(900)
        assert house.view.today is not None
        assert house.view.total is not None
        tomorrow = house.view.today
        assert 0 < tomorrow.import_mwh < house.view.total.import_mwh
    house.run(3)
    assert house.view.today is not None
    assert house.view.today.import_mwh >= tomorrow.import_mwh


@pytest.mark.parametrize(("night", "hours"), [("2026-03-28T23:00Z", 23), ("2026-10-24T22:00Z", 25)])
def test_a_night_in_which_clocks_change_and_nothing_is_stored(tmp_path: Path, night: str, hours: int) -> None:
    zone, begin = ZoneInfo("Europe/Amsterdam"), datetime.fromisoformat(night)
    house = Household(tmp_path, StubMeter(), start=datetime(begin.year, begin.month, begin.day + 1, 0, 50, tzinfo=UTC))
    house.run(300)
    with locked(house.path):
        house.run(1200)  # the clocks change at 01:00 UTC
    house.run(300)
    house.worker.close()
    row = house.store.meter("house")
    assert row is not None
    ledger_slice = house.store.ledger_slice(row.id)
    marks = boundaries(By.HOUR, begin, begin + timedelta(hours=hours), zone)
    assert len(marks) == hours + 1
    rows = by_interval(ledger_slice, marks)
    assert sum(each.energy.import_mwh for each in rows) == energy(house).import_mwh > 0
    assert sum(each.energy.import_mwh > 0 for each in rows) == 2
    house.store.close()
