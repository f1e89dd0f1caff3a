"""Sums and rollups are held against the entries and readings they were made of, and made again where they differ."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.databases import execute, forge
from tests.store.rig import START, live_through, look, open_as_gateway, register
from tests.store.test_hour_sums import begun, days_of_trouble, entry
from tests.store.test_hour_sums import booked as book_entries
from wattrail.database_address import DatabaseAddress
from wattrail.ledger import By, Entry, Ledger, Observation, boundaries, by_interval
from wattrail.store import Retention, Store, open_store, open_to_read
from wattrail.store.derived_rows import check_database, rebuild
from wattrail.store.engines import database_at
from wattrail.store.rollups import catch_up
from wattrail.store.sum_check import SUM_TABLES, differing_spans, make_sums_again
from wattrail.store.tiers import Tier
from wattrail.units import Reading

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
TABLES = ("quarter_sum", "hour_sum", "rollup")


def live(store: Store, meter_id: int, seconds: range, *, every_s: int = 9, ledger: Ledger | None = None) -> Ledger:
    """Book readings as a gateway does, in one transaction."""
    ledger, rows = ledger or Ledger(store.meters()[0].epoch), list[tuple[int, Reading, Observation, Sequence[Entry]]]()
    for second in seconds[::every_s]:
        reading, seen = look(second)
        seen = replace(seen, elapsed_us=every_s * 1_000_000 if second else None)
        rows.append((meter_id, reading, seen, ledger.observe(seen)))
    store.append_all(rows)
    return ledger


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Three hours and ten minutes of a house. Each story leaves it as it was."""
    is_file = request.param == "sqlite"
    path = tmp_path_factory.mktemp("house") / "w.sqlite"
    with open_store(path if is_file else request.getfixturevalue("postgres_server").address(), zone=BERLIN) as store:
        live(store, register(store), range(11_400))
        yield store


def texts(address: DatabaseAddress) -> list[str]:
    return [f"{finding.meter}: {finding.text}" for finding in check_database(address).findings]


def rows(address: DatabaseAddress) -> dict[str, list[object]]:
    """All derived rows."""
    return {name: sorted(map(tuple, execute(address, f"SELECT * FROM {name}"))) for name in TABLES}


def micro(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)


def test_an_altered_sum_is_named_by_meter_hour_and_what_it_should_be(house: Store) -> None:
    assert texts(house.path) == []
    forge(house.path, f"UPDATE quarter_sum SET positive = positive + 5 WHERE started_at = {micro(NOON)}")
    forge(house.path, f"UPDATE hour_sum SET cut_end = cut_end + 1 WHERE started_at = {micro(NOON)}")
    found = texts(house.path)
    (counts,) = execute(house.path, f"SELECT positive FROM quarter_sum WHERE started_at = {micro(NOON)}")[0]
    name = "2026-06-21 12:00 UTC, epoch 1"
    assert found[0] == f"house: sum of the quarter hour {name}: positive is {counts}, should be {counts - 5}"
    assert found[1].startswith(f"house: sum of the hour {name}: cut_end is ")
    assert len(found) == 2
    assert rebuild(house.path).rows == {"hour_sum": 1, "quarter_sum": 1}


WRONG = (
    ("DELETE FROM quarter_sum WHERE started_at = {noon}", "the quarter hour 2026-06-21 12:00 UTC, epoch 1: it is "),
    ("DELETE FROM hour_sum WHERE started_at = {noon}", "sum of the hour 2026-06-21 12:00 UTC, epoch 1: it is "),
    ("UPDATE quarter_sum SET started_at = started_at + 1 WHERE started_at = {noon}", "should be missing"),
    ("UPDATE quarter_sum SET started_at = 9223372036854775807 WHERE started_at = {noon}", "should be missing"),
    ("UPDATE hour_sum SET started_at = -9223372036854775807 WHERE started_at = {noon}", "should be missing"),
    ("UPDATE quarter_sum SET meter_id = 99 WHERE started_at = {noon}", "1 sums of a meter that is not there"),
    ("INSERT INTO quarter_sum VALUES (1, {noon} + 3600000000, 1, 1, 1, 1, 1, 1)", "should be missing"),
)  # fmt: skip


def test_whatever_is_wrong_with_a_sum_is_found_and_put_right(house: Store) -> None:
    before = rows(house.path)
    for sql, says in WRONG:
        forge(house.path, sql.format(noon=micro(NOON)))
        assert any(says in text for text in texts(house.path)), texts(house.path)
        done = rebuild(house.path)
        assert sum(done.rows.values()) >= 1
        assert done.after.findings == ()
        assert rows(house.path) == before


def test_a_year_without_any_sum_is_named_in_a_few_lines_and_made_again(house: Store) -> None:
    before = rows(house.path)
    forge(house.path, "DELETE FROM quarter_sum")
    forge(house.path, "DELETE FROM hour_sum")
    found = texts(house.path)
    assert len(found) == 10 + 1 + 3
    assert rebuild(house.path).rows == {"hour_sum": 3, "quarter_sum": 12}
    assert rows(house.path) == before


def test_many_wrong_sums_are_counted_and_the_first_are_named(house: Store) -> None:
    forge(house.path, "UPDATE quarter_sum SET negative = negative + 1")
    found = texts(house.path)
    assert len(found) == 11
    assert found[-1] == "house: sums of quarter hours: 2 more differ"
    assert rebuild(house.path).rows == {"quarter_sum": 12}


def test_a_life_with_trouble_is_sound_and_is_made_again_as_it_was(address: DatabaseAddress) -> None:
    with open_store(address) as store:
        book_entries(store, days_of_trouble(1))
    before = rows(address)
    with open_to_read(address) as reader:
        assert reader.derived_problems() == ()
    forge(address, "UPDATE hour_sum SET longest_us = longest_us + 1")
    forge(address, "DELETE FROM quarter_sum")
    with open_to_read(address) as reader:
        assert len(reader.derived_problems()) == 22
    session = database_at(address).own_session("the sums", read_only=False)
    with closing(session), session.transaction(durable=True) as cursor:
        for table in SUM_TABLES:
            for span in list(differing_spans(cursor, 1, table)):
                make_sums_again(cursor, 1, table, *span)
    assert rows(address) == before


def test_nothing_is_made_of_entries_that_are_damaged(house: Store) -> None:
    forge(house.path, f"UPDATE quarter_sum SET positive = 1 WHERE started_at = {micro(NOON)}")
    forge(house.path, "UPDATE entry SET positive = positive + 1 WHERE sequence = 130")
    before, found = rows(house.path), texts(house.path)
    assert any("entry 130: its content is altered" in text for text in found)
    assert not any("sum of the" in text for text in found)  # what they should be is not known
    assert rebuild(house.path).rows == {}
    assert rows(house.path) == before
    forge(house.path, "UPDATE entry SET positive = positive - 1 WHERE sequence = 130")
    assert rebuild(house.path).rows == {"quarter_sum": 1}
    assert texts(house.path) == []


def test_no_entry_and_no_reading_is_touched(house: Store) -> None:
    kept = ("entry", "stated", "epoch", "chain", "reading", "rollup_state", "meter")
    before = [execute(house.path, f"SELECT * FROM {name} ORDER BY 1, 2") for name in kept if name != "chain"]
    forge(house.path, "DELETE FROM quarter_sum")
    rebuild(house.path)
    assert [execute(house.path, f"SELECT * FROM {name} ORDER BY 1, 2") for name in kept if name != "chain"] == before


def test_a_gateway_books_on_while_sums_are_made_again(address: DatabaseAddress) -> None:
    with open_store(address) as store:
        meter_id = register(store)
        ledger = live(store, meter_id, range(4203))
        forge(address, "UPDATE quarter_sum SET positive = 3")
        for second in range(4203, 8001, 9):
            if second == 5004:
                assert rebuild(address).rows == {"quarter_sum": 4}
            live(store, meter_id, range(second, second + 9), ledger=ledger)
        assert texts(address) == []
        marks = boundaries(By.QUARTER_HOUR, START, START + 2 * HOUR, UTC)
        whole = store.ledger_slice(meter_id)
    with open_to_read(address) as reader:
        assert reader.energy(meter_id, marks) == by_interval(whole, marks)


# ---- rollups


def watched(store: Store, hours: int, every_s: int = 60) -> int:
    """A meter that was read for some hours; returns its id."""
    meter_id = register(store, f"m{len(store.meters())}")
    read_on(store, meter_id, START, hours, every_s)
    return meter_id


def rollups_of(address: DatabaseAddress) -> list[str]:
    """What is found of rollups: these readings have no entries, which is a finding too."""
    return [text for text in texts(address) if text.startswith("m0: rollup")]


def read_on(store: Store, meter_id: int, start: datetime, hours: int, every_s: int = 60) -> None:
    looks = (look(second, start=start) for second in range(0, hours * 3600, every_s))
    store.append_all([(meter_id, reading, seen, ()) for reading, seen in looks])


CHANGES = ("milliwatts_sum = milliwatts_sum + 1", "millivolts_count = 77", "started_at = started_at + 7")


def test_an_altered_rollup_is_named_and_put_right(address: DatabaseAddress) -> None:
    with open_store(address, zone=BERLIN) as store:
        watched(store, 40, 1200)
        before = rows(address)
        for tier, change in product(Tier, CHANGES):
            where = f"WHERE width_s = {tier.value}"
            (start,) = execute(address, f"SELECT MAX(started_at) FROM rollup {where}")[0]
            forge(address, f"UPDATE rollup SET {change} {where} AND started_at = {start}")
            found = rollups_of(address)
            assert found, f"{change} of a {tier} was not found"
            assert set(rebuild(address).rows) == {"rollup"}
            assert rows(address) == before
        read_on(store, 1, START + 40 * HOUR, 1)
    assert rollups_of(address) == []


def test_rollups_are_sound_through_clocks_zones_and_forgotten_readings(address: DatabaseAddress) -> None:
    with open_store(address, zone=BERLIN) as store:
        meter_id = watched(store, 30, 300)
        read_on(store, meter_id, START + 4 * HOUR, 23, 300)
        assert rollups_of(address) == []
        read_on(store, meter_id, START + 30 * HOUR, 3, 300)
        assert rollups_of(address) == []
    with open_store(address, zone=ZoneInfo("Asia/Kolkata")) as store:
        read_on(store, meter_id, START + 33 * HOUR, 1, 300)
        while store.catch_up_rollups():
            pass
        assert rollups_of(address) == []
        read_on(store, meter_id, START + 34 * HOUR, 30, 300)
        assert rollups_of(address) == []


def test_rollups_without_their_readings_are_left_as_they_are(address: DatabaseAddress) -> None:
    with open_store(address, zone=BERLIN) as store:
        live(store, register(store), range(8000))
        store.purge(Retention(readings=timedelta(minutes=45)))
        assert execute(address, "SELECT count(*) FROM reading")[0][0] < 500
        assert texts(address) == []
        forge(address, f"UPDATE rollup SET milliwatts_max = 1 WHERE started_at = {micro(START.replace(microsecond=0))}")
        before = rows(address)
        assert texts(address) == [], "nobody can know what they were"
        assert rebuild(address).rows == {}
        assert rows(address) == before
        forge(address, "UPDATE rollup SET milliwatts_max = 1 WHERE width_s = 60")
        assert len(texts(address)) == 11
        store.purge(Retention(minutes=timedelta(minutes=20)))
        assert len(texts(address)) == 11


def test_a_meter_that_waits_for_its_rollups_has_no_finding(tmp_path: Path) -> None:
    path = tmp_path / "w.sqlite"
    with open_store(path, zone=BERLIN) as store:
        watched(store, 3)
    execute(path, "DELETE FROM rollup", "UPDATE rollup_state SET reading_id = 0, open_minute = NULL, zone = NULL")
    assert rollups_of(path) == []
    with open_store(path, zone=BERLIN) as store, store._writer.transaction(durable=False) as cursor:
        assert catch_up(cursor, BERLIN)
    assert rollups_of(path) == []


def test_a_sound_year_has_no_finding_and_needs_little_memory(tmp_path: Path) -> None:
    path, entries = tmp_path / "w.sqlite", [begun(START)]
    for number in range(366 * 24):
        entries.append(entry(entries[-1], HOUR, positive=number % 90))
    with open_store(path) as store:
        book_entries(store, entries)
    with open_to_read(path) as reader:
        assert reader.derived_problems() == ()
        assert peak_of(reader.derived_problems) < 3_000_000


def test_a_gateway_that_keeps_readings_beside_the_file_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "w.sqlite"
    with closing(open_as_gateway(path)) as store:
        ledger = live_through(store, register(store), range(1000))
        for second in range(1000, 1150):  # across minutes that no entry ends
            store.append(1, *look(second), ())
        assert texts(path) == []
        with open_to_read(path) as reader:
            assert reader.derived_problems() == ()
        forge(path, "UPDATE rollup SET milliwatts_sum = 0", "UPDATE quarter_sum SET positive = 0")
        assert rebuild(path).rows == {"quarter_sum": 1, "rollup": 17}
        for second in range(1150, 1300):
            reading, seen = look(second)
            store.append(1, reading, seen, ledger.observe(seen))
    assert texts(path) == []


def peak_of(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
