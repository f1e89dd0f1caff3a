"""The demo twin begins with a year that a newcomer can look at, and nobody can mistake it for measured."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.store.rig import look
from wattrail.app.demo_past import store_past
from wattrail.app.plan import DEMO_METER, DEMO_METERS
from wattrail.ledger import EntryKind, audit
from wattrail.store import Store, open_store, open_to_read
from wattrail.twin.past import generate_past
from wattrail.twin.scenario import load_scenario

NOW = datetime(2026, 11, 29, 12, 34, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(tmp_path / "demo.sqlite")
    store_past(store, DEMO_METER, until=NOW, zone=BERLIN, days=40)
    return store


def test_every_watt_hour_of_the_house_is_in_its_ledger(store: Store) -> None:
    past = generate_past(load_scenario("house"), until=NOW, days=40, zone=BERLIN)
    with store:
        ledger = store.ledger_slice(store.meters()[0].id)
    verdict = audit(ledger)
    assert verdict.findings == ()
    totals = verdict.totals
    assert totals is not None
    booked_mwh = totals.import_mwh + totals.export_mwh + totals.undirected_mwh
    made_mwh = (past.import_wh.sum() + past.export_wh.sum()) * 1000
    step_mwh = float(ledger.epochs[1].step_mwh)
    assert abs(booked_mwh - made_mwh) < 2 * step_mwh


def test_the_past_is_marked_as_simulated_wherever_it_is_kept(store: Store) -> None:
    with store:
        meter = store.meters()[0]
        assert meter.simulated
        assert "simulated, nothing was measured" in store.evidence(meter.id)[1]
        entries = store.entries(meter.id)
    assert entries[0].note == "generated past"
    assert {entry.note for entry in entries if entry.kind is EntryKind.GAP} == {"nobody watched (generated)"}


def test_entries_end_where_the_clock_of_the_twin_goes_on(store: Store) -> None:
    with store:
        entries = store.entries(store.meters()[0].id)
    assert NOW - timedelta(minutes=15) < entries[-1].end <= NOW
    assert entries[0].start == entries[-1].end - timedelta(days=40)


def test_a_second_start_leaves_the_past_as_it_is(store: Store) -> None:
    with store:
        meter = store.meters()[0]
        before = store.entries(meter.id)
        store_past(store, DEMO_METER, until=NOW + timedelta(days=3), zone=BERLIN, days=40)
        assert store.entries(meter.id) == before


def test_the_same_seed_makes_the_same_past() -> None:
    one, other = (
        generate_past(load_scenario("house", seed=5), until=NOW, days=3, zone=BERLIN, seed=5) for _ in range(2)
    )
    assert np.array_equal(one.import_wh, other.import_wh)
    assert np.array_equal(one.watts.highest, other.watts.highest)


def test_the_house_uses_what_comes_from_its_roof_and_from_the_grid(tmp_path: Path) -> None:
    grid, roof = (generate_past(load_scenario(name), until=NOW, days=40, zone=BERLIN) for name in ("house", "roof"))
    assert roof.import_wh.sum() == 0
    assert (grid.import_wh - grid.export_wh + roof.export_wh).min() > 0
    with open_store(tmp_path / "both.sqlite") as store:
        for meter in DEMO_METERS:
            store_past(store, meter, until=NOW, zone=BERLIN, days=40)
        assert [(row.name, row.simulated) for row in store.meters()] == [("roof", True), ("twin", True)]
        totals = audit(store.ledger_slice(store.meters()[0].id)).totals
    assert totals is not None
    assert totals.import_mwh == 0
    assert totals.export_mwh + totals.undirected_mwh == pytest.approx(roof.export_wh.sum() * 1000, rel=1e-3)


def test_the_year_has_a_bright_end_and_a_dark_one() -> None:
    past = generate_past(load_scenario("house"), until=NOW, days=365, zone=BERLIN)
    made = past.export_wh.reshape(-1, 96).sum(axis=1)
    assert made[-30:].mean() > 20 * made[170:200].mean()


def test_nights_have_no_sun_in_the_zone_of_the_house() -> None:
    zone = ZoneInfo("Asia/Kolkata")  # half an hour off the hour
    past = generate_past(load_scenario("house"), until=NOW, days=10, zone=zone)
    local = np.array([datetime.fromtimestamp(int(start), zone).hour for start in past.starts])
    assert past.export_wh[(local >= 22) | (local < 4)].sum() == 0
    assert past.export_wh[(local >= 12) & (local < 15)].sum() > 0


def test_what_is_derived_of_the_past_is_sound_with_its_first_readings(store: Store) -> None:
    with store:
        (row,) = store.meters()
        for second in range(0, 4000, 20):
            reading, seen = look(second, start=NOW)
            store.append(row.id, reading, seen, ())
            if second % 2000 == 0:
                with open_to_read(store.path) as reader:
                    assert reader.derived_problems() == ()
