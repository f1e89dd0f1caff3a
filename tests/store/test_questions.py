"""What can be asked of the store: series, the end of a ledger, the latest reading; and what it forgets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.store.rig import START, live_through, look, register
from wattrail.database_address import DatabaseAddress
from wattrail.store import Retention, Store, open_store
from wattrail.store.series import bucket_width

HOUR = timedelta(hours=1)


@pytest.fixture
def store(address: DatabaseAddress) -> Iterator[Store]:
    with open_store(address) as opened:
        yield opened


def test_the_latest_reading_comes_back_as_it_was_shown(store: Store) -> None:
    meter_id = register(store)
    assert store.latest(meter_id) is None
    live_through(store, meter_id, range(21))
    kept, given = store.latest(meter_id), look(20)[0]
    assert kept is not None
    assert (kept.at, kept.energy_count, kept.watt_count) == (given.at, given.energy_count, given.watt_count)
    assert (kept.volts, kept.watts, kept.hertz) == (given.volts, given.watts, given.hertz)
    assert kept.amps == pytest.approx(given.amps, abs=1e-6)
    assert not kept.simulated


def test_a_series_is_thinned_without_losing_its_peaks(store: Store) -> None:
    meter_id = register(store)
    live_through(store, meter_id, range(400))
    buckets = store.series(meter_id, START - HOUR + timedelta(seconds=400), START + timedelta(seconds=400), points=60)
    assert 6 <= len(buckets) <= 8
    assert sum(bucket.readings for bucket in buckets) == 400
    assert max(bucket.highest for bucket in buckets) == 600.0 * 24
    assert min(bucket.lowest for bucket in buckets) == 600.0 * -15
    assert all(bucket.start.timestamp() % 60 == 0 for bucket in buckets)


@pytest.mark.parametrize(("span", "points", "width_s"), [(HOUR, 720, 5), (HOUR, 60, 60), (HOUR * 24 * 14, 720, 1800)])
def test_the_width_of_a_point_is_one_a_person_would_choose(span: timedelta, points: int, width_s: int) -> None:
    assert bucket_width(span, points) == timedelta(seconds=width_s)


def test_a_series_of_no_points_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="cannot draw"):
        store.series(register(store), START, START, points=10)


def test_the_end_of_a_ledger_begins_at_a_moment_and_is_never_empty(store: Store) -> None:
    meter_id = register(store)
    assert store.entries_since(meter_id, START) == ()
    live_through(store, meter_id, range(400))
    whole, moment = store.entries(meter_id), START + timedelta(seconds=170)
    assert store.entries_since(meter_id, moment) == tuple(entry for entry in whole if entry.end >= moment)
    assert store.entries_since(meter_id, START + HOUR) == whole[-1:]
    assert store.entries_since(meter_id, START - HOUR) == whole


def test_old_readings_are_forgotten_and_the_account_stays(store: Store) -> None:
    meter_id = register(store)
    ledger = live_through(store, meter_id, range(400))
    # Entries end at every full minute; those of the last 200 s watched are kept, and the readings they account for.
    assert store.purge(Retention(readings=timedelta(seconds=200))) == 121  # 0 to 120
    kept = store.ledger(meter_id)
    assert kept is not None
    assert kept.totals() == ledger.totals()
    later = START + timedelta(seconds=150)
    assert sum(b.readings for b in store.series(meter_id, later, later + timedelta(minutes=9))) == 250
    assert sum(b.readings for b in store.series(meter_id, START, START + HOUR)) == 400  # their minutes are kept


def test_the_number_of_a_reading_is_never_used_twice(store: Store) -> None:
    meter_id = register(store)
    ledger = live_through(store, meter_id, range(90))
    store.book(meter_id, ledger.close())
    store.purge(Retention(readings=timedelta()))
    again = live_through(store, meter_id, range(90, 110))
    kept = store.ledger(meter_id)
    assert kept is not None
    assert kept.totals() == again.totals() != ledger.totals()


def test_a_reading_that_no_entry_accounts_for_yet_is_never_forgotten(store: Store) -> None:
    meter_id = register(store)
    ledger = live_through(store, meter_id, range(90))
    store.purge(Retention(readings=timedelta()))
    kept = store.ledger(meter_id)
    assert kept is not None
    assert kept.totals() == ledger.totals()
    assert store.latest(meter_id) is not None
