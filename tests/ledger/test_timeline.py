"""The ledger's own time, and books whose entries are not in the order of their times."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.ledger.rig import MINUTE, entry, ledger_slice, start, utc
from wattrail.ledger import Entry, EntryKind, audit, by_interval, registers_at
from wattrail.ledger.timeline import CONFIRM_US, Arrival, Timeline

NOON = utc(2026, 6, 21, 12)
SECOND = 1_000_000
HOUR = timedelta(hours=1)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def test_time_is_the_wall_clocks_while_it_drifts_and_never_runs_back() -> None:
    line = Timeline(NOON)
    assert not line.advance(NOON + seconds(1.5), SECOND)
    assert line.now == NOON + seconds(1.5)
    line.advance(NOON + seconds(0.5), SECOND)  # set back by two seconds: time stands until the clock has caught up
    assert line.now == NOON + seconds(1.5)
    assert line.offset is None


@pytest.mark.parametrize("jump", [-400 * 365 * 86400, -3600, -6, 6, 86400, 365 * 86400])
def test_a_jump_is_certain_after_the_clock_kept_time_for_five_minutes(jump: int) -> None:
    line, took = Timeline(NOON), 0
    while not line.advance(NOON + seconds(took + 1 + jump), SECOND):
        took += 1
        assert line.now == NOON + seconds(took)
        assert line.offset == seconds(jump)
    assert took == CONFIRM_US // SECOND
    line.follow(NOON + seconds(jump))
    assert (line.now, line.offset) == (NOON + seconds(jump), None)


def test_a_clock_that_keeps_jumping_is_never_followed() -> None:
    line = Timeline(NOON)
    for second in range(1, 3600):
        assert not line.advance(NOON + seconds(second + 100 * (second // 60 + 1)), SECOND)
    assert line.now == NOON + seconds(3599)


def test_a_clock_set_after_a_pause_dates_the_first_look_by_its_new_time() -> None:
    clock = Arrival(NOON)
    for second in range(1, 41):
        clock.advance(NOON + seconds(second), SECOND)
    for second in range(41, 342):
        assert not clock.is_sure
        clock.advance(NOON + HOUR + seconds(second), SECOND)
    assert clock.is_sure
    assert clock.first == NOON + HOUR


def test_looks_ten_seconds_apart_are_as_good_as_those_each_second() -> None:
    clock = Arrival(NOON)
    for look in range(1, CONFIRM_US // (10 * SECOND) + 1):
        assert not clock.is_sure
        clock.advance(NOON + seconds(10 * look), 10 * SECOND)
    assert clock.is_sure
    assert clock.first == NOON


def set_back() -> list[Entry]:
    """Nine counts a minute for two hours, the clock set back by one hour after the first."""
    entries = [start(NOON)]
    for _ in range(60):
        entries.append(entry(entries[-1], entries[-1].end + MINUTE, positive=9))
    clock = replace(entry(entries[-1], NOON, kind=EntryKind.CLOCK), start=NOON, elapsed_us=0)
    entries.append(clock)
    for _ in range(60):
        entries.append(entry(entries[-1], entries[-1].end + MINUTE, positive=9))
    return entries


def test_an_hour_that_comes_twice_has_both_energies_and_one_cut_for_both() -> None:
    account = ledger_slice(set_back())
    assert audit(account).findings == ()
    half_past_a_minute = NOON + 30 * MINUTE + seconds(30)
    points = registers_at(account, [NOON, half_past_a_minute, NOON + HOUR])
    assert [point.total.import_ for point in points] == [0, 2 * 30_500, 120_000]


def test_an_entry_of_a_year_ahead_hides_nothing_of_the_days_before_it() -> None:
    ahead = NOON + timedelta(days=365)
    entries = [start(ahead), *[entry(start(ahead), ahead + MINUTE, positive=9)]]
    entries.append(replace(entry(entries[-1], NOON, kind=EntryKind.CLOCK), start=NOON, elapsed_us=0))
    for _ in range(60):
        entries.append(entry(entries[-1], entries[-1].end + MINUTE, positive=9))
    account = ledger_slice(entries)
    assert audit(account).findings == ()
    assert account.began == NOON
    (hour,) = by_interval(account, [NOON, NOON + HOUR])
    assert hour.energy.import_mwh == 60_000
    assert not hour.complete  # the clock was set at its beginning


def test_what_a_clock_that_was_set_forward_skipped_is_incomplete() -> None:
    entries = [start(NOON)]
    entries.append(entry(entries[-1], NOON + MINUTE, positive=9))
    entries.append(replace(entry(entries[-1], NOON + HOUR, kind=EntryKind.CLOCK), elapsed_us=0))
    entries.append(entry(entries[-1], NOON + HOUR + MINUTE, positive=9))
    account = ledger_slice(entries)
    assert audit(account).findings == ()
    marks = [NOON, NOON + MINUTE, NOON + 30 * MINUTE, NOON + HOUR, NOON + HOUR + MINUTE]
    assert [row.complete for row in by_interval(account, marks)] == [True, False, False, True]


def test_only_a_clock_that_was_set_may_break_the_row_of_times() -> None:
    entries = set_back()
    forged = [replace(one, kind=EntryKind.GAP) if one.kind is EntryKind.CLOCK else one for one in entries]
    assert any("its start is" in str(finding) for finding in audit(ledger_slice(forged)).findings)
