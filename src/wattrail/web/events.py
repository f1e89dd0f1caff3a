"""One bounded stream of changes for all pages, made once a second for any number of them.

A page that does not keep up is disconnected. It connects again and begins with the whole state, so it misses
nothing, and nothing accumulates here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from wattrail.gateway import Feed, MeterView
from wattrail.web.limits import MAX_STREAMS

__all__ = ["Broadcast", "TooManyStreams"]

EVERY_S: Final = 1.0
_MAX_WAITING: Final = 5
"""Events that a page may lag behind."""

_MAX_SILENCE_S: Final = 1.5
"""The gateway sends a line every 0.5 s. A page needs 3 s to notice a silence, and must show it within 5 s."""

_ALIVE: Final = b"event: alive\ndata: {}\n\n"

_Encode = Callable[[Iterable[MeterView]], bytes]


class TooManyStreams(Exception):
    """The limit of open pages is reached."""


class Broadcast:
    """Sends changes of the feed to every open page. Runs in the event loop of the page's process."""

    def __init__(self, feed: Feed, encode: _Encode) -> None:
        self._feed, self._encode = feed, encode
        self._queues: set[asyncio.Queue[bytes | None]] = set()
        self._sent: dict[str, MeterView] = {}
        self._names: tuple[str, ...] = ()
        self._heard_at: float | None = None

    async def run(self) -> None:
        """Send changes once a second until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            if self._queues:
                changed = self._changed()
                self._publish((_event(self._encode(changed)) if changed else b"") + self._arrangement())

    def gateway_heard(self) -> None:
        """Note that the gateway has just sent something; pages learn each second whether it still does."""
        self._heard_at = asyncio.get_running_loop().time()

    def stream(self) -> AsyncIterator[bytes]:
        """The stream for one page. Raises TooManyStreams."""
        if len(self._queues) >= MAX_STREAMS:
            raise TooManyStreams(f"{MAX_STREAMS} pages are open, which is the limit; close one")
        return self._follow()

    async def _follow(self) -> AsyncIterator[bytes]:
        if not self._queues:
            self._names = tuple(view.name for view in self._feed.views())
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_MAX_WAITING + 1)  # one more, for the end
        self._queues.add(queue)
        try:
            yield _event(self._encode(self._feed.views()))
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._queues.discard(queue)

    def close(self) -> None:
        """End every stream."""
        for queue in tuple(self._queues):
            self._disconnect(queue)

    def _changed(self) -> list[MeterView]:
        changed = []
        for view in self._feed.views():
            before = self._sent.get(view.name)
            if before is not view and before != view:
                self._sent[view.name] = view
                changed.append(view)
        return changed

    def _arrangement(self) -> bytes:
        """Which meters there are, if that has changed."""
        views = self._feed.views()
        names = tuple(view.name for view in views)
        if names == self._names:
            return b""
        self._names = names
        self._sent = {name: view for name, view in self._sent.items() if name in names}
        return _names_event(views)

    def _publish(self, event: bytes) -> None:
        event = event or b":\n\n"  # a comment keeps the connection alive
        if self._heard_at is not None and asyncio.get_running_loop().time() - self._heard_at < _MAX_SILENCE_S:
            event = _ALIVE + event
        for queue in tuple(self._queues):
            if queue.qsize() >= _MAX_WAITING:
                self._disconnect(queue)
            else:
                queue.put_nowait(event)

    def _disconnect(self, queue: asyncio.Queue[bytes | None]) -> None:
        self._queues.discard(queue)
        with suppress(asyncio.QueueFull):
            queue.put_nowait(None)


def _names_event(views: Sequence[MeterView]) -> bytes:
    return b"event: names\n" + _event(json.dumps([view.name for view in views]).encode())


def _event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"
