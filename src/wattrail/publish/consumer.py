"""The protocol behind which every consumer stands: a plan, made from the configuration, becomes a publisher.

What publishers with an event loop share is here too: a task of its own takes the events, beside a connection that comes
and goes. A reader that stops to connect would lose events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Protocol

from wattrail.database_address import DatabaseAddress
from wattrail.gateway import Subscription
from wattrail.publish.status import PublisherBoard

__all__ = ["ConsumerContext", "ConsumerPlan", "Publisher", "is_set_within", "task_beside"]

Publisher = Callable[[Subscription], None] | Callable[[Subscription], Coroutine[Any, Any, None]]
"""Reads events until they end: a function, which runs in a thread, or a coroutine function, in an event loop there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerContext:
    """What a publisher works with: the database of its outbox, the meters of the configuration, where it reports.

    ``watched`` are the meters that have alarms.
    """

    database: DatabaseAddress
    meters: tuple[str, ...]
    board: PublisherBoard
    zone: tzinfo
    watched: frozenset[str] = frozenset()


class ConsumerPlan(Protocol):
    """One consumer of the configuration."""

    @property
    def name(self) -> str:
        """Its table in wattrail.toml, and its name in the log."""
        ...

    @property
    def target(self) -> str:
        """Where it is, as it may be shown: without a password."""
        ...

    def publisher(self, context: ConsumerContext) -> Publisher:
        """Its publisher. Nothing is opened before it gets its events."""
        ...


@asynccontextmanager
async def task_beside(
    work: Coroutine[Any, Any, None], *, ignored: tuple[type[Exception], ...] = ()
) -> AsyncIterator[asyncio.Task[None]]:
    """A task that lives as long as the block. What it raised is raised at the end of the block, but for ``ignored``."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, *ignored):
            await task


async def is_set_within(event: asyncio.Event, seconds: float) -> bool:
    """Whether an event is set, or becomes so within that time."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()
