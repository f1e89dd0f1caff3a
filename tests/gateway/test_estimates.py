"""A meter that shows power and counts no energy: its history is kept, and its energy is booked as an estimate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from tests.gateway.network_rig import House, running
from tests.gateway.rig import StubMeter
from tests.sources.conftest import no_secrets, run
from tests.sources.test_tuya import stored
from wattrail.clock import ManualClock
from wattrail.energy_register import Direction, EnergyRegister, Freshness, Persistence, RegisterCount, fastest
from wattrail.gateway import MeterPlan
from wattrail.gateway.account import Account
from wattrail.ledger import (
    NEVER_ESTIMATED,
    VIRTUAL_REGISTERS,
    Definition,
    EntryKind,
    EstimatedTimes,
    VirtualKind,
    audit,
)  # fmt: skip
from wattrail.network_meters.decoded import Decoded
from wattrail.network_meters.power_counter import PowerCounter
from wattrail.sources import SourceCadence, open_source
from wattrail.store import Store, open_store
from wattrail.twin.network.devices import json_meter, tuya
from wattrail.twin.network.tuya import serve_tuya
from wattrail.units import Quantities, Reading

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
CADENCE = SourceCadence(expected_s=10.0, silence_s=3700.0)
TOTAL = EnergyRegister(
    name="import", step_mwh=Fraction(1), direction=Direction.IMPORT, persistence=Persistence.SAVED,
    max_counts_per_us=fastest(44_000, Fraction(1)),
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "w.sqlite") as store:
        yield store


class Gateway:
    """What a gateway does with a plug: its source counts, its account books. Another one is a restart."""

    def __init__(self, store: Store, *, began_s: float = 0.0) -> None:
        self.store = store
        self._began_s = began_s
        self._counter = PowerCounter(CADENCE.watched_s)
        self.account: Account | None = None

    def reading(self, at_s: float, watts: float) -> Reading:
        """A reading at seconds since noon; the monotonic clock begins with the gateway."""
        said = Decoded(sample=Quantities(watts=watts), freshness=Freshness.PUSHED, is_power_only=True)
        at, monotonic = NOON + timedelta(seconds=at_s), at_s - self._began_s
        return self._counter.reading(said, (), at=at, monotonic=monotonic, simulated=False)

    def book(self, reading: Reading) -> Account:
        if self.account is None:
            meter = StubMeter(url="tuya://plug")
            silence_s = CADENCE.watched_s
            self.account = Account(self.store, "plug", meter, reading, now=reading.at, longest_silence_s=silence_s)
        self.account.book(reading)
        return self.account

    def see(self, at_s: float, watts: float) -> Account:
        return self.book(self.reading(at_s, watts))


def kinds(store: Store) -> list[tuple[EntryKind, int]]:
    """Kinds of all entries but the counted ones, with their counts."""
    (row,) = store.meters()
    entries = store.ledger_slice(row.id).entries
    return [
        (entry.kind, entry.positive + entry.negative + entry.undirected)
        for entry in entries
        if entry.kind is not EntryKind.COUNTED
    ]


def proven(store: Store) -> bool:
    """Whether an audit of the account finds nothing."""
    (row,) = store.meters()
    return not audit(store.ledger_slice(row.id)).findings


def test_power_becomes_energy_that_is_marked_as_an_estimate(store: Store) -> None:
    gateway = Gateway(store)
    for second in range(0, 601, 10):
        account = gateway.see(second, 600.0)
    account.close()
    assert (account.totals().import_mwh, account.totals().export_mwh) == (100_000, 0)
    (row,) = store.meters()
    assert row.epoch.registers[0].is_estimated
    assert account.has_estimates
    assert goes_on(store.estimated_times(row.id))
    assert proven(store)


def test_what_flows_back_is_export(store: Store) -> None:
    gateway = Gateway(store)
    for second, watts in ((0, 360.0), (10, -720.0), (20, -720.0), (30, 0.0)):
        account = gateway.see(second, watts)
    assert (account.totals().import_mwh, account.totals().export_mwh) == (1000, 4000)


def test_an_hour_of_silence_is_a_gap_without_energy(store: Store) -> None:
    gateway = Gateway(store)
    for second in (0, 10, 20, 3620, 3630):
        account = gateway.see(second, 3600.0)
    account.close()
    assert account.totals().import_mwh == 30_000
    assert kinds(store) == [(EntryKind.START, 0), (EntryKind.GAP, 0)]
    assert proven(store)


def test_a_late_poll_adds_what_usual_silence_allows_and_nothing_beyond(store: Store) -> None:
    gateway = Gateway(store)
    gateway.see(0, 3600.0)
    assert gateway.see(60, 3600.0).totals().import_mwh == 60_000
    assert gateway.see(120.1, 3600.0).totals().import_mwh == 60_000


@pytest.mark.parametrize("seconds", [20, 900])
def test_a_restart_of_the_gateway_books_nothing_for_the_pause(store: Store, seconds: int) -> None:
    gateway = Gateway(store)
    for second in range(0, 101, 10):
        account = gateway.see(second, 3600.0)
    account.close()
    after = Gateway(store, began_s=100 + seconds - 5)
    for second in range(0, 101, 10):
        account = after.see(100 + seconds + second, 3600.0)
    account.close()
    assert account.totals().import_mwh == 200_000
    assert kinds(store) == [(EntryKind.START, 0), (EntryKind.RESTART, 0)]
    assert proven(store)


def test_readings_lost_on_the_way_to_the_store_keep_their_energy(store: Store) -> None:
    gateway = Gateway(store)
    gateway.see(0, 3600.0)
    for second in range(10, 101, 10):
        gateway.reading(second, 3600.0)  # counted, and never booked
    account = gateway.see(110, 3600.0)
    assert account.totals().import_mwh == 110_000
    assert kinds(store) == [(EntryKind.START, 0), (EntryKind.GAP, 110_000)]


def test_a_register_that_appears_takes_over_and_no_count_crosses(store: Store) -> None:
    gateway = Gateway(store)
    for second in range(0, 61, 10):
        gateway.see(second, 3600.0)
    with_total = Reading(
        at=NOON + timedelta(seconds=70), monotonic=70.0, sample=Quantities(watts=3600.0),
        registers=(RegisterCount(TOTAL, 5_000_000),),
    )  # fmt: skip
    gateway.book(with_total)
    later = replace(
        with_total, at=NOON + timedelta(seconds=80), monotonic=80.0, registers=(RegisterCount(TOTAL, 5_010_000),)
    )
    account = gateway.book(later)
    account.close()
    assert account.totals().import_mwh == 70_000
    (row,) = store.meters()
    times = store.estimated_times(row.id)
    assert (goes_on(times), account.has_estimates) == (False, True)
    assert times.touches(NOON, NOON + timedelta(seconds=30))
    assert not times.touches(NOON + timedelta(seconds=75), NOON + timedelta(seconds=90))
    assert proven(store)


def test_times_of_several_meters_are_joined() -> None:
    hours = [NOON + timedelta(hours=hour) for hour in range(5)]
    times = EstimatedTimes.of([(hours[3], None), (hours[0], hours[1]), (hours[1], hours[2])])
    assert times.spans == ((hours[0], hours[2]), (hours[3], None))
    assert [times.touches(a, b) for a, b in pairwise(hours)] == [True, True, False, True]
    assert not NEVER_ESTIMATED


@pytest.mark.parametrize(("poll_s", "seconds", "limit_percent"), [(1, 600, 0.1), (10, 3600, 0.5), (60, 21_600, 2.0)])
def test_the_estimate_is_as_close_to_the_truth_as_the_docs_say(poll_s: int, seconds: int, limit_percent: float) -> None:
    clock = ManualClock()
    meter = json_meter(clock, scenario="house", seed=7, start="06:00").meter
    counter = PowerCounter(max(60.0, 3.0 * poll_s))
    for _ in range(0, seconds + 1, poll_s):
        said = Decoded(sample=Quantities(watts=meter.update().watts), is_power_only=True)
        shown = counter.take(said, clock.monotonic())
        flowed_wh = meter.truth.import_wh + meter.truth.export_wh
        clock.advance(poll_s)
    estimated_wh = sum(count.count for count in shown) / 1000
    assert flowed_wh > 10
    assert abs(estimated_wh - flowed_wh) <= limit_percent / 100 * flowed_wh


def test_a_gateway_keeps_a_plug_that_counts_no_energy(tmp_path: Path) -> None:
    async def story() -> None:
        plug = tuya(ManualClock(), is_plug=True)
        async with serve_tuya(plug) as served:
            url = f"tuya://{served.place}?version=3.3&{plug.options}&login=e01&ask=0.05"
            async with running(tmp_path, MeterPlan(name="plug", url=url), secrets=stored()) as house:
                for watts in (100.0, 200.0, 300.0):
                    plug.meter.set(watts=watts)  # and it is asked to measure
                    await house.until(lambda h, w=watts: shown_watts(h) == w, f"{watts} W are shown")
                view = house.view("plug")
                assert (view.is_estimated, view.has_estimates) == (True, True)
                assert view.total is not None
                row = house.store.meter("plug")
                assert row is not None
                assert goes_on(house.store.estimated_times(row.id))
                assert house.store.latest(row.id) is not None

    run(story())


def goes_on(times: EstimatedTimes) -> bool:
    return bool(times.spans) and times.spans[-1][1] is None


def shown_watts(house: House) -> float | None:
    reading = house.view("plug").reading
    return None if reading is None else reading.watts


def test_a_virtual_meter_is_estimated_where_a_member_is(store: Store) -> None:
    gateway = Gateway(store)
    gateway.see(0, 600.0)
    made = Definition(kind=VirtualKind.SUM, plus=("plug",))
    row = store.register_meter(
        "both", made.url, simulated=False, calibration=None, registers=VIRTUAL_REGISTERS, at=NOON, evidence=made.url
    )
    assert goes_on(store.estimated_times(row.id))


@pytest.mark.parametrize(
    ("url", "watched_s"),
    [
        ("tuya://192.0.2.1?version=3.3&dps=19:watts/10", 150.0),
        ("tuya://192.0.2.1?version=3.3&dps=19:watts/10&ask=0", 150.0),
        ("tuya://192.0.2.1?version=3.3&dps=19:watts/10&silence=90", 90.0),
        ("mqtt://192.0.2.1/plug?device=json&power=watts", 180.0),
        ("tasmota://192.0.2.1", 60.0),
    ],
)
def test_how_long_a_power_holds_follows_from_the_source(url: str, watched_s: float) -> None:
    assert open_source(url, secrets=no_secrets()).cadence.watched_s == watched_s
