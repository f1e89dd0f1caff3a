"""One meter under supervision, step by step on a manual clock."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.gateway.rig import CALIBRATION, COUNTS_PER_SECOND, Household, StubMeter
from wattrail.errors import (
    ChecksumError,
    MissingExtra,
    NoAnswer,
    PortLost,
    PortOpenError,
    PortTimeout,
    StoreError,
    StoreUnavailable,
    WattrailError,
)
from wattrail.gateway import MeterPlan, MeterState
from wattrail.gateway.feed import ShownMeter
from wattrail.gateway.waiting import Booking, WaitingBookings
from wattrail.gateway.worker import Worker
from wattrail.ledger import Entry, EntryKind, Observation
from wattrail.metrology.scale_origin import CALIBRATED, ScaleOrigin, ScaleSource
from wattrail.units import Reading

FIRST_COUNT = 1000 + COUNTS_PER_SECOND
"""What the stub's counter shows at the first look, at which counting begins."""
MWH_PER_COUNT = 1638.4 * 256 / 3600 / CALIBRATION.counts_per_watt * 1000
"""By the data sheet: a count of CF_CNT is 1638.4 * 256 counts of WATT for a second."""


def booked(house: Household) -> int:
    """Counts in the entries of the store."""
    row = house.store.meter("house")
    assert row is not None
    return sum(e.positive + e.negative + e.undirected for e in house.store.entries(row.id))


def test_a_reading_is_booked_stored_and_shown_in_one_step(house: Household) -> None:
    house.step(3)
    view = house.view
    assert view.state is MeterState.LIVE
    assert view.reading is not None
    assert view.reading.watts == 500.0
    assert view.total is not None
    assert view.total.import_mwh > 0 == view.total.export_mwh
    row = house.store.meter("house")
    assert row is not None
    stored = house.store.latest(row.id)
    assert stored is not None
    assert stored.energy_count == view.reading.energy_count


def test_a_board_that_nobody_named_is_noted_in_the_log_and_in_the_view(
    house: Household, meter: StubMeter, caplog: pytest.LogCaptureFixture
) -> None:
    meter.scale = ScaleOrigin(ScaleSource.ASSUMED, "pziot-e01")
    house.step(3)
    assert house.view.scale is not None
    assert house.view.scale.startswith("front end pziot-e01, assumed because none was named")
    told = [record.getMessage() for record in caplog.records if "assumed" in record.getMessage()]
    assert len(told) == 1, "once, not with every reading"


def test_counters_never_fall_while_a_port_closes(tmp_path: Path) -> None:
    @dataclass
    class Counted:
        readings: int

    class CountingMeter(StubMeter):
        is_asked = False

        @property
        def statistics(self) -> Counted:
            if not self.is_asked:
                self.is_asked = True  # the health page asks at this very moment, from its own thread
                seen.append(house.worker.counters()["readings"])
                self.is_asked = False
            return Counted(self.count)

    seen: list[int] = []
    meter = CountingMeter()
    house = Household(tmp_path, meter)
    house.step(3)
    meter.trouble.append(PortLost("unplugged"))
    house.step()
    assert house.meter.closed == 1
    seen.append(house.worker.counters()["readings"])
    assert seen == [meter.count, meter.count]


def test_looks_stay_on_their_second_however_long_they_take(house: Household, meter: StubMeter) -> None:
    moments = []
    wait = 0.0
    for n in range(100):
        house.clock.advance(wait)
        moments.append(house.clock.monotonic())
        meter.takes_s = 0.05 + 0.007 * (n % 90)
        wait = house.worker.step()
    begin = moments[1]
    assert [round(moment - begin, 6) for moment in moments[1:]] == [float(n) for n in range(99)]


def test_a_look_longer_than_a_second_skips_seconds_and_never_catches_up(house: Household, meter: StubMeter) -> None:
    house.step(2)
    meter.takes_s = 2.3
    assert house.step(1) == pytest.approx(0.7, abs=0.06)


def test_export_goes_into_its_own_register(house: Household, meter: StubMeter) -> None:
    house.step(5)
    bought = house.view.total
    meter.watts = -800.0
    house.run(60)
    view = house.view
    assert bought is not None
    assert view.total is not None
    assert view.total.export_mwh > 0
    assert view.total.import_mwh - bought.import_mwh < view.total.export_mwh / 10


def test_a_lost_port_is_retried_after_growing_delays_up_to_half_a_minute(house: Household, meter: StubMeter) -> None:
    house.step(2)
    meter.trouble.extend([PortLost("gone", hint="plug it in again")] * 8)
    waits = [house.step() for _ in range(8)]
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert (house.view.state, house.view.error, house.view.hint) == (MeterState.LOST, "gone", "plug it in again")
    assert house.view.retry_at is not None
    assert meter.opened == meter.closed == 8
    house.step()
    assert (house.view.state, house.view.error, house.view.retry_at) == (MeterState.LIVE, None, None)


def test_the_delays_begin_small_again_after_a_good_reading(house: Household, meter: StubMeter) -> None:
    meter.trouble.extend([NoAnswer("silence"), NoAnswer("silence"), None, NoAnswer("silence")])
    assert [house.step() for _ in range(2)] == [1, 2]
    house.step()
    assert house.step() == 1


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (NoAnswer("0 of 23 bytes"), MeterState.STALE),
        (ChecksumError("damaged"), MeterState.STALE),
        (PortTimeout("late"), MeterState.STALE),
        (PortLost("gone"), MeterState.LOST),
        (PortOpenError("busy"), MeterState.LOST),
        (StoreError("disk full"), MeterState.FAILED),
        (MissingExtra("serial ports", library="serialx", extra="serial"), MeterState.FAILED),
        (ZeroDivisionError("a defect"), MeterState.FAILED),
    ],
)
def test_the_state_says_where_the_trouble_is(
    house: Household, meter: StubMeter, error: Exception, state: MeterState
) -> None:
    house.step()
    meter.trouble.append(error)
    assert house.step() == 1
    assert house.view.state is state
    if isinstance(error, WattrailError):
        assert (house.view.error, house.view.hint) == (str(error), error.hint)
    house.step()
    assert house.view.state is MeterState.LIVE


def test_a_silent_chip_keeps_its_port_for_a_while_then_gets_a_new_one(house: Household, meter: StubMeter) -> None:
    house.step()
    meter.trouble.extend([NoAnswer("silence")] * 4)
    house.step(3)
    assert meter.closed == 0
    house.step(1)
    assert meter.closed == 1


def test_a_meter_that_cannot_be_reached_at_first_is_waited_for(house: Household, meter: StubMeter) -> None:
    assert house.view.state is MeterState.CONNECTING
    meter.no_connection = NoAnswer("no answer", hint="is mains on?")
    house.step(3)
    assert (house.view.state, house.view.hint) == (MeterState.STALE, "is mains on?")
    meter.no_connection = None
    house.step()
    assert house.view.state is MeterState.LIVE


def test_a_defect_is_logged_with_its_trace_and_the_ledger_is_read_again(
    house: Household, meter: StubMeter, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The defect strikes between the ledger, which has made an entry, and what waits to be stored: nothing has it."""
    house.run(50)
    keep, lost = WaitingBookings.add, []

    def add(waiting: WaitingBookings, booking: Booking) -> None:
        *_, entries = booking
        if entries and not lost:
            lost.extend(entries)
            raise RuntimeError("surprise")
        keep(waiting, booking)

    monkeypatch.setattr(WaitingBookings, "add", add)
    with caplog.at_level(logging.ERROR):
        house.run(15)
    assert "surprise" in caplog.text
    assert len(lost) == 1, "the minute that ended"
    house.run(150)
    row = house.store.meter("house")
    assert row is not None
    numbers = [entry.sequence for entry in house.store.entries(row.id)]
    assert numbers == list(range(1, len(numbers) + 1)), "an account that is kept goes on behind the entry it lost"
    house.worker.close()
    assert booked(house) == meter.count - FIRST_COUNT


def test_what_a_defect_keeps_from_the_store_is_stored_after_it(
    house: Household, meter: StubMeter, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The defect strikes the store: the entry waits in memory, and the account keeps it."""
    house.run(50)
    keep, unkept = house.store.append_all, []

    def append_all(rows: Sequence[tuple[int, Reading, Observation, Sequence[Entry]]], *, wait_s: float) -> None:
        entries = [entry for *_, entries in rows for entry in entries]
        if entries and not unkept:
            unkept.extend(entries)
            raise RuntimeError("surprise")
        keep(rows, wait_s=wait_s)

    monkeypatch.setattr(house.store, "append_all", append_all)
    with caplog.at_level(logging.ERROR):
        house.run(15)
    assert "surprise" in caplog.text
    assert len(unkept) == 1, "the minute that ended"
    house.run(150)
    row = house.store.meter("house")
    assert row is not None
    numbers = [entry.sequence for entry in house.store.entries(row.id)]
    assert numbers == list(range(1, len(numbers) + 1)), "none is missing in the store"
    house.worker.close()
    assert booked(house) == meter.count - FIRST_COUNT


def test_a_chip_that_is_read_every_ten_seconds_is_watched_all_the_time(house: Household, meter: StubMeter) -> None:
    house.start_worker("cabin", poll_s=10.0)
    for number in range(30):
        meter.takes_s = 0.05 if number % 2 else 0.2  # a sample takes longer where one did not agree
        house.step()
        house.clock.advance(10.0 - meter.takes_s)
    house.worker.close()
    row = house.store.meter("cabin")
    assert row is not None
    assert {entry.kind for entry in house.store.entries(row.id)} == {EntryKind.START, EntryKind.COUNTED}


def test_an_outage_is_booked_as_a_gap_and_its_energy_is_not_lost(house: Household, meter: StubMeter) -> None:
    """The chip counts on while nobody hears it: its counter, moved by 100 meanwhile, is the truth."""
    house.step(5)
    meter.trouble.extend([NoAnswer("silence")] * 5)
    house.step(5)
    assert house.view.state is MeterState.STALE
    meter.count += 100
    house.step(4)
    row = house.store.meter("house")
    assert row is not None
    (gap,) = (entry for entry in house.store.entries(row.id) if entry.kind is EntryKind.GAP)
    assert gap.positive == 100 + COUNTS_PER_SECOND  # with what the look itself adds to the stub's counter
    total = house.view.total
    assert total is not None
    assert total.import_mwh == int((meter.count - FIRST_COUNT) * MWH_PER_COUNT)
    assert (total.export_mwh, total.undirected_mwh) == (0, 0)


def test_a_restarted_gateway_continues_the_account_and_the_chart(house: Household, meter: StubMeter) -> None:
    house.run(90)
    before = house.view.total
    house.start_worker()  # after an unclean shutdown
    assert house.view.reading is None
    house.step()
    after = house.view.total
    assert before is not None
    assert after is not None
    assert after.import_mwh >= before.import_mwh
    # The chart is the store's: what a page shows of the last hour is asked of the database, not held by the gateway.
    (row,) = house.store.meters()
    now = house.clock.now()
    assert len(house.store.series(row.id, now - timedelta(hours=1), now)) >= 18


def test_a_clean_stop_leaves_no_minute_open(house: Household, meter: StubMeter) -> None:
    house.run(90)
    total = house.view.total
    house.worker.close()
    row = house.store.meter("house")
    assert row is not None
    kept = house.store.ledger(row.id)
    assert kept is not None
    assert kept.totals() == total
    assert kept.close() == ()
    assert meter.closed == 1


def test_an_entry_is_published_whatever_comes_after_it(house: Household, meter: StubMeter) -> None:
    published: list[Entry] = []
    publish_all = house.feed.publish_all

    def noted(shown: Iterable[ShownMeter]) -> None:
        views = list(shown)
        for _, booked in views:
            published.extend(booked)
        publish_all(views)

    house.feed.publish_all = noted  # type: ignore[method-assign]
    house.run(61)
    meter.trouble.append(NoAnswer("silence"))
    house.run(65)
    house.worker.close()
    row = house.store.meter("house")
    assert row is not None
    assert published == [*house.store.entries(row.id)]


def test_a_stop_with_a_full_disk_is_logged_and_does_not_raise(
    house: Household, meter: StubMeter, caplog: pytest.LogCaptureFixture
) -> None:
    house.run(10)
    house.store.close()
    house.worker.close()
    assert "its ledger stays open" in caplog.text
    assert meter.closed == 1


def test_another_calibration_in_the_configuration_begins_an_epoch(house: Household, meter: StubMeter) -> None:
    house.run(70)
    before = house.view.total
    house.worker.close()
    meter.calibration = replace(CALIBRATION, counts_per_watt=CALIBRATION.counts_per_watt * 1.05)
    house.start_worker()
    house.step()
    row = house.store.meter("house")
    assert row is not None
    assert row.epoch.number == 2
    assert before is not None
    assert house.view.total is not None
    assert 0 <= house.view.total.import_mwh - before.import_mwh < 2_000


def test_an_entry_keeps_the_settings_of_the_chip_as_evidence(house: Household, meter: StubMeter) -> None:
    house.run(30)
    meter.watts = -500.0
    house.run(40)
    row = house.store.meter("house")
    assert row is not None
    entry = house.store.entries(row.id)[-1]
    assert (entry.kind, entry.mode, entry.status, entry.boot) == (EntryKind.COUNTED, 0x8F, 1, None)


def test_an_epoch_that_cannot_be_stored_fails_with_the_reason(
    house: Household, meter: StubMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StoreUnavailable("another program holds the database", hint="end it")

    house.run(70)
    before = house.view.total
    house.worker.close()
    meter.calibration = replace(CALIBRATION, counts_per_watt=CALIBRATION.counts_per_watt * 1.05)
    house.start_worker()
    with monkeypatch.context() as patched:
        patched.setattr(house.store, "begin_epoch", refuse)
        house.step(2)
        assert (house.view.state, house.view.error) == (MeterState.FAILED, "another program holds the database")
        assert house.view.hint == "end it"
    house.run(60)
    row, total = house.store.meter("house"), house.view.total
    assert row is not None
    assert row.epoch.number == 2, "it begins once the store takes it"
    assert before is not None
    assert total is not None
    assert total.import_mwh > before.import_mwh


@pytest.mark.parametrize("inverted", [False, True])
def test_after_a_new_calibration_import_stays_import_or_is_turned(
    house: Household, meter: StubMeter, inverted: bool
) -> None:
    house.run(70)
    house.worker.close()
    meter.calibration = replace(CALIBRATION, counts_per_watt=CALIBRATION.counts_per_watt * 1.05, inverted=inverted)
    house.start_worker()
    house.step(2)
    before = house.view.total
    house.run(120)
    after, row = house.view.total, house.store.meter("house")
    assert before is not None
    assert after is not None
    assert row is not None
    assert row.epoch.inverted is inverted
    assert (after.import_mwh > before.import_mwh, after.export_mwh > before.export_mwh) == (not inverted, inverted)


def test_a_trouble_that_lasts_is_logged_once_and_again_when_it_changes(
    house: Household, meter: StubMeter, caplog: pytest.LogCaptureFixture
) -> None:
    house.step()
    meter.trouble.extend([PortLost("gone"), PortLost("gone"), PortLost("gone for good"), None, PortLost("gone")])
    with caplog.at_level(logging.WARNING):
        house.step(5)
    assert [message for message in caplog.messages if "is lost" in message] == [
        "meter house is lost: gone", "meter house is lost: gone for good", "meter house is lost: gone",
    ]  # fmt: skip


def test_a_meter_is_connected_once_and_again_only_after_it_was_lost(house: Household, meter: StubMeter) -> None:
    house.step(5)
    assert meter.connected == 1
    meter.trouble.append(PortLost("gone"))
    house.step(5)
    assert meter.connected == 2


@pytest.mark.parametrize(
    ("kept", "written", "inverted"), [(False, False, False), (True, False, True), (False, True, True)]
)
def test_a_kept_calibration_holds_and_a_wire_turned_round_stays_so(
    house: Household, meter: StubMeter, kept: bool, written: bool, inverted: bool
) -> None:
    """What a person measured wins over the parts; which way the wire passes may be said in either place."""
    measured = replace(
        CALIBRATION, counts_per_volt=16000.0, counts_per_amp=140000.0, counts_per_watt=345.5, inverted=kept
    )
    house.store.keep_calibration(
        "house", measured, simulated=False, origin="measured", by="a person", at=house.clock.now()
    )
    plan = MeterPlan(name="house", url=meter.url, inverted=written)
    house.worker = Worker(plan, house.store, house.feed, clock=house.clock, opener=meter.open)
    house.step()
    assert meter.calibration == replace(measured, inverted=inverted)
    assert meter.scale is CALIBRATED


def test_a_twin_under_a_meters_name_is_refused_with_the_reason(house: Household, meter: StubMeter) -> None:
    house.run(5)
    house.worker.close()
    meter.url, meter.simulated = "twin://pziot-e01", True
    house.start_worker()
    house.step()
    assert house.view.state is MeterState.FAILED
    assert "must not share one account" in str(house.view.error)
    assert house.view.simulated


def test_today_begins_at_local_midnight(tmp_path: Path, meter: StubMeter) -> None:
    house = Household(tmp_path, meter, start=datetime(2026, 3, 28, 22, 58, tzinfo=UTC))  # 23:58 in Berlin
    with house.store:
        plan = MeterPlan(name="house", url=meter.url)
        house.worker = Worker(
            plan, house.store, house.feed, clock=house.clock, opener=meter.open, zone=ZoneInfo("Europe/Berlin")
        )
        house.run(100)
        yesterday = house.view.today
        assert yesterday == house.view.total
        house.run(60)
        today, total = house.view.today, house.view.total
        assert today is not None
        assert total is not None
        assert 0 < today.import_mwh < total.import_mwh / 3


def test_whoever_looks_sees_the_connection_and_every_entry(house: Household, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="wattrail.gateway"):
        house.step(3)
    assert caplog.messages[0] == "meter house: connected"
    assert caplog.messages[1].startswith("meter house: booked entry 1, start, ")
