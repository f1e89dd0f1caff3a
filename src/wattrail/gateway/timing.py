"""When to poll next: a schedule without drift, and bounded delays that grow."""

from __future__ import annotations

from math import ceil

__all__ = ["BackOff", "PollSchedule"]


class PollSchedule:
    """Moments one period apart on a monotonic clock; missed ones are skipped."""

    def __init__(self, period_s: float) -> None:
        self._period = period_s
        self._due: float | None = None

    def wait_s(self, now: float) -> float:
        """Seconds until the next moment."""
        if self._due is None:
            self._due = now
        periods = max(1, ceil((now - self._due) / self._period))
        self._due += periods * self._period
        return self._due - now


class BackOff:
    """Delays that double from ``first_s`` to ``max_s``."""

    def __init__(self, first_s: float = 1.0, max_s: float = 30.0) -> None:
        self._first, self._max = first_s, max_s
        self.failures = 0

    def fail(self) -> float:
        """Count a failure; returns seconds to wait."""
        delay = min(self._first * 2.0 ** min(self.failures, 30), self._max)
        self.failures += 1
        return delay

    def succeed(self) -> None:
        """Start again with the shortest delay."""
        self.failures = 0
