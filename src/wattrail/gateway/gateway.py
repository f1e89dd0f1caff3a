"""Every meter of a plan: chips in a thread each, network meters on one event loop; and the change to another plan."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Final, Self

from wattrail.clock import Clock, SystemClock
from wattrail.errors import ConfigError, StoreError
from wattrail.gateway.bookkeeping import Bookkeeper
from wattrail.gateway.feed import Feed
from wattrail.gateway.network import NetworkReader
from wattrail.gateway.network_meter import NetworkMeter
from wattrail.gateway.plan import GatewayPlan, MeterPlan, PlanChanges
from wattrail.gateway.source import Opener, SourceOpener, open_planned, source_opener
from wattrail.gateway.threads import in_thread, start_thread
from wattrail.gateway.virtual_meter import VirtualMeters
from wattrail.gateway.waiting import StoreAvailability
from wattrail.gateway.worker import Worker
from wattrail.store import Store

__all__ = ["STOP_WITHIN_S", "Gateway"]

STOP_WITHIN_S: Final = 1.6
"""Seconds that a stop waits for a reading in progress; the average of a chip just set up needs as long to settle."""

_END_WITHIN_S: Final = 0.1
"""A thread that has nothing left to do."""

_PURGE_EVERY_S: Final = 3600.0
_CHECK_EVERY_S: Final = 0.5
"""How soon the thread of a meter sees that it is to end, while it waits for one before it that blocks."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _RunningWorker:
    """A chip on a wire and its thread, None before it is started."""

    worker: Worker
    is_ending: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None


class Gateway:
    """Reads every meter of a plan into a store, and shows them in ``feed``. Use it in an ``async with`` block.

    A chip on a wire has a thread that reads and waits for its next poll: its port blocks, and may never come back. All
    network meters share one event loop. A thread books what chips say, another what network meters say. A page or a
    publisher delays none of them.
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
        self._store, self._clock, self._opener, self._sources = store, clock, opener, sources
        self._zone = plan.zone_info()
        self._availability = StoreAvailability(clock, meters=len(plan.meters))
        self._chips = Bookkeeper(store, self.feed, name="bookkeeping-chips", availability=self._availability)
        self._bookkeeper = Bookkeeper(store, self.feed, availability=self._availability)
        self._network: NetworkReader | None = None
        self._workers: dict[str, _RunningWorker] = {}
        self._network_meters: dict[str, NetworkMeter] = {}
        self._hanging: dict[str, threading.Thread] = {}
        self._stopping = threading.Event()
        self._make(plan.meters)
        self._virtual = self._virtual_meters()

    async def start(self) -> None:
        """Begin to read; returns at once."""
        self._virtual.start()
        self._begin([meter.name for meter in self.plan.meters])
        start_thread(self._purge, name="purge")  # never waited for: the next start removes the rest

    async def change(self, plan: GatewayPlan) -> PlanChanges:
        """Read by another plan from now on; a meter that both plans have alike is read on without a pause.

        A meter that is changed or removed ends as at a stop, with everything booked. One that blocks meanwhile is left
        behind, and its successor under the same name waits for it: an account has one writer. Raises ConfigError for
        another time zone, before anything is changed.

        Constants that were kept meanwhile, as by another program, hold from now on: see ``recalibrate``.
        """
        if plan.zone != self.plan.zone:
            raise ConfigError("the time zone of a running gateway cannot be changed", hint="start it again")
        changes = PlanChanges.between(self.plan, plan)
        replaces_virtual = plan.virtual != self.plan.virtual
        await in_thread(lambda: self._end({*changes.changed, *changes.removed}), name="end-meters")
        if replaces_virtual:
            await in_thread(lambda: self._virtual.stop(time.monotonic() + STOP_WITHIN_S), name="end-virtual-meters")
        self.plan = plan
        self._availability.share(len(plan.meters))
        self.feed.arrange(plan.names)
        beginning = [meter for meter in plan.meters if meter.name in {*changes.added, *changes.changed}]
        self._make(beginning)
        if replaces_virtual:
            self._virtual = self._virtual_meters()
            self._virtual.start()
        await in_thread(lambda: self._begin([meter.name for meter in beginning]), name="begin-meters")
        return await in_thread(lambda: self._with_kept(changes), name="recalibrate-meters")

    def recalibrate(self, names: Iterable[str] | None = None) -> tuple[str, ...]:
        """Scale by what is kept now, from the next poll on; returns the meters that get other constants.

        All meters are looked at if none is named. Each is read on, by the same port and without a pause, and its
        ledger begins another epoch with the reading that comes next. For any thread. Raises StoreError.
        """
        # A copy at once: a change, in a thread of its own, takes meters out of the dictionary meanwhile.
        workers = {name: running.worker for name, running in list(self._workers.items())}
        wanted = workers if names is None else [name for name in names if name in workers]
        return tuple(name for name in wanted if workers[name].scale.look_again())

    def counters(self) -> dict[str, Mapping[str, int]]:
        """What the line of each meter on a wire has counted since the start: readings, retries, faults by kind."""
        return {name: running.worker.counters() for name, running in list(self._workers.items())}

    async def stop(self) -> bool:
        """Close the ledgers and the ports within STOP_WITHIN_S. Returns whether every meter did.

        A meter that blocks longer is left in its daemon thread: its readings are stored, and counted at the next start.
        Then the feed ends: its readers get their waiting events, including the last entries.
        """
        self._stopping.set()
        # In the order in which what they say goes on: meters, then who books them, then virtual meters, which follow
        # what was booked, and the feed last, so that the last entries still reach the publishers.
        threads = list(self._hanging.values())
        for running in list(self._workers.values()):  # a change may be under way
            running.is_ending.set()
            threads += filter(None, (running.thread,))
        if self._network is not None:
            self._network.stop()
            threads += filter(None, (self._network.thread, self._bookkeeper.thread))
        until = time.monotonic() + STOP_WITHIN_S
        try:
            if threads:  # joined in a thread: the loop goes on, for the page and the publishers stop meanwhile
                await in_thread(lambda: _join(threads, until), name="stop")
            self._chips.stop()  # after the threads of the chips, whose last readings it books
            if (bookkeeping := self._chips.thread) is not None:
                await in_thread(lambda: bookkeeping.join(_END_WITHIN_S), name="stop")
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

    def _with_kept(self, changes: PlanChanges) -> PlanChanges:
        """The changes, and which meters took other constants: a database that is away costs these alone."""
        try:
            return replace(changes, recalibrated=self.recalibrate())
        except StoreError as error:
            logger.warning("no kept calibration was taken up: %s", error)
            return replace(changes, why_not_recalibrated=str(error))

    def _make(self, meters: Iterable[MeterPlan]) -> None:
        """Show meters that are to be read; in this order they are shown."""
        for plan in meters:
            if plan.is_network:
                self._network_meters[plan.name] = NetworkMeter(
                    plan, self._store, self.feed, clock=self._clock, zone=self._zone, availability=self._availability
                )
            else:
                worker = Worker(
                    plan, self._store, self.feed, clock=self._clock, opener=self._opener, zone=self._zone,
                    hand_over=self._chips.put, availability=self._availability,
                )  # fmt: skip
                self._workers[plan.name] = _RunningWorker(worker)

    def _virtual_meters(self) -> VirtualMeters:
        return VirtualMeters(self.plan.virtual, self._store, self.feed, clock=self._clock, zone=self._zone)

    def _begin(self, names: Iterable[str]) -> None:
        """Read the meters of these names, which were made."""
        if self._stopping.is_set():
            return
        workers = [self._workers[name] for name in names if name in self._workers]
        if workers and self._chips.thread is None:
            self._chips.start()
        for place, running in enumerate(workers):
            # Polls of meters are spread over the period, not all made at the same moment.
            plan = running.worker.plan
            work = partial(self._supervise, running, plan.poll_s * place / len(workers), self._hanging.get(plan.name))
            running.thread = start_thread(work, name=plan.name)
        network = [self._network_meters[name] for name in names if name in self._network_meters]
        if network:
            self._bookkeeper.add(network)
            if self._network is None:
                opener = self._sources or source_opener()
                self._network = NetworkReader(network, self._bookkeeper, clock=self._clock, opener=opener)
                self._bookkeeper.start()
                self._network.start()
            else:
                self._network.add(network)

    def _end(self, names: Collection[str]) -> None:
        """Read the meters of these names no longer, and write their ledgers; as long as a stop at most."""
        until = time.monotonic() + STOP_WITHIN_S
        workers = [self._workers.pop(name) for name in names if name in self._workers]
        for running in workers:
            running.is_ending.set()
        network = [self._network_meters.pop(name) for name in names if name in self._network_meters]
        if network and self._network is not None:
            self._network.remove(network)
            self._bookkeeper.close(network, within_s=STOP_WITHIN_S)
        threads = [running.thread for running in workers if running.thread is not None]
        _join(threads, until)
        self._hanging = {name: thread for name, thread in self._hanging.items() if thread.is_alive()}
        self._hanging |= {thread.name: thread for thread in threads if thread.is_alive()}

    def _supervise(self, running: _RunningWorker, offset_s: float, before: threading.Thread | None) -> None:
        worker, is_ending = running.worker, running.is_ending
        is_ending.wait(offset_s)
        try:
            # Its account has one writer, and one that blocks may still come back and write.
            while before is not None and before.is_alive() and not is_ending.is_set():
                before.join(_CHECK_EVERY_S)
            while not is_ending.is_set():
                is_ending.wait(worker.step())
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
