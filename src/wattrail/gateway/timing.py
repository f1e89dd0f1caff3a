"""When to look next: a schedule that does not drift, delays that grow and are bounded, and where a day begins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo

__all__ = ["BackOff", "Schedule", "day_end", "day_start"]


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


def day_start(now: datetime, zone: ZoneInfo | None) -> datetime:
    """Local midnight before a moment, in UTC; right on the days on which clocks change. None is this machine's zone."""
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if zone is None:  # astimezone() gave a fixed offset, that of now; midnight may have had another
        midnight = midnight.replace(tzinfo=None).astimezone()
    return midnight.astimezone(UTC)


def day_end(now: datetime, zone: ZoneInfo | None) -> datetime:
    """Local midnight after a moment, in UTC."""
    return day_start(day_start(now, zone) + timedelta(hours=36), zone)  # whatever clocks do: 23 to 25 hours are a day
