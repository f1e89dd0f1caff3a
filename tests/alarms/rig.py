"""One meter under rules, moment by moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from wattrail.alarms import AlarmKind, AlarmRule, AlarmWatch, MeterSnapshot, StoredAlarmEvent

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 6, 21, 10, 0, tzinfo=UTC)


def rule(kind: AlarmKind, **fields: Any) -> AlarmRule:
    return AlarmRule(name=fields.pop("name", str(kind)), kind=kind, **fields)


class Watched:
    """A meter named house; ``see`` shows it to its rules, one second after the other."""

    def __init__(self, *rules: AlarmRule, at: datetime = NOON) -> None:
        self.watch = AlarmWatch(rules, ("house",), BERLIN)
        self.at, self.monotonic = at, 0.0
        self.events: list[StoredAlarmEvent] = []

    def see(self, seconds: float = 1.0, times: int = 1, **known: Any) -> list[str]:
        """Let time pass and see what is known, so many times; the changes that it causes."""
        changes: list[str] = []
        for _ in range(times):
            self.at += timedelta(seconds=seconds)
            self.monotonic += seconds
            found = self.watch.see(
                MeterSnapshot(meter="house", at=self.at, monotonic=self.monotonic, simulated=True, **known)
            )
            self.events += found
            changes += [event.change for event in found]
        return changes

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.events]
