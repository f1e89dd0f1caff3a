"""The events of a gateway for its readers (the page, publishers, tests). Every event is frozen and can be shared.

``MeterChanged`` is a live value: a slow reader gets only the newest one of each meter. All others are delivered one by
one in their order; ``EventsLost`` counts those that a slow reader missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wattrail.alarms import StoredAlarmEvent
from wattrail.gateway.view import MeterState, MeterView
from wattrail.ledger import Entry

__all__ = [
    "AlarmChanged",
    "EntryBooked",
    "Event",
    "EventsLost",
    "MeterChanged",
    "NoticeChanged",
    "OrderedEvent",
    "StateChanged",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterChanged:
    """The newest view of a meter, with its last reading. Readings in between are in the store."""

    view: MeterView

    @property
    def meter(self) -> str:
        """The meter's name."""
        return self.view.name


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryBooked:
    """A ledger entry was booked and stored: counted energy, a gap, a restart, or a manual entry.

    Energy is in ``entry`` as raw counts of its epoch; ``simulated`` says that a twin counted them.
    """

    meter: str
    simulated: bool
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    """A meter went from one state to another; ``error`` and ``hint`` say why, None when it is live."""

    meter: str
    at: datetime
    before: MeterState
    state: MeterState
    error: str | None
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeChanged:
    """The wall clock of the host jumped (``notice`` says by how much), or agrees again (None)."""

    meter: str
    at: datetime
    notice: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmChanged:
    """An alarm was raised, cleared or acknowledged, and that is stored; those that stand are repeated at a start."""

    event: StoredAlarmEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsLost:
    """The reader was too slow: ``count`` ordered events before the next one were dropped. Entries are in the store."""

    count: int


OrderedEvent = EntryBooked | StateChanged | NoticeChanged | AlarmChanged
"""Delivered one by one, in order."""

Event = MeterChanged | OrderedEvent | EventsLost
