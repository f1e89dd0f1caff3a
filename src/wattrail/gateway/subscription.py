"""One reader's end of the event stream: bounded, readable from a thread or an event loop, never in a meter's way.

``offer`` is called in the thread of a meter and takes the time of one append, whatever the reader does. What waits is
at most one view a meter and ``MAX_WAITING`` ordered events; beyond that the oldest is dropped and counted.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from wattrail.gateway.events import Event, EventsLost, MeterChanged, OrderedEvent

__all__ = ["MAX_WAITING", "Subscription"]

MAX_WAITING: Final = 10_000
"""Ordered events that wait for one reader: twenty minutes of entries of 500 meters, some megabytes."""


class Subscription:
    """Events for one reader: ``for event in subscription`` in a thread, ``async for`` in an event loop, or ``take()``.

    Iteration waits for events and ends when the gateway has stopped and everything that waited was read. One reader
    only: two that share a subscription share its events. Leave it with ``close()`` or a ``with`` block.
    """

    def __init__(
        self, reader: str, *, max_waiting: int = MAX_WAITING, on_close: Callable[[Subscription], object] | None = None
    ) -> None:
        self.reader = reader
        self._max_waiting, self._on_close = max_waiting, on_close
        self._changed = threading.Condition()
        self._ordered: deque[OrderedEvent] = deque()
        self._views: dict[str, MeterChanged] = {}
        self._lost = self._lost_untold = 0
        self._ended = False
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    @property
    def lost(self) -> int:
        """Ordered events that were dropped because this reader was too slow; 0 as long as it is not."""
        return self._lost

    @property
    def ended(self) -> bool:
        """Whether no more will come."""
        return self._ended

    def offer(self, *events: MeterChanged | OrderedEvent) -> bool:
        """Let events wait for the reader; never blocks on it. After the end they go nowhere.

        Returns whether the reader begins to lose events, which it learns by the next one that it reads.
        """
        with self._changed:
            if self._ended or not events:
                return False
            lost_before = self._lost_untold
            for event in events:
                if isinstance(event, MeterChanged):
                    self._views[event.meter] = event
                else:
                    self._append(event)
            self._wake()
            return self._lost_untold > lost_before == 0

    def get(self, timeout_s: float | None = None) -> Event | None:
        """The next event. None when the stream has ended, or when nothing came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._has_some(), timeout_s)
            return self._next()

    def take(self) -> tuple[Event, ...]:
        """Everything that waits, without waiting."""
        with self._changed:
            return tuple(iter(self._next, None))

    def end(self) -> None:
        """No more will come; what waits is still read. The gateway calls this when it stops."""
        with self._changed:
            self._ended = True
            self._wake()

    def close(self) -> None:
        """The reader wants no more: what waits is dropped."""
        with self._changed:
            self._ordered.clear()
            self._views.clear()
            self._lost_untold = 0
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
                    self._waiter = (asyncio.get_running_loop(), came)
            if event is not None:
                return event
            await came.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, event: OrderedEvent) -> None:
        if self._max_waiting == 0:
            return  # this reader asked for live values alone
        if len(self._ordered) >= self._max_waiting:
            self._ordered.popleft()
            self._lost += 1
            self._lost_untold += 1
        self._ordered.append(event)

    def _has_some(self) -> bool:
        return bool(self._ordered or self._views)

    def _next(self) -> Event | None:
        """Ordered events first, so that the last thing read of a meter is its newest view."""
        if self._lost_untold:
            count, self._lost_untold = self._lost_untold, 0
            return EventsLost(count=count)
        if self._ordered:
            return self._ordered.popleft()
        if self._views:
            return self._views.pop(next(iter(self._views)))
        return None

    def _wake(self) -> None:
        self._changed.notify_all()
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            loop, came = waiter
            with suppress(RuntimeError):  # that loop has ended: nobody waits any more
                loop.call_soon_threadsafe(came.set)
