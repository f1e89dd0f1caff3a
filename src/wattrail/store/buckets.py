"""Many readings as few points: power over time in buckets of equal width, aligned to the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["Bucket", "bucket_width"]

_WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Power during ``[start, start + width)``: extremes, mean and how many readings they rest on."""

    start: datetime
    lowest_watts: float
    mean_watts: float
    highest_watts: float
    readings: int


def bucket_width(span: timedelta, points: int) -> timedelta:
    """The narrowest usual width of which no more than ``points`` cover a span. Raises ValueError below one point."""
    if points < 1 or span <= timedelta():
        raise ValueError(f"cannot draw {span} in {points} points")
    for width in _WIDTHS_S:
        if width * points >= span.total_seconds():
            return timedelta(seconds=width)
    days = -(-span // (timedelta(days=1) * points))
    return timedelta(days=days)
