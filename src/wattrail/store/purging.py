"""What is forgotten with time, in small batches: between them the meters get their turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Final

from wattrail.store.database import Cursor
from wattrail.store.rollup_rows import rollup_state
from wattrail.store.tiers import Retention, Tier

__all__ = ["purge_meters"]

_BATCH: Final = 5_000

# The newest of all stays: SQLite gives the largest id plus one, and an id that came twice would be counted as booked.
# The index by its name: by the range of ids a batch would walk over the readings of all the other meters.
_PURGE: Final = """
    DELETE FROM reading WHERE id IN (
        SELECT id FROM reading INDEXED BY reading_by_time
        WHERE meter_id = ? AND id <= ? AND id < (SELECT MAX(id) FROM reading) LIMIT ?
    )
"""

_OpenCursor = Callable[[], AbstractContextManager[Cursor]]
"""A cursor for reading, or one of a transaction."""


def purge_meters(
    meter_ids: Iterable[int], retention: Retention, *, reading: _OpenCursor, transaction: _OpenCursor
) -> int:
    """Remove what is older than its time; returns how many readings that were."""
    gone = 0
    for meter_id in meter_ids:
        gone += _purge_readings(meter_id, retention, reading, transaction)
        for tier in Tier:
            with reading() as cursor:
                last = _newest_beyond(cursor, meter_id, tier, retention)
            deleted = _BATCH
            while last is not None and deleted == _BATCH:
                with transaction() as cursor:
                    deleted = _forget_rollups(cursor, meter_id, tier, last)
    return gone


def _purge_readings(meter_id: int, retention: Retention, reading: _OpenCursor, transaction: _OpenCursor) -> int:
    if retention.readings is None:
        return 0
    with reading() as cursor:
        last = _watched_out(cursor, meter_id, retention.readings)
        if (state := rollup_state(cursor, meter_id)) is not None:
            last = min(last, state.reading_id)  # what is not summed up yet
    gone, deleted = 0, _BATCH
    while last and deleted == _BATCH:
        with transaction() as cursor:
            cursor.execute(_PURGE, (meter_id, last, _BATCH))
            deleted = cursor.rowcount
        gone += deleted
    return gone


def _watched_out(cursor: Cursor, meter_id: int, keep: timedelta) -> int:
    """The last reading after which the meter was watched for ``keep`` or more; 0 if there is none.

    Watched time is monotonic and stands in the entries: no clock that is wrong makes a reading old.
    """
    left = keep // timedelta(microseconds=1)
    sql = "SELECT elapsed_us, reading_id FROM entry WHERE meter_id = ? AND kind = 'counted' ORDER BY sequence DESC"
    for elapsed_us, reading_id in cursor.execute(sql, (meter_id,)):
        if left <= 0:
            return int(reading_id)
        left -= elapsed_us
    return 0


def _newest_beyond(cursor: Cursor, meter_id: int, tier: Tier, retention: Retention) -> int | None:
    """When the newest row of a tier begins that was kept for its time; None if there is none.

    Rows are counted, not dated: a wall clock that is wrong forgets nothing early, and time without readings has none.
    """
    keep = retention.of(tier)
    if keep is None:
        return None
    sql = "SELECT started_at FROM rollup WHERE meter_id = ? AND width_s = ? ORDER BY started_at DESC LIMIT 1 OFFSET ?"
    row = cursor.execute(sql, (meter_id, tier.value, keep // tier.width)).fetchone()
    return None if row is None else int(row[0])


def _forget_rollups(cursor: Cursor, meter_id: int, tier: Tier, last: int) -> int:
    """Remove a batch of the oldest rows of a tier up to one that begins at ``last``; returns how many."""
    cursor.execute(
        "DELETE FROM rollup WHERE meter_id = ? AND width_s = ? AND started_at IN ("
        "SELECT started_at FROM rollup WHERE meter_id = ? AND width_s = ? AND started_at <= ? "
        "ORDER BY started_at LIMIT ?)",
        (meter_id, tier.value, meter_id, tier.value, last, _BATCH),
    )
    return cursor.rowcount
