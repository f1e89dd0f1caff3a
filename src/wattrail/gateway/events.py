"""What a gateway tells its readers (the page, publishers, tests). Every event is frozen and safe to hand on.

Two kinds, with two promises. ``MeterChanged`` is a live value: of each meter a slow reader gets the newest one and no
older one. All others are told one by one, in the order in which they happened, and how many did not fit is told, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wattrail.gateway.view import MeterView, State
from wattrail.ledger import Entry

__all__ = ["EntryBooked", "Event", "EventsLost", "MeterChanged", "NoticeChanged", "OrderedEvent", "StateChanged"]


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
    """A ledger entry was booked and is stored: counted energy, a gap, a restart, or what a person entered.

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
    before: State
    state: State
    error: str | None
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeChanged:
    """The wall clock of a meter's host jumped (``notice`` says by how much), or agrees again (None)."""

    meter: str
    at: datetime
    notice: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsLost:
    """The reader was too slow: this many ordered events before the next one were dropped. The store has the entries."""

    count: int


OrderedEvent = EntryBooked | StateChanged | NoticeChanged
"""Told one by one."""

Event = MeterChanged | OrderedEvent | EventsLost
