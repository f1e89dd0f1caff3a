"""The present state and last reading of every meter, in memory; the store keeps the past.

Written by the meters' threads, read by the page and by publishers. Values are frozen, so they stay consistent.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from wattrail.clock import Clock, SystemClock
from wattrail.gateway.events import AlarmChanged, EntryBooked, MeterChanged, NoticeChanged, OrderedEvent, StateChanged
from wattrail.gateway.scope import Scopes
from wattrail.gateway.subscription import MAX_WAITING, Subscription
from wattrail.gateway.view import MeterState, MeterView
from wattrail.ledger import Entry

__all__ = ["Feed"]

ShownMeter = tuple[MeterView, Iterable[Entry]]
"""A view to publish, and the entries booked with it."""

logger = logging.getLogger(__name__)


class Feed:
    """The live feed. ``version`` rises with every change; ``scopes`` are waveforms, captured only on request."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.scopes = Scopes(self._clock)
        # Held for copies and offers alone, which wait for nobody: every meter's thread passes here.
        self._lock = threading.Lock()
        self._views: dict[str, MeterView] = {}
        # Replaced as wholes, never changed in place: whoever reads one without the lock gets that before or after.
        self._names: tuple[str, ...] | None = None
        self._subscriptions: tuple[Subscription, ...] = ()
        self._version = 0
        self._ended = False

    @property
    def version(self) -> int:
        """A number that rises with every change."""
        return self._version

    def now(self) -> datetime:
        """The time by the clock of the readings, in UTC."""
        return self._clock.now()

    @property
    def names(self) -> tuple[str, ...]:
        """The meters that are shown, in the order of the plan."""
        names = self._names
        return tuple(self._views) if names is None else names

    def arrange(self, names: Iterable[str]) -> None:
        """Show these meters alone, in this order. Of another one no view is taken: its thread may still be busy."""
        with self._lock:
            self._names = tuple(names)
            self._views = {name: view for name, view in self._views.items() if name in self._names}
            self._version += 1

    def views(self) -> tuple[MeterView, ...]:
        """The present view of every meter, in the order of the plan."""
        with self._lock:
            views = [self._views[name] for name in self.names if name in self._views]
        return tuple(self._aged(view) for view in views)

    def view(self, name: str) -> MeterView | None:
        """The present view of one meter."""
        found = self._views.get(name)
        return self._aged(found) if found else None

    def subscribe(
        self, reader: str, *, max_waiting: int = MAX_WAITING, instead_of: Subscription | None = None
    ) -> Subscription:
        """The events for one reader, beginning with the present view of every meter.

        ``reader`` is its name in the log. ``max_waiting`` bounds the ordered events; 0 selects ``MeterChanged`` only.
        ``instead_of`` ends another subscription in the same moment: each event is in one of the two.
        """
        subscription = Subscription(reader, max_waiting=max_waiting, on_close=self._forget)
        with self._lock:
            subscription.offer(*(MeterChanged(view=self._aged(view)) for view in self._views.values()))
            if self._ended:
                subscription.end()
            else:
                self._subscriptions += (subscription,)
            if instead_of is not None:
                self._subscriptions = tuple(other for other in self._subscriptions if other is not instead_of)
                instead_of.end()
        return subscription

    def publish(self, view: MeterView, entries: Iterable[Entry] = ()) -> None:
        """Replace a meter's view, and send events for it and for the entries booked with it."""
        self.publish_all([(view, entries)])

    def publish_all(self, shown: Iterable[ShownMeter]) -> None:
        """As ``publish`` for many meters; each reader is woken once."""
        with self._lock:
            events = list[MeterChanged | OrderedEvent]()
            for view, entries in shown:
                if self._names is not None and view.name not in self._names:
                    continue
                before = self._views.get(view.name, view)
                self._views[view.name] = view
                self._version += 1
                if self._subscriptions:
                    events += (*self._changes(before, view), *_booked(view, entries), MeterChanged(view=view))
            # Offered under the lock: a thread interrupted here could otherwise offer an older view after a newer one.
            too_slow = [subscription.reader for subscription in self._subscriptions if subscription.offer(*events)]
        for reader in too_slow:
            logger.warning("%s is too slow for the events of the meters and loses some; entries are stored", reader)

    def announce(self, event: AlarmChanged) -> None:
        """Send an event that is of no meter's thread."""
        with self._lock:
            for subscription in self._subscriptions:
                subscription.offer(event)

    def end(self) -> None:
        """End the stream: every reader gets its waiting events, and then the end."""
        with self._lock:
            self._ended = True
            ending, self._subscriptions = self._subscriptions, ()
        for subscription in ending:
            subscription.end()

    def _changes(self, before: MeterView, view: MeterView) -> Iterator[OrderedEvent]:
        if view.state is not before.state:
            yield StateChanged(
                meter=view.name, at=self.now(), before=before.state, state=view.state, error=view.error, hint=view.hint
            )
        if view.notice != before.notice:
            yield NoticeChanged(meter=view.name, at=self.now(), notice=view.notice)

    def _forget(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions = tuple(other for other in self._subscriptions if other is not subscription)

    def _aged(self, view: MeterView) -> MeterView:
        if view.state is not MeterState.LIVE or view.reading is None:
            return view
        age_s = self._clock.monotonic() - view.reading.monotonic
        if age_s <= view.usual_silence_s:
            return view
        why = f"expected every {view.poll_s:g} s" if view.silence_s else "the port does not answer"
        return replace(view, state=MeterState.STALE, error=f"no reading for {age_s:.0f} s: {why}")


def _booked(view: MeterView, entries: Iterable[Entry]) -> Iterator[EntryBooked]:
    return (EntryBooked(meter=view.name, simulated=view.simulated, entry=entry) for entry in entries)
