"""Simulated network devices on loopback for verbs, which wait for them in another thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar

from wattrail.clock import Clock, ManualClock
from wattrail.twin.network.devices import openbeken
from wattrail.twin.network.openbeken import SimulatedOpenBeken
from wattrail.twin.network.serving import serve_web

T = TypeVar("T")
DEADLINE_S = 60.0


class Background:
    """An event loop in a thread of its own; what is entered in it is left at its end."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(DEADLINE_S)

    def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Enter a context that lasts as long as the loop."""
        return self.run(self._stack.enter_async_context(context))

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Run it until the end of the loop."""
        self.enter(_running(work))

    def stop(self) -> None:
        """Leave every context, then end the thread."""
        self.run(self._stack.aclose())
        self.run(_finished())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(DEADLINE_S)
        self.loop.close()


async def _finished() -> None:
    """Wait for whoever still answers a client that has left."""
    while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@contextmanager
def background() -> Iterator[Background]:
    """A loop for the length of a story."""
    loop = Background()
    try:
        yield loop
    finally:
        loop.stop()


@contextmanager
def web_device(answer: Callable[[str, bytes], bytes]) -> Iterator[str]:
    """A web server on loopback; gives host:port."""
    with background() as loop:
        yield loop.enter(serve_web(answer))


def house_openbeken(clock: Clock | None = None, **options: Any) -> SimulatedOpenBeken:
    """An OpenBeken at 230 V and 1150 W that has counted 4.2 kWh."""
    device = openbeken(clock or ManualClock(), total_wh=4200, **options)
    device.meter.set(watts=1150.0)
    return device
