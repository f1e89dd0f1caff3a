"""Readings summed up by minutes, quarter hours, hours and days, as they come.

A row is written once, when its time is over: at the first reading of another minute, in the transaction that stores it.
So a process that is killed leaves rows and readings that fit, and nothing is kept in memory but which minute is open.
``rollup_state`` says up to which reading a meter's rows are made, so that none counts twice, whatever is repeated.

A coarser row is made of the finer ones once its time is left. Where a clock was set back and readings come for a time
that has a row, they are added to it. A meter with readings of an older version, or with hours and days of another time
zone, waits for ``catch_up``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Final

from wattrail.store.database import Cursor
from wattrail.store.queries import last_reading_id
from wattrail.store.rollup_rows import (
    AGGREGATES,
    EMPTY,
    MINUTE_US,
    ROW,
    RollupState,
    Stats,
    merged,
    minutes_of_readings,
    put_row,
    rollup_state,
    rows_between,
    stats_of,
    stored_row,
)
from wattrail.store.tiers import Tier, bucket, zone_name

__all__ = [
    "LiveRollups",
    "catch_up",
    "store_quarter_hours",
]

_BATCH: Final = 20_000
"""Readings of one transaction of ``catch_up``: some tens of milliseconds, then the meters get their turn."""

_STATE: Final = """
    INSERT INTO rollup_state (meter_id, reading_id, open_minute, zone) VALUES (?, ?, ?, ?)
    ON CONFLICT (meter_id) DO UPDATE SET
    reading_id = excluded.reading_id, open_minute = excluded.open_minute, zone = excluded.zone
"""


class LiveRollups:
    """Follows readings as they are stored. ``zone`` is that of the hours and days."""

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self._open: dict[int, int | None] = {}

    def forget(self) -> None:
        """Read the open minutes from the database again: a transaction failed, or they were changed there."""
        self._open.clear()

    def follow_reading(self, cursor: Cursor, meter_id: int, at_us: int, reading_id: int) -> None:
        """Close the minute that was open, if this reading, which was just inserted, lies in another one."""
        minute = at_us // MINUTE_US * MINUTE_US
        if meter_id not in self._open:
            self._open[meter_id] = self._load(cursor, meter_id, minute, reading_id)
        before = self._open[meter_id]
        # A row is written once, when its minute is over: an upsert at each reading would wear a disk twice as much as
        # the readings themselves (ADR 38).
        if before is None or before == minute:
            return
        state = rollup_state(cursor, meter_id)
        assert state is not None
        span, ids = (before, before + MINUTE_US), (state.reading_id + 1, reading_id - 1)
        added = minutes_of_readings(cursor, meter_id, span, ids)
        _add(cursor, meter_id, added, left=before, opened=minute, zone=self.zone)
        cursor.execute(_STATE, (meter_id, reading_id - 1, minute, state.zone))
        self._open[meter_id] = minute

    def _load(self, cursor: Cursor, meter_id: int, minute: int, reading_id: int) -> int | None:
        state = rollup_state(cursor, meter_id)
        if state is None:
            cursor.execute(_STATE, (meter_id, reading_id - 1, minute, zone_name(self.zone)))
            return minute
        return state.open_minute if state.zone == zone_name(self.zone) else None


def catch_up(cursor: Cursor, zone: tzinfo) -> bool:
    """One step for meters that wait; whether there was any. Each call belongs in a transaction of its own."""
    waiting = [(meter_id, state) for meter_id, state in _states(cursor) if state.zone != zone_name(zone)]
    if not waiting:
        return False
    newest = last_reading_id(cursor)
    first = min(state.reading_id for _, state in waiting)
    last = min(first + _BATCH, newest)
    added = _by_meter(cursor, first, last)
    for meter_id, state in waiting:
        if state.zone is not None:
            _make_local_again(cursor, meter_id, zone, state.open_minute)
            state = state._replace(zone=None)
            cursor.execute(_STATE, (meter_id, *state))
        if state.reading_id == first:
            _take_batch(cursor, meter_id, state, added.get(meter_id, {}), last, zone, is_last=last >= newest)
    return True


def _take_batch(
    cursor: Cursor, meter_id: int, state: RollupState, added: dict[int, Stats], last: int, zone: tzinfo, *,
    is_last: bool,
) -> None:  # fmt: skip
    opened = next(reversed(added.keys()), state.open_minute)
    if opened is not None:
        _add(cursor, meter_id, added, left=state.open_minute, opened=opened, zone=zone)
    elif is_last:  # it was never read
        cursor.execute("DELETE FROM rollup_state WHERE meter_id = ?", (meter_id,))
        return
    cursor.execute(_STATE, (meter_id, last, opened, zone_name(zone) if is_last else None))


def _states(cursor: Cursor) -> list[tuple[int, RollupState]]:
    sql = "SELECT meter_id, reading_id, open_minute, zone FROM rollup_state ORDER BY meter_id"
    rows = cursor.execute(sql).fetchall()
    return [(int(row[0]), RollupState(*row[1:])) for row in rows]


def store_quarter_hours(cursor: Cursor, meter_id: int, quarters: Iterable[tuple[int, Stats]], zone: tzinfo) -> None:
    """Store quarter hours, in order and by their start in microseconds, of a time without readings, and what follows.

    The hour and the day in which they end are made when that time is over, with the readings that come by then.
    """
    opened = 0
    for start, stats in quarters:
        put_row(cursor, meter_id, Tier.QUARTER_HOUR, start, stats)
        opened = start + Tier.QUARTER_HOUR.value * 1_000_000
    _make_local_again(cursor, meter_id, zone, opened)
    newest = last_reading_id(cursor)
    cursor.execute(_STATE, (meter_id, newest, opened, zone_name(zone)))


def _add(
    cursor: Cursor, meter_id: int, added: Mapping[int, Stats], *, left: int | None, opened: int, zone: tzinfo
) -> None:
    """Add readings, by their minutes, to the rows of every tier; ``left`` is the minute that was open."""
    for minute, stats in added.items():
        _merge(cursor, meter_id, Tier.MINUTE, minute, stats)
    for tier in (Tier.QUARTER_HOUR, Tier.HOUR, Tier.DAY):
        places = {} if left is None else {bucket(tier, left, zone): EMPTY}
        for minute, stats in added.items():
            place = bucket(tier, minute, zone)
            places[place] = merged(places.get(place, EMPTY), stats)
        for (start, end), stats in places.items():
            if stored_row(cursor, meter_id, tier, start) is not None:
                _merge(cursor, meter_id, tier, start, stats)
            elif not start <= opened < end:
                _make(cursor, meter_id, tier, start, end)


def _make(cursor: Cursor, meter_id: int, tier: Tier, start: int, end: int) -> None:
    """Make a row of the finer ones within its time."""
    assert tier.finer is not None
    rows = rows_between(cursor, meter_id, tier.finer, start, end)
    stats = EMPTY
    for row in rows.values():
        stats = merged(stats, row)
    if rows:
        put_row(cursor, meter_id, tier, start, stats)


def _merge(cursor: Cursor, meter_id: int, tier: Tier, start: int, stats: Stats) -> None:
    """Add to a row; one that is not there begins with nothing."""
    if stats != EMPTY:
        stored = stored_row(cursor, meter_id, tier, start)
        put_row(cursor, meter_id, tier, start, merged(stored or EMPTY, stats))


def _make_local_again(cursor: Cursor, meter_id: int, zone: tzinfo, opened: int | None) -> None:
    """Make hours and days of another zone, as far back as there are quarter hours."""
    sql = "SELECT MIN(started_at) FROM rollup WHERE meter_id = ? AND width_s = ?"
    (first,) = cursor.execute(sql, (meter_id, Tier.QUARTER_HOUR.value)).fetchone()
    if first is None or opened is None:
        return
    for tier in (Tier.HOUR, Tier.DAY):
        assert tier.finer is not None
        places: dict[tuple[int, int], Stats] = {}
        place = (0, 0)
        sql = f"SELECT started_at, {ROW} FROM rollup WHERE meter_id = ? AND width_s = ? AND started_at >= ?"
        for start, *row in cursor.execute(sql, (meter_id, tier.finer.value, first)).fetchall():
            if not place[0] <= start < place[1]:  # most rows lie where the one before does
                place = bucket(tier, start, zone)
            places[place] = merged(places.get(place, EMPTY), stats_of(row))
        sql = "DELETE FROM rollup WHERE meter_id = ? AND width_s = ? AND started_at >= ?"
        cursor.execute(sql, (meter_id, tier.value, first))
        for (start, end), stats in places.items():
            if start >= first and not start <= opened < end:
                put_row(cursor, meter_id, tier, start, stats)


def _by_meter(cursor: Cursor, first: int, last: int) -> dict[int, dict[int, Stats]]:
    """What the readings of all meters with these numbers add up to, by their minutes."""
    sql = f"""
        SELECT meter_id, at / {MINUTE_US}, {AGGREGATES} FROM reading WHERE id > ? AND id <= ?
        GROUP BY 1, 2 ORDER BY MAX(id)
    """
    found: dict[int, dict[int, Stats]] = {}
    for meter_id, minute, *row in cursor.execute(sql, (first, last)).fetchall():  # the newest minute comes last
        found.setdefault(meter_id, {})[minute * MINUTE_US] = stats_of(row)
    return found
