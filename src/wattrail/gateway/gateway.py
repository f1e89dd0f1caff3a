"""Every meter of a plan, started and stopped together: chips in a thread each, network meters on one event loop."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from types import TracebackType
from typing import Final, Self

from wattrail.clock import Clock, SystemClock
from wattrail.errors import StoreError
from wattrail.gateway.bookkeeping import Bookkeeper
from wattrail.gateway.feed import Feed
from wattrail.gateway.network import NetworkReader
from wattrail.gateway.network_meter import NetworkMeter
from wattrail.gateway.plan import GatewayPlan
from wattrail.gateway.source import Opener, SourceOpener, open_planned, source_opener
from wattrail.gateway.threads import in_thread, start_thread
from wattrail.gateway.virtual_meter import VirtualMeters
from wattrail.gateway.worker import Worker
from wattrail.store import Store

__all__ = ["STOP_WITHIN_S", "Gateway"]

STOP_WITHIN_S: Final = 1.6
"""Seconds that a stop waits for a reading in progress; the average of a chip just set up needs as long to settle."""

_PURGE_EVERY_S: Final = 3600.0

logger = logging.getLogger(__name__)


class Gateway:
    """Reads every meter of a plan into a store, and shows them in ``feed``. Use it in an ``async with`` block.

    A chip on a wire has a thread that reads, books, stores and waits for its next poll: its port blocks, and may never
    come back. All network meters share one event loop, and a thread that books what they say. A page or a publisher
    delays neither.
    """

    def __init__(
        self,
        plan: GatewayPlan,
        store: Store,
        *,
        clock: Clock | None = None,
        opener: Opener = open_planned,
        sources: SourceOpener | None = None,
    ) -> None:
        self.plan = plan
        clock = clock or SystemClock()
        self.feed = Feed(clock)
        self._store, self._clock = store, clock
        zone = plan.zone_info()
        self._workers: list[Worker] = []
        network: list[NetworkMeter] = []
        for meter in plan.meters:  # in this order they are shown
            if meter.is_network:
                network.append(NetworkMeter(meter, store, self.feed, clock=clock, zone=zone))
            else:
                self._workers.append(Worker(meter, store, self.feed, clock=clock, opener=opener, zone=zone))
        self._bookkeeper = Bookkeeper(store, network)
        self._network = (
            NetworkReader(network, self._bookkeeper, clock=clock, opener=sources or source_opener())
            if network
            else None
        )
        self._virtual = VirtualMeters(plan.virtual, store, self.feed, clock=clock, zone=zone)
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    async def start(self) -> None:
        """Begin to read; returns at once."""
        self._virtual.start()
        count = len(self._workers)
        for place, worker in enumerate(self._workers):
            # Polls of meters are spread over the period, not all made at the same moment.
            offset_s = worker.plan.poll_s * place / count
            work = partial(self._supervise, worker, offset_s)
            self._threads.append(start_thread(work, name=worker.plan.name))
        if self._network is not None:
            self._bookkeeper.start()
            self._network.start()
            self._threads += filter(None, (self._network.thread, self._bookkeeper.thread))
        start_thread(self._purge, name="purge")  # never waited for: the next start removes the rest

    async def stop(self) -> bool:
        """Close the ledgers and the ports within STOP_WITHIN_S. Returns whether every meter did.

        A meter that blocks longer is left in its daemon thread: its readings are stored, and counted at the next start.
        Then the feed ends: its readers get their waiting events, including the last entries.
        """
        self._stopping.set()
        if self._network is not None:
            self._network.stop()
        threads, self._threads = self._threads, []
        until = time.monotonic() + STOP_WITHIN_S
        try:
            if threads:
                await in_thread(lambda: _join(threads, until), name="stop")
            following = await in_thread(lambda: self._virtual.stop(until), name="stop")
            threads += filter(None, (following,))
        finally:
            self.feed.end()
        hanging = [thread.name for thread in threads if thread.is_alive()]
        if hanging:
            logger.warning("%s did not stop in time; every stored reading is counted at the next start", _some(hanging))
        return not hanging

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _supervise(self, worker: Worker, offset_s: float) -> None:
        self._stopping.wait(offset_s)
        try:
            while not self._stopping.is_set():
                self._stopping.wait(worker.step())
            worker.close()
        except Exception:  # step() raises nothing; a defect around it must be logged
            logger.exception("meter %s: its thread ended by a defect", worker.plan.name)

    def _purge(self) -> None:
        while not self._stopping.is_set():
            try:
                while not self._stopping.is_set() and self._store.catch_up_rollups():
                    pass
                gone = self._store.purge(self.plan.retention)
                logger.debug("%d old readings were deleted", gone)
            except StoreError as error:
                logger.warning("old readings could not be deleted: %s", error)
            self._stopping.wait(_PURGE_EVERY_S)


def _join(threads: list[threading.Thread], until: float) -> None:
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
