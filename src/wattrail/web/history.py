"""A quantity over time from the database, asked at most once a second for each query about the last minutes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from wattrail.clock import Clock, SystemClock
from wattrail.database_address import DatabaseAddress
from wattrail.network_meters.link_health import LinkDay
from wattrail.store import Bucket, SeriesQuantity, open_to_read

__all__ = ["PowerHistory"]

_FRESH_S: Final = 1.0
"""Seconds for which an answer is reused: a meter has a new reading every second."""

_MAX_ANSWERS: Final = 64
"""Answers kept; each has at most 2,000 points."""


class PowerHistory:
    """Reads a database that the gateway writes. Safe to share between threads."""

    def __init__(self, database: DatabaseAddress, clock: Clock | None = None) -> None:
        self._database, self._clock = database, clock or SystemClock()
        self._lock = threading.Lock()  # one query at a time: equal requests wait for one answer
        self._answers: OrderedDict[tuple[str, int, int, SeriesQuantity], tuple[float, tuple[Bucket, ...]]] = (
            OrderedDict()
        )

    def series(
        self, name: str, *, minutes: int, points: int, quantity: SeriesQuantity = SeriesQuantity.POWER
    ) -> tuple[Bucket, ...]:
        """A quantity of a meter over the last minutes; empty for a meter without readings. Raises StoreError."""
        query = (name, minutes, points, quantity)
        with self._lock:
            known = self._answers.get(query)
            if known is None or self._clock.monotonic() - known[0] > _FRESH_S:
                end = self._clock.now()
                found = self.between(name, end - timedelta(minutes=minutes), end, points=points, quantity=quantity)
                known = (self._clock.monotonic(), found)
                self._answers[query] = known
                while len(self._answers) > _MAX_ANSWERS:
                    self._answers.popitem(last=False)
            return known[1]

    def between(
        self, name: str, start: datetime, end: datetime, *, points: int, quantity: SeriesQuantity
    ) -> tuple[Bucket, ...]:
        """A quantity of a meter in ``[start, end)``. Raises StoreError."""
        with open_to_read(self._database) as reader:
            return reader.series(name, start, end, points=points, quantity=quantity)

    def link_days(self, name: str) -> tuple[LinkDay, ...]:
        """How a meter was connected on its last days, as it is kept each minute. Raises StoreError."""
        with open_to_read(self._database) as reader:
            return reader.link_days(name)
