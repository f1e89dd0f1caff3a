"""No acknowledged reading is lost, no energy is booked twice, whatever happens in between."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.databases import REFUSAL, execute
from tests.ledger.rig import chip_epoch
from tests.store.rig import CALIBRATION, START, live_through, look, never_stopped, register
from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.ledger import EntryKind, Ledger
from wattrail.store import Store, open_store

MINUTES = range(400)

VICTIM = """
import itertools, sys
from tests.store.rig import look, register
from wattrail.ledger import Ledger
from wattrail.store import open_store

store = open_store(sys.argv[1])
meter_id = register(store)
ledger = store.ledger(meter_id) or Ledger(store.meters()[0].epoch)
for second in itertools.count(int(sys.argv[2])):
    reading, seen = look(second)
    store.append(meter_id, reading, seen, ledger.observe(seen))
    print(second, flush=True)
"""


@pytest.fixture
def store(address: DatabaseAddress) -> Iterator[Store]:
    with open_store(address) as opened:
        yield opened


def test_an_account_read_back_is_the_account_that_was_written(store: Store) -> None:
    meter_id = register(store)
    live = live_through(store, meter_id, MINUTES)
    again = store.ledger(meter_id)
    assert again is not None
    assert again.totals() == live.totals()
    assert list(store.entries(meter_id)) == never_stopped(MINUTES, epoch_of=store)[0]


def test_an_unclean_shutdown_at_any_moment_changes_nothing_in_the_ledger(store: Store) -> None:
    meter_id, chance, second = register(store), random.Random(20260621), 0
    while second < 400:
        onwards = min(400, second + chance.randrange(1, 25))
        live_through(store, meter_id, range(second, onwards))  # and the ledger in memory is forgotten
        second = onwards
    entries, ledger = never_stopped(MINUTES, epoch_of=store)
    assert list(store.entries(meter_id)) == entries
    kept = store.ledger(meter_id)
    assert kept is not None
    assert kept.totals() == ledger.totals()


def test_a_clean_stop_books_the_open_minute_once(store: Store) -> None:
    meter_id = register(store)
    ledger = live_through(store, meter_id, range(100))
    store.book(meter_id, ledger.close())
    again = store.ledger(meter_id)
    assert again is not None
    assert again.totals() == ledger.totals()
    assert again.close() == ()


def test_a_wall_clock_that_steps_back_loses_no_reading(store: Store) -> None:
    meter_id = register(store)
    live_through(store, meter_id, range(70))
    live = live_through(store, meter_id, range(70, 90), start=START - timedelta(minutes=30))
    again = store.ledger(meter_id)
    assert again is not None
    assert again.totals() == live.totals()


def test_a_process_killed_during_a_write_keeps_acknowledged_readings(address: DatabaseAddress) -> None:
    acknowledged = -1
    for wanted in (75, 40, 131):
        victim = subprocess.Popen(
            [sys.executable, "-c", VICTIM, str(address), str(acknowledged + 1)],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert victim.stdout is not None
        for _ in range(wanted):
            acknowledged = int(victim.stdout.readline())
        victim.send_signal(signal.SIGKILL)
        acknowledged = max([acknowledged, *map(int, victim.stdout.read().split())])
        victim.wait(60)
        victim.stdout.close()
        with open_store(address) as store:
            kept = store.latest(1)
            assert kept is not None
            seconds = round((kept.at - START).total_seconds())
            assert seconds >= acknowledged, "an acknowledged reading is missing"
            acknowledged = seconds
            entries, ledger = never_stopped(range(seconds + 1), epoch_of=store)
            assert list(store.entries(1)) == entries
            again = store.ledger(1)
            assert again is not None
            assert again.totals() == ledger.totals()


def test_a_reading_and_its_entries_are_kept_together_or_not_at_all(store: Store) -> None:
    meter_id = register(store)
    live_through(store, meter_id, range(10))
    reading, seen = look(10)
    stranger = replace(store.entries(meter_id)[0], sequence=2, epoch=7)
    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        store.append(meter_id, reading, seen, [stranger])
    kept = store.latest(meter_id)
    assert kept is not None
    assert kept.at == look(9)[0].at


def test_a_second_gateway_on_the_same_file_stops_before_it_books_twice(store: Store) -> None:
    meter_id = register(store)
    first = live_through(store, meter_id, range(30))
    second = store.ledger(meter_id)
    assert second is not None
    reading, seen = look(60)
    store.append(meter_id, reading, seen, first.observe(seen))
    with pytest.raises(StoreError, match="refuses a row") as caught:
        store.append(meter_id, reading, seen, second.observe(seen))
    assert "another gateway" in str(caught.value.hint)


@pytest.mark.parametrize("sql", ["UPDATE entry SET positive = 0", "DELETE FROM entry", "UPDATE epoch SET inverted = 1",
                                 "DELETE FROM epoch", "UPDATE reading SET milliwatts = 0"])  # fmt: skip
def test_the_database_itself_refuses_to_rewrite_the_past(store: Store, sql: str) -> None:
    live_through(store, register(store), range(5))
    with pytest.raises(REFUSAL, match="never"):
        execute(store.path, sql)


def test_a_new_calibration_begins_an_epoch_and_leaves_past_energy_alone(store: Store) -> None:
    meter_id = register(store)
    ledger = live_through(store, meter_id, range(100))
    before = ledger.totals()
    better = replace(CALIBRATION, counts_per_watt=CALIBRATION.counts_per_watt * 1.1)
    row = store.register_meter("house", "serial:///dev/ttyUSB0", simulated=False, calibration=better)
    assert row.recalibrated
    entries = ledger.begin_epoch(chip_epoch(2, better.counts_per_watt))
    store.begin_epoch(meter_id, better, entries, at=START, evidence="reference meter, 2 kW")
    again = store.ledger(meter_id)
    assert again is not None
    assert (again.epoch.number, again.totals()) == (2, before)
    assert store.entries(meter_id)[-1].kind is EntryKind.EPOCH
    row = store.register_meter("house", "serial:///dev/ttyUSB0", simulated=False, calibration=better)
    assert not row.recalibrated


@pytest.mark.parametrize(
    ("url", "simulated", "says"),
    [
        ("twin://pziot-e01", True, "is a meter in .* is to be a simulated twin"),
        ("replay:capture.jsonl", False, "is to be a replay"),
        ("record:c.jsonl?of=twin://pziot-e01", True, "simulated twin"),
    ],
)
def test_a_twin_may_not_write_into_the_account_of_a_meter(store: Store, url: str, simulated: bool, says: str) -> None:
    register(store)
    with pytest.raises(StoreError, match=says) as caught:
        store.register_meter("house", url, simulated=simulated, calibration=CALIBRATION)
    assert "another name" in str(caught.value.hint)


def test_a_meter_may_move_to_another_port_and_its_password_is_not_kept(store: Store) -> None:
    register(store)
    row = store.register_meter(
        "house", "tcp://me:secret@10.0.0.7:8888?token=abc&x=1", simulated=False, calibration=CALIBRATION
    )
    assert row.id == 1
    assert [meter.url for meter in store.meters()] == ["tcp://10.0.0.7:8888?token=***&x=1"]


def test_meters_write_and_pages_read_at_the_same_time(store: Store) -> None:
    names = ["attic", "barn", "cellar"]
    ids = [register(store, name) for name in names]
    failures: list[BaseException] = []

    def work(meter_id: int) -> None:
        try:
            ledger = Ledger(store.meters()[0].epoch)
            for second in range(150):
                reading, seen = look(second)
                store.append(meter_id, reading, seen, ledger.observe(seen))
                store.series(meter_id, START, START + timedelta(minutes=5))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(meter_id,)) for meter_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len({store.ledger(meter_id).totals() for meter_id in ids if store.ledger(meter_id)}) == 1  # type: ignore[union-attr]
