"""Supervises publishers, each in a daemon thread of its own.

A publisher that fails is started again and continues where it stopped. One that is slow, hangs or blocks its event
loop delays only itself: meters, page and the other publishers do not wait for it.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wattrail.errors import WattrailError
from wattrail.gateway import Feed, Subscription
from wattrail.gateway.threads import start_thread
from wattrail.gateway.timing import BackOff
from wattrail.publish import Publisher

__all__ = ["Publisher", "Publishers"]

_HEALTHY_AFTER_S: Final = 60.0
"""A publisher that ran for this long before it failed is started again after the shortest delay."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _RunningPublisher:
    """``identity`` is what it was made of: as long as that is the same, it runs on."""

    identity: object
    events: Subscription
    thread: threading.Thread


class Publishers:
    """Every publisher of a service. They subscribe before the first meter starts, so that none misses an event.

    ``publishers`` are given by name, each with what it is made of, by which a change is found. ``on_failure`` gets the
    name of a publisher that failed, and why; it is called in the publisher's thread.
    """

    def __init__(
        self,
        publishers: Mapping[str, tuple[object, Publisher]],
        feed: Feed,
        *,
        on_failure: Callable[[str, Exception], None] = lambda _name, _error: None,
    ) -> None:
        self._stopping, self._on_failure, self._feed = threading.Event(), on_failure, feed
        self._running: dict[str, _RunningPublisher] = {}
        for name, (identity, publish) in publishers.items():
            self._running[name] = self._start(name, identity, publish)

    def change(self, publishers: Mapping[str, tuple[object, Publisher]], *, within_s: float) -> tuple[str, ...]:
        """Run these from now on; returns the names of those that were started, changed or ended.

        One whose identity is the same runs on. Of a changed one, every event goes to it or to its successor. It has
        ``within_s`` to read what waits; then the successor starts beside it.
        """
        ended = [name for name in self._running if name not in publishers]
        for name in ended:
            self._running[name].events.end()
        _join([self._running.pop(name).thread for name in ended], within_s)
        changed = []
        for name, (identity, publish) in publishers.items():
            before = self._running.get(name)
            if before is None or before.identity != identity:
                self._running[name] = self._start(name, identity, publish, before=before, within_s=within_s)
                changed.append(name)
        return (*ended, *changed)

    def join(self, within_s: float) -> None:
        """Let every publisher read the waiting events once the feed has ended, for ``within_s`` at most."""
        self._stopping.set()
        _join([running.thread for running in self._running.values()], within_s)

    def _start(
        self,
        name: str,
        identity: object,
        publish: Publisher,
        *,
        before: _RunningPublisher | None = None,
        within_s: float = 0.0,
    ) -> _RunningPublisher:
        # The successor takes the place in the stream at once: each event is read by one of the two, ADR 42.
        events = self._feed.subscribe(name, instead_of=before.events if before else None)
        if before is not None:
            _join([before.thread], within_s)
        return _RunningPublisher(
            identity, events, start_thread(lambda: self._supervise(name, publish, events), name=name)
        )

    def _supervise(self, name: str, publish: Publisher, events: Subscription) -> None:
        back_off, began = BackOff(), time.monotonic()
        with events:
            while not self._finished(name, publish, events):
                if time.monotonic() - began > _HEALTHY_AFTER_S:
                    back_off.succeed()
                if self._stopping.wait(back_off.fail()) or events.ended:
                    return
                began = time.monotonic()

    def _finished(self, name: str, publish: Publisher, events: Subscription) -> bool:
        """Run a publisher until it returns; False when it failed."""
        try:
            result = publish(events)
            # A loop of its own: one that blocks a shared loop would stop the others, and the handling of signals.
            if inspect.iscoroutine(result):
                asyncio.run(result)
        except WattrailError as error:
            logger.warning("%s failed, and is started again; readings go on: %s", name, error)
            self._on_failure(name, error)
            return False
        except Exception as error:  # a publisher that fails must not take the gateway with it
            logger.exception("%s failed; readings go on", name)
            self._on_failure(name, error)
            return False
        if not events.ended:
            logger.warning("%s returned before the events ended and gets no more of them", name)
        return True


def _join(threads: Sequence[threading.Thread], within_s: float) -> None:
    until = time.monotonic() + within_s
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
        if thread.is_alive():
            logger.warning("%s did not stop in time and is left behind; every entry is stored", thread.name)
