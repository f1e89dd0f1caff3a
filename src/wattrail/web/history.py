"""Power over time, out of the database: aggregated by SQL, and at most once a second for each question."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import timedelta
from pathlib import Path
from typing import Final

from wattrail.clock import Clock, SystemClock
from wattrail.store import Bucket, open_to_read

__all__ = ["History"]

_FRESH_S: Final = 1.0
"""How long an answer is given again: a meter has a new reading every second."""

_MAX_ANSWERS: Final = 64
"""Answers kept: each holds at most 2,000 points."""


class History:
    """Reads a database beside the gateway that writes it. Safe to share between threads."""

    def __init__(self, database: Path, clock: Clock | None = None) -> None:
        self._database, self._clock = database, clock or SystemClock()
        self._lock = threading.Lock()  # one question at a time: many who ask the same wait for one answer
        self._answers: OrderedDict[tuple[str, int, int], tuple[float, tuple[Bucket, ...]]] = OrderedDict()

    def series(self, name: str, *, minutes: int, points: int) -> tuple[Bucket, ...]:
        """Power of a meter over the last minutes; empty for a meter without readings. Raises StoreError."""
        question = (name, minutes, points)
        with self._lock:
            known = self._answers.get(question)
            if known is None or self._clock.monotonic() - known[0] > _FRESH_S:
                known = (self._clock.monotonic(), self._ask(name, minutes, points))
                self._answers[question] = known
                while len(self._answers) > _MAX_ANSWERS:
                    self._answers.popitem(last=False)
            return known[1]

    def _ask(self, name: str, minutes: int, points: int) -> tuple[Bucket, ...]:
        end = self._clock.now()
        with open_to_read(self._database) as reader:
            return reader.series(name, end - timedelta(minutes=minutes), end, points=points)
