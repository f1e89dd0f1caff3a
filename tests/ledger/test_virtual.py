"""Virtual meters: registers that follow from the entries of others never fall, and are worth what those are worth."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.rig import BERLIN, EPOCHS, MINUTE, entry, ledger_slice, start, utc
from wattrail.ledger import (
    VIRTUAL_REGISTERS,
    By,
    Definition,
    Entry,
    EntryKind,
    Epoch,
    LedgerSlice,
    MemberLedger,
    VirtualKind,
    VirtualLedger,
    audit,
    boundaries,
    by_interval,
)
from wattrail.ledger.ledger_slice import Counts
from wattrail.ledger.virtual import energy_between, rederived

NOON = utc(2026, 6, 21, 12)
PHASES = ("l1", "l2", "l3")
DAYS = 3
BALANCE = Definition(kind=VirtualKind.BALANCE, plus=PHASES)
BOTH = Definition(kind=VirtualKind.SUM, plus=("house", "garage"))
REST = Definition(kind=VirtualKind.SUM, plus=("house",), minus=("heat_pump",))
USED = Definition(kind=VirtualKind.SELF_CONSUMPTION, plus=("solar",), minus=("grid",))


def minutes(*counts: int, since: datetime = NOON) -> list[Entry]:
    """A meter that was watched: nine counts are a watt-hour, negative ones are export."""
    entries = [start(since)]
    for count in counts:
        end = entries[-1].end + MINUTE
        entries.append(entry(entries[-1], end, positive=max(count, 0), negative=max(-count, 0)))
    return entries


def set_to(before: Entry, at: datetime) -> Entry:
    """The entry of a clock that was set back."""
    return replace(entry(before, at, kind=EntryKind.CLOCK), start=at, elapsed_us=0)


def ledgers(definition: Definition, members: dict[str, list[Entry]]) -> list[MemberLedger]:
    return [MemberLedger(ledger_slice(members[name])) for name in definition.members]


def derived(definition: Definition, last: Entry | None = None, epoch: int = 1, **members: list[Entry]) -> list[Entry]:
    """All that can be closed, from the entry after ``last`` on."""
    virtual = VirtualLedger(definition, ledgers(definition, members), epoch=epoch, last=last)
    found: list[Entry] = []
    while entries := virtual.close():
        found += entries
    return found


def energies(entries: list[Entry]) -> list[tuple[int, int]]:
    return [(one.positive, one.negative) for one in entries if one.kind is not EntryKind.START]


def own(entries: list[Entry]) -> LedgerSlice:
    numbers = {one.epoch for one in entries}
    epochs = {number: Epoch(number=number, registers=VIRTUAL_REGISTERS) for number in numbers}
    return LedgerSlice(entries=tuple(entries), epochs=epochs)


def test_a_sum_adds_import_to_import_and_export_to_export() -> None:
    assert energies(derived(BOTH, house=minutes(9, 18), garage=minutes(-9, 9))) == [(1000, 1000), (3000, 0)]


def test_a_difference_is_split_by_the_sign_of_each_minute() -> None:
    entries = derived(REST, house=minutes(27, 9), heat_pump=minutes(9, 18))
    assert energies(entries) == [(2000, 0), (0, 1000)]
    assert (entries[-1].count, entries[-1].export_count) == (2000, 1000)


def test_solar_on_one_phase_is_netted_with_the_other_two() -> None:
    assert energies(derived(BALANCE, l1=minutes(-45, -45), l2=minutes(9, 18), l3=minutes(9, 36))) == [
        (0, 3000), (1000, 0),
    ]  # fmt: skip


def test_a_balance_says_how_far_a_sign_within_a_minute_can_move_it() -> None:
    # 4 Wh in and 3 Wh out in one minute: one after the other, a meter would have counted 4 and 3; at once, 1 and 0.
    members = ledgers(BALANCE, {"l1": minutes(36), "l2": minutes(-27), "l3": minutes(0)})
    (interval,) = energy_between(BALANCE, members, [NOON, NOON + MINUTE])
    assert (interval.energy.import_mwh, interval.bound_mwh) == (1000, 3000)


def test_self_consumption_is_what_is_made_and_not_exported() -> None:
    assert energies(derived(USED, solar=minutes(-45, -45), grid=minutes(-18, 27))) == [(3000, 0), (5000, 0)]


def test_export_seen_before_its_production_is_taken_from_the_next_minute() -> None:
    solar, grid = minutes(0, -27), minutes(-9, -9)
    entries = derived(USED, solar=solar, grid=grid)
    assert energies(entries) == [(0, 0), (1000, 0)]
    assert energies(derived(USED, last=entries[1], solar=solar, grid=grid)) == [(1000, 0)]


@pytest.mark.parametrize(
    ("definition", "members", "watts"),
    [
        (BALANCE, (-2000.0, 300.0, 500.0), -1200.0),
        (REST, (2000.0, 500.0), 1500.0),
        (USED, (-3000.0, -1000.0), 2000.0),  # a kilowatt goes out
        (USED, (-3000.0, 700.0), 3000.0),  # the house takes more than is made
        (USED, (4.0, 500.0), 0.0),  # the inverter sleeps
    ],
)
def test_power_follows_from_that_of_the_members(
    definition: Definition, members: tuple[float, ...], watts: float
) -> None:
    assert definition.watts(members) == watts


def test_a_gap_of_a_member_is_one_interval_with_its_energy_once_known() -> None:
    l1 = minutes(9)
    assert energies(derived(BALANCE, l1=l1, l2=minutes(9, 9, 9, 9), l3=minutes(0, 0, 0, 0))) == [(2000, 0)]
    l1.append(entry(l1[-1], l1[-1].end + 2 * MINUTE, positive=45, kind=EntryKind.GAP))
    l1.append(entry(l1[-1], l1[-1].end + MINUTE, positive=9))
    entries = derived(BALANCE, l1=l1, l2=minutes(9, 9, 9, 9), l3=minutes(0, 0, 0, 0))
    assert energies(entries) == [(2000, 0), (7000, 0), (2000, 0)]
    assert [one.kind.value for one in entries] == ["start", "counted", "gap", "counted"]
    assert (entries[2].start, entries[2].end) == (NOON + MINUTE, NOON + 3 * MINUTE)


def test_what_has_no_direction_keeps_none() -> None:
    l1 = minutes(9)
    l1.append(entry(l1[-1], l1[-1].end + MINUTE, undirected=9, kind=EntryKind.GAP))
    entries = derived(BALANCE, l1=l1, l2=minutes(9, 9), l3=minutes(0, 0))
    assert (entries[-1].positive, entries[-1].undirected) == (1000, 1000)


def test_another_definition_goes_on_from_the_registers_of_the_one_before() -> None:
    house, garage = minutes(18, 18, 18), minutes(18, 18)
    first = VirtualLedger(BOTH, ledgers(BOTH, {"house": house, "garage": garage}), epoch=1)
    before = first.close(to_the_end=True)
    alone = Definition(kind=VirtualKind.SUM, plus=("house",))
    second = VirtualLedger(alone, ledgers(alone, {"house": house}), epoch=2, last=before[-1])
    entries = [*before, *second.begin_epoch(), *second.close()]
    assert [(one.kind.value, one.epoch, one.count) for one in entries] == [
        ("start", 1, 0), ("counted", 1, 4000), ("counted", 1, 8000), ("epoch", 2, 8000), ("counted", 2, 10_000),
    ]  # fmt: skip
    assert audit(own(entries)).findings == ()


def test_where_a_member_was_not_booked_yet_there_is_a_gap_without_energy() -> None:
    before = derived(Definition(kind=VirtualKind.SUM, plus=("house",)), house=minutes(9))
    late = minutes(9, since=NOON + 3 * MINUTE)
    entries = derived(BOTH, last=before[-1], house=minutes(9, 9, 9, 9), garage=late)
    assert [(one.kind.value, one.positive) for one in entries] == [("gap", 0), ("counted", 2000)]


def test_its_ledger_gives_hours_like_that_of_any_meter() -> None:
    entries = derived(REST, house=minutes(*[18] * 120), heat_pump=minutes(*[9] * 90, *[27] * 30))
    rows = by_interval(own(entries), boundaries(By.HOUR, NOON, NOON + 120 * MINUTE, BERLIN))
    assert [(row.energy.import_mwh, row.energy.export_mwh) for row in rows] == [(60_000, 0), (30_000, 30_000)]
    assert all(row.complete for row in rows)


def test_it_begins_where_its_last_member_begins() -> None:
    late = NOON + timedelta(seconds=30)
    assert derived(BALANCE, l1=minutes(9, 9), l2=minutes(9, 9, since=late), l3=minutes(9, 9))[0].start == late
    assert derived(BALANCE, l1=minutes(9), l2=[], l3=minutes(9)) == []


def test_a_clock_that_is_set_back_costs_no_energy() -> None:
    house = minutes(9, 9, 9)
    house.append(set_to(house[-1], NOON + MINUTE))  # 12:03 is 12:01 again
    for _ in range(4):
        house.append(entry(house[-1], house[-1].end + MINUTE, positive=9))
    garage = minutes(*[0] * 5)
    entries = derived(BOTH, house=house, garage=garage)
    assert energies(entries) == [(1000, 0)] * 3 + [(3000, 0), (1000, 0)]
    assert derived(BOTH, last=entries[2], house=house, garage=garage) == entries[3:]


@pytest.mark.parametrize(
    ("kind", "plus", "minus", "words"),
    [
        (VirtualKind.SUM, ("a", "a"), (), "counts once, got a more than once"),
        (VirtualKind.SUM, ("a",), ("a",), "counts once, got a more than once"),
        (VirtualKind.SUM, (), ("a",), "a meter in plus, got none"),
        (VirtualKind.BALANCE, ("a",), ("b",), "a balance has no minus, got b"),
        (VirtualKind.SELF_CONSUMPTION, ("a", "b"), ("c",), "one meter of production and one of the grid"),
    ],
)
def test_a_definition_that_means_nothing_is_refused(
    kind: VirtualKind, plus: tuple[str, ...], minus: tuple[str, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Definition(kind=kind, plus=plus, minus=minus)


@pytest.mark.parametrize("definition", [BALANCE, BOTH, REST, USED])
def test_a_definition_is_stored_as_a_url(definition: Definition) -> None:
    assert Definition.from_url(definition.url) == definition


def history(chance: random.Random) -> list[Entry]:
    """Half an hour of a meter that is cut off, restarts, is set back, and is read at no particular second."""
    kinds = [EntryKind.COUNTED, EntryKind.GAP, EntryKind.RESTART, EntryKind.CLOCK]
    entries = [start(NOON + timedelta(seconds=chance.randrange(90)))]
    while entries[-1].end < NOON + 30 * MINUTE and len(entries) < 90:
        kind = chance.choices(kinds, [16, 2, 2, 1])[0]
        if kind is EntryKind.CLOCK:
            entries.append(set_to(entries[-1], entries[-1].end - timedelta(seconds=chance.randrange(200))))
            continue
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


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.booleans())
def test_whatever_its_members_live_through_their_net_is_its_net(chance: random.Random, has_minus: bool) -> None:
    kind = VirtualKind.SUM if has_minus else chance.choice([VirtualKind.SUM, VirtualKind.BALANCE])
    plus, minus = (("l1", "l2"), ("l3",)) if has_minus else (PHASES, ())
    definition = Definition(kind=kind, plus=plus, minus=minus)
    books = {name: history(chance) for name in PHASES}
    entries = derived(definition, **books)
    assert all(one.positive >= 0 <= one.negative for one in entries)
    assert audit(own(entries)).findings == ()
    if entries:
        whole = [member.between([entries[0].start, entries[-1].end])[0] for member in ledgers(definition, books)]
        net = sum((-1 if name in minus else 1) * row.energy.net_mwh for name, row in zip(PHASES, whole, strict=True))
        assert entries[-1].count - (entries[-1].export_count or 0) == net


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_gateway_that_is_killed_at_any_moment_derives_the_same(chance: random.Random) -> None:
    books = {name: history(chance) for name in PHASES}
    at_kill = {name: entries[: chance.randrange(1, len(entries))] for name, entries in books.items()}
    before = derived(BALANCE, **at_kill)
    stored = before[: chance.randrange(len(before) + 1)]
    last = stored[-1] if stored else None
    after = derived_from_tails(books, last)
    assert [*stored, *after] == derived(BALANCE, **books)


def derived_from_tails(books: dict[str, list[Entry]], last: Entry | None) -> list[Entry]:
    """As after a start: what a member booked before the last entry is only added up."""
    members = []
    for name in PHASES:
        member = MemberLedger(ledger_slice(books[name]))
        if last is not None:
            member = MemberLedger(_tail(books[name], last.end))
        members.append(member)
    return list(VirtualLedger(BALANCE, members, epoch=1, last=last).close())


def _tail(entries: list[Entry], since: datetime) -> LedgerSlice:
    place = next((place for place, one in enumerate(entries) if one.end >= since), len(entries) - 1)
    done = entries[:place]
    sums = (sum(one.positive for one in done), sum(one.negative for one in done), sum(one.undirected for one in done))
    return LedgerSlice(entries=tuple(entries[place:]), epochs=EPOCHS, before={1: Counts(*sums)} if done else {})


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_what_was_booked_can_be_derived_again_and_a_change_shows(chance: random.Random) -> None:
    books = {name: history(chance) for name in PHASES}
    entries = derived(BALANCE, **books)

    def again() -> list[int]:
        members = {name: MemberLedger(ledger_slice(books[name])) for name in PHASES}
        found = rederived(entries, {1: BALANCE}, members)
        return [one.sequence for one, w in found if (one.positive, one.negative) != (w.import_mwh, w.export_mwh)]

    assert again() == []
    if len(entries) > 1:
        entries[1] = replace(entries[1], positive=entries[1].positive + 1)
        assert again() == [2]


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
    moments = [NOON + place * MINUTE for place in range(61)]
    for interval, minute in zip(energy_between(BALANCE, ledgers(BALANCE, books), moments), powers, strict=True):
        true = 1000 * sum(max(sum(phases), 0) for phases in zip(*minute, strict=True))
        assert interval.energy.import_mwh <= true <= interval.energy.import_mwh + interval.bound_mwh


def test_days_of_three_phases_are_derived_at_once() -> None:
    chance = random.Random(90)
    books = {name: minutes(*(chance.randrange(-20, 40) for _ in range(DAYS * 1440))) for name in PHASES}
    entries = derived(BALANCE, **books)
    assert len(entries) == DAYS * 1440 + 1
    counted = sum(one.positive - one.negative for book in books.values() for one in book)
    # each member's two registers are rounded down once, so their net is right to less than a milliwatt-hour each
    assert abs(entries[-1].count - (entries[-1].export_count or 0) - counted * 1000 / 9) < len(PHASES)
