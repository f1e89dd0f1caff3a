"""Books what meters say, in a thread of its own: many readings in one transaction.

Neither the event loop of the sources nor the thread of a chip waits for a disk. A reading is acknowledged, and shown,
once the transaction that holds it is committed; a few of each meter may wait here, and then it is not read, however
slow the disk is. While the store cannot be written at all, readings wait in memory (``waiting``), and are acknowledged
and shown as not stored. A meter whose reading the store refuses costs the others of the same transaction nothing:
theirs are written one by one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from wattrail.errors import StoreError, StoreUnavailable, StoreUncertain
from wattrail.gateway.failures import is_passing
from wattrail.gateway.feed import Feed, ShownMeter
from wattrail.gateway.network_meter import ArrivedReading, Failure, NetworkMeter
from wattrail.gateway.threads import start_thread
from wattrail.gateway.waiting import WRITE_WITHIN_S, Booking, StoreAvailability
from wattrail.ledger import Entry
from wattrail.store import Store

__all__ = ["Bookkeeper", "BookkeepingWork"]

COLLECT_S: Final = 0.05
"""How long the first reading waits for others of its transaction: an SD card takes some tens of them in a second. A
reading that came alone the last time does not wait."""

MAX_BATCH: Final = 500
"""Of one transaction, which others wait for: WAL has one writer."""
_KEEP_LINKS_EVERY_S: Final = 60.0

logger = logging.getLogger(__name__)


class BookkeepingMeter(Protocol):
    """A meter as the bookkeeping thread has it."""

    def take_up(self, arrival: ArrivedReading, /) -> None:
        """Book a reading, if it proves energy; it is ``due`` then. Raises WattrailError."""
        ...

    def due(self) -> Sequence[Booking]:
        """Everything of this meter that waits to be stored, oldest first."""
        ...

    def confirm(self, bookings: Sequence[Booking], /) -> None:
        """Follow what was stored: all that was due. Raises WattrailError."""
        ...

    def show(self, arrival: ArrivedReading, /) -> ShownMeter | None:
        """What there is to publish of a reading that is stored, or waits. Raises WattrailError."""
        ...

    def fail(self, failure: Failure, /) -> None:
        """There is no reading, or it could not be booked. Raises nothing."""
        ...


@dataclass(frozen=True, slots=True)
class BookkeepingWork:
    """A reading or a failure of a meter; ``done`` is given to ``on_done`` once it is kept, or refused.

    Without news a network meter is read no longer, and the rest of its ledger is written.
    """

    meter: BookkeepingMeter
    news: ArrivedReading | Failure | None
    done: Callable[[], object]


@dataclass(slots=True)
class _News:
    """What meters say in one transaction: readings that are taken up, and then one failure at most of each."""

    arrived: dict[BookkeepingMeter, list[ArrivedReading]] = field(default_factory=dict)
    failed: dict[BookkeepingMeter, Failure] = field(default_factory=dict)


class Bookkeeper:
    """The thread and what waits for it. ``on_done`` gets what a batch of work has to call, in this thread.

    ``meters`` are those whose ledger and connection are kept at the end; a chip's own thread sees to its ledger.
    """

    def __init__(
        self, store: Store, feed: Feed, meters: Iterable[NetworkMeter] = (), *, name: str = "bookkeeping",
        availability: StoreAvailability | None = None,
    ) -> None:  # fmt: skip
        self._availability = availability or StoreAvailability()
        self._name = name
        self._store, self._feed = store, feed
        self.on_done: Callable[[list[Callable[[], object]]], object] = _call_all
        self._meters = tuple(meters)
        # Guards the list and the tuple alone; nothing is stored while it is held, so ``put`` never waits for a disk.
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
            if len(self._waiting) == 1:  # else the thread is awake already, or has been woken
                self._changed.notify()

    def book_now(self, work: BookkeepingWork) -> None:
        """Do it in the thread that calls, of a bookkeeper that was not started."""
        try:
            self._work([work])
        finally:
            work.done()

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
        # A list, not a generator: each is waited for, also after one that was too late.
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
        if self._has_company and not stops:  # at a stop every millisecond is one of STOP_WITHIN_S
            time.sleep(COLLECT_S)
        with self._changed:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        self._has_company = len(batch) > 1
        return batch

    def _work(self, batch: list[BookkeepingWork]) -> None:
        news = _News()
        for work in batch:
            if work.meter in news.failed:  # what a meter says is stored and shown in its order
                self._store_and_show(news)
                news = _News()
            self._take_up(work, news)
        self._store_and_show(news)
        if ending := [work.meter for work in batch if work.news is None]:
            left = [meter for meter in self._meters if meter in ending]
            self._close_ledgers(left)
            self._keep_links()
            with self._changed:
                self._meters = tuple(meter for meter in self._meters if meter not in left)

    def _take_up(self, work: BookkeepingWork, news: _News) -> None:
        match work.news:
            case Failure() as failure:
                news.failed[work.meter] = failure
            case ArrivedReading() as arrival:
                try:
                    work.meter.take_up(arrival)
                except Exception as error:  # noqa: BLE001 it is the meter's own, and shown there
                    if isinstance(error, StoreUncertain):  # what waits of it must not be stored again
                        news.arrived.pop(work.meter, None)
                        work.meter.fail(_not_booked(error))
                    else:
                        news.failed[work.meter] = _not_booked(error)
                else:
                    news.arrived.setdefault(work.meter, []).append(arrival)

    def _store_and_show(self, news: _News) -> None:
        refused = self._store_due({**news.arrived, **news.failed})  # what waits of a meter that fails, too
        shown = []
        for meter, arrivals in news.arrived.items():
            if meter in refused:
                continue
            try:
                shown += [meter.show(arrival) for arrival in arrivals]
            except Exception as error:  # noqa: BLE001 it is the meter's own, and shown there
                meter.fail(_not_booked(error))
        self._feed.publish_all(filter(None, shown))
        for meter, failure in news.failed.items():
            meter.fail(failure)

    def _store_due(self, meters: Iterable[BookkeepingMeter], *, is_last: bool = False) -> set[BookkeepingMeter]:
        """Store what these meters have waiting; returns those whose readings the store refuses.

        While the store cannot be written, everything waits in memory, and none is refused.
        """
        due = [(meter, bookings) for meter in meters if (bookings := meter.due())]
        if not due or not (is_last or self._availability.may_try()):
            return set()
        try:
            self._store.append_all([each for _, bookings in due for each in bookings], wait_s=WRITE_WITHIN_S)
        except StoreUncertain as error:  # a second time would book twice: each reads its ledger again
            for meter, _ in due:
                meter.fail(_not_booked(error))
            return {meter for meter, _ in due}
        except StoreUnavailable as error:
            self._availability.begin(error)
            return set()
        except Exception as error:  # noqa: BLE001 whoever it concerns gets it
            if len(due) == 1:
                due[0][0].fail(_not_booked(error))
                return {due[0][0]}
            logger.debug("a transaction of %d meters failed: %s; now one by one", len(due), error)
            return self._store_one_by_one(due)
        self._availability.end()
        return {meter for meter, bookings in due if not self._is_confirmed(meter, bookings)}

    def _store_one_by_one(self, due: list[tuple[BookkeepingMeter, Sequence[Booking]]]) -> set[BookkeepingMeter]:
        refused = set()
        for meter, bookings in due:
            try:
                self._store.append_all(bookings, wait_s=WRITE_WITHIN_S)
            except Exception as error:  # noqa: BLE001 it is the meter's own, and shown there
                if isinstance(error, StoreUnavailable) and is_passing(error):
                    self._availability.begin(error)
                    break  # the others wait too
                meter.fail(_not_booked(error))
                refused.add(meter)
                continue
            self._availability.end()
            if not self._is_confirmed(meter, bookings):
                refused.add(meter)
        return refused

    def _is_confirmed(self, meter: BookkeepingMeter, bookings: Sequence[Booking]) -> bool:
        try:
            meter.confirm(bookings)
        except StoreUnavailable as error:  # what a person stated meanwhile is taken up with the next entry
            self._availability.begin(error)
        except Exception as error:  # noqa: BLE001 it is the meter's own, and shown there
            meter.fail(_not_booked(error))
            return False
        return True

    def _keep_links(self) -> None:
        self._links_due = time.monotonic() + _KEEP_LINKS_EVERY_S
        if not self._availability.is_written:
            return  # ``take_link_day`` gives each day once: it would be lost
        days = [day for meter in self._meters if (day := meter.take_link_day()) is not None]
        try:
            self._store.keep_link_days(days)
        except StoreError as error:
            logger.warning("the connections of %d meters could not be kept: %s", len(days), error)

    def _finish(self) -> None:
        self._close_ledgers(self._meters)
        self._keep_links()

    def _close_ledgers(self, meters: Sequence[NetworkMeter]) -> None:
        """Store what waits of these meters, and what is counted but not yet an entry."""
        self._store_due(meters, is_last=True)
        if count := sum(len(meter.due()) for meter in meters):
            logger.warning("%d readings are not stored; the meters' own counters have their energy", count)
        whole = [meter for meter in meters if not meter.due()]
        closed = [(meter, left) for meter in whole if (left := meter.finish()) is not None]
        try:
            self._store.book_all([left for _, left in closed])
        except StoreUnavailable as error:
            logger.warning("the ledgers of network meters stay open: %s", error)
            return
        except StoreError:  # one that is refused costs the others nothing
            closed = [(meter, left) for meter, left in closed if self._is_closed(meter, left)]
        for meter, (_, entries) in closed:
            meter.show_last(entries)

    def _is_closed(self, meter: NetworkMeter, left: tuple[int, tuple[Entry, ...]]) -> bool:
        try:
            self._store.book(*left)
        except StoreError as error:
            logger.warning("the ledger of meter %s stays open: %s", meter.plan.name, error)
            return False
        return True


def _not_booked(error: Exception) -> Failure:
    return Failure(error=error, retry_s=0.0, is_booking=True)


def _call_all(done: list[Callable[[], object]]) -> None:
    for call in done:
        call()
