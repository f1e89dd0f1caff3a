"""Virtual meters: registers that follow from the entries of others never fall, and are worth what those are worth."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.rig import BERLIN, MINUTE, entry, ledger_slice, start, utc
from wattrail.ledger import (
    By,
    Definition,
    Entry,
    EntryKind,
    LedgerSlice,
    VirtualInterval,
    VirtualKind,
    boundaries,
    by_interval,
    virtual_intervals,
    virtual_ledger,
)

NOON = utc(2026, 6, 21, 12)
PHASES = ("l1", "l2", "l3")
BALANCE = Definition(kind=VirtualKind.BALANCE, since=NOON, plus=PHASES)


def minutes(*counts: int, since: datetime = NOON) -> list[Entry]:
    """A meter that was watched: nine counts are a watt-hour, negative ones are export."""
    entries = [start(since)]
    for count in counts:
        end = entries[-1].end + MINUTE
        entries.append(entry(entries[-1], end, positive=max(count, 0), negative=max(-count, 0)))
    return entries


def derived(*definitions: Definition, **members: list[Entry]) -> list[VirtualInterval]:
    return list(virtual_intervals(definitions, {name: ledger_slice(entries) for name, entries in members.items()}))


def energies(intervals: list[VirtualInterval]) -> list[tuple[int, int]]:
    return [(one.energy.import_mwh, one.energy.export_mwh) for one in intervals]


def test_a_sum_adds_import_to_import_and_export_to_export() -> None:
    both = Definition(kind=VirtualKind.SUM, since=NOON, plus=("house", "garage"))
    assert energies(derived(both, house=minutes(9, 18), garage=minutes(-9, 9))) == [(1000, 1000), (3000, 0)]


def test_a_difference_is_split_by_the_sign_of_each_minute() -> None:
    rest = Definition(kind=VirtualKind.SUM, since=NOON, plus=("house",), minus=("heat_pump",))
    intervals = derived(rest, house=minutes(27, 9), heat_pump=minutes(9, 18))
    assert energies(intervals) == [(2000, 0), (0, 1000)]
    assert intervals[-1].register.net_mwh == 1000


def test_solar_on_one_phase_is_netted_with_the_other_two() -> None:
    intervals = derived(BALANCE, l1=minutes(-45, -45), l2=minutes(9, 18), l3=minutes(9, 36))
    assert energies(intervals) == [(0, 3000), (1000, 0)]


def test_a_balance_says_how_far_a_sign_within_a_minute_can_move_it() -> None:
    # 4 Wh in and 3 Wh out in one minute: one after the other, a meter would have counted 4 and 3; at once, 1 and 0.
    (interval,) = derived(BALANCE, l1=minutes(36), l2=minutes(-27), l3=minutes(0))
    assert (interval.energy.import_mwh, interval.bound_mwh) == (1000, 3000)


def test_self_consumption_is_what_is_made_and_not_exported() -> None:
    used = Definition(kind=VirtualKind.SELF_CONSUMPTION, since=NOON, plus=("solar",), minus=("grid",))
    assert energies(derived(used, solar=minutes(-45, -45), grid=minutes(-18, 27))) == [(3000, 0), (5000, 0)]


def test_export_seen_before_its_production_is_taken_from_the_next_minute() -> None:
    used = Definition(kind=VirtualKind.SELF_CONSUMPTION, since=NOON, plus=("solar",), minus=("grid",))
    assert energies(derived(used, solar=minutes(0, -27), grid=minutes(-9, -9))) == [(0, 0), (1000, 0)]


def test_a_gap_of_a_member_is_one_interval_with_its_energy_once_known() -> None:
    l1 = minutes(9)
    waiting = derived(BALANCE, l1=l1, l2=minutes(9, 9, 9, 9), l3=minutes(0, 0, 0, 0))
    assert energies(waiting) == [(2000, 0)]
    l1.append(entry(l1[-1], l1[-1].end + 2 * MINUTE, positive=45, kind=EntryKind.GAP))
    l1.append(entry(l1[-1], l1[-1].end + MINUTE, positive=9))
    intervals = derived(BALANCE, l1=l1, l2=minutes(9, 9, 9, 9), l3=minutes(0, 0, 0, 0))
    assert energies(intervals) == [(2000, 0), (7000, 0), (2000, 0)]
    assert [one.complete for one in intervals] == [True, False, True]
    assert (intervals[1].start, intervals[1].end) == (NOON + MINUTE, NOON + 3 * MINUTE)


def test_what_has_no_direction_keeps_none() -> None:
    l1 = minutes(9)
    l1.append(entry(l1[-1], l1[-1].end + MINUTE, undirected=9, kind=EntryKind.GAP))
    intervals = derived(BALANCE, l1=l1, l2=minutes(9, 9), l3=minutes(0, 0))
    assert intervals[1].energy.undirected_mwh == 1000
    assert energies(intervals)[1] == (1000, 0)


def test_another_definition_goes_on_from_the_registers_of_the_one_before() -> None:
    change = NOON + timedelta(seconds=90)
    both = Definition(kind=VirtualKind.SUM, since=NOON, plus=("house", "garage"))
    alone = Definition(kind=VirtualKind.SUM, since=change, plus=("house",))
    intervals = derived(both, alone, house=minutes(18, 18, 18), garage=minutes(18, 18, 18))
    assert [one.end for one in intervals] == [NOON + MINUTE, change, NOON + 2 * MINUTE, NOON + 3 * MINUTE]
    assert energies(intervals) == [(4000, 0), (2000, 0), (1000, 0), (2000, 0)]
    assert [one.definition for one in intervals] == [both, both, alone, alone]
    assert intervals[-1].register.import_mwh == 9000


def test_one_that_is_removed_and_added_again_goes_on() -> None:
    house = ("house",)
    story = [
        Definition(kind=VirtualKind.SUM, since=NOON, plus=house),
        Definition(kind=VirtualKind.SUM, since=NOON + MINUTE),
        Definition(kind=VirtualKind.SUM, since=NOON + 2 * MINUTE, plus=house),
    ]
    intervals = derived(*story, house=minutes(9, 9, 9))
    assert [one.register.import_mwh for one in intervals] == [1000, 2000]


def test_its_books_give_hours_like_those_of_any_meter() -> None:
    rest = Definition(kind=VirtualKind.SUM, since=NOON, plus=("house",), minus=("heat_pump",))
    members = {"house": ledger_slice(minutes(*[18] * 120)), "heat_pump": ledger_slice(minutes(*[9] * 90, *[27] * 30))}
    rows = by_interval(virtual_ledger([rest], members), boundaries(By.HOUR, NOON, NOON + 120 * MINUTE, BERLIN))
    assert [(row.energy.import_mwh, row.energy.export_mwh) for row in rows] == [(60_000, 0), (30_000, 30_000)]
    assert all(row.complete for row in rows)


def test_its_books_name_the_definition_and_show_where_none_held() -> None:
    story = [
        Definition(kind=VirtualKind.SUM, since=NOON, plus=("house",)),
        Definition(kind=VirtualKind.SUM, since=NOON + MINUTE),
        Definition(kind=VirtualKind.SUM, since=NOON + 2 * MINUTE, plus=("house",)),
    ]
    books = virtual_ledger(story, {"house": ledger_slice(minutes(9, 9, 9))})
    assert [(one.kind.value, one.epoch, one.positive) for one in books.entries] == [
        ("start", 1, 0), ("counted", 1, 1000), ("gap", 3, 0), ("counted", 3, 1000),
    ]  # fmt: skip
    assert [one.sequence for one in books.entries] == [1, 2, 3, 4]


def test_it_begins_where_its_last_member_begins() -> None:
    late = NOON + timedelta(seconds=30)
    intervals = derived(BALANCE, l1=minutes(9, 9), l2=minutes(9, 9, since=late), l3=minutes(9, 9))
    assert intervals[0].start == late
    assert derived(BALANCE, l1=minutes(9), l2=[], l3=minutes(9)) == []


@pytest.mark.parametrize(
    ("kind", "plus", "minus", "words"),
    [
        (VirtualKind.SUM, ("a", "a"), (), "counts once, got a more than once"),
        (VirtualKind.SUM, ("a",), ("a",), "counts once, got a more than once"),
        (VirtualKind.SUM, (), ("a",), "in minus only"),
        (VirtualKind.BALANCE, ("a",), ("b",), "a balance has no minus, got b"),
        (VirtualKind.SELF_CONSUMPTION, ("a", "b"), ("c",), "one meter of production and one of the grid"),
    ],
)
def test_a_definition_that_means_nothing_is_refused(
    kind: VirtualKind, plus: tuple[str, ...], minus: tuple[str, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Definition(kind=kind, since=NOON, plus=plus, minus=minus)


def test_definitions_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="in order"):
        derived(BALANCE, BALANCE)


def history(chance: random.Random) -> list[Entry]:
    """Half an hour of a meter that is cut off, restarts, and is read at no particular second."""
    entries = [start(NOON + timedelta(seconds=chance.randrange(90)))]
    while entries[-1].end < NOON + 30 * MINUTE:
        kind = chance.choices([EntryKind.COUNTED, EntryKind.GAP, EntryKind.RESTART], [8, 1, 1])[0]
        seconds = 60 if kind is EntryKind.COUNTED else chance.randrange(1, 400)
        positive, negative = chance.choice([(1, 0), (0, 1), (1, 1)])
        entries.append(
            entry(
                entries[-1], entries[-1].end + timedelta(seconds=seconds), kind=kind,
                positive=positive * chance.randrange(50), negative=negative * chance.randrange(50),
                undirected=chance.randrange(9) if kind is EntryKind.GAP else 0,
            )
        )  # fmt: skip
    return entries


def moved(book: LedgerSlice, first: datetime, last: datetime) -> int:
    return by_interval(book, [first, last])[0].energy.net_mwh


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False), st.booleans())
def test_whatever_its_members_live_through_their_net_is_its_net(chance: random.Random, has_minus: bool) -> None:
    kind = VirtualKind.SUM if has_minus else chance.choice([VirtualKind.SUM, VirtualKind.BALANCE])
    plus, minus = (("l1", "l2"), ("l3",)) if has_minus else (PHASES, ())
    whole = Definition(kind=kind, since=NOON, plus=plus, minus=minus)
    again = Definition(
        kind=kind, since=NOON + chance.randrange(120, 1700) * timedelta(seconds=1), plus=plus, minus=minus
    )
    members = {name: ledger_slice(history(chance)) for name in PHASES}
    intervals = list(virtual_intervals([whole, again], members))
    assert all(later.start == earlier.end for earlier, later in pairwise(intervals))
    assert all(one.energy.import_mwh >= 0 <= one.energy.export_mwh for one in intervals)
    if not intervals:
        return
    first, last = intervals[0].start, intervals[-1].end
    signs = {name: 1 if name in plus else -1 for name in PHASES}
    assert intervals[-1].register.net_mwh == sum(
        sign * moved(members[name], first, last) for name, sign in signs.items()
    )


@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False))
def test_what_is_booked_later_changes_no_interval_that_was_closed(chance: random.Random) -> None:
    books = {name: history(chance) for name in PHASES}
    at_kill = {name: entries[: chance.randrange(1, len(entries))] for name, entries in books.items()}
    early, late = derived(BALANCE, **at_kill), derived(BALANCE, **books)
    assert late[: len(early)] == early


def test_a_balance_is_within_its_bound_of_what_every_second_would_give() -> None:
    chance = random.Random(35)
    powers = [[[chance.randrange(-3, 4) for _ in range(60)] for _ in PHASES] for _ in range(60)]
    books: dict[str, list[Entry]] = {}
    for phase, name in enumerate(PHASES):
        entries = [start(NOON)]
        for minute in powers:
            bought = sum(max(power, 0) for power in minute[phase])
            sold = sum(max(-power, 0) for power in minute[phase])
            entries.append(entry(entries[-1], entries[-1].end + MINUTE, positive=bought * 9, negative=sold * 9))
        books[name] = entries
    for interval, minute in zip(derived(BALANCE, **books), powers, strict=True):
        true = 1000 * sum(max(sum(phases), 0) for phases in zip(*minute, strict=True))
        assert interval.energy.import_mwh <= true <= interval.energy.import_mwh + interval.bound_mwh
