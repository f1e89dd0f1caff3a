"""Energy by period: nothing is lost between periods, nothing doubled, and what has no shape gets none."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.rig import BERLIN, MINUTE, NINTHS, entry, forgotten, ledger_slice, start, utc, watched
from tests.ledger.test_ledger import EPOCH, lived_through, steps
from wattrail.ledger import By, EntryKind, Ledger, LedgerSlice, Totals, boundaries, by_interval, midnight, registers_at

NOON = utc(2026, 6, 21, 12)


def test_in_this_epoch_nine_counts_are_a_watt_hour() -> None:
    assert NINTHS.milliwatt_hours(9) == 1000


def test_an_entry_over_a_boundary_is_divided_evenly() -> None:
    # 90 counts = 10 Wh in the minute from 11:59:45; a quarter of the minute lies before noon.
    first = start(NOON - timedelta(seconds=45))
    account = ledger_slice([first, entry(first, NOON + timedelta(seconds=15), positive=90)])
    before, after = by_interval(account, boundaries(By.HOUR, NOON - MINUTE, NOON + MINUTE, BERLIN))
    assert (before.energy.import_mwh, after.energy.import_mwh) == (7_500, 2_500)


def test_what_cannot_be_divided_is_rounded_down_once_and_not_lost() -> None:
    # 10 counts = 1111.1 mWh, half of it 555.55: the register shows 555 at noon and 1111 at the end.
    first = start(NOON - timedelta(seconds=30))
    account = ledger_slice([first, entry(first, NOON + timedelta(seconds=30), positive=10)])
    before, after = by_interval(account, boundaries(By.HOUR, NOON - MINUTE, NOON + MINUTE, BERLIN))
    assert (before.energy.import_mwh, after.energy.import_mwh) == (555, 556)
    assert after.register.import_mwh == 1111


def test_a_gap_is_given_no_shape_and_marks_every_interval_it_touches() -> None:
    minutes = watched(date(2026, 6, 21), date(2026, 6, 22), lambda _: (9, 0))  # 60 Wh each hour
    hours = forgotten(minutes, utc(2026, 6, 21, 8, 30), utc(2026, 6, 21, 10, 30))
    rows = by_interval(ledger_slice(hours), boundaries(By.HOUR, utc(2026, 6, 21, 7), utc(2026, 6, 21, 12), BERLIN))
    assert [row.energy.import_mwh for row in rows] == [60_000, 30_000, 0, 30_000, 60_000]
    assert [row.energy.undirected_mwh for row in rows] == [0, 0, 0, 120_000, 0]
    assert [row.gaps.undirected_mwh for row in rows] == [0, 0, 0, 120_000, 0]
    assert [row.complete for row in rows] == [True, False, False, False, True]


def test_a_gap_that_ends_on_the_hour_leaves_the_next_hour_complete() -> None:
    minutes = watched(date(2026, 6, 21), date(2026, 6, 22), lambda _: (9, 0))
    hours = forgotten(minutes, utc(2026, 6, 21, 8, 30), utc(2026, 6, 21, 10), directed=True)
    rows = by_interval(ledger_slice(hours), boundaries(By.HOUR, utc(2026, 6, 21, 8), utc(2026, 6, 21, 11), BERLIN))
    assert [row.energy.import_mwh for row in rows] == [30_000, 90_000, 60_000]
    assert [row.gaps.import_mwh for row in rows] == [0, 90_000, 0]
    assert [row.complete for row in rows] == [False, False, True]


def test_an_entry_in_which_the_clock_was_set_is_not_spread_over_years() -> None:
    # A computer without a clock boots in 1970 and learns the time half a minute later.
    first = start(utc(1970, 1, 1))
    leap = entry(first, NOON, positive=90)
    leap = type(leap)(**{**{name: getattr(leap, name) for name in leap.__slots__}, "elapsed_us": 30_000_000})
    rows = by_interval(ledger_slice([first, leap]), boundaries(By.DAY, utc(2026, 6, 20), NOON, BERLIN))
    assert [row.energy.import_mwh for row in rows] == [0, 10_000]
    assert [row.complete for row in rows] == [False, False]


def test_before_and_after_the_account_nothing_is_complete() -> None:
    minutes = watched(date(2026, 6, 21), date(2026, 6, 22), lambda _: (9, 0))
    rows = by_interval(ledger_slice(minutes), boundaries(By.DAY, utc(2026, 6, 20, 12), utc(2026, 6, 22, 12), BERLIN))
    assert [row.complete for row in rows] == [False, True, False]
    assert [row.energy.import_mwh for row in rows] == [0, 1_440_000, 0]


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 6, 21), 24), (date(2026, 10, 25), 25)])
def test_a_day_has_23_24_or_25_hours_and_all_its_energy(day: date, hours: int) -> None:
    minutes = watched(day, day + timedelta(days=1), lambda _: (9, 0))
    account = ledger_slice(minutes)
    span = (minutes[0].start, minutes[-1].end, BERLIN)
    assert len(by_interval(account, boundaries(By.HOUR, *span))) == hours
    quarters = by_interval(account, boundaries(By.QUARTER_HOUR, *span))
    assert len(quarters) == 4 * hours
    assert {row.energy.import_mwh for row in quarters} == {15_000}
    (whole,) = by_interval(account, boundaries(By.DAY, *span))
    assert whole.energy.import_mwh == hours * 60_000
    assert whole.complete


def test_registers_can_be_asked_in_order_only() -> None:
    with pytest.raises(ValueError, match="in order"):
        registers_at(ledger_slice([start(NOON)]), [NOON, NOON - MINUTE])


def test_books_read_from_the_middle_show_the_same() -> None:
    minutes = watched(date(2026, 6, 21), date(2026, 6, 22), lambda _: (7, 3))
    marks = boundaries(By.HOUR, utc(2026, 6, 21, 12), utc(2026, 6, 21, 15), BERLIN)
    whole = ledger_slice(minutes)
    place = next(i for i, one in enumerate(minutes) if one.end >= marks[0])
    positive, negative = (sum(getattr(one, side) for one in minutes[:place]) for side in ("positive", "negative"))
    from wattrail.ledger import Counts

    rest = LedgerSlice(entries=tuple(minutes[place:]), epochs=whole.epochs, before={1: Counts(positive, negative, 0)})
    assert by_interval(rest, marks) == by_interval(whole, marks)


marks_within = st.lists(st.integers(-60, 100_000_000), min_size=2, max_size=30).map(sorted)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, (1 << 24) - 1), steps, marks_within)
def test_however_time_is_divided_parts_add_up_and_registers_never_fall(
    begin: int, story: list[tuple[str, int, int]], marks: list[int]
) -> None:
    ledger = Ledger(EPOCH)
    entries = [one for seen in lived_through(begin, story) for one in ledger.observe(seen)]
    entries += ledger.close()
    account = LedgerSlice(entries=tuple(entries), epochs={1: EPOCH})
    moments = sorted({NOON + timedelta(milliseconds=mark) for mark in marks} | {utc(2000, 1, 1), utc(2100, 1, 1)})
    rows = by_interval(account, moments)
    sums = [sum(getattr(row.energy, side) for row in rows) for side in ("import_mwh", "export_mwh", "undirected_mwh")]
    assert Totals(*sums) == ledger.totals() == rows[-1].register
    for before, after in pairwise(rows):
        assert after.register.import_mwh >= before.register.import_mwh
        assert after.register.export_mwh >= before.register.export_mwh


def test_a_restart_leaves_its_interval_incomplete() -> None:
    first = start(NOON, count=500)
    restart = entry(first, NOON + timedelta(seconds=1), kind=EntryKind.RESTART, positive=2)
    last = entry(restart, NOON + MINUTE, positive=9)
    (row,) = by_interval(ledger_slice([first, restart, last]), [NOON, NOON + MINUTE])
    assert not row.complete
    assert midnight(date(2026, 6, 21), BERLIN) == utc(2026, 6, 20, 22)
