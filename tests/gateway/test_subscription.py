"""The event stream: live values are the newest, all else comes once and in order, and no meter waits for a reader."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.gateway.rig import CALIBRATION, Household, StubMeter
from wattrail.clock import ManualClock
from wattrail.errors import PortLost, StoreError
from wattrail.gateway import (
    EntryBooked,
    Event,
    EventsLost,
    Feed,
    MeterChanged,
    MeterState,
    MeterView,
    NoticeChanged,
    StateChanged,
    Subscription,
)
from wattrail.ledger import Entry, EntryKind, adjustment

VIEW = MeterView(name="house", url="serial:///dev/ttyUSB0", simulated=False)
NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)


def entry(sequence: int) -> Entry:
    return Entry(
        sequence=sequence, kind=EntryKind.COUNTED, start=NOON, end=NOON + timedelta(minutes=1), epoch=1, count=0
    )


def entries_in(events: tuple[Event, ...]) -> list[int]:
    return [event.entry.sequence for event in events if isinstance(event, EntryBooked)]


def test_a_reader_begins_with_every_meter_as_it_stands() -> None:
    feed = Feed(ManualClock(NOON))
    feed.publish(VIEW)
    feed.publish(replace(VIEW, name="garage"))
    waiting = feed.subscribe("test").take()
    assert [event.view.name for event in waiting if isinstance(event, MeterChanged)] == ["house", "garage"]
    assert len(waiting) == 2


def test_of_live_values_only_the_newest_waits() -> None:
    feed = Feed(ManualClock(NOON))
    events = feed.subscribe("test")
    for poll_s in (1.0, 2.0, 3.0):
        feed.publish(replace(VIEW, poll_s=poll_s))
    assert events.take() == (MeterChanged(view=replace(VIEW, poll_s=3.0)),)
    assert events.take() == ()


def test_entries_wait_in_order_and_before_the_newest_view() -> None:
    feed = Feed(ManualClock(NOON))
    events = feed.subscribe("test")
    for sequence in (1, 2, 3):
        feed.publish(VIEW, [entry(sequence)])
    waiting = events.take()
    assert entries_in(waiting) == [1, 2, 3]
    assert waiting[-1] == MeterChanged(view=VIEW)
    assert events.lost == 0


def test_what_does_not_fit_is_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    feed = Feed(ManualClock(NOON))
    events = feed.subscribe("the publisher", max_waiting=3)
    for sequence in range(1, 11):
        feed.publish(VIEW, [entry(sequence)])
    assert events.lost == 7
    waiting = events.take()
    assert waiting[0] == EventsLost(count=7)
    assert entries_in(waiting) == [8, 9, 10]
    assert [record.getMessage() for record in caplog.records] == [
        "the publisher is too slow for the events of the meters and loses some; entries are stored"
    ]
    feed.publish(VIEW, [entry(11)])
    assert entries_in(events.take()) == [11]


def test_a_reader_of_live_values_alone_gets_no_entries_and_loses_none() -> None:
    feed = Feed(ManualClock(NOON))
    events = feed.subscribe("page", max_waiting=0)
    feed.publish(VIEW, [entry(1)])
    assert events.take() == (MeterChanged(view=VIEW),)
    assert events.lost == 0


def test_a_state_that_passes_between_two_polls_of_a_reader_is_reported(house: Household, meter: StubMeter) -> None:
    events = house.feed.subscribe("test")
    meter.trouble.extend([None, PortLost("cable out"), None])
    house.step(3)
    changes = [event for event in events.take() if isinstance(event, StateChanged)]
    assert [(change.before, change.state) for change in changes] == [
        (MeterState.CONNECTING, MeterState.LIVE),
        (MeterState.LIVE, MeterState.LOST),
        (MeterState.LOST, MeterState.LIVE),
    ]
    assert [change.error for change in changes] == [None, "cable out", None]


def test_a_gap_is_reported_as_the_entry_that_it_becomes(house: Household, meter: StubMeter) -> None:
    events = house.feed.subscribe("test")
    house.run(90)
    meter.trouble.extend([PortLost("cable out")] * 6)
    house.run(120)
    row = house.store.meter("house")
    assert row is not None
    told = [event.entry for event in events.take() if isinstance(event, EntryBooked)]
    assert EntryKind.GAP in {each.kind for each in told}
    assert told == list(house.store.entries(row.id))


def test_a_jump_of_the_wall_clock_is_reported_once(house: Household) -> None:
    events = house.feed.subscribe("test")
    house.run(10)
    house.clock.step(3600)
    house.run(10)
    (notice,) = [event for event in events.take() if isinstance(event, NoticeChanged)]
    assert "the wall clock jumped" in str(notice.notice)


def test_an_entry_that_was_not_stored_is_not_reported(house: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object, **_options: object) -> None:
        raise StoreError("the disk is full")

    house.run(50)
    events = house.feed.subscribe("test")
    with monkeypatch.context() as patched:
        patched.setattr(house.store, "append_all", full)
        house.run(30)  # the minute's end falls in here
    assert entries_in(events.take()) == []
    house.run(30)
    row = house.store.meter("house")
    assert row is not None
    assert set(entries_in(events.take())) <= {each.sequence for each in house.store.entries(row.id)}


def test_an_epoch_that_begins_at_the_start_is_reported(house: Household, meter: StubMeter) -> None:
    house.run(5)
    house.worker.close()
    meter.calibration = replace(CALIBRATION, counts_per_watt=CALIBRATION.counts_per_watt * 2)
    house.start_worker()
    events = house.feed.subscribe("test")
    house.run(5)
    assert EntryKind.EPOCH in [event.entry.kind for event in events.take() if isinstance(event, EntryBooked)]


def test_a_thread_and_an_event_loop_read_the_same_events() -> None:
    feed = Feed(ManualClock(NOON))
    in_thread, in_loop = feed.subscribe("thread"), feed.subscribe("loop")
    seen: list[Event] = []
    thread = threading.Thread(target=lambda: seen.extend(in_thread))
    thread.start()

    async def read() -> list[Event]:
        return [event async for event in in_loop]

    async def story() -> list[Event]:
        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        await asyncio.to_thread(publish)
        return await asyncio.wait_for(reading, 60)

    def publish() -> None:
        for sequence in range(1, 501):
            feed.publish(VIEW, [entry(sequence)])
        feed.end()

    looped = asyncio.run(story())
    thread.join(60)
    numbers = list(range(1, 501))
    assert entries_in(tuple(seen)) == numbers
    assert entries_in(tuple(looped)) == numbers
    assert seen[-1] == looped[-1] == MeterChanged(view=VIEW)


def test_two_tasks_that_share_a_subscription_share_its_events_and_its_end() -> None:
    feed = Feed(ManualClock(NOON))
    events = feed.subscribe("test")

    async def read() -> list[Event]:
        return [event async for event in events]

    async def story() -> list[list[Event]]:
        reading = [asyncio.create_task(read()) for _ in range(2)]
        await asyncio.sleep(0)
        feed.publish(VIEW, [entry(1), entry(2)])
        await asyncio.sleep(0)
        feed.end()
        return await asyncio.wait_for(asyncio.gather(*reading), 60)

    shared = asyncio.run(story())
    assert sorted(number for found in shared for number in entries_in(tuple(found))) == [1, 2]


def test_the_end_comes_after_what_waits_and_later_readers_meet_it() -> None:
    feed = Feed(ManualClock(NOON))
    events = feed.subscribe("test")
    feed.publish(VIEW, [entry(1)])
    feed.end()
    assert entries_in(tuple(events)) == [1]
    assert list(feed.subscribe("late")) == [MeterChanged(view=VIEW)]
    feed.publish(VIEW, [entry(2)])
    assert events.get() is None


def test_a_reader_that_leaves_gets_nothing_more_and_leaves_nothing_behind() -> None:
    feed = Feed(ManualClock(NOON))
    with feed.subscribe("test") as events:
        feed.publish(VIEW, [entry(1)])
    feed.publish(VIEW, [entry(2)])
    assert events.take() == ()
    events.close()


def test_waiting_for_an_event_has_an_end() -> None:
    assert Subscription("test").get(timeout_s=0.01) is None


def test_the_last_minute_is_reported_when_a_meter_is_closed(house: Household) -> None:
    events = house.feed.subscribe("test")
    house.run(30)
    house.worker.close()
    row = house.store.meter("house")
    assert row is not None
    assert entries_in(events.take()) == [each.sequence for each in house.store.entries(row.id)]


def test_what_a_person_entered_is_reported_when_the_gateway_takes_it_up(house: Household) -> None:
    house.run(70)
    events = house.feed.subscribe("test")
    row = house.store.meter("house")
    assert row is not None
    now = house.clock.now()
    house.store.state(
        row.id,
        lambda ledger_slice: adjustment(ledger_slice, import_mwh=5_000, export_mwh=0, at=now, who="ann", reason="lost"),
    )
    house.run(70)
    told = [event.entry for event in events.take() if isinstance(event, EntryBooked)]
    assert [each.import_mwh for each in told if each.kind is EntryKind.ADJUSTED] == [5_000]
