"""Many readings as few points: a quantity over time in buckets, aligned to the clock of the site."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from wattrail.ledger import local_day, midnight
from wattrail.store.rows import from_microseconds, microseconds

__all__ = ["Bucket", "bucket_places", "bucket_width"]

_WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)

_DAY: Final = timedelta(days=1)

Place = Callable[[int], tuple[int, int]]
"""Start and end of the bucket that a moment lies in, in microseconds."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A quantity during ``[start, end)``, in its unit: extremes, mean and how many readings they rest on."""

    start: datetime
    end: datetime
    lowest: float
    mean: float
    highest: float
    readings: int


def bucket_width(span: timedelta, points: int) -> timedelta:
    """The narrowest usual width of which no more than ``points`` cover a span. Raises ValueError below one point."""
    if points < 1 or span <= timedelta():
        raise ValueError(f"cannot draw {span} in {points} points")
    for width in _WIDTHS_S:
        if width * points >= span.total_seconds():
            return timedelta(seconds=width)
    days = -(-span // (_DAY * points))
    return timedelta(days=days)


def bucket_places(width: timedelta, zone: tzinfo) -> Place:
    """The buckets of a width: parts of UTC below a quarter hour, parts of local days up to a day, else whole days."""
    width_us = width // timedelta(microseconds=1)
    if width < timedelta(minutes=15):
        return lambda at: (at // width_us * width_us, at // width_us * width_us + width_us)
    days = width // _DAY
    day = (0, 0)  # the one that was asked for last: moments come in order

    def place(at: int) -> tuple[int, int]:
        nonlocal day
        if not day[0] <= at < day[1]:
            day = _days(at, days, zone) if days else _span(*local_day(from_microseconds(at), zone))
        if days:
            return day
        start = day[0] + (at - day[0]) // width_us * width_us
        return start, min(start + width_us, day[1])

    return place


def _days(at: int, days: int, zone: tzinfo) -> tuple[int, int]:
    today = from_microseconds(at).astimezone(zone).date()
    first = today - (today.toordinal() % days) * _DAY
    return _span(midnight(first, zone), midnight(first + days * _DAY, zone))


def _span(start: datetime, end: datetime) -> tuple[int, int]:
    return microseconds(start.astimezone(UTC)), microseconds(end.astimezone(UTC))
