"""One reader's queue of the event stream: bounded, for a thread or an event loop, and it never blocks a meter.

``offer`` is called in the thread of a meter and only appends. At most one view of each meter and ``MAX_WAITING``
ordered events wait; beyond that the oldest is dropped and counted.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

from wattrail.gateway.events import Event, EventsLost, MeterChanged, OrderedEvent

__all__ = ["MAX_WAITING", "Subscription"]

MAX_WAITING: Final = 10_000
"""Ordered events that wait for one reader: twenty minutes of entries of 500 meters, some megabytes."""


class Subscription:
    """Events for one reader: ``for event in subscription`` in a thread, ``async for`` in an event loop, or ``take()``.

    Iteration waits for events, and ends once the gateway has stopped and the waiting events were read. Two readers that
    share a subscription share its events. End it with ``close()`` or a ``with`` block.
    """

    def __init__(
        self, reader: str, *, max_waiting: int = MAX_WAITING, on_close: Callable[[Subscription], object] | None = None
    ) -> None:
        self.reader = reader
        self._max_waiting, self._on_close = max_waiting, on_close
        # Not an ``asyncio.Queue``: that belongs to one loop, and meters are threads (ADR 25).
        self._changed = threading.Condition()
        self._ordered: deque[OrderedEvent] = deque()
        self._views: dict[str, MeterChanged] = {}
        self._lost = self._lost_unreported = 0
        self._ended = False
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    @property
    def lost(self) -> int:
        """Ordered events that were dropped because this reader was too slow."""
        return self._lost

    @property
    def ended(self) -> bool:
        """Whether no more will come."""
        return self._ended

    def offer(self, *events: MeterChanged | OrderedEvent) -> bool:
        """Queue events for the reader, without blocking; after the end they are discarded.

        Returns whether the reader begins to lose events; the next event that it reads says so.
        """
        with self._changed:
            if self._ended or not events:
                return False
            lost_before = self._lost_unreported
            for event in events:
                if isinstance(event, MeterChanged):
                    self._views[event.meter] = event
                else:
                    self._append(event)
            self._wake()
            return self._lost_unreported > lost_before == 0

    def get(self, timeout_s: float | None = None) -> Event | None:
        """The next event. None when the stream has ended, or when nothing came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._has_some(), timeout_s)
            return self._next()

    def take(self) -> tuple[Event, ...]:
        """All waiting events, without blocking."""
        with self._changed:
            return tuple(iter(self._next, None))

    def end(self) -> None:
        """End the stream; waiting events can still be read. The gateway calls this when it stops."""
        with self._changed:
            self._ended = True
            self._wake()

    def close(self) -> None:
        """Unsubscribe: waiting events are dropped."""
        with self._changed:
            self._ordered.clear()
            self._views.clear()
            self._lost_unreported = 0
        self.end()
        if self._on_close is not None:
            self._on_close(self)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = self.get()
        if event is None:
            raise StopIteration
        return event

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while True:
            with self._changed:
                event = self._next()
                if event is None and self._ended:
                    raise StopAsyncIteration
                if event is None:
                    came = asyncio.Event()
                    self._waiters.append((asyncio.get_running_loop(), came))
            if event is not None:
                return event
            await came.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, event: OrderedEvent) -> None:
        if self._max_waiting == 0:
            return  # this reader takes live values only
        if len(self._ordered) >= self._max_waiting:  # not the newest: the reader would act on the past
            self._ordered.popleft()
            self._lost += 1
            self._lost_unreported += 1
        self._ordered.append(event)

    def _has_some(self) -> bool:
        return bool(self._ordered or self._views)

    def _next(self) -> Event | None:
        """Ordered events come first, so that a meter's newest view is read last."""
        if self._lost_unreported:
            count, self._lost_unreported = self._lost_unreported, 0
            return EventsLost(count=count)
        if self._ordered:
            return self._ordered.popleft()
        if self._views:
            return self._views.pop(next(iter(self._views)))
        return None

    def _wake(self) -> None:
        self._changed.notify_all()
        waiters, self._waiters = self._waiters, []
        for loop, came in waiters:
            with suppress(RuntimeError):  # that loop has ended: nothing awaits the event
                loop.call_soon_threadsafe(came.set)
