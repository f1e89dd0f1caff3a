"""Virtual meters in a gateway: what they book follows from the database, whatever happens between two commits."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.gateway.rig import StubMeter
from tests.gateway.test_gateway import until, with_store
from tests.sources.conftest import DEADLINE_S
from tests.store.rig import open_as_gateway
from wattrail.clock import ManualClock
from wattrail.errors import PortLost, StoreError
from wattrail.gateway import EntryBooked, Feed, Gateway, GatewayPlan, MeterPlan, MeterState, MeterView
from wattrail.gateway.failures import DEFECT_HINT
from wattrail.gateway.plan import VirtualPlan
from wattrail.gateway.view import STALE_AFTER_POLLS
from wattrail.gateway.virtual_meter import VirtualMeter, VirtualMeters
from wattrail.gateway.worker import Worker
from wattrail.ledger import Definition, Entry, EntryKind, VirtualKind, audit, by_interval
from wattrail.store import Store

PHASES = ("l1", "l2", "l3")
BALANCE = Definition(kind=VirtualKind.BALANCE, plus=PHASES)
TWO = Definition(kind=VirtualKind.SUM, plus=("l1", "l2"))


class Street:
    """Three meters with a second between two readings, and a virtual one made of them."""

    def __init__(self, path: Path) -> None:
        self.path, self.clock = path, ManualClock(datetime(2026, 6, 21, 10, tzinfo=UTC))
        self.meters = {name: StubMeter(url=f"serial:///dev/{name}", takes_s=0.0) for name in PHASES}
        self.start()

    def start(self, definition: Definition = BALANCE, *, has_virtual: bool = True) -> None:
        self.store: Store = open_as_gateway(self.path)
        self.feed = Feed(self.clock)
        self.workers = {
            name: Worker(
                MeterPlan(name=name, url=meter.url), self.store, self.feed, clock=self.clock, opener=meter.open,
                zone=UTC,
            )
            for name, meter in self.meters.items()
        }  # fmt: skip
        self.virtual: VirtualMeter | None = None
        if has_virtual:
            plan = VirtualPlan(name="house", definition=definition)
            self.virtual = VirtualMeter(plan, self.store, self.feed, clock=self.clock, zone=UTC)

    def run(self, seconds: int, *names: str, follow: bool = True) -> None:
        for _ in range(seconds):
            for name in names or PHASES:
                self.workers[name].step()
            self.clock.advance(1.0)
            if follow and self.virtual is not None:
                self.virtual.follow(None)
                self.virtual.show_power()

    def stop(self) -> None:
        for worker in self.workers.values():
            worker.close()
        if self.virtual is not None:
            self.virtual.follow(None)
        self.store.close()

    def kill(self) -> None:
        self.store.close()

    def entries(self, name: str = "house") -> tuple[Entry, ...]:
        row = self.store.meter(name)
        return self.store.entries(row.id) if row else ()

    def net_of(self, names: tuple[str, ...], start: datetime, end: datetime) -> int:
        rows = [self.store.meter(name) for name in names]
        slices = [self.store.ledger_slice(row.id) for row in rows if row]
        return sum(by_interval(one, [start, end])[0].energy.net_mwh for one in slices)

    @property
    def view(self) -> MeterView:
        view = self.feed.view("house")
        assert view is not None
        return view


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    street = Street(tmp_path / "w.sqlite")
    yield street
    street.store.close()


def require_exact(street: Street, names: tuple[str, ...] = PHASES) -> None:
    """The ledger of the virtual meter is whole, and holds what its members hold over its time."""
    entries = street.entries()
    row = street.store.meter("house")
    assert row is not None
    assert audit(street.store.ledger_slice(row.id)).findings == ()
    net = sum(one.positive - one.negative for one in entries)
    assert net == street.net_of(names, entries[0].start, entries[-1].end) != 0


def test_three_phases_become_one_meter(street: Street) -> None:
    street.meters["l1"].watts = -2000.0
    street.run(185)
    view = street.view
    assert (view.state, view.simulated) == (MeterState.LIVE, False)
    assert view.reading is not None
    assert (view.reading.watts, view.reading.volts, view.reading.hertz) == (-1000.0, None, None)
    assert view.total is not None
    assert view.total == view.today
    assert [entry.kind.value for entry in street.entries()] == ["start", "counted", "counted", "counted"]
    require_exact(street)


def test_it_waits_for_a_meter_that_was_never_read(street: Street) -> None:
    street.run(70, "l1", "l2")
    assert (street.view.state, street.entries()) == (MeterState.CONNECTING, ())
    assert street.view.total is None


def test_a_meter_that_is_lost_makes_it_lost_and_says_which(street: Street) -> None:
    street.run(65)
    street.meters["l2"].trouble.extend([StoreError("gone")] * 3)
    street.run(1)
    assert street.view.state is MeterState.FAILED
    assert street.view.error == "l2 is failed: gone"
    street.run(10)
    assert street.view.state is MeterState.LIVE


def test_it_is_shown_like_its_members_and_without_error_once_all_are_back(street: Street) -> None:
    assert street.view.url == BALANCE.url
    street.run(5)
    street.meters["l2"].trouble.append(PortLost("gone"))
    street.run(1)
    assert (street.view.state, street.view.error) == (MeterState.LOST, "l2 is lost: gone")
    street.clock.advance(60)
    street.run(3)
    assert (street.view.state, street.view.error) == (MeterState.LIVE, None)
    assert (street.view.poll_s, street.view.silence_s) == (1.0, STALE_AFTER_POLLS)


def test_its_power_is_shown_once_each_member_was_read_again(street: Street) -> None:
    street.run(3)
    assert street.virtual is not None
    shown = street.view.reading
    street.workers["l1"].step()
    street.virtual.show_power()
    assert street.view.reading is shown, "l2 and l3 are those of before"
    street.run(1)
    assert street.view.reading is not shown


def test_its_today_begins_again_at_midnight(street: Street) -> None:
    street.clock.advance(timedelta(hours=13, minutes=57).total_seconds())
    street.run(360)
    view, midnight = street.view, datetime(2026, 6, 22, tzinfo=UTC)
    assert view.today is not None
    assert view.total is not None
    since = street.net_of(PHASES, midnight, street.entries()[-1].end)
    assert 0 < view.today.net_mwh == since < view.total.net_mwh


def test_a_defect_of_its_own_is_shown_with_its_kind(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    def divide(*_: object) -> None:
        raise ZeroDivisionError("by nought")

    street.run(5)
    monkeypatch.setattr(street.store, "entries_after", divide)
    street.run(1)
    view = street.view
    assert (view.state, view.error, view.hint) == (MeterState.FAILED, "ZeroDivisionError: by nought", DEFECT_HINT)


def test_it_follows_again_once_the_database_can_be_written(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = ("gateway.account", "gateway.bookkeeping", "gateway.virtual_meter")
    for wait in ("store.sqlite_database._BUSY_S", *(f"{room}.WRITE_WITHIN_S" for room in rooms)):
        monkeypatch.setattr(f"wattrail.{wait}", 0.0)
    street.run(65)
    before = len(street.entries())
    with closing(sqlite3.connect(street.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        street.run(130)
        assert "locked" in str(street.view.error)
        other.execute("ROLLBACK")
    street.run(65)
    assert street.view.state is MeterState.LIVE
    assert [entry.kind.value for entry in street.entries()[before:]] == ["counted"] * 3
    require_exact(street)


def test_a_pause_of_one_member_is_one_gap_with_its_energy(street: Street) -> None:
    street.run(125)
    street.run(200, "l1", "l3")
    before = len(street.entries())
    street.run(125)
    kinds = [entry.kind.value for entry in street.entries()[before:]]
    assert kinds == ["gap", "counted"]
    require_exact(street)


@pytest.mark.parametrize("seconds", [61, 62, 119, 121, 150])
def test_killed_between_members_and_virtual_nothing_is_lost(street: Street, seconds: int) -> None:
    street.run(65)
    street.run(seconds, follow=False)  # the members booked, the virtual meter did not
    street.kill()
    street.start()
    street.run(130)
    require_exact(street)
    assert [entry.sequence for entry in street.entries()] == list(range(1, len(street.entries()) + 1))


def test_killed_after_each_commit_it_books_as_if_never_killed(street: Street, tmp_path: Path) -> None:
    other = Street(tmp_path / "other.sqlite")
    for _ in range(3):
        street.run(61)
        street.virtual = VirtualMeter(
            VirtualPlan(name="house", definition=BALANCE), street.store, street.feed, clock=street.clock, zone=UTC
        )
    other.run(183)
    street.virtual.follow(None)  # type: ignore[union-attr]
    assert street.entries() == other.entries()
    other.store.close()


def test_the_past_of_its_members_is_there_at_once(street: Street) -> None:
    street.stop()
    street.start(has_virtual=False)
    street.run(300)
    street.stop()
    street.start()
    street.run(65)
    assert street.entries()[0].start == datetime(2026, 6, 21, 10, tzinfo=UTC)
    require_exact(street)


def test_another_definition_goes_on_in_the_same_account(street: Street) -> None:
    street.run(150)
    street.stop()
    street.start(TWO)
    street.run(150)
    row = street.store.meter("house")
    assert row is not None
    assert street.store.evidence(row.id) == {1: BALANCE.url, 2: TWO.url}
    entries = street.entries()
    change = next(entry for entry in entries if entry.kind.value == "epoch")
    assert audit(street.store.ledger_slice(row.id)).findings == ()
    first = sum(one.positive - one.negative for one in entries if one.epoch == 1)
    second = sum(one.positive - one.negative for one in entries if one.epoch == 2)
    assert first == street.net_of(PHASES, entries[0].start, change.start)
    assert second == street.net_of(("l1", "l2"), change.start, entries[-1].end) > 0
    assert entries[-1].count == first + second


def test_removed_and_added_again_it_goes_on(street: Street) -> None:
    street.run(130)
    street.stop()
    street.start(has_virtual=False)
    street.run(130)
    street.stop()
    street.start()
    street.run(130)
    row = street.store.meter("house")
    assert row is not None
    assert list(street.store.evidence(row.id)) == [1]
    require_exact(street)


def test_twins_and_meters_are_not_mixed(street: Street) -> None:
    street.meters["l1"] = StubMeter(url="twin://pziot-e01", simulated=True, takes_s=0.0)
    street.kill()
    street.start()
    street.run(65)
    assert street.view.state is MeterState.FAILED
    assert street.view.error == "'house' would mix simulated energy (l1) with that of real meters"
    assert street.entries() == ()


def test_made_of_twins_it_is_simulated(street: Street) -> None:
    street.meters = {name: StubMeter(url="twin://pziot-e01", simulated=True, takes_s=0.0) for name in PHASES}
    street.kill()
    street.start()
    street.run(65)
    row = street.store.meter("house")
    assert row is not None
    assert (row.simulated, street.view.simulated) == (True, True)


def test_it_does_not_take_the_account_of_a_meter(street: Street) -> None:
    street.run(65, follow=False)
    plan = VirtualPlan(name="l3", definition=TWO)
    VirtualMeter(plan, street.store, street.feed, clock=street.clock, zone=UTC).follow(None)
    view = street.feed.view("l3")
    assert view is not None
    assert view.state is MeterState.FAILED
    assert "is a meter in" in str(view.error)


def test_a_long_past_is_left_between_two_days_at_a_stop(street: Street) -> None:
    street.stop()
    street.start(has_virtual=False)
    street.run(65)
    street.clock.advance(timedelta(days=3).total_seconds())
    street.run(65)
    street.stop()
    street.start()
    stopping = threading.Event()
    stopping.set()
    assert street.virtual is not None
    street.virtual.follow(stopping)
    some = len(street.entries())
    street.virtual.follow(None)
    assert 0 < some <= len(street.entries())
    require_exact(street)


def test_a_member_that_restarts_costs_what_its_own_ledger_says(street: Street) -> None:
    street.run(130)
    street.meters["l2"].count = 0
    street.run(130)
    require_exact(street)


def test_the_gateway_starts_and_stops_it_with_its_meters(tmp_path: Path) -> None:
    plan = GatewayPlan(
        meters=tuple(MeterPlan(name=name, url=f"serial:///dev/{name}", poll_s=0.2) for name in PHASES),
        virtual=(VirtualPlan(name="house", definition=BALANCE),),
    )

    async def story(store: Store) -> None:
        gateway = Gateway(plan, store, opener=lambda plan, clock: StubMeter(url=plan.url).open(plan, clock))
        await gateway.start()
        await until(gateway, lambda view: view.name == "house" and view.state is MeterState.LIVE)
        assert [view.name for view in gateway.feed.views()] == [*PHASES, "house"]
        assert await gateway.stop()

    with_store(tmp_path, story)


def test_its_thread_books_as_soon_as_its_members_have_booked(street: Street) -> None:
    meters = VirtualMeters(
        [VirtualPlan(name="house", definition=BALANCE)], street.store, street.feed, clock=street.clock, zone=UTC
    )
    meters.start()
    with street.feed.subscribe("the story") as events:
        street.run(185, follow=False)
        booked: list[EntryKind] = []
        while EntryKind.COUNTED not in booked and (event := events.get(DEADLINE_S)) is not None:
            booked += [event.entry.kind] if isinstance(event, EntryBooked) and event.meter == "house" else []
    assert EntryKind.COUNTED in booked, "while the members are still read"
    assert meters.stop(time.monotonic() + DEADLINE_S) is not None


def test_after_a_start_its_registers_are_shown_before_the_first_minute(street: Street) -> None:
    street.run(130)
    shown = street.view.total
    street.stop()
    street.start()
    street.run(2)
    assert street.view.total is not None
    assert shown is not None
    assert street.view.total.import_mwh >= shown.import_mwh > 0
