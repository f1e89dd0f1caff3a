"""Virtual meters: registers that follow from the entries of other meters, and from nothing else.

An interval is a minute that every member has booked. Where a member has a gap, one interval reaches over all of it, and
has its energy once that is known. In each interval the whole milliwatt-hours by which the members' registers moved are
added up, and never rounded again. Only the last entry is needed to go on: whatever was not booked yet is derived again.

What a person stated about a member stays with the member: it was not counted in any interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from wattrail.energy_register import Direction, EnergyRegister, Persistence
from wattrail.ledger.entries import Entry, EntryKind, Totals
from wattrail.ledger.intervals import Interval
from wattrail.ledger.member import MemberLedger

__all__ = [
    "VIRTUAL_REGISTERS",
    "VIRTUAL_SCHEME",
    "Definition",
    "VirtualInterval",
    "VirtualKind",
    "VirtualLedger",
    "energy_between",
    "rederived",
]

VIRTUAL_SCHEME: Final = "virtual"

_MINUTE: Final = timedelta(minutes=1)
_AT_ONCE: Final = timedelta(days=1)
_ENTRIES_AT_ONCE: Final = 1440
_MICROSECOND: Final = timedelta(microseconds=1)
_NOTHING: Final = Totals(0, 0)
_NOT_FOLLOWED: Final = "not every member was booked: no energy"


def _register(direction: Direction) -> EnergyRegister:
    return EnergyRegister(
        name=direction.value, step_mwh=Fraction(1), direction=direction, persistence=Persistence.KEPT,
        max_counts_per_us=Fraction(1),
    )  # fmt: skip


VIRTUAL_REGISTERS: Final = (_register(Direction.IMPORT), _register(Direction.EXPORT))
"""Counts are whole milliwatt-hours. Their speed says nothing: it is the members' that is limited."""


class VirtualKind(StrEnum):
    """What is made of the members."""

    SUM = "sum"  # import with import, export with export; with a minus the difference, by its sign in each interval
    BALANCE = "balance"  # the net of all, by its sign in each interval, as a three-phase meter counts
    SELF_CONSUMPTION = "self_consumption"  # what ``plus`` exports and ``minus`` does not


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a virtual meter consists of. Raises ValueError for what means nothing.

    ``plus`` and ``minus`` are names of meters. For self-consumption ``plus`` is the meter of production, which is its
    export, and ``minus`` the meter of the grid.
    """

    kind: VirtualKind
    plus: tuple[str, ...]
    minus: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if twice := sorted(name for name in set(self.members) if self.members.count(name) > 1):
            raise ValueError(f"a member counts once, got {', '.join(twice)} more than once")
        if not self.plus:
            raise ValueError("a virtual meter needs a meter in plus, got none")
        if self.kind is VirtualKind.BALANCE and self.minus:
            raise ValueError(f"a balance has no minus, got {', '.join(self.minus)}")
        sides = (len(self.plus), len(self.minus))
        if self.kind is VirtualKind.SELF_CONSUMPTION and sides != (1, 1):
            raise ValueError(f"self-consumption needs one meter of production and one of the grid, got {sides}")

    @classmethod
    def from_url(cls, url: str) -> Definition:
        """The definition that ``url`` gives. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme != VIRTUAL_SCHEME:
            raise ValueError(f"{url!r} is not a definition: it begins with {VIRTUAL_SCHEME}:")
        sides = {key: tuple(values[-1].split(",")) for key, values in parse_qs(parts.query).items()}
        return cls(kind=VirtualKind(parts.path), plus=sides.get("plus", ()), minus=sides.get("minus", ()))

    @property
    def url(self) -> str:
        """The definition as it is stored, such as ``virtual:sum?plus=house&minus=heat_pump``."""
        minus = f"&minus={','.join(self.minus)}" if self.minus else ""
        return f"{VIRTUAL_SCHEME}:{self.kind}?plus={','.join(self.plus)}{minus}"

    @property
    def members(self) -> tuple[str, ...]:
        """The names of all members."""
        return self.plus + self.minus

    def watts(self, members: Sequence[float]) -> float:
        """Power, from that of the members in their order; positive is import."""
        if self.kind is VirtualKind.SELF_CONSUMPTION:
            solar, grid = members
            return max(max(-solar, 0.0) - max(-grid, 0.0), 0.0)
        plus = len(self.plus)
        return sum(members[:plus]) - sum(members[plus:])


class VirtualInterval(NamedTuple):
    """Energy of ``[start, end)``, and what is still ``owed`` to the next.

    Had the members been netted at every instant, import and export would each be larger by ``bound_mwh`` at most.
    """

    start: datetime
    end: datetime
    energy: Totals
    owed: int
    bound_mwh: int
    complete: bool


def energy_between(
    definition: Definition, members: Sequence[MemberLedger], moments: Sequence[datetime], owed: int = 0
) -> Iterator[VirtualInterval]:
    """What a definition makes of its members between each two neighbouring moments."""
    for rows in zip(*(member.between(moments) for member in members), strict=True):
        moved = _moved(definition, rows)
        energy, owed = _energy(definition, moved, owed)
        bound = min(moved.towards, moved.away) if _is_netted(definition) else 0
        complete = all(row.complete for row in rows)
        yield VirtualInterval(rows[0].start, rows[0].end, energy, owed, bound, complete)


class VirtualLedger:
    """The entries of a virtual meter as its members book theirs. ``last`` is the last one stored.

    ``members`` stand in the order of the definition. ``epoch`` is the number of the definition.
    """

    def __init__(
        self, definition: Definition, members: Sequence[MemberLedger], *, epoch: int, last: Entry | None = None
    ) -> None:
        self.definition = definition
        self._members, self._epoch, self._last = tuple(members), epoch, last

    def close(self, *, to_the_end: bool = False) -> tuple[Entry, ...]:
        """The entries of the next day at most that every member has booked; empty if there is none yet.

        ``to_the_end`` also closes the minute in which the last member ends: another definition follows.
        """
        begins = [member.began for member in self._members if member.began is not None]
        ends = [member.booked_until for member in self._members if member.booked_until is not None]
        if len(begins) < len(self._members) or len(ends) < len(self._members):
            return ()
        # From where all have begun to where all have booked: energy
        # of a member that is not known yet is never guessed.
        first, last = max(begins), min(ends)
        # Nothing else is kept of how far it is: a kill between the commits of members and virtual meter costs nothing
        # (ADR 35).
        if self._last is not None:
            first = max(first, self._last.end)
        moments = self._moments(first, last, to_the_end=to_the_end)
        if len(moments) < 2:
            return ()
        entries = [*self._begin(first)]
        owed = self._last.carry if self._last is not None else 0
        intervals = energy_between(self.definition, self._members, moments, owed)
        entries.extend(self._interval_entry(interval) for interval in intervals)
        for member in self._members:
            member.forget(moments[-1])
        return tuple(entries)

    def begin_epoch(self) -> tuple[Entry, ...]:
        """The entry that says that this definition holds from here on; none where nothing is booked yet."""
        if self._last is None:
            return ()
        return (self._entry(EntryKind.EPOCH, self._last.end, self._last.end, note="another definition"),)

    def _moments(self, first: datetime, last: datetime, *, to_the_end: bool) -> list[datetime]:
        """Where intervals meet: whole minutes that lie in no gap of a member."""
        for limit in dict.fromkeys((min(last, first + _AT_ONCE), last)):
            holes = sorted(hole for member in self._members for hole in member.holes(limit))
            moments = [first, *_outside(_minutes(first, limit), holes)]
            if limit == last and to_the_end and moments[-1] < last:
                moments.append(last)
            if len(moments) > 1:
                return moments
        return []

    def _begin(self, first: datetime) -> Iterator[Entry]:
        if self._last is None:
            yield self._entry(EntryKind.START, first, first)
        elif self._last.end < first:
            yield self._entry(EntryKind.GAP, self._last.end, first, carry=self._last.carry, note=_NOT_FOLLOWED)

    def _interval_entry(self, interval: VirtualInterval) -> Entry:
        kind = EntryKind.COUNTED if interval.complete else EntryKind.GAP
        return self._entry(kind, interval.start, interval.end, interval.energy, carry=interval.owed)

    def _entry(
        self, kind: EntryKind, start: datetime, end: datetime, energy: Totals = _NOTHING, *, carry: int = 0,
        note: str = "",
    ) -> Entry:  # fmt: skip
        before = self._last
        self._last = Entry(
            sequence=before.sequence + 1 if before else 1, kind=kind, start=start, end=end, epoch=self._epoch,
            count=(before.count if before else 0) + energy.import_mwh,
            export_count=((before.export_count or 0) if before else 0) + energy.export_mwh,
            positive=energy.import_mwh, negative=energy.export_mwh, undirected=energy.undirected_mwh,
            elapsed_us=(end - start) // _MICROSECOND if kind is EntryKind.COUNTED else 0, carry=carry, note=note,
        )  # fmt: skip
        return self._last


def _minutes(first: datetime, last: datetime) -> Iterator[datetime]:
    moment = first.replace(second=0, microsecond=0) + _MINUTE
    while moment <= last:
        yield moment
        moment += _MINUTE


def _outside(moments: Iterable[datetime], spans: Sequence[tuple[datetime, datetime]]) -> Iterator[datetime]:
    """Those that lie within none of the spans, both in order."""
    place, covered_until = 0, None
    for moment in moments:
        while place < len(spans) and spans[place][0] < moment:
            covered_until = max(covered_until or spans[place][1], spans[place][1])
            place += 1
        if covered_until is None or covered_until <= moment:
            yield moment


class _Moved(NamedTuple):
    towards: int
    away: int
    undirected: int


def _moved(definition: Definition, rows: Sequence[Interval]) -> _Moved:
    """Energy towards the virtual meter and away from it: what a minus imports goes away."""
    energies, sides = [row.energy for row in rows], len(definition.plus)
    plus, minus = _sum(energies[:sides]), _sum(energies[sides:])
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


def _is_netted(definition: Definition) -> bool:
    is_difference = definition.kind is VirtualKind.SUM and bool(definition.minus)
    return is_difference or definition.kind is VirtualKind.BALANCE


def _sum(energies: Sequence[Totals]) -> Totals:
    return Totals(
        sum(each.import_mwh for each in energies),
        sum(each.export_mwh for each in energies),
        sum(each.undirected_mwh for each in energies),
    )


def rederived(
    entries: Iterable[Entry], definitions: Mapping[int, Definition], members: Mapping[str, MemberLedger]
) -> Iterator[tuple[Entry, Totals]]:
    """Every entry with energy beside what its definition makes of the members now: equal, unless something is wrong.

    ``members`` are used up: they forget what was looked at. They need to reach no further than the entries given so
    far.
    """
    pairs = (pair for pair in pairwise(entries) if _is_derived(pair[1]))
    for number, group in groupby(enumerate(pairs), key=lambda item: (item[1][1].epoch, item[0] // _ENTRIES_AT_ONCE)):
        if (definition := definitions.get(number[0])) is None:
            continue  # the audit names the entry of an epoch that is not there
        some = [pair for _, pair in group]
        ledgers = [members[name] for name in definition.members]
        moments = sorted({moment for _, entry in some for moment in (entry.start, entry.end)})
        found = {one.start: one.energy for one in energy_between(definition, ledgers, moments, some[0][0].carry)}
        yield from ((entry, found[entry.start]) for _, entry in some)
        for ledger in members.values():
            ledger.forget(moments[-1])


def _is_derived(entry: Entry) -> bool:
    return entry.kind in {EntryKind.COUNTED, EntryKind.GAP} and entry.note != _NOT_FOLLOWED
