"""The stored alarm events: what was raised, cleared and acknowledged, and the last that each consumer got.

Each user opens them with a connection of its own, in its own thread.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from wattrail.alarms import TEST_RULE, StandingAlarm, StoredAlarmEvent, standing_alarms
from wattrail.database_address import DatabaseAddress
from wattrail.store.database import Cursor
from wattrail.store.engines import OwnConnection
from wattrail.store.rows import from_microseconds, microseconds

__all__ = ["AlarmEvents", "StoredAlarmEvent"]

_FROM: Final = (
    "SELECT id, at, rule, meter, change, severity, value, limit_value, unit, text, simulated, deliver_at "
    "FROM alarm_event"
)


class AlarmEvents(OwnConnection):
    """The alarm events of a database that ``open_store`` has migrated. Raises StoreError."""

    def __init__(self, path: DatabaseAddress, *, read_only: bool = False) -> None:
        super().__init__(path, "the alarm events", read_only=read_only)

    def append(self, events: Sequence[StoredAlarmEvent]) -> tuple[StoredAlarmEvent, ...]:
        """Store events together, in their order; they come back with their ids."""
        with self._transaction() as cursor:
            return tuple(replace(event, id=self._append(cursor, event)) for event in events)

    def acknowledge(self, numbers: Collection[int], at: datetime) -> tuple[StoredAlarmEvent, ...]:
        """Someone has seen these raised alarms, by their ids; gives the events stored, none for those seen before."""
        new = [
            replace(alarm.raised, at=at, change="acknowledged", deliver_at=None, id=0)
            for alarm in self.standing_alarms()
            if alarm.raised.id in numbers and alarm.acknowledged_at is None
        ]
        return self.append(new) if new else ()

    def after(self, last_id: int, limit: int) -> tuple[StoredAlarmEvent, ...]:
        """The oldest events with an id above ``last_id``, ``limit`` at most."""
        return self._select(f"{_FROM} WHERE id > ? ORDER BY id LIMIT ?", (last_id, limit))

    def newest(self, limit: int) -> tuple[StoredAlarmEvent, ...]:
        """The newest events, newest first, ``limit`` at most."""
        return self._select(f"{_FROM} ORDER BY id DESC LIMIT ?", (limit,))

    def raised(self, start: datetime, end: datetime, limit: int) -> tuple[StoredAlarmEvent, ...]:
        """The alarms that were raised in ``[start, end)``, oldest first, ``limit`` at most; tests are left out."""
        return self._select(
            f"{_FROM} WHERE change = 'raised' AND rule <> ? AND at >= ? AND at < ? ORDER BY id LIMIT ?",
            (TEST_RULE, microseconds(start), microseconds(end), limit),
        )

    def standing(self) -> tuple[StoredAlarmEvent, ...]:
        """The events since each alarm was last clear, oldest first: from them the state of all alarms follows."""
        cleared = (
            "SELECT MAX(id) FROM alarm_event AS other "
            "WHERE other.rule = alarm_event.rule AND other.meter IS alarm_event.meter AND change = 'cleared'"
        )
        return self._select(f"{_FROM} WHERE id > COALESCE(({cleared}), 0) ORDER BY id", ())

    def standing_alarms(self) -> tuple[StandingAlarm, ...]:
        """The alarms that are raised now."""
        return standing_alarms(self.standing())

    def due(self, consumer: str, now: datetime, limit: int) -> tuple[StoredAlarmEvent, ...]:
        """What to send to a person now: new events, ``limit`` at most, and those whose quiet hours have ended.

        One that waits holds back no other. Call ``mark_sent`` with the last id and with this ``now`` once all are sent.
        The first call of a new consumer gives nothing: it is not sent the past.
        """
        last_id, until = self._mark(consumer)
        if last_id is None:
            newest = self.newest(1)
            self.mark_sent(consumer, newest[0].id if newest else 0, now)
            return ()
        return self._select(
            f"SELECT * FROM ({_FROM} WHERE id > :last AND COALESCE(deliver_at, 0) <= :now "
            "ORDER BY id LIMIT :limit) AS new "
            f"UNION {_FROM} WHERE id <= :last AND deliver_at > :until AND deliver_at <= :now ORDER BY id",
            {"now": microseconds(now), "until": until, "last": last_id, "limit": limit},
        )

    def last_sent(self, consumer: str) -> int | None:
        """The id of the last event that a consumer got; None for one that is new."""
        return self._mark(consumer)[0]

    def mark_sent(self, consumer: str, last_id: int, now: datetime | None = None) -> None:
        """A consumer has every event up to that id, but for those that wait until after ``now``."""
        with self._cursor() as cursor:
            cursor.execute(
                "INSERT INTO alarm_delivery (consumer, last_id, until) VALUES (?, ?, ?) "
                "ON CONFLICT (consumer) DO UPDATE SET last_id = MAX(alarm_delivery.last_id, excluded.last_id), "
                "until = COALESCE(excluded.until, alarm_delivery.until)",
                (consumer, last_id, None if now is None else microseconds(now)),
            )

    def _mark(self, consumer: str) -> tuple[int | None, int]:
        with self._cursor() as cursor:
            row = cursor.execute("SELECT last_id, until FROM alarm_delivery WHERE consumer = ?", (consumer,)).fetchone()
        return (None, 0) if row is None else (int(row[0]), int(row[1] or 0))

    def _append(self, cursor: Cursor, event: StoredAlarmEvent) -> int:
        row = cursor.execute(
            "INSERT INTO alarm_event (at, rule, meter, meter_id, change, severity, value, limit_value, unit, text, "
            "simulated, deliver_at) "
            "VALUES (?, ?, ?, (SELECT id FROM meter WHERE name = ?), ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (
                microseconds(event.at), event.rule, event.meter, event.meter, event.change, event.severity,
                event.value, event.limit, event.unit, event.text, event.simulated,
                None if event.deliver_at is None else microseconds(event.deliver_at),
            ),
        ).fetchone()  # fmt: skip
        return int(row[0])

    def _select(self, sql: str, values: tuple[object, ...] | dict[str, object]) -> tuple[StoredAlarmEvent, ...]:
        with self._cursor() as cursor:
            return tuple(map(_event, cursor.execute(sql, values)))


def _event(row: tuple[Any, ...]) -> StoredAlarmEvent:
    number, at, rule, meter, change, severity, value, limit, unit, text, simulated, deliver_at = row
    return StoredAlarmEvent(
        id=int(number), at=from_microseconds(at), rule=str(rule), meter=meter, change=str(change),
        severity=str(severity), value=value, limit=limit, unit=str(unit), text=str(text), simulated=bool(simulated),
        deliver_at=None if deliver_at is None else from_microseconds(deliver_at),
    )  # fmt: skip
