"""What each publisher is doing, for the page, the interface and the log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from wattrail.errors import WattrailError

__all__ = ["DeliveryFailed", "PublisherBoard", "PublisherState", "PublisherStatus"]

logger = logging.getLogger(__name__)


class PublisherStatus(StrEnum):
    """What a publisher is doing."""

    CONNECTING = "connecting"  # it has not reached its consumer since the start
    LIVE = "live"  # it delivers, or serves
    AWAY = "away"  # the consumer is away; registers wait in the outbox
    REFUSED = "refused"  # the consumer refuses the login or what is sent; registers wait in the outbox
    FAILED = "failed"  # a defect of this program, or a full disk; it is started again


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherState:
    """One publisher. ``waiting`` counts registers, or messages, that are not delivered yet.

    ``held`` says for each meter, or message, why it is not passed on. ``since`` is when ``status`` began.
    """

    name: str
    target: str
    status: PublisherStatus = PublisherStatus.CONNECTING
    since: datetime
    error: str | None = None
    hint: str | None = None
    sent_at: datetime | None = None
    waiting: int = 0
    held: Mapping[str, str] = field(default_factory=dict)


class DeliveryFailed(Exception):
    """The consumer did not get something, which has to be sent again: what to show, and the least wait."""

    def __init__(self, status: PublisherStatus, error: WattrailError, *, retry_after_s: float = 0.0) -> None:
        super().__init__(str(error))
        self.status, self.error, self.retry_after_s = status, error, retry_after_s


class PublisherBoard:
    """The state of every publisher. Each writes its own; everybody may read. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[str, PublisherState] = {}
        self._version = 0

    @property
    def version(self) -> int:
        """A number that rises with every change."""
        return self._version

    def states(self) -> tuple[PublisherState, ...]:
        """Every publisher, in the order in which they were added."""
        with self._lock:
            return tuple(self._states.values())

    def add(self, name: str, target: str) -> None:
        """A publisher that begins."""
        with self._lock:
            self._states[name] = PublisherState(name=name, target=target, since=datetime.now(UTC))
            self._version += 1

    def remove(self, name: str) -> None:
        """A publisher that is configured no longer; what it reports afterwards is nobody's."""
        with self._lock:
            if self._states.pop(name, None) is not None:
                self._version += 1

    def reached(self, name: str) -> None:
        """The consumer is there."""
        if self._change(name, status=PublisherStatus.LIVE, error=None, hint=None):
            logger.info("%s: connected to %s", name, ", ".join(one.target for one in self.states() if one.name == name))

    def crashed(self, name: str, error: Exception) -> None:
        """The publisher failed, and is started again; whoever does that logs it."""
        hint = error.hint if isinstance(error, WattrailError) else "this is a defect: report it with the log"
        with self._lock:
            known = name in self._states  # a publisher of a library's user reports nothing here
        if known:
            self._change(name, status=PublisherStatus.FAILED, error=str(error) or type(error).__name__, hint=hint)

    def failed(self, name: str, status: PublisherStatus, error: WattrailError, *, waiting: int = 0) -> None:
        """The consumer is away or refuses, while so many registers wait; logged once for each reason."""
        if self._change(name, status=status, error=str(error), hint=error.hint, waiting=waiting):
            logger.warning("%s is %s: %s", name, status, error)

    def sent(self, name: str, *, waiting: int, held: Mapping[str, str]) -> None:
        """Something was sent and acknowledged just now, after which ``waiting`` registers are left."""
        self._change(name, sent_at=datetime.now(UTC), waiting=waiting, held=dict(held))

    def waiting(self, name: str, count: int) -> None:
        """So many registers wait."""
        self._change(name, waiting=count)

    def holds(self, name: str, held: Mapping[str, str]) -> None:
        """What is not passed on, and why."""
        self._change(name, held=dict(held))

    def _change(self, name: str, **changes: object) -> bool:
        """Apply changes; returns whether status or error changed."""
        with self._lock:
            before = self._states.get(name)
            if before is None:  # its thread outlived it
                return False
            after = replace(before, **changes)  # type: ignore[arg-type]
            if after == before:
                return False
            if after.status is not before.status:
                after = replace(after, since=datetime.now(UTC))
            self._states[name] = after
            self._version += 1
            return (after.status, after.error) != (before.status, before.error)
