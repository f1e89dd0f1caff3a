"""Stored alarm events: kept in order, never edited, and each consumer knows how far it has come."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.databases import REFUSAL, execute
from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.store import open_store
from wattrail.store.alarm_events import AlarmEvents, StoredAlarmEvent


def event(change: str, rule: str = "over-voltage", meter: str | None = "house") -> StoredAlarmEvent:
    return StoredAlarmEvent(
        at=datetime(2026, 6, 21, 12, tzinfo=UTC), rule=rule, meter=meter, change=change, severity="warning",
        value=256.5, limit=253.0, unit="V", text="house: voltage 256.5 V, above 253 V", simulated=True,
    )  # fmt: skip


@pytest.fixture
def path(address: DatabaseAddress) -> DatabaseAddress:
    open_store(address).close()
    return address


def test_events_come_back_in_order_with_rising_ids(path: DatabaseAddress) -> None:
    with AlarmEvents(path) as events:
        stored = events.append([event("raised"), event("acknowledged")])
        stored += events.append([event("raised", rule="test", meter=None)])
    with AlarmEvents(path) as events:
        assert events.after(0, 10) == stored
        assert events.after(stored[0].id, 1) == stored[1:2]
        assert events.newest(1) == stored[2:]


def test_what_stands_is_what_came_since_an_alarm_was_clear(path: DatabaseAddress) -> None:
    with AlarmEvents(path) as events:
        events.append([event("raised"), event("cleared"), event("raised", meter=None), event("cleared", meter=None)])
        again = events.append([event("raised"), event("acknowledged")])
        assert events.standing() == again


def test_a_consumer_continues_from_where_it_stopped(path: DatabaseAddress) -> None:
    with AlarmEvents(path) as events:
        assert events.last_sent("mail") is None
        events.mark_sent("mail", 3)
        events.mark_sent("mail", 5)
        assert (events.last_sent("mail"), events.last_sent("webhook")) == (5, None)


def test_a_stored_alarm_event_cannot_be_edited_or_removed(path: DatabaseAddress) -> None:
    with AlarmEvents(path) as events:
        events.append([event("raised")])
    for sql in ("UPDATE alarm_event SET text = ''", "DELETE FROM alarm_event"):
        with pytest.raises(REFUSAL, match="never"):
            execute(path, sql)


def test_an_unknown_change_stores_none_of_its_batch(path: DatabaseAddress) -> None:
    with AlarmEvents(path) as events:
        with pytest.raises(StoreError, match=r"(?i)alarm events in .*check"):
            events.append([event("raised"), event("ignored")])
        assert events.after(0, 10) == ()


NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
MORNING = NOON + timedelta(hours=19)


def test_quiet_hours_delay_an_event_and_block_no_other(path: DatabaseAddress) -> None:
    quiet = replace(event("raised"), deliver_at=MORNING)
    with AlarmEvents(path) as events:
        assert events.due("mail", NOON, 10) == ()  # it is new
        events.append([quiet, event("raised", "over-current")])
        (critical,) = events.due("mail", NOON, 1)
        assert critical.rule == "over-current"
        events.mark_sent("mail", critical.id, NOON)
        assert events.due("mail", MORNING - timedelta(seconds=1), 10) == ()
        (later,) = events.due("mail", MORNING, 10)
        assert (later.rule, later.deliver_at) == ("over-voltage", MORNING)
        events.mark_sent("mail", later.id, MORNING)
        assert events.due("mail", MORNING + timedelta(days=1), 10) == ()
        assert events.last_sent("mail") == critical.id


def test_a_clock_that_was_ahead_costs_no_event(path: DatabaseAddress) -> None:
    with AlarmEvents(path) as events:
        events.due("mail", NOON, 10)
        first, *_ = events.append([event("raised")])
        events.mark_sent("mail", first.id, NOON + timedelta(days=3))  # the clock is set back after this
        events.append([replace(event("cleared"), deliver_at=MORNING), event("raised", "over-current")])
        (critical,) = events.due("mail", NOON, 10)
        events.mark_sent("mail", critical.id, NOON)
        assert [one.change for one in events.due("mail", MORNING, 10)] == ["cleared"]


def test_an_alarm_stands_until_it_is_cleared(path: DatabaseAddress) -> None:
    with AlarmEvents(path) as events:
        raised, _ = events.append([event("raised"), event("acknowledged")])
        (standing,) = events.standing_alarms()
        assert (standing.raised, standing.acknowledged_at) == (raised, raised.at)
        events.append([event("cleared"), event("acknowledged")])  # the second came too late
        assert events.standing_alarms() == ()
