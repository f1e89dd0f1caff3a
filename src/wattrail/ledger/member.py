"""The entries of one member of a virtual meter, in the order of time; those that are done with are only added up."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from wattrail.ledger.entries import Entry, EntryKind, Epoch
from wattrail.ledger.intervals import Interval, by_interval, is_hole
from wattrail.ledger.ledger_slice import Counts, LedgerSlice

__all__ = ["MemberLedger"]

_NOTHING = Counts(0, 0, 0)


class MemberLedger:
    """What a member counted, from a part of its ledger on.

    Where its clock was set back, time was booked twice. What was booked for such a time is energy without a shape, and
    ends where time goes on: an interval that was closed never changes.
    """

    def __init__(self, ledger_slice: LedgerSlice) -> None:
        self.sequence = 0
        self.began: datetime | None = None
        self._before = dict(ledger_slice.before)
        self._epochs: Mapping[int, Epoch] = {}
        self._entries: list[Entry] = []
        self._ends: list[datetime] = []
        self._waiting: list[Entry] = []
        self.take(ledger_slice.entries, ledger_slice.epochs)

    @property
    def booked_until(self) -> datetime | None:
        """The latest time that it has booked."""
        return self._ends[-1] if self._ends else None

    def take(self, entries: Iterable[Entry], epochs: Mapping[int, Epoch]) -> None:
        """Add the entries that follow; ``epochs`` are all of the meter's."""
        self._epochs = epochs
        for entry in entries:
            self.sequence = entry.sequence
            if self.began is None:
                self.began = entry.start
            until = self.booked_until
            if until is None or (min(entry.start, entry.end) >= until and not self._waiting):
                self._add(entry)
            elif entry.end <= until:
                self._waiting.append(entry)
            else:
                # As a gap that ends where time goes on: no energy is lost, and no interval that was closed gets any
                # (ADR 35).
                for late in (*self._waiting, entry):
                    self._add(replace(late, kind=EntryKind.GAP, start=until, end=entry.end))
                self._waiting.clear()

    def between(self, moments: Sequence[datetime]) -> tuple[Interval, ...]:
        """Energy between each two neighbouring moments, rounded as the member's own registers are."""
        place = bisect_right(self._ends, moments[-1]) + 1
        ledger_slice = LedgerSlice(entries=tuple(self._entries[:place]), epochs=self._epochs, before=self._before)
        return by_interval(ledger_slice, moments)

    def holes(self, limit: datetime) -> list[tuple[datetime, datetime]]:
        """Start and end of what has no shape and begins before a moment."""
        place = bisect_right(self._ends, limit) + 1
        return [(entry.start, entry.end) for entry in self._entries[:place] if is_hole(entry)]

    def forget(self, until: datetime) -> None:
        """Only add up what ended before a moment."""
        place = bisect_left(self._ends, until)
        for entry in self._entries[:place]:
            before = self._before.get(entry.epoch, _NOTHING)
            self._before[entry.epoch] = Counts(
                before.positive + entry.positive, before.negative + entry.negative, before.undirected + entry.undirected
            )
        del self._entries[:place], self._ends[:place]

    def _add(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._ends.append(entry.end)
