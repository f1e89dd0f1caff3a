"""Network meters in the bookkeeping thread: what is shown and kept of a meter, its connection and its last entries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from wattrail.clock import ManualClock
from wattrail.energy_register import BootEvidence, Direction, EnergyRegister, Persistence, RegisterCount, fastest
from wattrail.errors import PortLost, StoreError
from wattrail.gateway import EntryBooked, Feed, MeterPlan, MeterState, MeterView
from wattrail.gateway.bookkeeping import Bookkeeper, BookkeepingWork
from wattrail.gateway.network_meter import ArrivedReading, Failure, NetworkMeter
from wattrail.ledger import EntryKind
from wattrail.sources import SourceCadence
from wattrail.store import open_store
from wattrail.units import Quantities, Reading

TOTAL = EnergyRegister(
    name="import", step_mwh=Fraction(1000), direction=Direction.IMPORT, persistence=Persistence.SAVED,
    max_counts_per_us=fastest(44_000, Fraction(1000)),
)  # fmt: skip
BERLIN = ZoneInfo("Europe/Berlin")


class Attic:
    """One network meter whose readings are booked when a story says so."""

    def __init__(self, path: Path, start: datetime) -> None:
        self.clock, self.store, self.wh = ManualClock(start), open_store(path), 5000
        self.feed = Feed(self.clock)
        self.meter = self.another("attic")
        self.bookkeeper = Bookkeeper(self.store, self.feed, [self.meter])

    def another(self, name: str) -> NetworkMeter:
        plan = MeterPlan(name=name, url="openbeken://192.0.2.7")
        return NetworkMeter(plan, self.store, self.feed, clock=self.clock, zone=BERLIN)

    def say(self, news: ArrivedReading | Failure | None) -> None:
        self.bookkeeper.book_now(BookkeepingWork(self.meter, news, lambda: None))

    def read(self, times: int = 1, *, signal_dbm: float | None = None, reconnects: int = 0, firmware: str = "") -> None:
        for _ in range(times):
            self.clock.advance(10.0)
            self.wh += 1
            reading = Reading(
                at=self.clock.now(), monotonic=self.clock.monotonic(), sample=Quantities(watts=360.0),
                registers=(RegisterCount(TOTAL, self.wh),), evidence=BootEvidence(revision=firmware),
            )  # fmt: skip
            cadence = SourceCadence(expected_s=10.0, silence_s=60.0)
            self.say(ArrivedReading(reading=reading, cadence=cadence, signal_dbm=signal_dbm, reconnects=reconnects))

    def lose(self, *, is_broker: bool = False) -> None:
        self.clock.advance(10.0)
        self.say(Failure(error=PortLost("it is gone"), retry_s=4.0, is_broker=is_broker))

    @property
    def view(self) -> MeterView:
        view = self.feed.view("attic")
        assert view is not None
        return view

    @property
    def meter_id(self) -> int:
        row = self.store.meter("attic")
        assert row is not None
        return row.id


@pytest.fixture
def attic(tmp_path: Path) -> Iterator[Attic]:
    attic = Attic(tmp_path / "w.sqlite", datetime(2026, 6, 21, 10, tzinfo=UTC))
    yield attic
    attic.store.close()


def test_a_meter_that_is_read_no_longer_shows_its_last_entry(attic: Attic) -> None:
    attic.read(4)
    with attic.feed.subscribe("the story") as events:
        attic.say(None)
        booked = [event.entry for event in events.take() if isinstance(event, EntryBooked)]
    assert [(entry.kind, entry.positive) for entry in booked] == [(EntryKind.COUNTED, 3)]
    kept = attic.store.entries(attic.meter_id)[-1]
    assert (kept.sequence, kept.end, kept.count) == (booked[0].sequence, booked[0].end, booked[0].count)


def test_a_meter_that_was_removed_is_not_booked_at_the_end(attic: Attic) -> None:
    attic.read(4)
    attic.say(None)
    entries = attic.store.entries(attic.meter_id)
    attic.bookkeeper._finish()
    assert attic.store.entries(attic.meter_id) == entries


def test_a_ledger_that_nobody_writes_is_not_closed_in_time(attic: Attic) -> None:
    attic.read(4)
    assert not attic.bookkeeper.close([attic.meter], within_s=0.0), "its thread does not run"
    attic.bookkeeper.start()
    assert attic.bookkeeper.close([attic.meter], within_s=30.0)
    attic.bookkeeper.stop()
    assert attic.bookkeeper.thread is not None
    attic.bookkeeper.thread.join(60.0)
    assert attic.store.entries(attic.meter_id)[-1].positive == 3


def test_a_ledger_that_the_store_refuses_costs_no_other_its_last_minute(
    attic: Attic, caplog: pytest.LogCaptureFixture
) -> None:
    first, attic.meter = attic.meter, attic.another("cellar")
    attic.bookkeeper.add([attic.meter])
    attic.read(4)
    attic.meter = first
    attic.read(4)
    attic.meter = attic.another("attic")  # of a second gateway, say, whose entry is there before that of the first
    attic.read(2)
    Bookkeeper(attic.store, attic.feed, [attic.meter])._finish()
    attic.bookkeeper._finish()
    cellar = attic.store.meter("cellar")
    assert cellar is not None
    assert attic.store.entries(cellar.id)[-1].positive == 3
    assert "the ledger of meter attic stays open: " in caplog.text


def test_failures_in_a_row_are_one_dropout_and_the_brokers_are_told_apart(attic: Attic) -> None:
    attic.read(signal_dbm=-61.0)
    attic.lose()
    attic.lose()
    attic.read(signal_dbm=-63.0, reconnects=1)
    attic.lose(is_broker=True)
    link = attic.view.link
    assert link is not None
    assert (link.readings, link.dropouts, link.broker_dropouts, link.reconnects) == (2, 2, 1, 1)
    assert (link.signal_min, link.signal_mean) == (-63.0, -62.0)


def test_a_dropout_belongs_to_the_local_day_and_both_days_are_kept(tmp_path: Path) -> None:
    attic = Attic(tmp_path / "w.sqlite", datetime(2026, 6, 21, 21, 59, 40, tzinfo=UTC))  # 20 s to midnight in Berlin
    attic.read()
    attic.bookkeeper._keep_links()
    attic.clock.advance(5.0)
    attic.lose()
    assert attic.view.link is not None
    assert attic.view.link.day == date(2026, 6, 22)
    attic.bookkeeper._keep_links()
    days = {day.day: (day.readings, day.dropouts) for day in attic.store.link_days(attic.meter_id)}
    assert days == {date(2026, 6, 21): (1, 0), date(2026, 6, 22): (0, 1)}
    attic.store.close()


def test_the_connection_of_a_meter_without_an_account_waits(attic: Attic) -> None:
    reading = Reading(at=attic.clock.now(), monotonic=attic.clock.monotonic(), sample=Quantities(watts=1.0))
    attic.say(ArrivedReading(reading=reading, cadence=SourceCadence(expected_s=10.0, silence_s=60.0)))
    attic.bookkeeper._keep_links()
    assert attic.view.state is MeterState.LIVE
    assert attic.store.meter("attic") is None, "nothing was booked: there is no row to keep a day under"


def test_connections_that_cannot_be_kept_are_logged_with_the_reason(
    attic: Attic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(days: object) -> None:
        raise StoreError("the disk is full")

    attic.read()
    monkeypatch.setattr(attic.store, "keep_link_days", refuse)
    attic.bookkeeper._keep_links()
    assert "the connections of 1 meters could not be kept: the disk is full" in caplog.text


def test_after_a_defect_of_booking_the_account_is_read_again(attic: Attic, caplog: pytest.LogCaptureFixture) -> None:
    attic.read(3)
    attic.say(Failure(error=ZeroDivisionError("by nought"), retry_s=4.0, is_booking=True))
    view = attic.view
    assert (view.state, view.error) == (MeterState.FAILED, "ZeroDivisionError: by nought")
    assert view.retry_at is not None
    assert (view.retry_at - attic.clock.now()).total_seconds() == 4.0
    assert "meter attic: a defect" in caplog.text
    attic.read(3)
    assert attic.view.state is MeterState.LIVE
    attic.say(None)
    assert sum(entry.positive for entry in attic.store.entries(attic.meter_id)) == 5, "no count is lost or doubled"


def test_what_a_meter_says_of_its_boot_reaches_the_ledger(attic: Attic) -> None:
    attic.read(3, firmware="1.18.1")
    attic.read(3, firmware="1.18.2")
    attic.say(None)
    entries = attic.store.entries(attic.meter_id)
    assert [entry.kind for entry in entries] == [
        EntryKind.START,
        EntryKind.COUNTED,
        EntryKind.RESTART,
        EntryKind.COUNTED,
    ]
    assert "its firmware or configuration changed" in entries[2].note
    assert [entry.boot.revision for entry in entries if entry.boot is not None] == ["1.18.1"] * 2 + ["1.18.2"] * 2
