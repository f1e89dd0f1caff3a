"""Days of a meter's connection as rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, fields
from datetime import date
from typing import Final

from wattrail.network_meters.link_health import LinkDay
from wattrail.store.database import Cursor

__all__ = ["keep_link_days", "link_days"]

_COLUMNS: Final = tuple(field.name for field in fields(LinkDay))
_UPSERT: Final = (
    f"INSERT INTO link_day (meter_id, {', '.join(_COLUMNS)}) VALUES ({', '.join('?' * (len(_COLUMNS) + 1))}) "
    f"ON CONFLICT (meter_id, day) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[1:])}"
)
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM link_day WHERE meter_id = ? ORDER BY day DESC LIMIT ?"


def keep_link_days(cursor: Cursor, days: Iterable[tuple[int, LinkDay]]) -> None:
    """Write each day of a meter's id, in place of what was written of that day before."""
    cursor.executemany(_UPSERT, [(meter_id, str(day.day), *astuple(day)[1:]) for meter_id, day in days])


def link_days(cursor: Cursor, meter_id: int, limit: int) -> tuple[LinkDay, ...]:
    """The last days of a meter, newest first."""
    found = cursor.execute(_SELECT, (meter_id, limit))
    return tuple(
        LinkDay(**{**dict(zip(_COLUMNS, row, strict=True)), "day": date.fromisoformat(row[0])}) for row in found
    )
