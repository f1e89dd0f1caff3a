"""One event of an alarm, and which alarms stand after a row of events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

__all__ = ["TEST_RULE", "StandingAlarm", "StoredAlarmEvent", "standing_alarms"]

TEST_RULE: Final = "test"
"""The rule of events that try the delivery; no rule of a configuration has this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAlarmEvent:
    """A change of one alarm: ``change`` is ``raised``, ``cleared`` or ``acknowledged``.

    ``value`` and ``limit`` are in ``unit``, None where there is none. ``meter`` is None for a test of the delivery.
    ``deliver_at`` is when quiet hours let it be sent to a person, None for at once. ``id`` rises with each event; 0
    before it is stored.
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
    deliver_at: datetime | None = None
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingAlarm:
    """An alarm that is raised, by the event that raised it; ``acknowledged_at`` is None until someone has seen it."""

    raised: StoredAlarmEvent
    acknowledged_at: datetime | None = None


def standing_alarms(events: Iterable[StoredAlarmEvent]) -> tuple[StandingAlarm, ...]:
    """The alarms that are raised after these events, which are in order; the one raised first comes first.

    An acknowledgement that came as its alarm was cleared counts for nothing.
    """
    standing: dict[tuple[str, str | None], StandingAlarm] = {}
    for event in events:
        key = (event.rule, event.meter)
        if event.change == "raised":
            standing[key] = StandingAlarm(raised=event)
        elif event.change == "cleared":
            standing.pop(key, None)
        elif key in standing:
            standing[key] = replace(standing[key], acknowledged_at=event.at)
    return tuple(standing.values())
