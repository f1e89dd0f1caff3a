"""Every rollup against the readings that it was made of, where these are all there, and how it is made of them again.

A day at a time, so memory does not grow. Rollups of readings that were forgotten are not judged: nobody can know what
they were. Nor are those of a meter whose readings of an older version still wait to be added up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, tzinfo
from itertools import islice
from typing import Final, NamedTuple

from wattrail.clock import zone_of
from wattrail.store.database import Cursor
from wattrail.store.rollup_rows import (
    EMPTY,
    RollupState,
    Stats,
    merged,
    minutes_of_readings,
    put_row,
    remove_row,
    rollup_state,
    rows_between,
)
from wattrail.store.sum_check import MAX_NAMED, moment_text
from wattrail.store.sum_table import ALL_TIME
from wattrail.store.tiers import RollupStats, SeriesQuantity, Tier, bucket

__all__ = ["RollupSpan", "differing_days", "make_rollups_again", "rollup_findings"]

_NAMES: Final = {Tier.MINUTE: "minute", Tier.QUARTER_HOUR: "quarter hour", Tier.HOUR: "hour", Tier.DAY: "day"}

_TIMES: Final = range(253_402_000_000_000_000)
"""Moments that have a local day: a damaged row may lie anywhere."""

_Key = tuple[Tier, int]
_Rows = dict[_Key, Stats]


class RollupDifference(NamedTuple):
    """A row that is not what its readings add up to; ``EMPTY`` where there is none, or should be none."""

    tier: Tier
    started_at: int
    got: Stats
    wanted: Stats


@dataclass(frozen=True, slots=True)
class RollupSpan:
    """Which rollups of a meter can be judged: those of ``tiers`` that begin after the moment of their tier."""

    state: RollupState
    zone: tzinfo
    after: dict[Tier, int]

    @classmethod
    def of(cls, cursor: Cursor, meter_id: int) -> RollupSpan | None:
        """None where nothing can be judged."""
        state, begin = rollup_state(cursor, meter_id), _forgotten_until(cursor, meter_id)
        if state is None or state.zone is None or begin is None:
            return None
        after = {tier: max(begin, _first_row(cursor, meter_id, tier) - 1) for tier in Tier}
        zone = zone_of(state.zone)
        for tier in (Tier.HOUR, Tier.DAY):  # of another zone they reach back as far as quarter hours
            after[tier] = max(after[tier], after[Tier.QUARTER_HOUR])
        if not state.zone and not _is_zone_of(cursor, meter_id, zone, after):
            del after[Tier.HOUR], after[Tier.DAY]
            zone = UTC
        return cls(state, zone, after)

    def is_open(self, tier: Tier, start: int) -> bool:
        """Whether a row that is missing is still to come."""
        opened = self.state.open_minute
        return opened is not None and start <= opened < bucket(tier, start, self.zone)[1]


def rollup_findings(cursor: Cursor, meter_id: int) -> Iterator[str]:
    """Every rollup of a meter that differs from its readings; the first ones by their time, the others counted."""
    span = RollupSpan.of(cursor, meter_id)
    if span is None:
        return
    days = _days(cursor, meter_id, span)
    found = (one for day in days for one in _differing(cursor, meter_id, span, *day))
    for one in islice(found, MAX_NAMED):
        yield _described(one)
    if more := sum(1 for _ in found):
        yield f"rollups: {more} more differ"


def differing_days(cursor: Cursor, meter_id: int) -> Iterator[tuple[int, int]]:
    """The days, as ``[start, end)``, in which any rollup differs."""
    span = RollupSpan.of(cursor, meter_id)
    if span is None:
        return
    for day in _days(cursor, meter_id, span):
        if any(True for _ in _differing(cursor, meter_id, span, *day)):
            yield day


def make_rollups_again(cursor: Cursor, meter_id: int, start: int, end: int) -> int:
    """Make the rollups of a day that differ again, in a transaction; returns how many."""
    span, count = RollupSpan.of(cursor, meter_id), 0
    for one in () if span is None else _differing(cursor, meter_id, span, start, end):
        count += 1
        if one.wanted == EMPTY:
            remove_row(cursor, meter_id, one.tier, one.started_at)
        else:
            put_row(cursor, meter_id, one.tier, one.started_at, one.wanted)
    return count


def _forgotten_until(cursor: Cursor, meter_id: int) -> int | None:
    """The latest moment of which a reading may have been forgotten; None where there are no readings.

    The first entry knows the first reading. Where that is gone, entries say until when those before the oldest lay,
    whatever the clock did meanwhile.
    """
    (oldest,) = cursor.execute("SELECT MIN(id) FROM reading WHERE meter_id = ?", (meter_id,)).fetchone()
    if oldest is None:
        return None
    sql = "SELECT reading_id FROM entry WHERE meter_id = ? ORDER BY sequence LIMIT 1"
    first = cursor.execute(sql, (meter_id,)).fetchone()
    if first is None or first[0] >= oldest:
        return ALL_TIME[0]
    sql = """
        SELECT MAX(started_at), MAX(ended_at) FROM entry WHERE meter_id = ? AND sequence <= COALESCE(
            (SELECT MIN(sequence) FROM entry WHERE meter_id = ? AND reading_id >= ?),
            (SELECT MAX(sequence) FROM entry WHERE meter_id = ?)
        )
    """
    return max(map(int, cursor.execute(sql, (meter_id, meter_id, oldest, meter_id)).fetchone()))


def _first_row(cursor: Cursor, meter_id: int, tier: Tier) -> int:
    """When the oldest row of a tier begins: older ones are forgotten first."""
    sql = "SELECT MIN(started_at) FROM rollup WHERE meter_id = ? AND width_s = ?"
    (first,) = cursor.execute(sql, (meter_id, tier.value)).fetchone()
    return ALL_TIME[0] + 1 if first is None else int(first)


def _is_zone_of(cursor: Cursor, meter_id: int, zone: tzinfo, after: dict[Tier, int]) -> bool:
    """Whether hours and days begin where this machine has them: a gateway elsewhere may have made them."""
    sql = "SELECT started_at FROM rollup WHERE meter_id = ? AND width_s = ? AND started_at > ? AND started_at <= ?"
    return all(
        bucket(tier, start, zone)[0] == start
        for tier in (Tier.HOUR, Tier.DAY)
        for (start,) in cursor.execute(sql, (meter_id, tier.value, max(after[tier], _TIMES[0]), _TIMES[-1]))
    )


def _days(cursor: Cursor, meter_id: int, span: RollupSpan) -> Iterator[tuple[int, int]]:
    """The days of the site that hold readings or rollups which can be judged."""
    since = max(min(span.after.values()) + 1, _TIMES[0])
    while True:
        moments: list[int] = []
        for table, at in (("reading", "at"), ("rollup", "started_at")):
            sql = f"SELECT MIN({at}) FROM {table} WHERE meter_id = ? AND {at} >= ? AND {at} <= ?"
            (found,) = cursor.execute(sql, (meter_id, since, _TIMES[-1])).fetchone()
            moments += [] if found is None else [int(found)]
        if not moments:
            return
        if min(moments) < since:
            raise ValueError("readings and rollups are out of order")  # a damaged index: it would never end
        day = bucket(Tier.DAY, min(moments), span.zone)
        yield day
        since = day[1]


def _differing(cursor: Cursor, meter_id: int, span: RollupSpan, start: int, end: int) -> Iterator[RollupDifference]:
    minutes = minutes_of_readings(cursor, meter_id, (start, end), (0, span.state.reading_id))
    wanted = _wanted(minutes, start, span)
    stored: _Rows = {
        (tier, at): stats
        for tier in span.after for at, stats in rows_between(cursor, meter_id, tier, start, end).items()
        if at > span.after[tier]
    }  # fmt: skip
    for tier, at in sorted(wanted.keys() | stored.keys(), key=lambda key: (key[0].value, key[1])):
        got, should = stored.get((tier, at), EMPTY), wanted.get((tier, at), EMPTY)
        if got != should and not (got == EMPTY and span.is_open(tier, at)):
            yield RollupDifference(tier, at, got, should)


def _wanted(minutes: dict[int, Stats], day: int, span: RollupSpan) -> _Rows:
    """The rows of all tiers that the minutes of a day add up to; like hours, its quarter hours begin with it."""
    rows: _Rows = {}
    for minute, stats in minutes.items():
        for tier, after in span.after.items():
            width = tier.value * 1_000_000
            start = day if tier is Tier.DAY else day + (minute - day) // width * width
            if start > after:
                rows[tier, start] = merged(rows.get((tier, start), EMPTY), stats)
    return rows


def _described(one: RollupDifference) -> str:
    name = f"rollup of the {_NAMES[one.tier]} {moment_text(one.started_at)}"
    for quantity, got, wanted in zip(SeriesQuantity, one.got, one.wanted, strict=True):
        if got != wanted:
            return f"{name}: {quantity} is {_said(got)}, should be {_said(wanted)}"
    return f"{name}: it is empty, should not be there"


def _said(stats: RollupStats) -> str:
    if not stats.readings and stats == EMPTY[0]:
        return "missing"
    return f"{stats.readings} readings of {stats.lowest} to {stats.highest}, sum {stats.total}, in thousandths"
