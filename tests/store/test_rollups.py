"""Rollups are always what their readings add up to: through kills, clocks that are set, and files of older versions."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.databases import execute
from tests.store.rig import START, live_through, look, register
from tests.store.test_keeping import VICTIM
from wattrail.database_address import DatabaseAddress
from wattrail.store import Retention, SeriesQuantity, Store, open_store, open_to_read
from wattrail.store.rows import microseconds
from wattrail.store.tiers import Tier, bucket

HOUR = timedelta(hours=1)
TOGETHER = 500
"""Readings of a transaction: rollups follow each of them all the same."""

BERLIN, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")
FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def store(address: DatabaseAddress) -> Iterator[Store]:
    with open_store(address, zone=BERLIN) as opened:
        yield opened


def read_at(store: Store, meter_id: int, moments: list[datetime]) -> None:
    """A reading at each of some moments, without entries; hundreds of them in a transaction."""
    for place in range(0, len(moments), TOGETHER):
        looks = [
            look(second, start=at - timedelta(seconds=second))
            for second, at in enumerate(moments[place : place + TOGETHER], start=place)
        ]
        store.append_all([(meter_id, reading, seen, ()) for reading, seen in looks])


def every(seconds: int, start: datetime, end: datetime) -> list[datetime]:
    return [start + timedelta(seconds=offset) for offset in range(0, int((end - start).total_seconds()), seconds)]


def rows_of(path: DatabaseAddress, tier: Tier, meter_id: int = 1) -> dict[int, tuple[int, ...]]:
    rows = execute(path, f"SELECT * FROM rollup WHERE meter_id = {meter_id} AND width_s = {tier.value}")
    return {row[2]: row[3:] for row in rows}


def wanted_rows(path: DatabaseAddress, tier: Tier, zone: tzinfo, meter_id: int = 1) -> dict[int, tuple[int, ...]]:
    """What all readings add up to, by the times of a tier, counted the long way."""
    columns = ("milliwatts", "millivolts", "millihertz")
    found: dict[int, list[tuple[int, ...]]] = {}
    for at, *values in execute(path, f"SELECT at, {', '.join(columns)} FROM reading WHERE meter_id = {meter_id}"):
        found.setdefault(bucket(tier, at, zone)[0], []).append(tuple(values))
    return {
        start: tuple(number for one in zip(*values, strict=True) for number in (len(one), min(one), sum(one), max(one)))
        for start, values in found.items()
    }


def closed(path: DatabaseAddress, tier: Tier, zone: tzinfo = BERLIN) -> None:
    """Every row is right, and only the time that is open has none."""
    rows, wanted = rows_of(path, tier), wanted_rows(path, tier, zone)
    opened = set(wanted) - set(rows)
    assert rows == {start: row for start, row in wanted.items() if start not in opened}
    assert len(opened) <= 1


def test_each_tier_holds_what_its_readings_add_up_to(store: Store) -> None:
    read_at(store, register(store), every(20, START, START + timedelta(hours=13)))
    for tier in Tier:
        closed(store.path, tier)
    assert len(rows_of(store.path, Tier.MINUTE)) == 13 * 60 - 1  # the last is open
    assert len(rows_of(store.path, Tier.DAY)) == 1


def test_a_minute_is_written_once_however_often_it_is_read(store: Store) -> None:
    meter_id = register(store)
    read_at(store, meter_id, every(1, START, START + timedelta(seconds=50)))
    assert rows_of(store.path, Tier.MINUTE) == {}
    (point,) = store.series(meter_id, START, START + HOUR, points=60)
    assert point.readings == 50


@pytest.mark.parametrize(
    ("zone", "night", "hours"),
    [
        ("Europe/Berlin", datetime(2026, 3, 28, 23, tzinfo=UTC), 23),
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), 25),
        ("Asia/Kolkata", datetime(2026, 10, 24, 18, 30, tzinfo=UTC), 24),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 13, 30, tzinfo=UTC), 23.5),
    ],
)
def test_days_and_hours_are_those_of_the_site(
    address: DatabaseAddress, zone: str, night: datetime, hours: float
) -> None:
    with open_store(address, zone=ZoneInfo(zone)) as store:
        meter_id, day = register(store), timedelta(hours=hours)
        read_at(store, meter_id, every(300, night - 3 * HOUR, night + day + HOUR))
        assert microseconds(night) in rows_of(store.path, Tier.DAY)
        for tier in Tier:
            closed(store.path, tier, ZoneInfo(zone))
        points = store.series(meter_id, night - 90 * day, night + day, points=120)
        assert [point.end - point.start for point in points if point.start == night] == [day]
        hourly = store.series(meter_id, night, night + day, points=26)
        assert [point.start for point in hourly[:3]] == [night, night + HOUR, night + 2 * HOUR]
        assert sum(point.readings for point in hourly) == hours * 12


def test_a_clock_set_back_adds_to_rows_that_are_there(store: Store) -> None:
    meter_id, end = register(store), START + timedelta(hours=30)
    read_at(store, meter_id, every(120, START, end))
    read_at(store, meter_id, every(120, end - timedelta(hours=26), end - timedelta(hours=3)))
    read_at(store, meter_id, every(120, end, end + HOUR))
    points = store.series(meter_id, START, end + HOUR, points=3)
    assert sum(point.readings for point in points) == 54 * 30  # also while a day is open again
    read_at(store, meter_id, every(120, end + HOUR, end + 7 * HOUR))
    for tier in Tier:
        closed(store.path, tier)


def test_a_clock_set_back_beyond_the_readings_loses_no_row(store: Store) -> None:
    meter_id = register(store)
    live_through(store, meter_id, range(4000), together=TOGETHER)
    before = rows_of(store.path, Tier.QUARTER_HOUR)
    store.purge(Retention(readings=timedelta(), minutes=timedelta()))
    read_at(store, meter_id, every(10, START, START + timedelta(minutes=20)))
    after = rows_of(store.path, Tier.QUARTER_HOUR)
    first = min(before)
    assert after[first][0] == before[first][0] + 90
    assert after[first][1:4:2] == before[first][1:4:2]


def test_a_process_killed_between_reading_and_rollup_counts_none_twice(address: DatabaseAddress) -> None:
    path, chance, second = address, random.Random(20260621), 0
    for _ in range(3):
        victim = subprocess.Popen(
            [sys.executable, "-c", VICTIM, str(path), str(second)],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert victim.stdout is not None
        for _ in range(chance.randrange(40, 400)):
            second = int(victim.stdout.readline())
        victim.send_signal(signal.SIGKILL)
        second = max([second, *map(int, victim.stdout.read().split())])
        victim.wait(60)
        victim.stdout.close()
        with open_store(path) as store:
            kept = store.latest(1)
            assert kept is not None
            second = round((kept.at - START).total_seconds()) + 1
            for tier in (Tier.MINUTE, Tier.QUARTER_HOUR):
                closed(path, tier)
            assert sum(p.readings for p in store.series(1, START, START + timedelta(days=90), points=90)) == second


def test_a_transaction_that_fails_leaves_rollups_as_they_were(store: Store) -> None:
    meter_id = register(store)
    read_at(store, meter_id, every(1, START, START + timedelta(seconds=55)))
    reading, seen = look(70)
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        store.append_all([(meter_id, reading, seen, ()), (77, reading, seen, ())])
    read_at(store, meter_id, every(1, START + timedelta(seconds=61), START + timedelta(minutes=5)))
    closed(store.path, Tier.MINUTE)


@pytest.mark.parametrize("version", [1, 5, 9])
def test_readings_of_an_older_version_are_caught_up(tmp_path: Path, version: int) -> None:
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FIXTURES / f"version_{version:04d}.sql").read_text(encoding="utf-8"))
    with open_store(path, zone=BERLIN) as store:
        meter = store.meter("house")
        assert meter is not None
        before = store.series(meter.id, START, START + HOUR, points=60)
        reading, seen = look(190)
        store.append(meter.id, reading, seen, ())  # the gateway reads on meanwhile
        while store.catch_up_rollups():
            pass
        closed(path, Tier.MINUTE)
        assert len(before) >= 3
        assert store.series(meter.id, START, START + HOUR, points=60)[:3] == before[:3]
        assert not store.catch_up_rollups()


def test_another_time_zone_makes_hours_and_days_again(address: DatabaseAddress) -> None:
    path = address
    with open_store(path, zone=BERLIN) as store:
        read_at(store, register(store), every(300, START, START + timedelta(hours=60)))
    with open_store(path, zone=KOLKATA) as store:
        read_at(store, 1, every(300, START + timedelta(hours=60), START + timedelta(hours=61)))
        while store.catch_up_rollups():
            pass
        read_at(store, 1, every(300, START + timedelta(hours=61), START + timedelta(hours=62)))
        closed(path, Tier.MINUTE)
        closed(path, Tier.QUARTER_HOUR)
        first = min(rows_of(path, Tier.QUARTER_HOUR))
        for tier in (Tier.HOUR, Tier.DAY):
            wanted = wanted_rows(path, tier, KOLKATA)
            made_again = {start: row for start, row in rows_of(path, tier).items() if start >= first}
            assert made_again == {start: wanted[start] for start in made_again}
            assert len(made_again) >= len(wanted) - 2


def test_a_year_later_the_chart_of_an_hour_is_still_there(store: Store) -> None:
    meter_id = register(store)
    live_through(store, meter_id, range(8000), together=TOGETHER)
    store.purge(Retention(readings=timedelta(), minutes=timedelta(hours=1), quarter_hours=timedelta(hours=2)))
    full = START.replace(microsecond=0)
    lasting = store.series(meter_id, full, full + HOUR, points=360)
    assert [point.end - point.start for point in lasting] == [timedelta(minutes=15)] * 4
    assert lasting[1].readings == 900
    latest = store.series(meter_id, START + timedelta(seconds=5000), START + timedelta(seconds=8000), points=60)
    assert {point.end - point.start for point in latest} == {timedelta(minutes=1)}


def test_voltage_and_frequency_have_series_of_their_own(store: Store) -> None:
    meter_id = register(store)
    live_through(store, meter_id, range(400), together=TOGETHER)
    with open_to_read(store.path) as reader:
        volts = reader.series("house", START, START + HOUR, points=60, quantity=SeriesQuantity.VOLTAGE)
        hertz = reader.series("house", START, START + HOUR, points=720, quantity=SeriesQuantity.FREQUENCY)
    assert {point.mean for point in volts} == {230.125}
    assert {point.highest for point in hertz} == {50.01}


def test_rollups_beyond_their_time_go_oldest_first(store: Store) -> None:
    meter_id = register(store)
    read_at(store, meter_id, every(30, START, START + timedelta(hours=5)))
    store.purge(Retention(minutes=timedelta(hours=2), hours=timedelta(hours=3)))
    assert len(rows_of(store.path, Tier.MINUTE)) == 120
    assert len(rows_of(store.path, Tier.HOUR)) == 3
    assert len(rows_of(store.path, Tier.QUARTER_HOUR)) == 19
    last = START.replace(microsecond=0) + timedelta(hours=5, minutes=-2)
    assert max(rows_of(store.path, Tier.MINUTE)) == microseconds(last)
