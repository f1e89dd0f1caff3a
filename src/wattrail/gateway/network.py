"""Reads all network meters on one event loop in one thread; what they say goes to the bookkeeping thread.

Each meter is a task: open the source, read, hand over, wait. Nothing there blocks: sockets are the loop's, sources are
opened in a daemon thread (a password store may block), and disks are the bookkeeper's. A source that hangs keeps its
own task waiting until its deadline, and nobody else. See docs/adr/0032.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from wattrail.clock import Clock
from wattrail.errors import WattrailError
from wattrail.gateway.bookkeeping import Bookkeeper, BookkeepingWork
from wattrail.gateway.network_meter import ArrivedReading, Failure, NetworkMeter
from wattrail.gateway.source import SourceOpener
from wattrail.gateway.threads import in_thread, start_thread
from wattrail.gateway.timing import BackOff, PollSchedule
from wattrail.sources import MeterSource
from wattrail.units import Reading

__all__ = ["NetworkReader"]

_CLOSE_WITHIN_S: Final = 0.8
"""Half of what a stop waits: what the sources said last is booked after they are closed."""
_RESOLVERS: Final = 64
"""Threads that look up names: a name server that is slow keeps one of them waiting for each name."""

_MAX_UNBOOKED: Final = 16
"""Readings of one meter that wait to be stored; then it is not read until one of them is."""

_START_EVERY_S: Final = 0.05
_SPREAD_S: Final = 10.0
"""Sources are opened one after the other, the last one within this time: polls are not all made at the same moment."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _FollowedMeter:
    """What a task knows of its meter."""

    meter: NetworkMeter
    schedule: PollSchedule
    back_off: BackOff = field(default_factory=BackOff)
    source: MeterSource | None = None
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MAX_UNBOOKED))


class NetworkReader:
    """The thread, its loop, and a task for each meter."""

    def __init__(
        self, meters: Iterable[NetworkMeter], bookkeeper: Bookkeeper, *, clock: Clock, opener: SourceOpener
    ) -> None:
        self._meters = tuple(meters)
        self._bookkeeper, self._clock, self._opener = bookkeeper, clock, opener
        bookkeeper.on_done = self._call_done
        self._tasks: dict[NetworkMeter, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._is_ready = threading.Event()  # of the loop, which meters are given to from other threads
        self._is_stopping = threading.Event()  # a stop may come before there is a task to cancel
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to read."""
        self.thread = start_thread(self._run, name="network-meters")

    def stop(self) -> None:
        """Ask the thread to end; returns at once."""
        self._is_stopping.set()
        loop, main = self._loop, self._main
        if loop is not None and main is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(main.cancel)

    def add(self, meters: Iterable[NetworkMeter]) -> None:
        """Read these too, in a reader that was started. Returns at once."""
        new = tuple(meters)
        self._is_ready.wait()
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._begin, new)

    def remove(self, meters: Iterable[NetworkMeter]) -> None:
        """Read these no longer; returns once their sources are closed, or have not closed for as long as at a stop."""
        ending = tuple(meters)
        self._is_ready.wait()
        if self._loop is not None:
            with suppress(RuntimeError, TimeoutError):
                asyncio.run_coroutine_threadsafe(self._end(ending), self._loop).result(2 * _CLOSE_WITHIN_S)

    def _run(self) -> None:
        try:
            with suppress(asyncio.CancelledError):
                asyncio.run(self._read_all())
        except Exception:
            logger.exception("network meters: their thread ended by a defect")
        finally:
            self._is_ready.set()  # also where there never was a loop: ``add`` and ``remove`` must not wait for ever
            self._bookkeeper.stop()  # after the last that any source said

    async def _read_all(self) -> None:
        loop = asyncio.get_running_loop()
        resolvers = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolve")
        loop.set_default_executor(resolvers)
        self._loop, self._main = loop, asyncio.current_task()
        if self._is_stopping.is_set():
            return
        self._begin(self._meters)
        self._is_ready.set()
        try:
            await loop.create_future()  # until this is cancelled
        finally:
            await self._end(tuple(self._tasks))
            # ``asyncio.run`` waits for the default executor, so for a name server that hangs: it gets an idle one.
            resolvers.shutdown(wait=False, cancel_futures=True)
            loop.set_default_executor(ThreadPoolExecutor(1))

    def _begin(self, meters: Sequence[NetworkMeter]) -> None:
        every_s = min(_START_EVERY_S, _SPREAD_S / max(1, len(meters)))
        for place, meter in enumerate(meters):
            task = asyncio.create_task(self._follow(meter, every_s * place), name=meter.plan.name)
            task.add_done_callback(_explain)
            self._tasks[meter] = task

    async def _end(self, meters: Sequence[NetworkMeter]) -> None:
        tasks = [self._tasks.pop(meter) for meter in meters if meter in self._tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_WITHIN_S)

    async def _follow(self, meter: NetworkMeter, offset_s: float) -> None:
        """Read one meter until the task is cancelled."""
        state = _FollowedMeter(meter, PollSchedule(meter.plan.poll_s))
        await asyncio.sleep(offset_s)
        try:
            while True:
                if wait_s := await self._step(state):  # what a meter publishes is waited for in ``read``
                    await asyncio.sleep(wait_s)
        finally:
            await _close(state.source)

    async def _step(self, state: _FollowedMeter) -> float:
        """Read once and hand over what came of it; returns seconds until the next time."""
        plan = state.meter.plan
        try:
            if state.source is None:
                # In a thread: a password store may ask its owner.
                state.source = await in_thread(lambda: self._opener(plan, self._clock), name=plan.name)
            reading = await state.source.read()
        except Exception as error:  # noqa: BLE001 it is the meter's own, and shown there
            return await self._fail(state, error)
        state.back_off.succeed()
        await self._hand_over(state, _arrival(state.source, reading))
        return state.schedule.wait_s(self._clock.monotonic()) if state.source.is_polled else 0.0

    async def _fail(self, state: _FollowedMeter, error: Exception) -> float:
        delay_s = state.back_off.fail()
        is_broker = state.source is not None and state.source.broker_problem is not None
        await self._hand_over(state, Failure(error=error, retry_s=delay_s, is_broker=is_broker))
        if not isinstance(error, WattrailError):  # a defect: nothing is known of its state
            source, state.source = state.source, None
            await _close(source)
        return delay_s

    async def _hand_over(self, state: _FollowedMeter, news: ArrivedReading | Failure) -> None:
        """Give it to the bookkeeper; wait first while too much of this meter is not kept yet."""
        await state.room.acquire()
        self._bookkeeper.put(BookkeepingWork(state.meter, news, state.room.release))

    def _call_done(self, done: list[Callable[[], object]]) -> None:
        """Let the loop know what is kept, of a whole transaction at once: to wake it costs more than to tell it."""

        def call_all() -> None:
            for call in done:
                call()

        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(call_all)


def _arrival(source: MeterSource, reading: Reading) -> ArrivedReading:
    return ArrivedReading(
        reading=reading,
        cadence=source.cadence,
        signal_dbm=source.quality.signal_dbm,
        reconnects=source.reconnects,
        advice=source.advice,
    )


def _explain(task: asyncio.Task[None]) -> None:
    """Log a defect around a meter, whose own errors are all handled."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("meter %s: its task ended by a defect", task.get_name(), exc_info=error)


async def _close(source: MeterSource | None) -> None:
    """Close a source; errors of closing are of no use."""
    if source is not None:
        with suppress(WattrailError, OSError):
            await source.close()
