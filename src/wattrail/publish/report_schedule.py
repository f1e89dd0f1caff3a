"""Which reports are due. Pure: a local time and the last report that a consumer got go in.

A report is due at a time of day after the period has ended. After an outage the newest few that were missed are due,
each once; earlier ones are named and not sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Final

from wattrail.ledger import By
from wattrail.ledger.periods import period_start
from wattrail.publish.report import period_before

__all__ = ["MAX_MISSED", "DueReports", "due_reports", "is_ahead", "last_ended"]

MAX_MISSED: Final = MappingProxyType({By.DAY: 7, By.MONTH: 3})
"""Reports that are sent after an outage: a person reads a week of days, and not a year of them."""

_ONE_DAY: Final = timedelta(days=1)
_AHEAD: Final = MappingProxyType({By.DAY: timedelta(days=2), By.MONTH: timedelta(days=62)})
"""A clock that is put right by a few hours crosses a midnight; one that was wrong crosses more."""


@dataclass(frozen=True, slots=True)
class DueReports:
    """First days of periods, oldest first: those whose reports are sent, and earlier ones that are not."""

    first_days: tuple[date, ...] = ()
    not_sent: tuple[date, ...] = ()


def last_ended(by: By, local: datetime, at: time) -> date:
    """First day of the last day or month whose report is due at this local time, with reports sent at ``at``."""
    today = local.date() if local.time() >= at else local.date() - _ONE_DAY
    return period_before(by, period_start(today) if by is By.MONTH else today)


def due_reports(by: By, last: date, local: datetime, at: time) -> DueReports:
    """What is due after the period that began on ``last``."""
    found = []
    first_day = last_ended(by, local, at)
    while first_day > last:
        found.append(first_day)
        first_day = period_before(by, first_day)
    found.reverse()
    kept = MAX_MISSED[by]
    return DueReports(tuple(found[-kept:]), tuple(found[:-kept]))


def is_ahead(by: By, last: date, local: datetime, at: time) -> bool:
    """Whether the last report is of a time far ahead, as one that was sent while the clock was wrong."""
    return last - last_ended(by, local, at) > _AHEAD[by]
