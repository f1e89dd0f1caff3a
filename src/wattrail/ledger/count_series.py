"""Energy by period out of sums of counts: what ``by_interval`` gives for a ledger, in whole numbers throughout.

A year by hours is 8,760 boundaries. Each of them needs the counts so far and, as a rule, its share of the one entry
that lies on both sides of it. All steps of a meter's epochs have one common denominator, so registers are numerators
that grow by the counts between two boundaries; no fraction is made for any of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import lcm
from typing import Final

from wattrail.ledger.entries import STATED, Entry, Epoch, Totals
from wattrail.ledger.intervals import Interval, Point, Untimed, intervals_between
from wattrail.ledger.ledger_slice import ByEpoch, Counts, Energy, LedgerSlice
from wattrail.ledger.register_at import EntryQueue
from wattrail.ledger.reversals import left_in_registers

__all__ = ["CountSeries", "by_counts"]

_NOTHING: Final = Totals(0, 0)
_CUTS: Final = 5
"""The column of a row of an hour with the number of entries that its beginning cuts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountSeries:
    """A ledger as seen from some boundaries, in order.

    ``before`` are counts, by epoch, of all entries that are over at the first boundary. ``between`` has those of
    entries with a shape that are over at a later boundary and not at the one before it: (place of the boundary, epoch,
    positive, negative, undirected). ``cuts`` has each entry with a shape that a boundary cuts: the same five, then how
    much of it passed before and its whole length in microseconds. ``hours`` has both in one row, where boundaries are
    hours: (place of its beginning, epoch, and the three counts of the hour; how many entries its beginning cuts; and
    where that is one, the last five of ``cuts``). Rows are as the database gives them, in any order.
    ``others`` has the entries without a shape, the first and the last, all epochs, and what was stated; ``began`` is
    the earliest start of any entry.
    """

    boundaries: Sequence[datetime]
    before: Mapping[int, Counts]
    hours: Sequence[tuple[int, ...]]
    between: Sequence[tuple[int, ...]]
    cuts: Sequence[tuple[int, ...]]
    others: LedgerSlice
    began: datetime | None


def by_counts(series: CountSeries) -> tuple[Interval, ...]:
    """Energy between each two neighbouring boundaries: the same as ``by_interval`` of the ledger gives."""
    complete = Untimed(series.others, began=series.began).complete(series.boundaries)
    return intervals_between(series.boundaries, _points(series), complete)


@dataclass(slots=True)
class _Sum:
    """Energy as numerators over one denominator, in milliwatt-hours."""

    weights: Mapping[int, int]
    inverted: frozenset[int]
    denominator: int
    import_: int = 0
    export: int = 0
    undirected: int = 0
    _rounded: Totals | None = field(default=_NOTHING)

    def add(self, epoch: int, positive: int, negative: int, undirected: int) -> None:
        weight = self.weights[epoch]
        if epoch in self.inverted:
            positive, negative = negative, positive
        self.import_ += positive * weight
        self.export += negative * weight
        self.undirected += undirected * weight
        self._rounded = None

    def add_entry(self, entry: Entry) -> None:
        self.add(entry.epoch, entry.positive, entry.negative, entry.undirected)
        self.import_ += entry.import_mwh * self.denominator
        self.export += entry.export_mwh * self.denominator

    def rounded_down(self) -> Totals:
        """The same object until something is added."""
        if self._rounded is None:
            whole = self.denominator
            self._rounded = Totals(self.import_ // whole, self.export // whole, self.undirected // whole)
        return self._rounded

    def with_parts(self, cuts: Sequence[tuple[int, ...]], left: Energy | None = None) -> Totals:
        """Rounded down with the shares of entries that go on, and with what reversed entries left, of its fractions."""
        import_, export, undirected, denominator = self.import_, self.export, self.undirected, self.denominator
        if left:
            import_, export = import_ + int(left.import_ * denominator), export + int(left.export * denominator)
        # Numerator and denominator apart, and divided once: a Fraction would look for a common divisor at each step.
        scale = 1
        for cut in cuts:
            positive, negative, unknown, passed, whole = cut[-5:]
            share = self.weights[cut[1]] * passed * scale
            if cut[1] in self.inverted:
                positive, negative = negative, positive
            import_, export = import_ * whole + positive * share, export * whole + negative * share
            undirected, scale = undirected * whole + unknown * share, scale * whole
        denominator *= scale
        return Totals(import_ // denominator, export // denominator, undirected // denominator)


def _points(series: CountSeries) -> Iterator[Point]:
    """What is known at each boundary."""
    epochs = series.others.epochs
    total, gaps, stated = _sum(epochs), _sum(epochs), _sum(epochs)
    for epoch, counts in series.before.items():
        total.add(epoch, *counts)
    manual = [entry for entry in series.others.stated if entry.is_opening]
    for entry in manual:
        total.add_entry(entry)  # it holds from the beginning, and is part of no interval
    left = _left(manual, epochs)
    asides, first = _asides(series.others), series.boundaries[0]
    counts_at, cuts_at, hours_at = _by_place(series.between), _by_place(series.cuts), _by_place(series.hours)
    gaps_now, stated_now, next_end = gaps.rounded_down(), stated.rounded_down(), asides.next_end
    hours: Sequence[tuple[int, ...]] = ()
    for number, at in enumerate(series.boundaries):
        for row in hours:  # of the hour that ends here
            total.add(row[1], row[2], row[3], row[4])
        for row in counts_at.get(number, ()):
            total.add(row[1], row[2], row[3], row[4])
        for entry in asides.done_by(at) if next_end <= at else ():
            is_stated = entry.kind in STATED
            (stated if is_stated else gaps).add_entry(entry)
            if is_stated or not entry.is_over(first):
                total.add_entry(entry)
            if is_stated:
                manual.append(entry)
                left = _left(manual, epochs)
        if next_end <= at:
            gaps_now, stated_now, next_end = gaps.rounded_down(), stated.rounded_down(), asides.next_end
        hours = hours_at.get(number, ())
        cuts = [row for row in hours if row[_CUTS] == 1]
        if number in cuts_at:
            cuts += cuts_at[number]
        whole = total.with_parts(cuts) if cuts else total.rounded_down()
        register = total.with_parts(cuts, left) if left else whole
        yield whole, gaps_now, stated_now, register


def _asides(others: LedgerSlice) -> EntryQueue:
    """Entries without a shape, and manual ones but openings."""
    manual = (entry for entry in others.stated if not entry.is_opening)
    return EntryQueue([*(entry for entry in others.entries if not entry.shaped), *manual])


def _left(manual: Iterable[Entry], epochs: Mapping[int, Epoch]) -> Energy | None:
    """What reversed entries left in the registers; None where that is nothing."""
    left = left_in_registers(manual, epochs)
    return left if any(left) else None


def _by_place(rows: Iterable[tuple[int, ...]]) -> dict[int, list[tuple[int, ...]]]:
    found: dict[int, list[tuple[int, ...]]] = {}
    for row in rows:
        if row[0] in found:
            found[row[0]].append(row)
        else:
            found[row[0]] = [row]
    return found


def _sum(epochs: Mapping[int, Epoch]) -> _Sum:
    denominator = lcm(*(epoch.step_mwh.denominator for epoch in epochs.values()))
    return _Sum(
        weights=ByEpoch(
            (number, epoch.step_mwh.numerator * (denominator // epoch.step_mwh.denominator))
            for number, epoch in epochs.items()
        ),
        inverted=frozenset(number for number, epoch in epochs.items() if epoch.inverted),
        denominator=denominator,
    )
