"""A quantity over time, from readings or from the rollup that fits the span and the number of points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from wattrail.clock import zone_of
from wattrail.ledger import local_day, midnight
from wattrail.store.database import Cursor
from wattrail.store.rollup_rows import MINUTE_US, RollupState, rollup_state
from wattrail.store.rows import from_microseconds, microseconds
from wattrail.store.tiers import NOTHING, RollupStats, SeriesQuantity, Tier, bucket

__all__ = ["Bucket", "bucket_width", "series"]

_MICROSECOND: Final = timedelta(microseconds=1)
_DAY: Final = timedelta(days=1)
_WIDTHS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)
_TIERS: Final[tuple[Tier | None, ...]] = (None, *Tier)
"""Readings, then the tiers from fine to coarse."""

_Stats = tuple[int, RollupStats]
"""When a row begins, in microseconds, and its content."""

_Place = Callable[[int], tuple[int, int]]
"""Start and end of the bucket that a moment lies in, in microseconds."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A quantity during ``[start, end)``, in its unit: extremes, mean and how many readings they rest on."""

    start: datetime
    end: datetime
    lowest: float
    mean: float
    highest: float
    readings: int


def series(
    cursor: Cursor, meter_id: int, start: datetime, end: datetime, points: int, quantity: SeriesQuantity
) -> tuple[Bucket, ...]:
    """A quantity in ``[start, end)`` as about ``points`` buckets at most; those without a reading are left out."""
    width = bucket_width(end - start, points)
    state = rollup_state(cursor, meter_id)
    span = microseconds(start), microseconds(end)
    if state is None or state.zone is None:  # readings of an older version still wait to be summed up
        return tuple(_in_buckets(_readings(cursor, meter_id, *span, width, quantity), width, zone_of(None)))
    tier = _fitting_tier(cursor, meter_id, span[0], width)
    zone = zone_of(state.zone)
    if tier is None:
        return tuple(_in_buckets(_readings(cursor, meter_id, *span, width, quantity), width, zone))
    rows = _Rollups(cursor, meter_id, state, zone, quantity).rows(tier, bucket(tier, span[0], zone)[0], span[1])
    return tuple(_in_buckets(rows, max(width, tier.width), zone))


def _fitting_tier(cursor: Cursor, meter_id: int, start: int, width: timedelta) -> Tier | None:
    """The coarsest tier that is not wider than a bucket, or a coarser one that alone reaches further back."""
    place = max(place for place, tier in enumerate(_TIERS) if tier is None or tier.width <= width)
    oldest = _oldest(cursor, meter_id, _TIERS[place])
    while place + 1 < len(_TIERS) and (oldest is None or oldest > start):
        coarser = _TIERS[place + 1]
        assert coarser is not None
        older = _oldest(cursor, meter_id, coarser)
        if older is None or (oldest is not None and older + coarser.width // _MICROSECOND > oldest):
            break
        place, oldest = place + 1, older
    return _TIERS[place]


def _oldest(cursor: Cursor, meter_id: int, tier: Tier | None) -> int | None:
    if tier is None:
        # not MIN(at): of a view with recent readings it looks at every row
        sql = "SELECT at FROM reading WHERE meter_id = ? ORDER BY at LIMIT 1"
        row = cursor.execute(sql, (meter_id,)).fetchone() or (None,)
    else:
        sql = "SELECT MIN(started_at) FROM rollup WHERE meter_id = ? AND width_s = ?"
        row = cursor.execute(sql, (meter_id, tier.value)).fetchone()
    return None if row[0] is None else int(row[0])


def _readings(
    cursor: Cursor, meter_id: int, start: int, end: int, width: timedelta, quantity: SeriesQuantity
) -> Iterator[_Stats]:
    """Readings, grouped as finely as a bucket can begin."""
    # No zone in use is off UTC by anything but whole quarter hours, so no bucket begins within one.
    step = min(width, timedelta(minutes=15)) // _MICROSECOND
    column = quantity.column
    sql = f"""
        SELECT at / {step}, COUNT({column}), MIN({column}), SUM({column}), MAX({column}) FROM reading
        WHERE meter_id = ? AND at >= ? AND at < ? AND {column} IS NOT NULL GROUP BY 1 ORDER BY 1
    """
    for place, *stats in cursor.execute(sql, (meter_id, start, end)):
        yield place * step, RollupStats(*stats)


class _Rollups:
    """The rollups of one quantity of a meter, together with what is not in them yet."""

    def __init__(
        self, cursor: Cursor, meter_id: int, state: RollupState, zone: tzinfo, quantity: SeriesQuantity
    ) -> None:
        self._cursor, self._meter_id, self._state, self._zone = cursor, meter_id, state, zone
        self._column = quantity.column
        self._waiting = self._not_summed_up()

    def rows(self, tier: Tier, start: int, end: int) -> list[_Stats]:
        """The rows of a tier that begin in ``[start, end)``, the one that is still open among them."""
        column = self._column
        sql = f"""
            SELECT started_at, {column}_count, {column}_min, {column}_sum, {column}_max FROM rollup
            WHERE meter_id = ? AND width_s = ? AND started_at >= ? AND started_at < ? ORDER BY started_at
        """
        found = self._cursor.execute(sql, (self._meter_id, tier.value, start, end))
        rows = {began: RollupStats(*stats) for began, *stats in found}
        for began, until in {bucket(tier, minute, self._zone) for minute in self._waiting}:
            if start <= began < end:
                rows[began] = self._open_row(tier, began, until, rows.get(began))
        return sorted(rows.items())

    def _open_row(self, tier: Tier, start: int, end: int, stored: RollupStats | None) -> RollupStats:
        """A time that goes on: its row, if a clock that was set back opened it again, else the finer rows in it."""
        if stored is not None or tier.finer is None:
            parts = [stats for minute, stats in self._waiting.items() if start <= minute < end]
            stats = stored or NOTHING
        else:
            parts, stats = [stats for _, stats in self.rows(tier.finer, start, end)], NOTHING
        for part in parts:
            stats = stats.merged(part)
        return stats

    def _not_summed_up(self) -> dict[int, RollupStats]:
        """The readings of the open minute and, where they wait beside the file, of the next, by their minutes."""
        opened, column = self._state.open_minute, self._column
        if opened is None:
            return {}
        sql = f"""
            SELECT at / {MINUTE_US}, COUNT({column}), MIN({column}), SUM({column}), MAX({column}) FROM reading
            WHERE meter_id = ? AND at >= ? AND id > ? GROUP BY 1
        """
        found = self._cursor.execute(sql, (self._meter_id, opened, self._state.reading_id))
        return {opened: NOTHING} | {minute * MINUTE_US: RollupStats(*stats) for minute, *stats in found}


def bucket_width(span: timedelta, points: int) -> timedelta:
    """The narrowest usual width of which no more than ``points`` cover a span. Raises ValueError below one point."""
    if points < 1 or span <= timedelta():
        raise ValueError(f"cannot draw {span} in {points} points")
    for width in _WIDTHS_S:
        if width * points >= span.total_seconds():
            return timedelta(seconds=width)
    days = -(-span // (_DAY * points))
    return timedelta(days=days)


def _bucket_places(width: timedelta, zone: tzinfo) -> _Place:
    """The buckets of a width: parts of UTC below a quarter hour, parts of local days up to a day, else whole days."""
    width_us = width // timedelta(microseconds=1)
    if width < timedelta(minutes=15):
        return lambda at: (at // width_us * width_us, at // width_us * width_us + width_us)
    days = width // _DAY
    day = (0, 0)  # the one that was asked for last: moments come in order

    def place(at: int) -> tuple[int, int]:
        nonlocal day
        if not day[0] <= at < day[1]:
            day = _days(at, days, zone) if days else _span(*local_day(from_microseconds(at), zone))
        if days:
            return day
        start = day[0] + (at - day[0]) // width_us * width_us
        return start, min(start + width_us, day[1])

    return place


def _days(at: int, days: int, zone: tzinfo) -> tuple[int, int]:
    today = from_microseconds(at).astimezone(zone).date()
    first = today - (today.toordinal() % days) * _DAY
    return _span(midnight(first, zone), midnight(first + days * _DAY, zone))


def _span(start: datetime, end: datetime) -> tuple[int, int]:
    return microseconds(start.astimezone(UTC)), microseconds(end.astimezone(UTC))


def _in_buckets(rows: Iterable[_Stats], width: timedelta, zone: tzinfo) -> Iterator[Bucket]:
    place, stats, of = (0, 0), NOTHING, _bucket_places(width, zone)
    for start, row in rows:
        if not place[0] <= start < place[1]:
            yield from _bucket(place, stats)
            place, stats = of(start), NOTHING
        stats = stats.merged(row)
    yield from _bucket(place, stats)


def _bucket(place: tuple[int, int], stats: RollupStats) -> Iterator[Bucket]:
    if stats.readings:
        assert stats.lowest is not None
        assert stats.total is not None
        assert stats.highest is not None
        start, end = map(from_microseconds, place)
        mean = stats.total / stats.readings / 1e3
        yield Bucket(start, end, stats.lowest / 1e3, mean, stats.highest / 1e3, stats.readings)
