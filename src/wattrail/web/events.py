"""One bounded stream of what changes, for every page: made once a second, whoever and how many listen.

A page that does not keep up is let go: it connects again and begins with the whole state, so nothing is ever missing
and nothing piles up here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from typing import Final

from wattrail.gateway import Feed, MeterView
from wattrail.web.limits import MAX_STREAMS

__all__ = ["Broadcast", "TooManyStreams"]

EVERY_S: Final = 1.0
_MAX_WAITING: Final = 5
"""Events that a page may be behind."""

_Encode = Callable[[Iterable[MeterView]], bytes]


class TooManyStreams(Exception):
    """As many pages are open as there may be."""


class Broadcast:
    """Everything here runs in the event loop of the page, but for what the feed's subscription does."""

    def __init__(self, feed: Feed, encode: _Encode) -> None:
        self._feed, self._encode = feed, encode
        self._queues: set[asyncio.Queue[bytes | None]] = set()
        self._sent: dict[str, MeterView] = {}

    async def run(self) -> None:
        """Send what changes, once a second, until it is cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            if self._queues:
                self._publish(self._changed())

    def stream(self) -> AsyncIterator[bytes]:
        """What one page gets. Raises TooManyStreams."""
        if len(self._queues) >= MAX_STREAMS:
            raise TooManyStreams(f"{MAX_STREAMS} pages are open, which is the limit: close one")
        return self._follow()

    async def _follow(self) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_MAX_WAITING + 1)  # one place more, for the end
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
            self._let_go(queue)

    def _changed(self) -> list[MeterView]:
        changed = []
        for view in self._feed.views():
            if self._sent.get(view.name) != view:
                self._sent[view.name] = view
                changed.append(view)
        return changed

    def _publish(self, changed: list[MeterView]) -> None:
        event = _event(self._encode(changed)) if changed else b":\n\n"  # a comment tells that the line is alive
        for queue in tuple(self._queues):
            if queue.qsize() >= _MAX_WAITING:
                self._let_go(queue)
            else:
                queue.put_nowait(event)

    def _let_go(self, queue: asyncio.Queue[bytes | None]) -> None:
        self._queues.discard(queue)
        with suppress(asyncio.QueueFull):
            queue.put_nowait(None)


def _event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"
