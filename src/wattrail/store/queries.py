"""The questions put to the database, each a function of a cursor."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from wattrail.errors import StoreError
from wattrail.ledger import Entry, Epoch, Observation, Totals
from wattrail.store.buckets import Bucket, bucket_width
from wattrail.store.rows import (
    ENTRY_COLUMNS,
    OBSERVATION_COLUMNS,
    QUANTITY_COLUMNS,
    Constants,
    MeterRow,
    entry_from_row,
    from_microseconds,
    microseconds,
    observation_from_row,
    reading_from_row,
)
from wattrail.units import Reading

__all__ = [
    "PURGE", "energy_between", "entries", "epochs", "last_reading_id", "latest", "meters", "newest_epoch",
    "observations_after", "series",
]  # fmt: skip

_EPOCH: Final = "number, micro_counts_per_volt, micro_counts_per_amp, micro_counts_per_watt, inverted"
_ENTRY: Final = ", ".join(ENTRY_COLUMNS)
_OBSERVATION: Final = ", ".join(OBSERVATION_COLUMNS)
_QUANTITIES: Final = ", ".join(QUANTITY_COLUMNS)

PURGE: Final = """
    DELETE FROM reading WHERE id IN (
        SELECT reading.id FROM meter JOIN reading ON reading.meter_id = meter.id AND reading.at < ?
        WHERE reading.id < (SELECT MAX(id) FROM reading) AND reading.id <= (
            SELECT entry.reading_id FROM entry WHERE entry.meter_id = meter.id ORDER BY entry.sequence DESC LIMIT 1
        ) LIMIT ?
    )
"""

_SERIES: Final = """
    SELECT at / :width, MIN(milliwatts), AVG(milliwatts), MAX(milliwatts), COUNT(*)
    FROM reading WHERE meter_id = :meter AND at >= :start AND at < :end GROUP BY 1 ORDER BY 1
"""

_ENERGY: Final = """
    SELECT epoch, SUM(positive), SUM(negative), SUM(undirected)
    FROM entry
    WHERE meter_id = :meter AND ended_at >= :start
      AND (started_at + ended_at) / 2 >= :start AND (started_at + ended_at) / 2 < :end
    GROUP BY epoch
"""


def meters(cursor: sqlite3.Cursor) -> tuple[MeterRow, ...]:
    """Every meter, by name."""
    rows = cursor.execute("SELECT id, name, url, simulated FROM meter ORDER BY name").fetchall()
    return tuple(
        MeterRow(meter_id, name, url, bool(simulated), newest_epoch(cursor, meter_id)[0])
        for meter_id, name, url, simulated in rows
    )


def newest_epoch(cursor: sqlite3.Cursor, meter_id: int) -> tuple[Epoch, Constants]:
    """The calibration epoch that holds, and its constants."""
    sql = f"SELECT {_EPOCH} FROM epoch WHERE meter_id = ? ORDER BY number DESC LIMIT 1"
    row = cursor.execute(sql, (meter_id,)).fetchone()
    if row is None:
        raise StoreError(f"there is no meter with id {meter_id}")
    number, volt, amp, watt, inverted = row
    epoch = Epoch(number=number, micro_counts_per_watt=watt, inverted=bool(inverted))
    return epoch, (volt, amp, watt, bool(inverted))


def epochs(cursor: sqlite3.Cursor, meter_id: int) -> dict[int, Epoch]:
    """Every calibration epoch of a meter, by number."""
    sql = "SELECT number, micro_counts_per_watt, inverted FROM epoch WHERE meter_id = ?"
    return {
        number: Epoch(number=number, micro_counts_per_watt=watt, inverted=bool(inverted))
        for number, watt, inverted in cursor.execute(sql, (meter_id,))
    }


def entries(cursor: sqlite3.Cursor, meter_id: int) -> tuple[list[Entry], int]:
    """The ledger, oldest first, and the id of the last reading that it accounts for."""
    sql = f"SELECT {_ENTRY}, reading_id FROM entry WHERE meter_id = ? ORDER BY sequence"
    rows = cursor.execute(sql, (meter_id,)).fetchall()
    return [entry_from_row(row[:-1]) for row in rows], rows[-1][-1] if rows else 0


def observations_after(cursor: sqlite3.Cursor, meter_id: int, reading_id: int) -> list[tuple[int, Observation]]:
    """What the ledger saw after a reading, in the order in which it came."""
    sql = f"SELECT id, {_OBSERVATION} FROM reading WHERE meter_id = ? AND id > ? ORDER BY id"
    return [(row[0], observation_from_row(row[1:])) for row in cursor.execute(sql, (meter_id, reading_id))]


def last_reading_id(cursor: sqlite3.Cursor) -> int:
    """The largest id ever given to a reading."""
    return int(cursor.execute("SELECT COALESCE(MAX(id), 0) FROM reading").fetchone()[0])


def latest(cursor: sqlite3.Cursor, meter_id: int) -> Reading | None:
    """The newest reading."""
    sql = f"""
        SELECT {_OBSERVATION}, {_QUANTITIES}, simulated FROM reading JOIN meter ON meter.id = meter_id
        WHERE meter_id = ? ORDER BY at DESC LIMIT 1
    """
    row = cursor.execute(sql, (meter_id,)).fetchone()
    if row is None:
        return None
    seen = observation_from_row(row[: len(OBSERVATION_COLUMNS)])
    return reading_from_row(seen, row[len(OBSERVATION_COLUMNS) : -1], simulated=bool(row[-1]))


def series(cursor: sqlite3.Cursor, meter_id: int, start: datetime, end: datetime, points: int) -> tuple[Bucket, ...]:
    """Power in buckets aligned to the clock."""
    width = bucket_width(end - start, points) // timedelta(microseconds=1)
    values = {"meter": meter_id, "start": microseconds(start), "end": microseconds(end), "width": width}
    return tuple(_buckets(cursor.execute(_SERIES, values), width))


def energy_between(cursor: sqlite3.Cursor, meter_id: int, start: datetime, end: datetime) -> Totals:
    """Energy of the entries whose middle lies in ``[start, end)``."""
    known = epochs(cursor, meter_id)
    values = {"meter": meter_id, "start": microseconds(start), "end": microseconds(end)}
    sums = [Fraction(), Fraction(), Fraction()]
    for number, *counts in cursor.execute(_ENERGY, values):
        epoch = known[number]
        positive, negative, undirected = (epoch.milliwatt_hours(count) for count in counts)
        sums[0] += negative if epoch.inverted else positive
        sums[1] += positive if epoch.inverted else negative
        sums[2] += undirected
    return Totals(*(total.__floor__() for total in sums))


def _buckets(rows: sqlite3.Cursor, width: int) -> Iterator[Bucket]:
    for place, lowest, mean, highest, count in rows:
        yield Bucket(from_microseconds(place * width), lowest / 1e3, mean / 1e3, highest / 1e3, count)
