"""What the ledger has counted and not yet written into an entry, and what a time nobody watched may be booked as."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from wattrail.ledger.entries import BEGINNING, Entry, EntryKind, Observation
from wattrail.ledger.register_rule import RegisterStep
from wattrail.ledger.timeline import Arrival

__all__ = ["ENTRY_SPAN", "Away", "Span", "kind_and_note"]

ENTRY_SPAN: Final = timedelta(minutes=1)
"""Counted entries are closed at the first reading in a new span of this length, by the ledger's own time."""


@dataclass(slots=True)
class Span:
    """What has been counted since the last entry. ``minute`` is when the minute of its start began."""

    start: datetime
    positive: int = 0
    negative: int = 0
    elapsed_us: int = 0
    readings: int = 0
    notes: list[str] = field(default_factory=list)
    minute: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.begin_at(self.start)

    def begin_at(self, start: datetime) -> None:
        """Have it begin at another moment, with what it has counted."""
        self.start = start
        self.minute = start.astimezone(UTC) - (start - BEGINNING) % ENTRY_SPAN


@dataclass(slots=True)
class Away:
    """What the counter proves over a pause, to be booked once the clock after it is sure.

    ``held`` are the entries before it. They wait too: an entry that is given out accounts for every reading up to then.
    """

    held: tuple[Entry, ...]
    clock: Arrival
    seen: Observation
    kind: EntryKind
    counts: tuple[int, int, int]
    note: str


def kind_and_note(step: RegisterStep, away: str) -> tuple[EntryKind, str]:
    """Kind and note of an entry over time nobody watched."""
    kind = EntryKind.GAP if step.kind is EntryKind.COUNTED else step.kind
    return kind, step.note or f"{away}; the counter moved by {step.counts}"
