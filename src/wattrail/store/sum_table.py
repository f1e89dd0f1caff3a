"""A derived table: counted entries added up over periods of one width, and how its rows are made of entries.

A row follows from the entries that end in its period, by epoch. The period of a meter's last entry is open and has
none. So rows can be compared with entries, and made again of them, for any span of whole periods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wattrail.store.database import Cursor

__all__ = ["ALL_TIME", "SHAPED", "SHAPELESS", "SumTable"]

SHAPED: Final = "kind = 'counted' AND ABS(ended_at - started_at - elapsed_us) <= 5000000"
"""``Entry.shaped`` in SQL."""

SHAPELESS: Final = "(kind <> 'counted' OR ABS(ended_at - started_at - elapsed_us) > 5000000)"
"""The opposite of ``SHAPED``, in the very terms of the index ``entry_without_shape``: SQLite takes a partial index
only for a condition that it recognises."""

ALL_TIME: Final = range(-(1 << 63), 1 << 63)
"""What a column of times can hold."""

Row = tuple[int | None, ...]


def _end_period(width_us: int) -> str:
    """The period in which an entry ends, in SQL: one that ends on a boundary belongs before it, but for an instant."""
    return f"(ended_at - CASE WHEN started_at < ended_at THEN 1 ELSE 0 END) / {width_us} * {width_us}"


@dataclass(frozen=True, slots=True)
class SumTable:
    """``name`` of the table, what a ``period`` is called and its width; ``columns`` with the aggregates they hold.

    In an aggregate ``{period}`` is the beginning of the entry's period.
    """

    name: str
    period: str
    width_us: int
    columns: tuple[tuple[str, str], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns beside meter, time and epoch."""
        return tuple(name for name, _ in self.columns)

    def make(self, cursor: Cursor, meter_id: int, first: int, last: int) -> None:
        """Insert the rows of the periods that begin from ``first`` to ``last``, which have none."""
        columns = ", ".join(("meter_id", "started_at", "epoch", *self.names))
        cursor.execute(f"INSERT INTO {self.name} ({columns}) {self._select()}", self._values(meter_id, first, last))

    def remove(self, cursor: Cursor, meter_id: int, first: int, last: int) -> None:
        """Delete the rows of these periods."""
        sql = f"DELETE FROM {self.name} WHERE meter_id = ? AND started_at >= ? AND started_at <= ?"
        cursor.execute(sql, (meter_id, first, last))

    def made(self, cursor: Cursor, meter_id: int, first: int, last: int) -> dict[tuple[int, int], Row]:
        """What ``make`` would insert, by period and epoch."""
        return _by_key(cursor.execute(self._select(), self._values(meter_id, first, last)))

    def stored(self, cursor: Cursor, meter_id: int, first: int, last: int) -> dict[tuple[int, int], Row]:
        """The rows of these periods, in the same way."""
        columns = ", ".join(("meter_id", "started_at", "epoch", *self.names))
        sql = f"SELECT {columns} FROM {self.name} WHERE meter_id = ? AND started_at >= ? AND started_at <= ?"
        return _by_key(cursor.execute(sql, (meter_id, first, last)))

    def next_start(self, cursor: Cursor, meter_id: int, since: int) -> int | None:
        """The first moment from ``since`` on at which an entry ends or a row begins; None if there is none."""
        moments: list[int] = []
        for table, at in (("entry", "ended_at"), (self.name, "started_at")):
            sql = f"SELECT MIN({at}) FROM {table} WHERE meter_id = ? AND {at} >= ?"
            (found,) = cursor.execute(sql, (meter_id, since)).fetchone()
            moments += [] if found is None else [int(found)]
        return min(moments, default=None)

    def _select(self) -> str:
        period = _end_period(self.width_us)
        columns = ", ".join(aggregate.format(period=period) for _, aggregate in self.columns)
        return f"""
            SELECT meter_id, {period}, epoch, {columns} FROM entry
            WHERE meter_id = ? AND ended_at >= ? AND ended_at <= ? AND {period} >= ? AND {period} <= ? AND {SHAPED}
            GROUP BY 1, 2, 3
        """

    def _values(self, meter_id: int, first: int, last: int) -> tuple[int, ...]:
        return meter_id, first, min(last + self.width_us, ALL_TIME[-1]), first, last


def _by_key(rows: Cursor) -> dict[tuple[int, int], Row]:
    return {(row[1], row[2]): tuple(row[3:]) for row in rows}
