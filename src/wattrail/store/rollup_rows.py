"""Rows of the table ``rollup``: what they hold, how readings add up to them, and how one is read and written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from wattrail.store.database import Cursor
from wattrail.store.tiers import NOTHING, RollupStats, SeriesQuantity, Tier

__all__ = [
    "AGGREGATES",
    "EMPTY",
    "MINUTE_US",
    "ROW",
    "RollupState",
    "Stats",
    "merged",
    "minutes_of_readings",
    "put_row",
    "remove_row",
    "rollup_state",
    "rows_between",
    "stats_of",
    "stored_row",
]

MINUTE_US: Final = 60_000_000

_COLUMNS: Final = tuple(quantity.column for quantity in SeriesQuantity)
_STATS: Final = ("count", "min", "sum", "max")
ROW: Final = ", ".join(f"{column}_{name}" for column in _COLUMNS for name in _STATS)
AGGREGATES: Final = ", ".join(f"COUNT({one}), MIN({one}), SUM({one}), MAX({one})" for one in _COLUMNS)
_UPSERT: Final = f"""
    INSERT INTO rollup (meter_id, width_s, started_at, {ROW}) VALUES (?, ?, ?, {", ".join("?" * 12)})
    ON CONFLICT (meter_id, width_s, started_at) DO UPDATE SET
    {", ".join(f"{name.strip()} = excluded.{name.strip()}" for name in ROW.split(","))}
"""
_OF_READINGS: Final = f"SELECT at / {MINUTE_US}, {AGGREGATES} FROM reading"

Stats = tuple[RollupStats, ...]
"""One for each quantity."""

EMPTY: Final[Stats] = (NOTHING,) * len(_COLUMNS)


class RollupState(NamedTuple):
    """How far a meter is: up to which reading, which minute is open after it, and the zone of its hours and days.

    ``zone`` is None while readings of an older version wait.
    """

    reading_id: int
    open_minute: int | None
    zone: str | None


def rollup_state(cursor: Cursor, meter_id: int) -> RollupState | None:
    """The state of a meter; None for one that was never read."""
    sql = "SELECT reading_id, open_minute, zone FROM rollup_state WHERE meter_id = ?"
    row = cursor.execute(sql, (meter_id,)).fetchone()
    return None if row is None else RollupState(*row)


def put_row(cursor: Cursor, meter_id: int, tier: Tier, start: int, stats: Stats) -> None:
    """Write a row, in place of one that is there."""
    values = (value for one in stats for value in one)
    cursor.execute(_UPSERT, (meter_id, tier.value, start, *values))


def remove_row(cursor: Cursor, meter_id: int, tier: Tier, start: int) -> None:
    """Delete a row, if it is there."""
    sql = "DELETE FROM rollup WHERE meter_id = ? AND width_s = ? AND started_at = ?"
    cursor.execute(sql, (meter_id, tier.value, start))


def stored_row(cursor: Cursor, meter_id: int, tier: Tier, start: int) -> Stats | None:
    """A row; None where there is none."""
    sql = f"SELECT {ROW} FROM rollup WHERE meter_id = ? AND width_s = ? AND started_at = ?"
    row = cursor.execute(sql, (meter_id, tier.value, start)).fetchone()
    return None if row is None else stats_of(row)


def rows_between(cursor: Cursor, meter_id: int, tier: Tier, start: int, end: int) -> dict[int, Stats]:
    """The rows of a tier that begin in ``[start, end)``, in order."""
    sql = f"""
        SELECT started_at, {ROW} FROM rollup
        WHERE meter_id = ? AND width_s = ? AND started_at >= ? AND started_at < ? ORDER BY 1
    """
    rows = cursor.execute(sql, (meter_id, tier.value, start, end))
    return {int(started_at): stats_of(row) for started_at, *row in rows}


def minutes_of_readings(cursor: Cursor, meter_id: int, span: tuple[int, int], ids: tuple[int, int]) -> dict[int, Stats]:
    """What readings of a span ``[start, end)``, with ids of ``[first, last]``, add up to, by their minutes."""
    sql = f"{_OF_READINGS} WHERE meter_id = ? AND at >= ? AND at < ? AND id >= ? AND id <= ? GROUP BY 1"
    rows = cursor.execute(sql, (meter_id, *span, *ids))
    return {minute * MINUTE_US: stats_of(row) for minute, *row in rows}


def stats_of(row: Sequence[int | None]) -> Stats:
    """The quantities of the columns ``ROW`` or ``AGGREGATES``."""
    values: Sequence[Any] = row
    return tuple(RollupStats(*values[place : place + 4]) for place in range(0, len(values), 4))


def merged(some: Stats, others: Stats) -> Stats:
    """Those of both times together."""
    return tuple(one.merged(other) for one, other in zip(some, others, strict=True))
