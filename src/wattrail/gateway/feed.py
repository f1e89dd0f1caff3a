"""What is known now: the state and last reading of every meter. In memory, bounded; history is the store's.

Written by the meters' threads, read by whoever shows or publishes. Values are frozen: what was read stays consistent.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from wattrail.clock import Clock, SystemClock
from wattrail.gateway.scope import Scopes
from wattrail.ledger import Totals
from wattrail.units import Reading

__all__ = ["Feed", "MeterView", "State"]

STALE_AFTER_POLLS: Final = 5
"""A live meter that missed this many readings is shown as stale, whatever its thread is waiting for."""

logger = logging.getLogger(__name__)


class State(StrEnum):
    """How it stands with a meter."""

    CONNECTING = "connecting"  # not read yet
    LIVE = "live"  # the last reading is fresh
    STALE = "stale"  # the port is there, the chip is silent or makes no sense
    LOST = "lost"  # the port cannot be opened, or went away
    FAILED = "failed"  # wrong configuration, a full disk, or a defect of this program


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterView:
    """One meter as it is shown. ``reading`` is the last one there was; how old it is, its ``at`` and ``state`` say.

    ``scale`` says which constants give the numbers their scale, None before the meter was reached.
    ``notice`` is what its owner should know although it is read: that the wall clock jumped.
    """

    name: str
    url: str
    simulated: bool
    poll_s: float = 1.0
    state: State = State.CONNECTING
    error: str | None = None
    hint: str | None = None
    notice: str | None = None
    retry_at: datetime | None = None
    reading: Reading | None = None
    today: Totals | None = None
    total: Totals | None = None
    scale: str | None = None


class Feed:
    """The live feed. ``version`` goes up with every change; ``scopes`` are waveforms, captured only when asked for."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.scopes = Scopes(self._clock)
        self._lock = threading.Lock()
        self._views: dict[str, MeterView] = {}
        self._subscribers: list[Callable[[MeterView], object]] = []
        self._version = 0

    @property
    def version(self) -> int:
        """A number that goes up with every change."""
        return self._version

    def now(self) -> datetime:
        """The time by the clock that the readings carry, in UTC."""
        return self._clock.now()

    def views(self) -> tuple[MeterView, ...]:
        """Every meter as it stands now, in the order of the plan."""
        with self._lock:
            views = tuple(self._views.values())
        return tuple(self._aged(view) for view in views)

    def view(self, name: str) -> MeterView | None:
        """One meter as it stands now."""
        found = self._views.get(name)
        return self._aged(found) if found else None

    def subscribe(self, callback: Callable[[MeterView], object]) -> Callable[[], None]:
        """Have every change told, in the thread of the meter; returns what ends it. Callbacks must be quick."""
        with self._lock:
            self._subscribers.append(callback)

        def unsubscribe() -> None:
            with self._lock:
                if callback in self._subscribers:
                    self._subscribers.remove(callback)

        return unsubscribe

    def put(self, view: MeterView) -> None:
        """Make a view the present one."""
        with self._lock:
            self._views[view.name] = view
            self._version += 1
            subscribers = tuple(self._subscribers)
        for callback in subscribers:
            try:
                callback(view)
            except Exception:  # a listener's defect is not the meter's: reading goes on
                logger.exception("a listener to meter %s failed", view.name)

    def _aged(self, view: MeterView) -> MeterView:
        if view.state is not State.LIVE or view.reading is None:
            return view
        age_s = self._clock.monotonic() - view.reading.monotonic
        if age_s <= STALE_AFTER_POLLS * view.poll_s:
            return view
        return replace(view, state=State.STALE, error=f"no reading for {age_s:.0f} s: the port does not come back")
