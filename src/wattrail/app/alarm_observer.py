"""Watches the meters of a service by its rules: reads the event stream like a publisher, stores and announces events.

Of a meter that is faster than this thread only the newest reading is examined. Once a second every meter is examined,
which finds those that are silent. The table of events is also how other programs speak to
it: what they append, an acknowledgement or a test, is read in the same second and announced.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final

from wattrail.alarms import AlarmRule, AlarmWatch, MeterSnapshot
from wattrail.clock import Clock, SystemClock
from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.gateway import AlarmChanged, Feed, MeterChanged, MeterState, MeterView, Subscription
from wattrail.ledger import registers_at
from wattrail.publish import Publisher, PublisherBoard
from wattrail.store import open_to_read
from wattrail.store.alarm_events import AlarmEvents

__all__ = ["AlarmObserver", "alarm_observer"]

_TICK_S: Final = 1.0
_COLLECT_S: Final = 0.05
"""Where several meters came at once, more are about to: waking for each of them would cost more than to examine it."""

_MAX_EVENTS: Final = 1000
"""Events read at once; more are read at the next tick."""

logger = logging.getLogger(__name__)


def alarm_observer(
    rules: Sequence[AlarmRule],
    meters: Sequence[str],
    feed: Feed,
    database: DatabaseAddress,
    zone: tzinfo,
    *,
    board: PublisherBoard | None = None,
    clock: Clock | None = None,
) -> Publisher:
    """The observer as a publisher: it begins again from the stored events whenever it is started."""

    def observe(events: Subscription) -> None:
        with AlarmEvents(database) as stored:
            watch = AlarmWatch(rules, meters, zone)
            observer = AlarmObserver(watch, feed, stored, board=board or PublisherBoard(), clock=clock or SystemClock())
            observer.start(database)
            observer.run(events)

    return observe


class AlarmObserver:
    """One run of it, between the feed and the stored events."""

    def __init__(
        self, watch: AlarmWatch, feed: Feed, stored: AlarmEvents, *, board: PublisherBoard, clock: Clock
    ) -> None:
        self._watch, self._feed, self._stored, self._board, self._clock = watch, feed, stored, board, clock
        self._last_id = 0

    def start(self, database: DatabaseAddress) -> None:
        """Take over what stands from the run before, and announce it."""
        # Noted before the stored ones are restored: what restoring adds is announced by the next turn as well.
        newest = self._stored.newest(1)
        self._last_id = newest[0].id if newest else 0
        standing = self._stored.standing()
        self._stored.append(self._watch.restore(standing, self._clock.now()))
        for event in standing:
            self._feed.announce(AlarmChanged(event=event))
        for meter, quarter in self._watch.quarters.items():
            now = self._clock.now()
            register = _register_at(database, meter, quarter.begins(now))
            if register is not None:
                quarter.register_at_start(now, register)
        self.tick()

    def run(self, events: Subscription) -> None:
        """Watch until the events end."""
        due_s = self._clock.monotonic() + _TICK_S
        while not events.ended:
            event = events.get(max(0.0, due_s - self._clock.monotonic()))
            seen = [one.view for one in (event, *events.take()) if isinstance(one, MeterChanged)]
            for view in seen:
                self.see(view)
            if len(seen) > 1:
                time.sleep(_COLLECT_S)
            if self._clock.monotonic() >= due_s:
                due_s = self._clock.monotonic() + _TICK_S
                self.tick()

    def see(self, view: MeterView) -> None:
        """Examine one meter."""
        if self._watch.watches(view.name):
            self._examine([view], self._held())

    def tick(self) -> None:
        """Examine every meter, and announce all new events, whoever stored them."""
        self._examine([view for view in self._feed.views() if self._watch.watches(view.name)], self._held())
        # Announced as they are read back, never as they are made: nothing is announced that is not stored, and what
        # another program appends is announced in the same way.
        for event in self._stored.after(self._last_id, _MAX_EVENTS):
            self._last_id = event.id
            if event.change == "acknowledged":
                self._watch.acknowledge(event.rule, event.meter)
            self._feed.announce(AlarmChanged(event=event))

    def _examine(self, views: Sequence[MeterView], held: Mapping[str, str] | None) -> None:
        for view in views:
            events = self._watch.see(self._snapshot(view, None if held is None else held.get(view.name, "")))
            if events:
                self._stored.append(events)
            for event in events:
                logger.warning("alarm %s %s: %s", event.rule, event.change, event.text)

    def _held(self) -> dict[str, str] | None:
        """Why registers of meters are not passed on; None before any publisher has sent something."""
        sent = [state for state in self._board.states() if state.sent_at is not None]
        if not sent:
            return None
        return {meter: f"{why} ({state.name})" for state in sent for meter, why in state.held.items()}

    def _snapshot(self, view: MeterView, held: str | None) -> MeterSnapshot:
        now, reading = self._clock.now(), view.reading
        return MeterSnapshot(
            meter=view.name, at=now, monotonic=self._clock.monotonic(), simulated=view.simulated,
            is_silent=view.state is not MeterState.LIVE,
            silent_s=max(0.0, (now - reading.at).total_seconds()) if reading else None,
            volts=reading.volts if reading else None,
            amps=reading.amps if reading else None,
            watts=reading.watts if reading else None,
            today_import_mwh=view.today.import_mwh if view.today else None,
            import_mwh=view.total.import_mwh if view.total else None,
            held=held,
        )  # fmt: skip


def _register_at(database: DatabaseAddress, meter: str, at: datetime) -> int | None:
    """The import register of a meter at a moment, or where it began if that is later; None before that."""
    try:
        with open_to_read(database) as reader:
            for row in reader.meters():
                if row.name == meter:
                    ledger_slice = reader.ledger_slice(row.id, since=at)
                    if ledger_slice.began is not None:
                        start = max(at, ledger_slice.began)
                        return registers_at(ledger_slice, [start])[0].register.rounded_down().import_mwh
    except StoreError as error:
        logger.warning("the demand of %s counts from now on: %s", meter, error)
    return None
