"""When to look next: a schedule that does not drift, and delays that grow and are bounded."""

from __future__ import annotations

from math import ceil

__all__ = ["BackOff", "Schedule"]


class Schedule:
    """Moments a period apart on a monotonic clock; those already missed are skipped, not caught up with."""

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
    """Delays that double from ``first_s`` to ``most_s``."""

    def __init__(self, first_s: float = 1.0, most_s: float = 30.0) -> None:
        self._first, self._most = first_s, most_s
        self.failures = 0

    def fail(self) -> float:
        """One more failure; returns how long to wait."""
        delay = min(self._first * 2.0 ** min(self.failures, 30), self._most)
        self.failures += 1
        return delay

    def succeed(self) -> None:
        """Begin again with the shortest delay."""
        self.failures = 0
