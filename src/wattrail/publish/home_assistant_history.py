"""Which hourly statistics of Home Assistant are missing or wrong, by the registers of the ledger (pure).

Home Assistant keeps for each hour the register at its end (``state``) and a running sum (``sum``); its graphs draw the
differences of the sum. Its own rows have one thing in common: sum less state, the offset, is the same in all of them.
A fill keeps that offset, so that rows which are right stay as they are. Where the running sum began again, as after an
outage longer than the ten days for which Home Assistant keeps five-minute statistics, one adjustment moves everything
after it; it also moves the five-minute statistics from which the sum goes on.

All energy is in milliwatt-hours. Registers are published in whole watt-hours, so those of a fill are too.
Source: ha/recorder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise, takewhile
from typing import Final

__all__ = ["HOUR", "HistoryPlan", "HourBoundary", "HourlyRow", "HoursFound", "plan_history", "whole_hours"]

HOUR: Final = timedelta(hours=1)

_OFFSET_SLACK_MWH: Final = 10
"""What a sum of a hundred thousand floats is off by at most: far less than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlyRow:
    """Statistics of the hour from ``start``: the register at its end, and the running sum; None if it has none."""

    start: datetime
    state_mwh: int | None
    sum_mwh: int | None

    @property
    def offset_mwh(self) -> int | None:
        """Sum less state."""
        return None if self.state_mwh is None or self.sum_mwh is None else self.sum_mwh - self.state_mwh


@dataclass(frozen=True, slots=True, kw_only=True)
class HourBoundary:
    """A register at a whole hour, and the range in which the last one lies that a consumer got before it.

    ``is_known`` is False inside an outage of the meter and outside the account: what flowed is booked later, or never.
    """

    at: datetime
    register_mwh: int
    lowest_mwh: int
    highest_mwh: int
    is_known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursFound:
    """How many hours were right, missing, wrong; ``unknown`` are missing and the ledger does not know them either."""

    right: int = 0
    missing: int = 0
    wrong: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPlan:
    """What to do, in this order: add ``adjust_mwh`` to every sum from ``adjust_from`` on, then write ``rows``."""

    rows: tuple[HourlyRow, ...] = ()
    adjust_from: datetime | None = None
    adjust_mwh: int = 0
    found: HoursFound = HoursFound()

    @property
    def is_empty(self) -> bool:
        """Whether everything is right."""
        return not self.rows and self.adjust_from is None

    def within(self, start: datetime | None, end: datetime) -> HistoryPlan:
        """The same, writing no hour outside ``[start, end)``."""
        rows = tuple(row for row in self.rows if (start is None or row.start + HOUR > start) and row.start < end)
        return replace(self, rows=rows)


def whole_hours(start: datetime, end: datetime) -> tuple[datetime, ...]:
    """Every whole hour of UTC in ``[start, end]``."""
    first = start.replace(minute=0, second=0, microsecond=0)
    first = first if first == start else first + HOUR
    return tuple(first + number * HOUR for number in range(max(0, (end - first) // HOUR + 1)))


def plan_history(boundaries: Sequence[HourBoundary], rows: Mapping[datetime, HourlyRow]) -> HistoryPlan:
    """What makes ``rows``, by their start, agree with the ledger at ``boundaries``, which are consecutive hours.

    Boundaries that begin before the first row put the ledger's older hours before it.
    """
    hours = {before.at: (before, after) for before, after in pairwise(boundaries)}
    present = [rows[start] for start in sorted(rows) if start in hours]
    offset = _offset(hours, present)
    if offset is None:
        return HistoryPlan(found=HoursFound(unknown=len(hours)))
    adjust_from, adjust_mwh = _adjustment(hours, present, offset)
    wanted: list[HourlyRow] = []
    right = missing = unknown = 0
    for start, (_, end) in hours.items():
        row = rows.get(start)
        if not end.is_known:
            unknown += row is None
            continue
        shift = adjust_mwh if adjust_from is not None and start >= adjust_from else 0
        if row is not None and _is_right(row, end, offset - shift):
            right += 1
            continue
        missing += row is None
        wanted.append(HourlyRow(start=start, state_mwh=end.register_mwh, sum_mwh=offset + end.register_mwh))
    found = HoursFound(right=right, missing=missing, wrong=len(wanted) - missing, unknown=unknown)
    return HistoryPlan(rows=tuple(wanted), adjust_from=adjust_from, adjust_mwh=adjust_mwh, found=found)


_Hours = Mapping[datetime, tuple[HourBoundary, HourBoundary]]


def _offset(hours: _Hours, present: Sequence[HourlyRow]) -> int | None:
    """The offset that all rows are to have: that of the first one, unless older hours come before it."""
    first_known = next((hour for hour in hours.values() if hour[1].is_known), None)
    first = next((row for row in present if row.sum_mwh is not None), None)
    if first is None or first.sum_mwh is None or (first_known is not None and first_known[0].at < first.start):
        # Home Assistant takes the first sum of all for the energy of its hour.
        return None if first_known is None else -first_known[0].register_mwh
    before, after = hours[first.start]
    if first.state_mwh is not None:
        is_of_its_hour = before.lowest_mwh <= first.state_mwh <= after.highest_mwh
        if is_of_its_hour or not after.is_known:
            return first.sum_mwh - first.state_mwh
    return first.sum_mwh - after.register_mwh  # a person stated older energy since: the sum knew nothing of it


def _adjustment(hours: _Hours, present: Sequence[HourlyRow], offset: int) -> tuple[datetime | None, int]:
    """From when on the running sum is off, and by how much; it goes on from the newest row."""
    newest = present[-1].offset_mwh if present else None
    if newest is None or _is_near(newest, offset):
        return None, 0
    # From the newest row backwards: only those that continue its sum are moved together.
    alike = list(takewhile(lambda row: _is_near(row.offset_mwh, newest), reversed(present)))[::-1]
    kept = (row for row in alike if not hours[row.start][1].is_known or _is_state_right(row, hours[row.start][1]))
    return next(kept, present[-1]).start, offset - newest


def _is_right(row: HourlyRow, end: HourBoundary, offset: int) -> bool:
    return _is_state_right(row, end) and _is_near(row.offset_mwh, offset)


def _is_state_right(row: HourlyRow, end: HourBoundary) -> bool:
    return row.state_mwh is not None and end.lowest_mwh <= row.state_mwh <= end.highest_mwh


def _is_near(some: int | None, other: int) -> bool:
    return some is not None and abs(some - other) <= _OFFSET_SLACK_MWH
