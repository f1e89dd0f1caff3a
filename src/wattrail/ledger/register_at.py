"""What the cumulative registers show at given moments, exactly, in one pass over the ledger.

A counted entry, a minute or one reading long, is divided evenly at a moment that falls into it. Whatever has no shape
(a gap, a restart, an entry in which the clock was set, a manual entry) is booked whole where it ends. What ends at a
moment belongs to the time before it; what happens in an instant belongs to the time after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from wattrail.ledger.energy_sum import EnergySum
from wattrail.ledger.entries import STATED, THE_END, Entry, EntryKind
from wattrail.ledger.ledger_slice import Energy, LedgerSlice
from wattrail.ledger.reversals import left_in_registers, reversals
from wattrail.ledger.timeline import CLOCK_SLACK

__all__ = ["Aside", "EntryQueue", "SeriesPoint", "registers_at"]

Aside = Callable[[Entry], bool]
"""Whether an entry without a shape is to be summed apart."""

_MICROSECOND = timedelta(microseconds=1)
_NOTHING = Energy()


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """All energy up to a moment, exact. ``gaps``, ``stated`` and ``asides`` are parts of ``total``.

    ``left`` is what reversed entries have left in the registers: they show it, and no period has it.
    """

    at: datetime
    total: Energy
    gaps: Energy
    stated: Energy
    asides: tuple[Energy, ...] = ()
    left: Energy = _NOTHING

    @property
    def register(self) -> Energy:
        """What the registers show at the moment; from one to a later one they never fall."""
        return self.total if self.left is _NOTHING else self.total.plus(self.left)


class _Pass:
    """One pass over the ledger: how far it has come, and the sums so far."""

    def __init__(self, ledger_slice: LedgerSlice, asides: Sequence[Aside]) -> None:
        self._epochs = ledger_slice.epochs
        self._total, self._gaps, self._stated = EnergySum(ledger_slice.before), EnergySum(), EnergySum()
        self._asides = [(aside, EnergySum()) for aside in asides]
        openings = [entry for entry in ledger_slice.stated if entry.is_opening]
        for entry in openings:
            self._total.add(entry)  # it holds from the beginning, and is part of no interval
        self._counted = EntryQueue(ledger_slice.entries)
        self._later = EntryQueue(entry for entry in ledger_slice.stated if not entry.is_opening)
        self._manual, self._left = openings if reversals(ledger_slice.stated) else None, _NOTHING
        if self._manual:
            self._left = left_in_registers(self._manual, self._epochs)

    def point(self, at: datetime) -> SeriesPoint:
        for entry in self._counted.done_by(at):
            self._book(entry)
        if later := list(self._later.done_by(at)):
            self._book_stated(later)
        total = self._total.energy(self._epochs)
        for cut in self._counted.cut_at(at):
            # Exact: the parts of an entry that is cut by a boundary add up to it again, however often it is cut.
            share = Fraction((at - cut.start) // _MICROSECOND, (cut.end - cut.start) // _MICROSECOND)
            total = total.plus(Energy.of(cut, self._epochs[cut.epoch]), share)
        gaps, stated = self._gaps.energy(self._epochs), self._stated.energy(self._epochs)
        asides = tuple(each.energy(self._epochs) for _, each in self._asides)
        return SeriesPoint(at, total, gaps, stated, asides, self._left)

    def _book_stated(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._book(entry)
        if self._manual is not None:
            self._manual = [*self._manual, *entries]
            self._left = left_in_registers(self._manual, self._epochs)

    def _book(self, entry: Entry) -> None:
        self._total.add(entry)
        if entry.shaped:
            return
        # Whole where it ends: by the middle of each entry a gap from 18:03 to 01:00 was 0.1 kWh of the day on the page
        # and 14 kWh in the list. Divided evenly, a bill would charge what nobody saw (ADR 26).
        (self._stated if entry.kind in STATED else self._gaps).add(entry)
        for aside, apart in self._asides:
            if aside(entry):
                apart.add(entry)


class EntryQueue:
    """Entries in the order of their ends, given out once each when their time has come.

    Where a clock was set back they were not written in that order, and more than one can be cut by a moment.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = sorted(entries, key=lambda entry: entry.end)
        self._place = 0
        counted_us = max((entry.elapsed_us for entry in self._entries if entry.kind is EntryKind.COUNTED), default=0)
        self._longest = timedelta(microseconds=counted_us) + CLOCK_SLACK

    @property
    def next_end(self) -> datetime:
        """When the next of them ends; after all time, if none is left."""
        return self._entries[self._place].end if self._place < len(self._entries) else THE_END

    def done_by(self, at: datetime) -> Iterable[Entry]:
        """Those that are over at a moment and were not at the one before."""
        while self._place < len(self._entries) and self._entries[self._place].is_over(at):
            self._place += 1
            yield self._entries[self._place - 1]

    def cut_at(self, at: datetime) -> Iterable[Entry]:
        """Entries with a shape that lie on both sides of a moment."""
        for place in range(self._place, len(self._entries)):
            entry = self._entries[place]
            if entry.end > at + self._longest:
                return
            if entry.start < at < entry.end and entry.shaped:
                yield entry


def registers_at(
    ledger_slice: LedgerSlice, moments: Iterable[datetime], *, asides: Sequence[Aside] = ()
) -> tuple[SeriesPoint, ...]:
    """The registers at each of the moments, which come in order. Raises ValueError if they do not."""
    moments = tuple(moments)
    if any(later < earlier for earlier, later in pairwise(moments)):
        raise ValueError("moments must come in order")
    passing = _Pass(ledger_slice, asides)
    return tuple(passing.point(moment) for moment in moments)
