"""Where periods begin: from quarter hours to years of local time, and billing periods, as moments in UTC.

A day begins at local midnight and ends at the next one, whatever lies between: 23, 24 or 25 hours. Quarter hours and
hours are counted from local midnight. A week begins on Monday. A billing period begins on one day of each month, or on
the month's last day where it has no such day.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum

__all__ = ["By", "boundaries", "local_day", "midnight", "parse_moment", "period_start"]

_DAY = timedelta(days=1)


class By(StrEnum):
    """How long a period is."""

    QUARTER_HOUR = "15min"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    BILLING = "billing"


_EARLIEST, _LATEST = 1970, 2199
"""Years of a moment: what lies outside is a slip of the pen, and near the ends of the calendar nothing can be added."""

_STRIDES = {By.QUARTER_HOUR: timedelta(minutes=15), By.HOUR: timedelta(hours=1)}


def midnight(day: date, zone: tzinfo) -> datetime:
    """The beginning of a local day, in UTC. Where clocks skip midnight, the moment at which they do."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def parse_moment(text: str, zone: tzinfo) -> datetime:
    """A local day (its beginning) or a local time, or a time with an offset of its own, in UTC. Raises ValueError."""
    if len(text) <= len("2026-03-01"):
        day = date.fromisoformat(text)
        moment = midnight(day, zone) if _EARLIEST < day.year <= _LATEST else None
    else:
        given = datetime.fromisoformat(text)
        aware = given if given.tzinfo else given.replace(tzinfo=zone)
        moment = aware.astimezone(UTC) if _EARLIEST < given.year <= _LATEST else None
    if moment is None:
        raise ValueError(f"{text} is not between {_EARLIEST} and {_LATEST}")
    return moment


def local_day(at: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """The local day that a moment lies in, from midnight to midnight, in UTC."""
    day = at.astimezone(zone).date()
    return midnight(day, zone), midnight(day + _DAY, zone)


def period_start(day: date, billing_day: int = 1) -> date:
    """The first day of the billing period that a day lies in. Raises ValueError for a day no month has."""
    if not 1 <= billing_day <= 31:
        raise ValueError(f"a billing period begins on a day from 1 to 31, not on {billing_day}")
    this = _in_month(day.year, day.month, billing_day)
    if this <= day:
        return this
    last_month = day.replace(day=1) - _DAY
    return _in_month(last_month.year, last_month.month, billing_day)


def boundaries(by: By, start: datetime, end: datetime, zone: tzinfo, *, billing_day: int = 1) -> tuple[datetime, ...]:
    """Where periods begin and end, in UTC, so that they cover ``[start, end)``.

    One moment more than there are periods. Raises ValueError for times without a zone, or in the wrong order.
    """
    if start.tzinfo is None or end.tzinfo is None or end < start:
        raise ValueError(f"no span of time: from {start} to {end}")
    marks: list[datetime] = []
    for mark in _marks(by, start.astimezone(zone).date(), zone, billing_day):
        if mark <= start:
            marks = [mark]
        # Two local days can begin in one moment: Samoa had no 30 December 2011.
        elif not marks or mark > marks[-1]:
            marks.append(mark)
        if mark >= end and len(marks) > 1:
            break
    return tuple(marks)


def _marks(by: By, day: date, zone: tzinfo, billing_day: int) -> Iterator[datetime]:
    """Every boundary from the period that a local day lies in, without end."""
    if by in _STRIDES:
        yield from _within_days(day, zone, _STRIDES[by])
    elif by is By.DAY:
        while True:
            yield midnight(day, zone)
            day += _DAY
    elif by is By.WEEK:
        day -= day.weekday() * _DAY
        while True:
            yield midnight(day, zone)
            day += 7 * _DAY
    elif by is By.YEAR:
        day = day.replace(month=1, day=1)
        while True:
            yield midnight(day, zone)
            day = day.replace(year=day.year + 1)
    first = 1 if by is By.MONTH else billing_day
    day = period_start(day, first)
    while True:
        yield midnight(day, zone)
        day = _next_start(day, first)


def _within_days(day: date, zone: tzinfo, stride: timedelta) -> Iterator[datetime]:
    while True:
        mark, end = midnight(day, zone), midnight(day + _DAY, zone)
        while mark < end:
            yield mark
            mark += stride
        day += _DAY


def _next_start(day: date, billing_day: int) -> date:
    month = day.replace(day=1) + timedelta(days=31)
    return _in_month(month.year, month.month, billing_day)


def _in_month(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))
