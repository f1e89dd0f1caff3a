"""Virtual meters: registers that follow from the entries of other meters.

Nothing is stored for them but their definitions. Their intervals are derived from the entries of their members, which
are never edited: nothing can be booked twice or lost between the two, and whoever audits the members has audited these.

An interval is a minute that every member has booked. Where a member has a gap, one interval reaches over all of it, and
has its energy once that is known. In each interval the whole milliwatt-hours by which the members' registers moved are
added up, and never rounded again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import Final, NamedTuple

from wattrail.energy_register import Direction, EnergyRegister, Persistence
from wattrail.ledger.entries import Entry, EntryKind, Epoch, Totals
from wattrail.ledger.intervals import Interval, by_interval, holes
from wattrail.ledger.ledger_slice import LedgerSlice

__all__ = ["Definition", "VirtualInterval", "VirtualKind", "virtual_intervals", "virtual_ledger"]

_RESOLUTION: Final = timedelta(minutes=1)
"""The length of a members' entry: power that changes its sign within it is netted."""

_MICROSECOND: Final = timedelta(microseconds=1)
_NOTHING: Final = Totals(0, 0)

_REGISTER: Final = EnergyRegister(
    name="virtual", step_mwh=Fraction(1), direction=Direction.SUM, persistence=Persistence.KEPT,
    max_counts_per_us=Fraction(1),
)  # fmt: skip
"""Counts of whole milliwatt-hours, as its intervals are."""


class VirtualKind(StrEnum):
    """What is made of the members."""

    SUM = "sum"  # import with import, export with export; with a minus the difference, by its sign in each interval
    BALANCE = "balance"  # the net of all, by its sign in each interval, as a three-phase meter counts
    SELF_CONSUMPTION = "self_consumption"  # what ``plus`` exports and ``minus`` does not


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One version of a virtual meter, which holds from ``since`` (UTC) until the next one.

    ``plus`` and ``minus`` are names of meters. For self-consumption ``plus`` is the meter of production, which is its
    export, and ``minus`` the meter of the grid. No members at all: removed from then on. Raises ValueError.
    """

    kind: VirtualKind
    since: datetime
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if twice := sorted(name for name in set(self.members) if self.members.count(name) > 1):
            raise ValueError(f"a member counts once, got {', '.join(twice)} more than once")
        if self.members and not self.plus:
            raise ValueError("a virtual meter needs a meter in plus, got meters in minus only")
        if self.kind is VirtualKind.BALANCE and self.minus:
            raise ValueError(f"a balance has no minus, got {', '.join(self.minus)}")
        sides = (len(self.plus), len(self.minus))
        if self.kind is VirtualKind.SELF_CONSUMPTION and self.members and sides != (1, 1):
            raise ValueError(f"self-consumption needs one meter of production and one of the grid, got {sides}")

    @property
    def members(self) -> tuple[str, ...]:
        """The names of all members."""
        return self.plus + self.minus


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualInterval:
    """Energy of ``[start, end)`` in milliwatt-hours, the registers at its end, and the definition it follows.

    Had the members been netted at every instant, import and export would each be larger by ``bound_mwh`` at most.
    ``complete`` says that every member was watched from end to end.
    """

    start: datetime
    end: datetime
    definition: Definition
    energy: Totals
    register: Totals
    bound_mwh: int
    complete: bool


def virtual_ledger(definitions: Sequence[Definition], members: Mapping[str, LedgerSlice]) -> LedgerSlice:
    """The ledger of a virtual meter, for periods and bills like those of any other. Arguments as ``virtual_intervals``.

    The epoch of an entry is the number of its definition, from 1. Where none held there is a gap without energy.
    """
    numbers = {definition.since: number for number, definition in enumerate(definitions, start=1)}
    entries: list[Entry] = []
    for interval in virtual_intervals(definitions, members):
        number = numbers[interval.definition.since]
        if not entries:
            entries.append(_entry(1, EntryKind.START, interval.start, interval.start, number))
        elif entries[-1].end < interval.start:
            entries.append(_entry(len(entries) + 1, EntryKind.GAP, entries[-1].end, interval.start, number))
        kind = EntryKind.COUNTED if interval.complete else EntryKind.GAP
        entries.append(
            _entry(len(entries) + 1, kind, interval.start, interval.end, number, interval.energy, interval.register)
        )
    epochs = {number: Epoch(number=number, registers=(_REGISTER,)) for number in numbers.values()}
    return LedgerSlice(entries=tuple(entries), epochs=epochs)


def _entry(
    sequence: int,
    kind: EntryKind,
    start: datetime,
    end: datetime,
    epoch: int,
    energy: Totals = _NOTHING,
    register: Totals = _NOTHING,
) -> Entry:
    return Entry(
        sequence=sequence, kind=kind, start=start, end=end, epoch=epoch, elapsed_us=(end - start) // _MICROSECOND,
        positive=energy.import_mwh, negative=energy.export_mwh, undirected=energy.undirected_mwh,
        count=register.import_mwh + register.export_mwh + register.undirected_mwh,
    )  # fmt: skip


class _Moved(NamedTuple):
    towards: int
    away: int
    undirected: int


def virtual_intervals(
    definitions: Sequence[Definition], members: Mapping[str, LedgerSlice]
) -> Iterator[VirtualInterval]:
    """The intervals that every member has booked, oldest first. The registers begin at 0 and never fall.

    ``definitions`` are in the order of ``since``; ``members`` gives the whole ledger of every meter they name. Raises
    ValueError if the order is wrong, KeyError for a member without a ledger.
    """
    if any(later.since <= earlier.since for earlier, later in pairwise(definitions)):
        raise ValueError("definitions must come in order, each later than the one before")
    register = Totals(0, 0)
    limits: list[datetime | None] = [*(each.since for each in definitions[1:]), None]
    for definition, until in zip(definitions, limits, strict=True):
        slices = [members[name] for name in definition.members]
        moments = _moments(slices, definition.since, until)
        owed = 0
        for rows in zip(*(by_interval(one, moments) for one in slices), strict=True):
            energy, owed = _energy(definition, _moved(definition, rows), owed)
            register = _sum([register, energy])
            yield VirtualInterval(
                start=rows[0].start, end=rows[0].end, definition=definition, energy=energy, register=register,
                bound_mwh=_bound(definition, rows), complete=all(row.complete for row in rows),
            )  # fmt: skip


def _moments(slices: Sequence[LedgerSlice], since: datetime, until: datetime | None) -> list[datetime]:
    """Where intervals meet: whole minutes in no gap of a member, and where a definition begins or ends."""
    begins = [one.began for one in slices if one.began is not None]
    ends = [one.booked_until for one in slices if one.booked_until is not None]
    if not slices or len(begins) < len(slices):
        return []
    first, last = max(since, *begins), min(ends)
    if until is not None:
        last = min(last, until)
    if last <= first:
        return []
    closed = [first, *_outside(_minutes(first, last), sorted(hole for one in slices for hole in holes(one)))]
    return [*closed, last] if last == until and closed[-1] < last else closed


def _minutes(first: datetime, last: datetime) -> Iterator[datetime]:
    moment = first.replace(second=0, microsecond=0) + _RESOLUTION
    while moment <= last:
        yield moment
        moment += _RESOLUTION


def _outside(moments: Iterable[datetime], spans: Sequence[tuple[datetime, datetime]]) -> Iterator[datetime]:
    """Those that lie within none of the spans, both in order."""
    place, covered_until = 0, None
    for moment in moments:
        while place < len(spans) and spans[place][0] < moment:
            covered_until = max(covered_until or spans[place][1], spans[place][1])
            place += 1
        if covered_until is None or covered_until <= moment:
            yield moment


def _moved(definition: Definition, rows: Sequence[Interval]) -> _Moved:
    """Energy towards the virtual meter and away from it: what a minus imports goes away."""
    plus, minus = _sides(definition, rows)
    undirected = plus.undirected_mwh + minus.undirected_mwh
    if definition.kind is VirtualKind.SELF_CONSUMPTION:
        return _Moved(plus.export_mwh, minus.export_mwh, undirected)
    return _Moved(plus.import_mwh + minus.export_mwh, plus.export_mwh + minus.import_mwh, undirected)


def _energy(definition: Definition, moved: _Moved, owed: int) -> tuple[Totals, int]:
    """Energy of an interval, and what is still to be taken from the next.

    Of self-consumption an interval can show less than nothing: two meters are not read in one instant. It never falls,
    so that is taken from what follows.
    """
    net = moved.towards - moved.away
    if definition.kind is VirtualKind.SELF_CONSUMPTION:
        net -= owed
        return Totals(max(net, 0), 0, moved.undirected), max(-net, 0)
    if _is_netted(definition):
        return Totals(max(net, 0), max(-net, 0), moved.undirected), 0
    return Totals(*moved), 0


def _bound(definition: Definition, rows: Sequence[Interval]) -> int:
    """Import lies between the net and all that is imported: what is netted away is the lesser direction at most."""
    moved = _moved(definition, rows)
    return min(moved.towards, moved.away) if _is_netted(definition) else 0


def _is_netted(definition: Definition) -> bool:
    is_difference = definition.kind is VirtualKind.SUM and bool(definition.minus)
    return is_difference or definition.kind is VirtualKind.BALANCE


def _sides(definition: Definition, rows: Sequence[Interval]) -> tuple[Totals, Totals]:
    energies = [row.energy for row in rows]
    return _sum(energies[: len(definition.plus)]), _sum(energies[len(definition.plus) :])


def _sum(energies: Sequence[Totals]) -> Totals:
    return Totals(
        sum(each.import_mwh for each in energies),
        sum(each.export_mwh for each in energies),
        sum(each.undirected_mwh for each in energies),
    )
