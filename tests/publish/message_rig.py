"""A site with alarms, and the delivery to one consumer, step by step on a clock of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from tests.publish.rig import AT, Site
from wattrail.clock import Clock, ManualClock
from wattrail.publish.delivery import Delivery, DeliveryPacing, MessagePlan, MessageSender
from wattrail.store.alarm_events import AlarmEvents, StoredAlarmEvent
from wattrail.store.messages import StoredMessages

DEADLINE_S = 60.0
QUICK = DeliveryPacing(tick_s=0.02, first_retry_s=0.02, max_retry_s=0.1)


def alarm(
    text: str = "house: voltage 256.5 V, above 253 V",
    *,
    change: str = "raised",
    simulated: bool = False,
    deliver_at: datetime | None = None,
) -> StoredAlarmEvent:
    return StoredAlarmEvent(
        at=AT, rule="over-voltage", meter="house", change=change, severity="warning", value=256.5, limit=253.0,
        unit="V", text=text, simulated=simulated, deliver_at=deliver_at,
    )  # fmt: skip


def plan(sender: MessageSender, *events: str, clock: Clock | None = None, name: str = "webhook.test") -> MessagePlan:
    return MessagePlan(
        name=name, sender=sender, events=frozenset(events or ("alarms",)), pacing=QUICK,
        clock=clock or ManualClock(datetime.now(UTC)),
    )  # fmt: skip


@contextmanager
def delivering(site: Site, to: MessagePlan) -> Iterator[Delivery]:
    """A delivery whose steps the test takes; the consumer is known already, so it gets what comes from now on."""
    site.board.add(to.name, to.target)
    with StoredMessages(site.database) as stored, AlarmEvents(site.database) as alarms:
        yield Delivery(to, site.context(), stored, alarms)


def raise_alarms(site: Site, *events: StoredAlarmEvent) -> None:
    with AlarmEvents(site.database) as alarms:
        alarms.append(events)


@contextmanager
def publishing(site: Site, to: MessagePlan) -> Iterator[None]:
    """The publisher in a thread of its own, as the service runs it."""
    site.board.add(to.name, to.target)
    events = site.feed.subscribe(to.name)
    thread = threading.Thread(target=to.publisher(site.context()), args=(events,))
    thread.start()
    try:
        yield
    finally:
        events.end()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
