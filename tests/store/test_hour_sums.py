"""Energy by hour from one row an hour is that of every entry, to the milliwatt-hour, and without reading entries."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.databases import execute
from tests.store.rig import CALIBRATION, START, register
from tests.store.test_condensed import alike, condensed_and_counted, counted
from wattrail.ledger import (
    By,
    EnergyDirection,
    Entry,
    EntryKind,
    LedgerSlice,
    adjustment,
    assignment,
    boundaries,
    by_interval,
    opening,
    reversal,
    unassigned,
    with_imported,
)
from wattrail.store import Store, open_store, open_to_read
from wattrail.store.imported_hours import imported_over
from wattrail.store.rows import microseconds
from wattrail.store.schema import migrations

HOUR = timedelta(hours=1)
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata")
MICROSECOND = timedelta(microseconds=1)
DST_EVE = datetime(2026, 10, 24, 19, 7, 3, 250_000, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    is_file = request.param == "sqlite"
    address = tmp_path / "w.sqlite" if is_file else request.getfixturevalue("postgres_server").address()
    with open_store(address) as opened:
        yield opened


def entry(last: Entry, length: timedelta, kind: EntryKind = EntryKind.COUNTED, **counts: int) -> Entry:
    """The entry after another one; counted ones are as long as they took."""
    elapsed_us = length // MICROSECOND if kind is EntryKind.COUNTED else 0
    return Entry(
        sequence=last.sequence + 1, kind=kind, start=last.end, end=last.end + length, epoch=last.epoch, count=0,
        elapsed_us=elapsed_us, **counts,
    )  # fmt: skip


def begun(at: datetime) -> Entry:
    return Entry(sequence=1, kind=EntryKind.START, start=at, end=at, epoch=1, count=0)


def minutes(last: Entry, number: int, count: int = 7) -> list[Entry]:
    made: list[Entry] = []
    for _ in range(number):
        last = entry(last, timedelta(minutes=1), positive=count, negative=count % 3)
        made.append(last)
    return made


def days_of_trouble(seed: int) -> list[Entry]:
    """Two days and a night with 25 hours: minutes, gaps, restarts, clocks that are set, three calibrations."""
    chance = random.Random(seed)
    made = [begun(DST_EVE + timedelta(seconds=chance.randrange(7200)))]
    while made[-1].end < DST_EVE + timedelta(hours=50) and len(made) < 3000:
        made += minutes(made[-1], chance.randrange(5, 200), chance.randrange(90))
        last, length = made[-1], timedelta(seconds=chance.randrange(1, 9000))
        kind = chance.choice(["gap", "restart", "clock", "epoch", "long"])
        if kind in {"gap", "restart"}:
            made.append(entry(last, length, EntryKind(kind), undirected=chance.randrange(500)))
        elif kind == "clock":
            made.append(entry(last, chance.choice([-length, length]), EntryKind.CLOCK))
        elif kind == "epoch" and last.epoch < 3:
            made.append(
                Entry(
                    sequence=last.sequence + 1, kind=EntryKind.EPOCH, start=last.end, end=last.end,
                    epoch=last.epoch + 1, count=0,
                )
            )  # fmt: skip
        else:
            made.append(entry(last, length, positive=chance.randrange(900), negative=chance.randrange(9)))
    return made


def booked(store: Store, entries: Sequence[Entry]) -> int:
    meter_id = register(store, f"m{len(store.meters())}")
    for number in range(2, max(one.epoch for one in entries) + 1):
        other = replace(CALIBRATION, counts_per_watt=CALIBRATION.counts_per_watt * (1 + number / 1000))
        store.begin_epoch(meter_id, other, [], at=entries[0].start, evidence="a reference meter")
    store.book(meter_id, entries)
    return meter_id


def stated_as(chance: random.Random, at: datetime, books: LedgerSlice) -> Entry:
    by_whom = {"at": at, "who": "owner", "reason": "a story"}
    gaps = list(unassigned(books))
    if not books.stated:
        return opening(books, import_mwh=12_345, export_mwh=7, **by_whom)  # type: ignore[arg-type]
    if gaps and chance.random() < 0.5:
        return assignment(books, gaps[0], EnergyDirection.EXPORT, **by_whom)  # type: ignore[arg-type]
    if len(books.stated) == 3:
        return reversal(books, books.stated[-1].sequence, **by_whom)  # type: ignore[arg-type]
    return adjustment(books, import_mwh=chance.randrange(10**6), export_mwh=5, **by_whom)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(5))
def test_hours_of_a_life_with_trouble_are_those_of_all_its_entries(store: Store, seed: int) -> None:
    entries, chance = days_of_trouble(seed), random.Random(seed)
    meter_id = booked(store, entries)
    for number in range(5):
        store.state(meter_id, partial(stated_as, chance, DST_EVE + number * 5 * HOUR))
    until, whole = max(one.end for one in entries), store.ledger_slice(meter_id)
    for zone, first in product(ZONES, (entries[0].start - 5 * HOUR, DST_EVE + 20 * HOUR)):
        marks = boundaries(By.HOUR, first, until + 5 * HOUR, ZoneInfo(zone))
        few, numbers = condensed_and_counted(store, meter_id, marks)
        assert alike(numbers, by_interval(whole, marks))
        assert numbers == few


def test_an_entry_longer_than_an_hour_is_shared_by_all_that_it_lies_in(store: Store) -> None:
    entries = [begun(START), *minutes(begun(START), 70)]
    entries.append(entry(entries[-1], 5 * HOUR, positive=5000))
    entries += minutes(entries[-1], 130)
    meter_id = booked(store, entries)
    marks = boundaries(By.HOUR, START, entries[-1].end, UTC)
    hours = counted(store, meter_id, marks)
    assert hours == by_interval(store.ledger_slice(meter_id), marks)
    assert hours[3].energy.import_mwh == pytest.approx(hours[4].energy.import_mwh, abs=1)  # whole, in the middle of it


def test_an_open_entry_longer_than_an_hour_is_shared_too(store: Store) -> None:
    entries = [begun(START), *minutes(begun(START), 10)]
    entries.append(entry(entries[-1], 3 * HOUR, positive=5000))
    meter_id = booked(store, entries)
    marks = boundaries(By.HOUR, START, entries[-1].end + HOUR, UTC)
    assert counted(store, meter_id, marks) == by_interval(store.ledger_slice(meter_id), marks)


def test_hours_that_a_clock_ran_through_twice_hold_both(store: Store) -> None:
    entries = [begun(START), *minutes(begun(START), 200)]
    entries.append(entry(entries[-1], -2 * HOUR, EntryKind.CLOCK))
    entries += minutes(entries[-1], 300, 11)
    meter_id = booked(store, entries)
    marks = boundaries(By.HOUR, START, entries[-1].end, UTC)
    assert counted(store, meter_id, marks) == by_interval(store.ledger_slice(meter_id), marks)


@pytest.mark.parametrize("seed", range(3))
def test_hours_and_days_with_imported_history_are_those_of_all_entries(tmp_path: Path, seed: int) -> None:
    path, entries = tmp_path / "w.sqlite", days_of_trouble(seed)
    with open_store(path) as store:
        meter_id, began = booked(store, entries), min(one.end for one in entries)
        for number in range(40):
            start = microseconds(began - number * HOUR) - 3 * 3_600_000_000 // (seed + 1)
            row = (meter_id, start, start + 3_600_000_000, 1000 + number, None if number % 7 else 5)
            execute(path, f"INSERT INTO imported_hours VALUES {row}".replace("None", "NULL")[:-1] + ", 'tibber')")
        for by in (By.HOUR, By.DAY):
            marks = boundaries(by, began - 50 * HOUR, began + 30 * HOUR, ZoneInfo("Europe/Berlin"))
            whole = store.ledger_slice(meter_id)
            with open_to_read(path) as reader:
                found = reader.energy(meter_id, marks)
                imported = imported_over(reader._cursor, meter_id, marks[0], marks[-1])
            assert len(imported) == 40
            assert alike(found, with_imported(by_interval(whole, marks), imported, whole))
            assert any(one.imported for one in found)


def test_rows_that_an_update_makes_are_those_that_entries_make(tmp_path: Path) -> None:
    path = tmp_path / "w.sqlite"
    with open_store(path) as store:
        for seed in range(3):
            booked(store, days_of_trouble(seed))
    followed = execute(path, "SELECT * FROM hour_sum ORDER BY 1, 2, 3")
    (step,) = [sql for sql in migrations() if "CREATE TABLE hour_sum" in sql]
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"DROP TABLE hour_sum; {step}")
    assert execute(path, "SELECT * FROM hour_sum ORDER BY 1, 2, 3") == followed
    assert len(followed) > 100


def test_hours_of_a_week_are_read_without_its_entries(tmp_path: Path) -> None:
    path, entries, steps = tmp_path / "w.sqlite", [begun(START)], list[int]()
    entries += minutes(entries[0], 7 * 1440)
    with open_store(path) as store:
        meter_id = booked(store, entries)
    marks = boundaries(By.HOUR, START, entries[-1].end, UTC)
    with open_to_read(path) as reader:
        # SQLite counts its steps
        connection = reader._cursor.connection  # type: ignore[attr-defined]
        connection.set_progress_handler(lambda: steps.append(1), 100)
        assert len(reader.energy(meter_id, marks)) == 7 * 24 + 1
        connection.set_progress_handler(None, 0)
    assert 100 * len(steps) < 100 * len(marks)  # with an entry looked up for each hour it was 150 an hour
