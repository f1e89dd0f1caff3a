"""What is forgotten with time, in small batches: between them the meters get their turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Final

from wattrail.store import queries
from wattrail.store.database import Cursor
from wattrail.store.rollup_rows import rollup_state
from wattrail.store.rollups import forget_rollups, newest_beyond
from wattrail.store.tiers import Retention, Tier

__all__ = ["purge_meters"]

_BATCH: Final = 5_000

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
                last = newest_beyond(cursor, meter_id, tier, retention)
            deleted = _BATCH
            while last is not None and deleted == _BATCH:
                with transaction() as cursor:
                    deleted = forget_rollups(cursor, meter_id, tier, last, _BATCH)
    return gone


def _purge_readings(meter_id: int, retention: Retention, reading: _OpenCursor, transaction: _OpenCursor) -> int:
    if retention.readings is None:
        return 0
    with reading() as cursor:
        last = queries.watched_out(cursor, meter_id, retention.readings)
        if (state := rollup_state(cursor, meter_id)) is not None:
            last = min(last, state.reading_id)  # what is not summed up yet
    gone, deleted = 0, _BATCH
    while last and deleted == _BATCH:
        with transaction() as cursor:
            cursor.execute(queries.PURGE, (meter_id, last, _BATCH))
            deleted = cursor.rowcount
        gone += deleted
    return gone
