"""A span that is still being counted: the same energy as the ledger gives for it, whatever is kept in memory."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.rig import utc
from tests.ledger.test_ledger import EPOCH, lived_through, steps
from wattrail.errors import LedgerError
from wattrail.ledger import Entry, Ledger, LedgerSlice, RunningInterval, by_interval, opening

START, END = utc(2026, 6, 21, 12, 1), utc(2026, 6, 21, 13)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, (1 << 24) - 1), steps, st.integers(0, 100))
def test_any_tail_of_the_ledger_gives_the_energy_of_the_whole(
    begin: int, story: list[tuple[str, int, int]], tail: int
) -> None:
    ledger, entries = Ledger(EPOCH), list[Entry]()
    for seen in lived_through(begin, story):
        entries += ledger.observe(seen)
    shown, energy = ledger.totals(), ledger.energy()
    running = RunningInterval(ledger.ledger_slice(entries), START, END).energy(energy)
    first = next((place for place, entry in enumerate(entries) if entry.end >= START), len(entries) - 1)
    part = ledger.ledger_slice(entries[max(0, first - tail) :])
    assert RunningInterval(part, START, END).energy(energy) == running
    assert ledger.totals() == shown, "asking for the ledger closes nothing"
    entries += ledger.close()
    whole = LedgerSlice(entries=tuple(entries), epochs={1: EPOCH})
    assert by_interval(whole, [START, END])[0].energy == running


def counted(minutes: int) -> tuple[Ledger, list[Entry]]:
    ledger = Ledger(EPOCH)
    story = [("look", 300_000, 1_000_000)] * (60 * minutes - 10)
    return ledger, [entry for seen in lived_through(0, story) for entry in ledger.observe(seen)]


def test_a_tail_that_does_not_reach_the_last_entry_is_refused() -> None:
    ledger, entries = counted(4)
    with pytest.raises(LedgerError, match="has a hole"):
        ledger.ledger_slice(entries[:-1])
    with pytest.raises(LedgerError, match="has a hole"):
        ledger.ledger_slice([*entries[:1], *entries[2:]])


def test_without_a_tail_all_that_is_written_is_added_up() -> None:
    ledger, entries = counted(4)
    ledger_slice = ledger.ledger_slice(())
    assert [entry.sequence for entry in ledger_slice.entries] == [len(entries) + 1], "what a stop would write"
    assert ledger_slice.before[1].positive == sum(entry.positive for entry in entries) > 0


def test_an_opening_moves_no_span_that_is_made_again() -> None:
    ledger, entries = counted(4)
    before = RunningInterval(ledger.ledger_slice(entries), START, END).energy(ledger.energy())
    ledger.take(
        opening(
            ledger.ledger_slice(entries), import_mwh=12_347_000_000, export_mwh=0, at=START + timedelta(hours=1),
            who="ada", reason="old meter",
        )
    )  # fmt: skip
    assert RunningInterval(ledger.ledger_slice(entries), START, END).energy(ledger.energy()) == before
