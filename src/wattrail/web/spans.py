"""The span of a question: ``from`` and ``to`` as local days or times of the site, and errors that say what to write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Final

from fastapi import HTTPException, Query

from wattrail.clock import zone_of
from wattrail.ledger import By, boundaries, parse_moment
from wattrail.sanitize import printable

__all__ = ["MAX_PERIODS", "First", "Until", "asked_zone", "moment_of", "period_label", "periods_of", "span_of"]

MAX_PERIODS: Final = 10_000
"""Periods of one answer: the hours of a year, and some more."""

_MAX_SPAN: Final = timedelta(days=100 * 366)

_LENGTHS: Final = {
    By.QUARTER_HOUR: timedelta(minutes=15), By.HOUR: timedelta(hours=1), By.DAY: timedelta(days=1),
    By.WEEK: timedelta(days=7), By.MONTH: timedelta(days=30), By.BILLING: timedelta(days=30),
    By.YEAR: timedelta(days=365),
}  # fmt: skip

_LABELS: Final = {
    By.YEAR: "%Y", By.MONTH: "%Y-%m", By.WEEK: "%G-W%V", By.DAY: "%Y-%m-%d", By.BILLING: "%Y-%m-%d",
}  # fmt: skip
"""How a period is named by its start; shorter ones have a time of day and, for the night of 25 hours, the offset."""

First = Annotated[str | None, Query(alias="from", description="Local day or time, such as 2026-03-01.")]
Until = Annotated[str | None, Query(alias="to", description="Local day or time at which to end, not included.")]

_LOST_PLUS: Final = re.compile(r"(T[0-9:.]+) (?=[0-9]{2}:?[0-9]{2}$)")
"""A plus sign that was not escaped in the address comes as a space."""


def asked_zone(name: str | None, site: tzinfo) -> tzinfo:
    """The zone of that name; that of the site for None. 422 for one that nobody knows."""
    if name is None:
        return site
    try:
        return zone_of(name)
    except (KeyError, OSError, ValueError) as error:
        text = f"zone: {printable(name, limit=40)!r} is not a time zone: write one such as Europe/Berlin"
        raise HTTPException(422, text) from error


def span_of(
    first: str | None, until: str | None, zone: tzinfo, *, now: datetime, usual: timedelta
) -> tuple[datetime, datetime]:
    """What was asked for in UTC; without ``to`` it ends now, without ``from`` it is as long as usual. Else 422."""
    end = moment_of("to", until, zone) if until is not None else now.astimezone(UTC)
    start = moment_of("from", first, zone) if first is not None else end - usual
    if end <= start:
        shown = [moment.astimezone(zone).isoformat(timespec="seconds") for moment in (start, end)]
        raise HTTPException(422, f"to: no time lies from {shown[0]} to {shown[1]}: 'to' must be later than 'from'")
    if end - start > _MAX_SPAN:
        raise HTTPException(422, "from: the span is longer than a century: begin later")
    return start, end


def periods_of(by: By, start: datetime, end: datetime, zone: tzinfo, *, limit: int = MAX_PERIODS) -> Sequence[datetime]:
    """The boundaries of the periods that cover a span; 422 where they are too many for one answer."""
    count = (end - start) // _LENGTHS[by]
    if count > limit:
        asked = f"{by.value} from {start:%Y-%m-%d} to {end:%Y-%m-%d}"
        raise HTTPException(
            422, f"by: {asked} is {count} periods, at most {limit}: ask for longer periods, or for a shorter span"
        )
    return boundaries(by, start, end, zone)


def period_label(by: By, start: datetime, zone: tzinfo) -> str:
    """How a period is named in local time: 2026, 2026-10, 2026-W43, 2026-10-25, 2026-10-25T02:00+01:00."""
    local, label = start.astimezone(zone), _LABELS.get(by)
    return local.strftime(label) if label else local.isoformat(timespec="minutes")


def moment_of(field: str, text: str, zone: tzinfo) -> datetime:
    """A local day or time in UTC; 422 for what is none."""
    try:
        return parse_moment(_LOST_PLUS.sub(r"\1+", text), zone)
    except (ValueError, OverflowError) as error:
        shown = printable(text, limit=40)
        raise HTTPException(
            422, f"{field}: {shown!r} is not a time: write a day such as 2026-03-01, or 2026-03-01T06:00"
        ) from error
