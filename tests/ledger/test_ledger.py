"""The account: what is booked, as what, and that it can be replayed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.rig import chip_epoch
from wattrail.errors import LedgerError
from wattrail.ledger import Entry, EntryKind, Ledger, LedgerSlice, Observation, Totals
from wattrail.ledger.ledger_slice import Counts

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
SECOND = 1_000_000
EPOCH = chip_epoch(1, 342.867)
KILOWATT = 342_867
"""WATT count of 1 kW in that epoch."""


def look(seconds: float, count: int, watt: int = KILOWATT, *, elapsed: float | None = 1, **more: bool) -> Observation:
    elapsed_us = None if elapsed is None else round(elapsed * SECOND)
    return Observation(at=NOON + timedelta(seconds=seconds), elapsed_us=elapsed_us, count=count, watt=watt, **more)


def account(looks: Iterable[Observation]) -> tuple[Ledger, list[Entry]]:
    ledger = Ledger(EPOCH)
    entries = [entry for seen in looks for entry in ledger.observe(seen)]
    return ledger, entries


def counts(entries: Iterable[Entry]) -> tuple[int, int, int]:
    entries = list(entries)
    return (
        sum(entry.positive for entry in entries),
        sum(entry.negative for entry in entries),
        sum(entry.undirected for entry in entries),
    )


def test_the_first_look_is_where_counting_begins() -> None:
    ledger, entries = account([look(0, 5000, elapsed=None)])
    assert [entry.kind for entry in entries] == [EntryKind.START]
    assert ledger.totals() == Totals(0, 0)


def test_a_kilowatt_for_an_hour_is_a_kilowatt_hour() -> None:
    # 1 kW is 342867 WATT counts: 342867 * 3600 / 419430.4 = 2942.86 energy counts in the hour, 2942 of them whole.
    ledger, _ = account(look(second, second * KILOWATT * 10 // 4194304) for second in range(3601))
    assert ledger.totals().import_mwh == EPOCH.milliwatt_hours(2942).__floor__() == 999_710
    assert ledger.totals().export_mwh == 0


def test_counted_entries_are_closed_each_minute_and_join_without_seams() -> None:
    ledger, entries = account(look(second, second) for second in range(200))
    assert [entry.kind for entry in entries] == [
        EntryKind.START,
        EntryKind.COUNTED,
        EntryKind.COUNTED,
        EntryKind.COUNTED,
    ]
    assert all(later.start == earlier.end for earlier, later in pairwise(entries))
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4]
    assert sum(entry.positive for entry in entries) + ledger.close()[0].positive == 199


def test_export_goes_to_its_own_register() -> None:
    ledger, _ = account([look(0, 0, -KILOWATT), look(1, 1, -KILOWATT), look(2, 2, -KILOWATT)])
    totals = ledger.totals()
    assert (totals.import_mwh, totals.export_mwh) == (0, EPOCH.milliwatt_hours(2).__floor__())
    assert totals.net_mwh == -totals.export_mwh


def test_a_wrap_is_counted_through() -> None:
    ledger, _ = account([look(0, 0xFFFFFF), look(1, 1)])
    assert counts(ledger.close()) == (2, 0, 0)
    assert "wrapped" in replace(account([look(0, 0xFFFFFF), look(1, 1)])[0].close()[0]).note


def test_a_restart_of_the_chip_keeps_what_was_counted_and_begins_again() -> None:
    _, entries = account([look(0, 100), look(1, 103), look(2, 2, restarted=True), look(3, 4)])
    assert [entry.kind for entry in entries] == [EntryKind.START, EntryKind.COUNTED, EntryKind.RESTART]
    assert counts(entries) == (5, 0, 0)  # three before, two since
    assert "restarted" in entries[-1].note


def test_a_gap_is_booked_as_a_gap_with_what_the_counter_proves() -> None:
    _, entries = account([look(0, 100), look(1, 103), look(3601, 3003, elapsed=3600)])
    gap = entries[-1]
    assert (gap.kind, gap.positive, gap.elapsed_us) == (EntryKind.GAP, 2900, 3600 * SECOND)
    assert gap.note == "no reading for 3600 s; the counter moved by 2900"


def test_energy_over_a_gap_has_no_direction_unless_both_ends_agree() -> None:
    _, entries = account([look(0, 100, KILOWATT), look(3600, 3000, -KILOWATT, elapsed=3600)])
    assert counts(entries) == (0, 0, 2900)
    _, entries = account([look(0, 0, -9), look(3600, 9, -9, elapsed=3600, last_pulse_negative=True)])
    assert counts(entries) == (0, 9, 0)


def test_a_host_that_was_away_knows_no_elapsed_time_and_says_gap() -> None:
    _, entries = account([look(0, 100), look(5, 104, elapsed=None)])
    assert entries[-1].kind is EntryKind.GAP
    assert counts(entries) == (4, 0, 0)


def test_a_reading_that_comes_late_or_twice_changes_nothing() -> None:
    ledger, _ = account([look(0, 100), look(1, 103)])
    before = ledger.totals()
    assert ledger.observe(look(1, 103, elapsed=0)) == ()
    assert ledger.observe(look(0.5, 101, elapsed=-0.5)) == ()
    assert ledger.totals() == before


def test_a_counter_slightly_lower_is_an_older_frame_and_changes_nothing() -> None:
    # Watched, or after a pause: 1001 once was a leap no chip can make, and after a pause "it began again", 1001 counts.
    for elapsed in (1, 3600, None):
        ledger, entries = account([look(0, 1000), look(1, 1002), look(3600, 1001, elapsed=elapsed), look(3601, 1004)])
        assert counts([*entries, *ledger.close()]) == (4, 0, 0)
        assert any("1001 after 1002: an older value" in entry.note for entry in [*entries, *ledger.close()]) or (
            elapsed == 1
        )


def test_a_wall_clock_stepped_back_loses_no_energy_and_reverses_no_entry() -> None:
    ledger, entries = account([look(0, 0), look(1, 1), look(-3599, 2), look(-3598, 3), look(62, 4)])
    entries += ledger.close()
    assert counts(entries) == (4, 0, 0)
    assert all(entry.start <= entry.end for entry in entries)
    assert ledger.totals().import_mwh == EPOCH.milliwatt_hours(4).__floor__()


def test_a_new_calibration_leaves_the_past_alone() -> None:
    ledger, _ = account([look(0, 0), look(1, 10)])
    was = ledger.totals().import_mwh
    ledger.begin_epoch(chip_epoch(2, 342.867 / 2))
    assert ledger.totals().import_mwh == was
    ledger.observe(look(2, 20))
    assert ledger.totals().import_mwh == pytest.approx(3 * was, abs=3)


def test_turning_the_direction_round_leaves_the_past_alone() -> None:
    ledger, _ = account([look(0, 0), look(1, 10)])
    ledger.begin_epoch(chip_epoch(2, 342.867, inverted=True))
    ledger.observe(look(2, 15))
    totals = ledger.totals()
    assert totals.import_mwh == EPOCH.milliwatt_hours(10).__floor__()
    assert totals.export_mwh == EPOCH.milliwatt_hours(5).__floor__()


def test_an_algebraic_counter_splits_by_itself() -> None:
    ledger, _ = account([look(0, 5, algebraic=True), look(1, 8, algebraic=True), look(2, 0xFFFFFF, algebraic=True)])
    assert counts(ledger.close()) == (3, 9, 0)


def test_an_entry_that_is_missing_is_noticed_on_replay() -> None:
    _, entries = account(look(second, second) for second in range(200))
    with pytest.raises(LedgerError, match="entry 3 follows entry 1: one is missing or doubled"):
        Ledger.replay([entries[0], *entries[2:]], {1: EPOCH})


def test_an_entry_that_was_moved_is_noticed_on_replay() -> None:
    _, entries = account(look(second, second) for second in range(200))
    entries[2] = replace(entries[2], start=entries[2].start + timedelta(seconds=1))
    with pytest.raises(LedgerError, match="the one before ends at"):
        Ledger.replay(entries, {1: EPOCH})


def test_a_look_outside_24_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="not a reading of a counter"):
        Ledger(EPOCH).observe(look(0, 1 << 24))


class Chip:
    """A counter with physics behind it: what really flowed, and what a look shows."""

    def __init__(self, start: int) -> None:
        self.count, self.work, self.counted = start, 0, 0

    def run(self, watt: int, elapsed_us: int) -> None:
        self.work += abs(watt) * elapsed_us
        new = self.work // 419_430_400_000
        self.work -= new * 419_430_400_000
        self.counted += new
        self.count = (self.count + new) % (1 << 24)


steps = st.lists(
    st.tuples(
        st.sampled_from(["look", "look", "look", "look", "reset", "gap", "step", "reboot", "late", "MODE"]),
        st.integers(-3_000_000, 3_000_000),
        st.integers(100_000, 3_000_000),
    ),
    max_size=60,
)


def lived_through(start: int, story: list[tuple[str, int, int]]) -> list[Observation]:
    """Looks at a chip that is watched, forgotten, reset, set up by others, and has its host's clock stepped."""
    chip, at, looks = Chip(start), NOON, [look(0, start, 0, elapsed=None)]
    for happening, watt, elapsed_us in story:
        if happening in {"gap", "reboot"}:
            elapsed_us *= 1000
        at += timedelta(microseconds=elapsed_us)
        if happening in {"step", "reboot"}:
            at += timedelta(seconds=watt // 1000)
        if happening == "reset":
            chip.count, chip.work = 0, 0
        chip.run(watt, elapsed_us)
        looks.append(
            Observation(
                at=at, elapsed_us=None if happening == "reboot" else elapsed_us,
                count=max(chip.count - (happening == "late"), 0), watt=watt,
                restarted=happening in {"reset", "MODE"}, last_pulse_negative=watt < 0,
            )
        )  # fmt: skip
    return looks


@settings(max_examples=300, deadline=None)
@given(st.integers(0, (1 << 24) - 1), steps)
def test_whatever_happens_the_registers_never_fall_and_replay_equals_live(
    start: int, story: list[tuple[str, int, int]]
) -> None:
    ledger, entries, before = Ledger(EPOCH), list[Entry](), Totals(0, 0, 0)
    for seen in lived_through(start, story):
        entries += ledger.observe(seen)
        totals = ledger.totals()
        assert totals.import_mwh >= before.import_mwh
        assert totals.export_mwh >= before.export_mwh
        before = totals
    entries += ledger.close()
    assert Ledger.replay(entries, {1: EPOCH}).totals() == ledger.totals() == before


@settings(max_examples=300, deadline=None)
@given(st.integers(0, (1 << 24) - 1), steps)
def test_no_energy_is_booked_that_did_not_flow(start: int, story: list[tuple[str, int, int]]) -> None:
    # The truth is the chip's work: late frames, MODE set by others, resets and reboots take from it, never add.
    looks = lived_through(start, story)
    ledger, entries = account(looks)
    flowed = sum(
        abs(watt) * elapsed_us * (1000 if happening in {"gap", "reboot"} else 1)
        for happening, watt, elapsed_us in story
    )
    assert sum(counts([*entries, *ledger.close()])) <= flowed // 419_430_400_000 + 1


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, (1 << 24) - 1),
    st.lists(st.tuples(st.just("look"), st.integers(-3_000_000, 3_000_000), st.integers(100_000, 3_000_000))),
)
def test_the_split_sums_to_exactly_what_the_chip_counted(start: int, story: list[tuple[str, int, int]]) -> None:
    looks = lived_through(start, story)
    ledger, entries = account(looks)
    positive, negative, undirected = counts([*entries, *ledger.close()])
    assert positive + negative == (looks[-1].count - start) % (1 << 24)
    assert undirected == 0


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1000), steps, st.integers(0, 60))
def test_a_host_killed_at_any_moment_resumes_and_books_nothing_twice(
    start: int, story: list[tuple[str, int, int]], moment: int
) -> None:
    looks = lived_through(start, story)
    ledger, entries, accounted = Ledger(EPOCH), list[Entry](), 0
    for number, seen in enumerate(looks[: moment + 1], start=1):
        if caused := ledger.observe(seen):
            entries += caused
            accounted = number  # a store keeps this beside the entry
    again = Ledger.replay(entries, {1: EPOCH})
    for seen in looks[accounted:]:
        again.observe(seen)
    for seen in looks[moment + 1 :]:
        ledger.observe(seen)
    assert again.totals() == ledger.totals()


@settings(max_examples=200)
@given(st.integers(0, 1000), steps, st.integers(0, 60), st.integers(-2_000_000, 2_000_000))
def test_a_ledger_with_older_pages_summed_continues_as_the_whole_one_does(
    start: int, story: list[tuple[str, int, int]], page: int, watt: int
) -> None:
    ledger, entries = account(lived_through(start, story))
    entries += ledger.close()
    page = min(page, len(entries) - 1)
    before = {1: Counts(*counts(entries[:page]))} if page else {}
    resumed = Ledger.resume(LedgerSlice(entries=tuple(entries[page:]), epochs={1: EPOCH}, before=before))
    whole = Ledger.replay(entries, {1: EPOCH})
    until = whole.booked_until
    assert until is not None
    seen = Observation(at=until + timedelta(hours=1), elapsed_us=None, count=entries[-1].count, watt=watt)
    assert resumed.observe(seen) == whole.observe(seen)
    assert resumed.totals() == whole.totals()
