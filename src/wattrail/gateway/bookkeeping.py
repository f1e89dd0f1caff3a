"""Books what network meters say, in a thread of its own: many readings in one transaction.

The event loop of the sources never waits for a disk. A reading is acknowledged, and shown, once the transaction that
holds it is committed; a few of each meter may wait here, and then its source is not read, however slow the disk is. A
meter whose reading the store refuses costs the others of the same transaction nothing: theirs are written one by one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from wattrail.errors import StoreError, StoreUnavailable, WattrailError
from wattrail.gateway.account import Booking
from wattrail.gateway.network_meter import ArrivedReading, Failure, NetworkMeter
from wattrail.gateway.threads import start_thread
from wattrail.store import Store

__all__ = ["Bookkeeper", "BookkeepingWork"]

COLLECT_S: Final = 0.05
"""How long the first reading waits for others of its transaction: an SD card takes some tens of them in a second."""

MAX_BATCH: Final = 500
_KEEP_LINKS_EVERY_S: Final = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BookkeepingWork:
    """A reading or a failure of a meter; ``done`` is called in the bookkeeping thread once it is kept, or refused."""

    meter: NetworkMeter
    news: ArrivedReading | Failure
    done: Callable[[], object]


class Bookkeeper:
    """The thread and what waits for it."""

    def __init__(self, store: Store, meters: Iterable[NetworkMeter]) -> None:
        self._store = store
        self._meters = tuple(meters)
        self._changed = threading.Condition()
        self._waiting: list[BookkeepingWork] = []
        self._is_stopping = False
        self._links_due = 0.0
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._links_due = time.monotonic() + _KEEP_LINKS_EVERY_S
        self.thread = start_thread(self._run, name="bookkeeping")

    def put(self, work: BookkeepingWork) -> None:
        """Hand over work; returns at once."""
        with self._changed:
            self._waiting.append(work)
            if len(self._waiting) == 1:
                self._changed.notify()

    def stop(self) -> None:
        """Let the thread do what waits, write what is left of the ledgers, and end. Returns at once."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()

    def _run(self) -> None:
        while batch := self._next():
            try:
                self._work(batch)
            except Exception:  # every meter's own errors are handled; a defect must not end the thread
                logger.exception("bookkeeping: a defect")
            for work in batch:
                work.done()
            if time.monotonic() >= self._links_due:
                self._keep_links()
        self._finish()

    def _next(self) -> list[BookkeepingWork]:
        """The next batch; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_stopping)
            stops = self._is_stopping
        if not stops:
            time.sleep(COLLECT_S)
        with self._changed:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        return batch

    def _work(self, batch: list[BookkeepingWork]) -> None:
        arrived: list[tuple[NetworkMeter, ArrivedReading, Booking | None]] = []
        for work in batch:
            if isinstance(work.news, Failure):
                work.meter.fail(work.news)
                continue
            try:
                arrived.append((work.meter, work.news, work.meter.prepare(work.news)))
            except Exception as error:  # noqa: BLE001 it is the meter's own, and shown there
                work.meter.fail(Failure(error=error, retry_s=0.0))
        for meter, arrival, booking in self._kept(arrived):
            try:
                meter.show(arrival, booking)
            except WattrailError as error:
                meter.fail(Failure(error=error, retry_s=0.0))

    def _kept(
        self, arrived: list[tuple[NetworkMeter, ArrivedReading, Booking | None]]
    ) -> Iterable[tuple[NetworkMeter, ArrivedReading, Booking | None]]:
        """Those whose reading is kept, or had nothing to keep."""
        bookings = [booking for *_, booking in arrived if booking is not None]
        try:
            if bookings:
                self._store.append_all(bookings)
        except StoreUnavailable as error:
            for meter, *_ in arrived:  # none is tried by itself: each would wait for the server
                meter.fail(Failure(error=error, retry_s=0.0))
            return []
        except StoreError as error:
            logger.debug("a transaction of %d readings failed: %s; now one by one", len(bookings), error)
            return [one for one in arrived if self._is_kept_alone(*one)]
        return arrived

    def _is_kept_alone(self, meter: NetworkMeter, _arrival: ArrivedReading, booking: Booking | None) -> bool:
        try:
            if booking is not None:
                self._store.append_all([booking])
        except StoreError as error:
            meter.fail(Failure(error=error, retry_s=0.0))
            return False
        return True

    def _keep_links(self) -> None:
        self._links_due = time.monotonic() + _KEEP_LINKS_EVERY_S
        days = [day for meter in self._meters if (day := meter.take_link_day()) is not None]
        try:
            self._store.keep_link_days(days)
        except StoreError as error:
            logger.warning("the connections of %d meters could not be kept: %s", len(days), error)

    def _finish(self) -> None:
        closed = [(meter, left) for meter in self._meters if (left := meter.finish()) is not None]
        try:
            self._store.book_all([left for _, left in closed])
        except StoreError as error:
            logger.warning("the ledgers of network meters stay open: %s", error)
            return
        for meter, (_, entries) in closed:
            meter.show_last(entries)
        self._keep_links()
