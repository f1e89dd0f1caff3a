"""The protocol behind which every consumer stands: a plan, made from the configuration, becomes a publisher."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Protocol

from wattrail.database_address import DatabaseAddress
from wattrail.gateway import Subscription
from wattrail.publish.status import PublisherBoard

__all__ = ["ConsumerContext", "ConsumerPlan", "Publisher"]

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
