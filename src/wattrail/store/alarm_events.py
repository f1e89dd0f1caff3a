"""The stored alarm events: what was raised, cleared and acknowledged, and the last that each consumer got.

Each user opens them with a connection of its own, in its own thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from wattrail.errors import StoreError
from wattrail.store.rows import from_microseconds, microseconds

__all__ = ["AlarmEvents", "StoredAlarmEvent"]

_BUSY_S: Final = 5.0
_FROM: Final = (
    "SELECT id, at, rule, meter, change, severity, value, limit_value, unit, text, simulated FROM alarm_event"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAlarmEvent:
    """A change of one alarm: ``change`` is ``raised``, ``cleared`` or ``acknowledged``.

    ``value`` and ``limit`` are in ``unit``, None where there is none. ``meter`` is None for a test of the delivery.
    ``id`` rises with each event; 0 before it is stored.
    """

    at: datetime
    rule: str
    meter: str | None
    change: str
    severity: str
    value: float | None
    limit: float | None
    unit: str
    text: str
    simulated: bool
    id: int = 0


class AlarmEvents:
    """The alarm events of a database that ``open_store`` has migrated. Raises StoreError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._explained():
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_S, isolation_level=None,
                check_same_thread=False,
            )  # fmt: skip

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, events: Sequence[StoredAlarmEvent]) -> tuple[StoredAlarmEvent, ...]:
        """Store events together, in their order; they come back with their ids."""
        with self._explained(), closing(self._connection.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                stored = tuple(replace(event, id=self._append(cursor, event)) for event in events)
                cursor.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    cursor.execute("ROLLBACK")
                raise
        return stored

    def after(self, last_id: int, limit: int) -> tuple[StoredAlarmEvent, ...]:
        """The oldest events with an id above ``last_id``, ``limit`` at most."""
        return self._select(f"{_FROM} WHERE id > ? ORDER BY id LIMIT ?", (last_id, limit))

    def newest(self, limit: int) -> tuple[StoredAlarmEvent, ...]:
        """The newest events, newest first, ``limit`` at most."""
        return self._select(f"{_FROM} ORDER BY id DESC LIMIT ?", (limit,))

    def standing(self) -> tuple[StoredAlarmEvent, ...]:
        """The events since each alarm was last clear, oldest first: from them the state of all alarms follows."""
        cleared = (
            "SELECT MAX(id) FROM alarm_event AS other "
            "WHERE other.rule = alarm_event.rule AND other.meter IS alarm_event.meter AND change = 'cleared'"
        )
        return self._select(f"{_FROM} WHERE id > COALESCE(({cleared}), 0) ORDER BY id", ())

    def last_sent(self, consumer: str) -> int | None:
        """The id of the last event that a consumer got; None for one that is new."""
        with self._explained(), closing(self._connection.cursor()) as cursor:
            row = cursor.execute("SELECT last_id FROM alarm_delivery WHERE consumer = ?", (consumer,)).fetchone()
        return None if row is None else int(row[0])

    def mark_sent(self, consumer: str, last_id: int) -> None:
        """A consumer has every event up to that id."""
        with self._explained():
            self._connection.execute(
                "INSERT INTO alarm_delivery VALUES (?, ?) ON CONFLICT DO UPDATE SET last_id = excluded.last_id",
                (consumer, last_id),
            )

    def _append(self, cursor: sqlite3.Cursor, event: StoredAlarmEvent) -> int:
        cursor.execute(
            "INSERT INTO alarm_event (at, rule, meter, meter_id, change, severity, value, limit_value, unit, text, "
            "simulated) VALUES (?1, ?2, ?3, (SELECT id FROM meter WHERE name = ?3), ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            (
                microseconds(event.at), event.rule, event.meter, event.change, event.severity, event.value,
                event.limit, event.unit, event.text, event.simulated,
            ),
        )  # fmt: skip
        return int(cursor.lastrowid or 0)

    def _select(self, sql: str, values: tuple[object, ...]) -> tuple[StoredAlarmEvent, ...]:
        with self._explained(), closing(self._connection.cursor()) as cursor:
            return tuple(map(_event, cursor.execute(sql, values)))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"the alarm events in {self._path}: {error}",
                hint="free some space on the disk" if "full" in str(error) else None,
            ) from error


def _event(row: tuple[Any, ...]) -> StoredAlarmEvent:
    number, at, rule, meter, change, severity, value, limit, unit, text, simulated = row
    return StoredAlarmEvent(
        id=int(number), at=from_microseconds(at), rule=str(rule), meter=meter, change=str(change),
        severity=str(severity), value=value, limit=limit, unit=str(unit), text=str(text), simulated=bool(simulated),
    )  # fmt: skip
