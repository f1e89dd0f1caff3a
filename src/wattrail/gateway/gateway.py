"""The service: one supervised thread a meter, started and stopped together."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from wattrail.clock import Clock, SystemClock
from wattrail.errors import StoreError
from wattrail.gateway.feed import Feed
from wattrail.gateway.plan import GatewayPlan
from wattrail.gateway.source import Opener, open_planned
from wattrail.gateway.worker import Worker
from wattrail.store import Store

__all__ = ["STOP_WITHIN_S", "Gateway"]

STOP_WITHIN_S: Final = 2.0
"""How long a stop waits for meters that are being read."""

_PURGE_EVERY_S: Final = 3600.0

logger = logging.getLogger(__name__)


class Gateway:
    """Reads every meter of a plan into a store, and shows them in ``feed``. Use it in an ``async with`` block.

    Ports block, so each meter has a thread; the waiting in between belongs to asyncio.
    """

    def __init__(
        self, plan: GatewayPlan, store: Store, *, clock: Clock | None = None, opener: Opener = open_planned
    ) -> None:
        self.plan = plan
        clock = clock or SystemClock()
        self.feed = Feed(clock)
        self._store, self._clock = store, clock
        self._workers = [
            Worker(meter, store, self.feed, clock=clock, opener=opener, zone=plan.zone_info()) for meter in plan.meters
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Begin to read; returns at once."""
        self._tasks = [asyncio.create_task(self._supervise(worker), name=worker.plan.name) for worker in self._workers]
        self._tasks.append(asyncio.create_task(self._purge(), name="purge"))

    async def stop(self) -> None:
        """Write the ledgers up and give the ports back, within STOP_WITHIN_S.

        A meter that blocks for longer is left behind: its readings are stored, and counted at the next start.
        """
        self._stopping.set()
        if not self._tasks:
            return
        _, hanging = await asyncio.wait(self._tasks, timeout=STOP_WITHIN_S)
        for task in hanging:
            logger.warning("%s did not stop in time; what it read is stored", task.get_name())
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                logger.error("stopping: a meter's supervision had ended by a defect", exc_info=outcome)
        self._tasks = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _supervise(self, worker: Worker) -> None:
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"meter-{worker.plan.name}")
        loop = asyncio.get_running_loop()
        try:
            while not self._stopping.is_set():
                await self._wait(await loop.run_in_executor(thread, worker.step))
            await loop.run_in_executor(thread, worker.close)
        finally:
            thread.shutdown(wait=False, cancel_futures=True)

    async def _purge(self) -> None:
        while not self._stopping.is_set():
            try:
                gone = await asyncio.to_thread(self._store.purge)
                logger.debug("%d readings were old enough to forget", gone)
            except StoreError as error:
                logger.warning("old readings could not be removed: %s", error)
            await self._wait(_PURGE_EVERY_S)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
