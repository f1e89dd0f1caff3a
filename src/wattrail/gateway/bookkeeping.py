"""Books what meters say, in a thread of its own: many readings in one transaction.

Neither the event loop of the sources nor the thread of a chip waits for a disk. A reading is acknowledged, and shown,
once the transaction that holds it is committed; a few of each meter may wait here, and then it is not read, however
slow the disk is. A meter whose reading the store refuses costs the others of the same transaction nothing: theirs are
written one by one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from wattrail.errors import StoreError, StoreUnavailable
from wattrail.gateway.account import Booking
from wattrail.gateway.feed import Feed, ShownMeter
from wattrail.gateway.network_meter import ArrivedReading, Failure, NetworkMeter
from wattrail.gateway.threads import start_thread
from wattrail.store import Store

__all__ = ["Bookkeeper", "BookkeepingWork"]

COLLECT_S: Final = 0.05
"""How long the first reading waits for others of its transaction: an SD card takes some tens of them in a second. A
reading that came alone the last time does not wait."""

MAX_BATCH: Final = 500
_KEEP_LINKS_EVERY_S: Final = 60.0

logger = logging.getLogger(__name__)


class BookkeepingMeter(Protocol):
    """A meter as the bookkeeping thread has it."""

    def prepare(self, arrival: ArrivedReading, /) -> Booking | None:
        """What the store is to keep for a reading; None where it proves no energy. Raises WattrailError."""
        ...

    def show(self, arrival: ArrivedReading, booking: Booking | None, /) -> ShownMeter | None:
        """Follow what was kept; gives what there is to publish. Raises WattrailError."""
        ...

    def fail(self, failure: Failure, /) -> None:
        """There is no reading, or it is not kept. Raises nothing."""
        ...


@dataclass(frozen=True, slots=True)
class BookkeepingWork:
    """A reading or a failure of a meter; ``done`` is given to ``on_done`` once it is kept, or refused.

    Without news a network meter is read no longer, and the rest of its ledger is written.
    """

    meter: BookkeepingMeter
    news: ArrivedReading | Failure | None
    done: Callable[[], object]


class Bookkeeper:
    """The thread and what waits for it. ``on_done`` gets what a batch of work has to call, in this thread.

    ``meters`` are those whose ledger and connection are kept at the end; a chip's own thread sees to its ledger.
    """

    def __init__(
        self, store: Store, feed: Feed, meters: Iterable[NetworkMeter] = (), *, name: str = "bookkeeping"
    ) -> None:
        self._name = name
        self._store, self._feed = store, feed
        self.on_done: Callable[[list[Callable[[], object]]], object] = _call_all
        self._meters = tuple(meters)
        self._changed = threading.Condition()
        self._waiting: list[BookkeepingWork] = []
        self._is_stopping = self._has_company = False
        self._links_due = 0.0
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._links_due = time.monotonic() + _KEEP_LINKS_EVERY_S
        self.thread = start_thread(self._run, name=self._name)

    def put(self, work: BookkeepingWork) -> None:
        """Hand over work; returns at once."""
        with self._changed:
            self._waiting.append(work)
            if len(self._waiting) == 1:
                self._changed.notify()

    def add(self, meters: Iterable[NetworkMeter]) -> None:
        """Keep the ledgers of these meters too."""
        with self._changed:
            self._meters += tuple(meters)

    def close(self, meters: Iterable[NetworkMeter], *, within_s: float) -> bool:
        """Write what is left of the ledgers of meters that are read no longer. Returns whether it was in time."""
        until = time.monotonic() + within_s
        closed = []
        for meter in meters:
            written = threading.Event()
            self.put(BookkeepingWork(meter, None, written.set))
            closed.append(written)
        return all([written.wait(max(0.0, until - time.monotonic())) for written in closed])

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
            self.on_done([work.done for work in batch])
            if time.monotonic() >= self._links_due:
                self._keep_links()
        self._finish()

    def _next(self) -> list[BookkeepingWork]:
        """The next batch; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_stopping)
            stops = self._is_stopping
        if self._has_company and not stops:
            time.sleep(COLLECT_S)
        with self._changed:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        self._has_company = len(batch) > 1
        return batch

    def _work(self, batch: list[BookkeepingWork]) -> None:
        arrived: list[tuple[BookkeepingMeter, ArrivedReading, Booking | None]] = []
        for work in batch:
            if work.news is None:
                continue
            if isinstance(work.news, Failure):
                work.meter.fail(work.news)
                continue
            try:
                arrived.append((work.meter, work.news, work.meter.prepare(work.news)))
            except Exception as error:  # noqa: BLE001 it is the meter's own, and shown there
                work.meter.fail(Failure(error=error, retry_s=0.0))
        shown = []
        for meter, arrival, booking in self._kept(arrived):
            try:
                shown.append(meter.show(arrival, booking))
            except Exception as error:  # noqa: BLE001 it is the meter's own, and shown there
                meter.fail(Failure(error=error, retry_s=0.0))
        self._feed.publish_all(filter(None, shown))
        if ending := [work.meter for work in batch if work.news is None]:
            left = [meter for meter in self._meters if meter in ending]
            self._close_ledgers(left)
            self._keep_links()
            with self._changed:
                self._meters = tuple(meter for meter in self._meters if meter not in left)

    def _kept(
        self, arrived: list[tuple[BookkeepingMeter, ArrivedReading, Booking | None]]
    ) -> Iterable[tuple[BookkeepingMeter, ArrivedReading, Booking | None]]:
        """Those whose reading is kept, or had nothing to keep."""
        bookings = [booking for *_, booking in arrived if booking is not None]
        try:
            if bookings:
                self._store.append_all(bookings)
        except StoreUnavailable as error:
            for meter, *_ in arrived:  # none is tried by itself: each would wait for the server
                meter.fail(Failure(error=error, retry_s=0.0))
            return []
        except Exception as error:  # noqa: BLE001 whoever it concerns gets it, one by one
            logger.debug("a transaction of %d readings failed: %s; now one by one", len(bookings), error)
            return [one for one in arrived if self._is_kept_alone(*one)]
        return arrived

    def _is_kept_alone(self, meter: BookkeepingMeter, _arrival: ArrivedReading, booking: Booking | None) -> bool:
        try:
            if booking is not None:
                self._store.append_all([booking])
        except Exception as error:  # noqa: BLE001 it is the meter's own, and shown there
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
        self._close_ledgers(self._meters)
        self._keep_links()

    def _close_ledgers(self, meters: Iterable[NetworkMeter]) -> None:
        closed = [(meter, left) for meter in meters if (left := meter.finish()) is not None]
        try:
            self._store.book_all([left for _, left in closed])
        except StoreError as error:
            logger.warning("the ledgers of network meters stay open: %s", error)
            return
        for meter, (_, entries) in closed:
            meter.show_last(entries)


def _call_all(done: list[Callable[[], object]]) -> None:
    for call in done:
        call()
