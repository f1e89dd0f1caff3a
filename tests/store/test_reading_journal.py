"""Readings between two entries stand in a journal beside the file: none is lost, none is taken over twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.databases import execute, raw_connection
from tests.store.rig import CALIBRATION, START, live_through, look, open_as_gateway, register
from wattrail.errors import StoreError, StoreUnavailable
from wattrail.ledger import Ledger
from wattrail.store import Store, open_store, open_to_read, recent_readings
from wattrail.store.backup import back_up
from wattrail.store.reading_journal import JournalLine, ReadingJournal, journal_content, journal_lines, journal_path
from wattrail.store.restore import restore
from wattrail.store.series import Bucket

ALWAYS = START + timedelta(days=1)


def seconds_seen(path: Path, meter_id: int = 1) -> list[int]:
    """The seconds of which a reader finds readings."""
    with open_to_read(path) as reader:
        rows = reader.readings_page(meter_id, START, ALWAYS, None, 10_000)
    return [round((row[0] or 0) / 1e6 - START.timestamp()) for row in rows]


def in_database(path: Path) -> int:
    return int(execute(path, "SELECT count(*) FROM reading")[0][0])


def abandon(store: Store) -> None:
    """As a process that is killed leaves it: nothing is taken over, and the lock is free."""
    inside: Any = store
    journal, inside._recent._journal = inside._recent._journal, None
    journal.close(is_empty=False)
    store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "w.sqlite"


def test_a_reading_costs_a_line_and_its_entry_takes_it_along(path: Path) -> None:
    def live(*seconds: int) -> int:
        for second in seconds:
            reading, seen = look(second)
            store.append(1, reading, seen, ledger.observe(seen))
        return path.with_name("w.sqlite-wal").stat().st_size

    with closing(open_as_gateway(path)) as store:
        register(store)
        ledger = Ledger(store.meters()[0].epoch)
        log = live(*range(50))
        assert live(*range(50, 58)) == log
        assert in_database(path) == 1  # the one that began the account
        assert len(journal_content(path)) < 58 * 140
        assert live(*range(58, 70)) > log
        assert in_database(path) >= 60
        assert seconds_seen(path) == list(range(70))
    assert in_database(path) == 70
    assert journal_content(path) == b""


def test_who_reads_meanwhile_sees_the_last_minute_too(path: Path) -> None:
    with closing(open_as_gateway(path)) as store:
        ledger = live_through(store, register(store), range(100))
        with open_to_read(path) as reader:
            read = reader.ledger(1)
            points = reader.series("house", START, START + timedelta(seconds=100), points=100)
        assert read is not None
        assert read.totals() == ledger.totals()
        assert len(points) == 100
        last = store.latest(1)
        assert last is not None
        assert last.at == look(99)[0].at


@pytest.mark.parametrize("points", [1, 24, 96, 720])
@pytest.mark.parametrize("hours", [1, 24, 24 * 40, 24 * 400])
def test_a_chart_has_the_newest_readings_as_once_they_are_taken_over(path: Path, points: int, hours: int) -> None:
    def chart() -> tuple[Bucket, ...]:
        with open_to_read(path) as reader:
            return reader.series("house", end - timedelta(hours=hours), end, points=points)

    end = START + timedelta(hours=1, minutes=1)
    with closing(open_as_gateway(path)) as store:
        live_through(store, register(store), range(3530, 3590))
        for second in range(3590, 3640):  # across an hour, which no entry ends: the ledger doubts the clock
            store.append(1, *look(second), ())
        assert in_database(path) < 60
        meanwhile = chart()
    assert in_database(path) == 110
    assert meanwhile == chart()
    assert sum(bucket.readings for bucket in meanwhile) == 110


def test_after_a_kill_the_account_is_that_of_a_gateway_that_never_stopped(path: Path) -> None:
    store = open_as_gateway(path)
    ledger = live_through(store, register(store), range(150))
    abandon(store)
    assert seconds_seen(path) == list(range(150))
    with closing(open_as_gateway(path)) as again:
        resumed = again.ledger(1)
        assert resumed is not None
        assert resumed.totals() == ledger.totals()
        live_through(again, 1, range(150, 200))
    assert seconds_seen(path) == list(range(200))
    assert sum(point[0] for point in minutes(path)) == 180


def minutes(path: Path) -> list[Any]:
    return execute(path, "SELECT milliwatts_count FROM rollup WHERE width_s = 60 ORDER BY started_at")


def test_lines_that_were_taken_over_are_not_taken_over_again(path: Path) -> None:
    store = open_as_gateway(path)
    live_through(store, register(store), range(58))
    before = journal_content(path)
    live_through(store, 1, range(58, 64))
    abandon(store)
    journal_path(path).write_bytes(before)  # the kill came after the commit, before the next line
    with closing(open_as_gateway(path)) as again:
        live_through(again, 1, range(64, 70))
    seen = seconds_seen(path)
    assert sorted(set(seen)) == seen
    assert seen[:60] == list(range(60))


@pytest.mark.parametrize("spoil", [
    lambda content: content[:-20],
    lambda content: content[:-20] + b"x" + content[-19:],
    lambda content: content + content[:200],
    lambda content: content + bytes(range(256)),
    lambda content: content + b"00000000 1 []\n00000000\n\n",
], ids=["cut off", "damaged", "an earlier round behind it", "bytes behind it", "lines behind it"])  # fmt: skip
def test_what_does_not_belong_to_the_journal_ends_it(path: Path, spoil: Callable[[bytes], bytes]) -> None:
    store = open_as_gateway(path)
    live_through(store, register(store), range(50))
    abandon(store)
    journal_path(path).write_bytes(spoil(journal_content(path)))
    seen = seconds_seen(path)
    assert seen in (list(range(50)), list(range(49)))
    with closing(open_as_gateway(path)) as again:
        live_through(again, 1, range(len(seen), 70))
    assert seconds_seen(path) == list(range(70))


def test_a_journal_of_another_database_is_not_taken_over(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    with open_store(other) as elsewhere:
        at = START - timedelta(days=3)
        elsewhere.register_meter("barn", "serial:///dev/ttyUSB0", simulated=False, calibration=CALIBRATION, at=at)
    store = open_as_gateway(path)
    live_through(store, register(store), range(30))
    abandon(store)
    shutil.copy(journal_path(path), journal_path(other))
    assert seconds_seen(other) == []
    open_as_gateway(other).close()
    assert in_database(other) == 0


def test_an_older_copy_of_the_database_gets_no_readings_with_a_hole(path: Path, tmp_path: Path) -> None:
    store = open_as_gateway(path)
    live_through(store, register(store), range(100))
    back_up(path, tmp_path / "copy")
    live_through(store, 1, range(100, 200))
    abandon(store)
    for file in tmp_path.glob("w.sqlite-*"):
        file.unlink()
    shutil.copy(tmp_path / "copy", path)
    assert seconds_seen(path) == list(range(100)), "what the copy has, and nothing of the journal that goes on later"


def test_a_backup_has_the_newest_readings_and_their_minutes(path: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.sqlite"
    with closing(open_as_gateway(path)) as store:
        live_through(store, register(store), range(100))
        for second in range(100, 190):  # across minutes that no entry ends
            store.append(1, *look(second), ())
        back_up(path, kept)
    assert seconds_seen(kept) == list(range(190))
    assert execute(kept, "SELECT * FROM reading_journal") == execute(path, "SELECT * FROM reading_journal")
    assert minutes(kept) == minutes(path)
    with closing(open_as_gateway(kept)) as restored:
        assert restored.ledger(1) is not None
        live_through(restored, 1, range(190, 310))
    assert seconds_seen(kept) == list(range(310))
    assert sum(point[0] for point in minutes(kept)) == 300


def test_restoring_a_backup_leaves_the_journal_with_the_replaced_file(path: Path, tmp_path: Path) -> None:
    store = open_as_gateway(path)
    live_through(store, register(store), range(100))
    back_up(path, tmp_path / "copy")
    live_through(store, 1, range(100, 150))
    abandon(store)
    done = restore(tmp_path / "copy", path, at=START)
    assert done.kept_as is not None
    assert not journal_path(path).exists()
    assert isinstance(done.kept_as, Path)
    assert seconds_seen(done.kept_as) == list(range(150))
    restore(done.kept_as, path, at=START + timedelta(seconds=1))  # the other was better after all
    assert in_database(path) == 150


def test_a_full_journal_is_taken_over_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_readings, "MAX_LINES", 40)
    with closing(open_as_gateway(path)) as store:
        names = ("attic", "barn")
        ids = [register(store, name) for name in names]
        ledgers = {each: Ledger(store.meters()[0].epoch) for each in ids}
        for second in range(130):
            reading, seen = look(second)
            store.append_all([(each, reading, seen, ledgers[each].observe(seen)) for each in ids])
            assert len(journal_content(path)) < 60 * 140
        for each in ids:
            assert seconds_seen(path, each) == list(range(130))


def test_many_meters_share_transactions_instead(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_readings, "MAX_METERS", 2)
    with closing(open_as_gateway(path)) as store:
        ids = [register(store, name) for name in ("attic", "barn", "cellar")]
        for count, second in ((2, 0), (2, 1), (3, 2), (3, 3)):
            store.append_all([(each, *look(second), ()) for each in ids[:count]])
            assert in_database(path) == (0 if count == 2 else 3 * second + 1)
        assert [seconds_seen(path, each) for each in ids] == [[0, 1, 2, 3], [0, 1, 2, 3], [2, 3]]


def test_a_journal_that_takes_nothing_costs_no_reading(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    with closing(open_as_gateway(path)) as store:
        live_through(store, register(store), range(20))
        monkeypatch.setattr(ReadingJournal, "append", full)
        live_through(store, 1, range(20, 30))
        assert in_database(path) == 30
    assert seconds_seen(path) == list(range(30))


def test_what_the_database_would_refuse_is_refused_at_once(path: Path) -> None:
    with closing(open_as_gateway(path)) as store:
        register(store)
        reading, seen = look(0)
        with pytest.raises(StoreError, match="FOREIGN KEY"):
            store.append(17, reading, seen, ())
        live_through(store, 1, range(70))
    assert seconds_seen(path) == list(range(70))


def test_a_batch_whose_entry_cannot_be_stored_leaves_no_line(path: Path) -> None:
    with closing(open_as_gateway(path)) as store:
        ids = [register(store, name) for name in ("attic", "barn")]
        ledger = Ledger(store.meters()[0].epoch)
        first = ledger.observe(look(0)[1])
        store.append(ids[0], *look(0), first)
        before = journal_content(path)
        with closing(raw_connection(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked"):
                store.append_all([(ids[1], *look(1), ()), (ids[1], *look(2), first)], wait_s=0.0)
            with pytest.raises(StoreUnavailable, match="locked"):
                store.append_all([(ids[0], *look(1), ()), (ids[1], *look(1), first)], wait_s=0.0)
            assert journal_content(path) == before
            with pytest.raises(StoreUnavailable, match="locked"):  # who waits, waits in order
                store.append_all([(ids[0], *look(1), ())], wait_s=0.0)
            other.execute("ROLLBACK")
        store.append(ids[0], *look(1), ())
        assert seconds_seen(path, ids[0]) == [0, 1]


VALUES = st.lists(st.none() | st.integers(-(1 << 63), (1 << 63) - 1) | st.text(max_size=20), max_size=8)


@given(st.lists(st.tuples(st.integers(1, 5), VALUES), max_size=20), st.integers(0, 3000))
def test_lines_come_back_as_they_were_and_cut_off_as_a_beginning(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, list[Any]]], cut: int
) -> None:
    database = tmp_path_factory.mktemp("journal") / "w.sqlite"
    database.touch()
    registered = {meter_id: meter_id * 1000 for meter_id in range(1, 6)}
    lines = [JournalLine(meter, number, number - 1, tuple(values)) for number, (meter, values) in enumerate(rows, 1)]
    journal = ReadingJournal(database)
    for line in lines:
        journal.append([line], registered)
    content = journal_content(database)
    assert list(journal_lines(content, registered)) == lines
    found = list(journal_lines(content[:cut], registered))
    assert found == lines[: len(found)]
    journal.close(is_empty=True)
