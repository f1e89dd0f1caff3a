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
from collections.abc import Callable, Mapping
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


class Publishers:
    """Every publisher of a service. They subscribe before the first meter starts, so that none misses an event.

    ``on_failure`` gets the name of a publisher that failed, and why; it is called in the publisher's thread.
    """

    def __init__(
        self,
        publishers: Mapping[str, Publisher],
        feed: Feed,
        *,
        on_failure: Callable[[str, Exception], None] = lambda _name, _error: None,
    ) -> None:
        self._stopping, self._on_failure = threading.Event(), on_failure
        self._threads = [self._start(name, publish, feed.subscribe(name)) for name, publish in publishers.items()]

    def join(self, within_s: float) -> None:
        """Let every publisher read the waiting events once the feed has ended, for ``within_s`` at most."""
        self._stopping.set()
        until = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                logger.warning("%s did not stop in time and is left behind; every entry is stored", thread.name)

    def _start(self, name: str, publish: Publisher, events: Subscription) -> threading.Thread:
        return start_thread(lambda: self._supervise(name, publish, events), name=name)

    def _supervise(self, name: str, publish: Publisher, events: Subscription) -> None:
        back_off, began = BackOff(), time.monotonic()
        with events:
            while not self._finished(name, publish, events):
                if time.monotonic() - began > _HEALTHY_AFTER_S:
                    back_off.succeed()
                if self._stopping.wait(back_off.fail()):
                    return
                began = time.monotonic()

    def _finished(self, name: str, publish: Publisher, events: Subscription) -> bool:
        """Run a publisher until it returns; False when it failed."""
        try:
            result = publish(events)
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
