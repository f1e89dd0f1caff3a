"""Counted, wrapped, restarted, or not to be known: told apart by evidence."""

from __future__ import annotations

import pytest

from tests.ledger.rig import chip_epoch
from wattrail.ledger import EntryKind
from wattrail.ledger.boot import Boot
from wattrail.ledger.register_rule import RegisterCircumstances, RegisterRule, RegisterStep

SECOND = 1_000_000
RULE = RegisterRule(chip_epoch(1, 342.867).registers[0])
most_counts, signed_difference = RULE.possible, RULE.signed


def judge(before: int, now: int, elapsed_us: int | None, *, mode_reset: bool) -> RegisterStep:
    boot = Boot.SIGN if mode_reset else Boot.NONE
    return RULE.judge(before, now, RegisterCircumstances(elapsed_us=elapsed_us, boot=boot))


def test_an_ordinary_step_is_counted() -> None:
    step = judge(1000, 1005, SECOND, mode_reset=False)
    assert (step.kind, step.counts, step.note) == (EntryKind.COUNTED, 5, "")


def test_a_wrap_is_counted_through_and_noted() -> None:
    step = judge(0xFFFFF0, 0x000003, SECOND, mode_reset=False)
    assert (step.kind, step.counts, step.note) == (EntryKind.COUNTED, 19, "the counter wrapped")


def test_a_counter_that_fell_from_2636_to_3_books_three_counts_not_a_wrap() -> None:
    step = judge(2636, 3, SECOND, mode_reset=False)
    assert (step.kind, step.counts) == (EntryKind.RESTART, 3)
    assert step.note == "the counter fell from 2636 to 3: it began again"


def test_mode_at_its_reset_value_alone_books_the_smaller_reading() -> None:
    # This once booked the whole counter: whoever writes 0x87 into MODE then had it booked a second time. Hosts in the
    # field do write it (OpenBeken and ESPHome set MODE up at their start), so one sign proves nothing.
    step = judge(2, 5, SECOND, mode_reset=True)
    assert (step.kind, step.counts) == (EntryKind.COUNTED, 3)
    assert "somebody set MODE, or the chip restarted; the smaller, 3 counts, is booked" in step.note


def test_a_restart_close_to_the_wrap_is_known_by_its_lost_settings() -> None:
    assert judge(0xFFFFFE, 4, SECOND, mode_reset=True).counts == 4
    assert judge(0xFFFFFE, 4, SECOND, mode_reset=False).counts == 6


def test_a_chip_that_starts_with_half_its_range_counted_proves_nothing() -> None:
    step = judge(500, 0x800000, SECOND, mode_reset=True)  # one real dump shows this start value
    assert (step.kind, step.counts) == (EntryKind.RESTART, 0)


def test_a_leap_no_chip_can_make_is_a_gap() -> None:
    step = judge(500, 100_000, SECOND, mode_reset=False)
    assert (step.kind, step.counts) == (EntryKind.GAP, 0)
    assert "more than the 22 counts that time allows" in step.note


def test_a_second_allows_22_counts_and_not_one_more() -> None:
    # 8388608 counts of WATT for a second are 20 counts (1638.4 * 256 each), and two are slack.
    assert judge(1000, 1022, SECOND, mode_reset=False).kind is EntryKind.COUNTED
    assert judge(1000, 1023, SECOND, mode_reset=False).kind is EntryKind.GAP
    assert judge(5000, 22, SECOND, mode_reset=False).kind is EntryKind.RESTART
    assert judge(5000, 23, SECOND, mode_reset=False).kind is EntryKind.GAP


def test_a_counter_that_stands_still_is_counted_without_a_remark() -> None:
    step = judge(700, 700, SECOND, mode_reset=False)
    assert (step.kind, step.counts, step.count, step.note) == (EntryKind.COUNTED, 0, 700, "")


def test_without_a_clock_the_note_of_a_leap_says_why_it_is_not_booked() -> None:
    step = judge(500, 500 + (1 << 23), None, mode_reset=False)
    assert step.kind is EntryKind.GAP
    assert step.note == (
        "the counter went from 500 to 8389108, more than the 8388607 counts that can be told apart when no clock spans "
        "them"
    )


def test_half_the_range_is_where_forwards_becomes_backwards() -> None:
    assert signed_difference(0, (1 << 23) - 1) == (1 << 23) - 1
    assert signed_difference(0, 1 << 23) == -(1 << 23)


# What is booked, by hand, over the signs of a restart. 60 s allow 1202 counts; None: no clock spans the two readings.
DECISIONS = [
    # before, now, seconds, MODE at reset -> kind, counts, where counting goes on
    (1000, 1900, 60, False, EntryKind.COUNTED, 900, 1900),
    (1000, 1900, 60, True, EntryKind.COUNTED, 900, 1900),
    (1000, 1900, None, False, EntryKind.COUNTED, 900, 1900),
    (1000, 1900, None, True, EntryKind.COUNTED, 900, 1900),
    (5000, 90, 60, True, EntryKind.RESTART, 90, 90),
    (5000, 90, 60, False, EntryKind.RESTART, 90, 90),
    (5000, 90, None, True, EntryKind.RESTART, 90, 90),
    (5000, 90, None, False, EntryKind.RESTART, 90, 90),
    (5000, 4800, 60, True, EntryKind.RESTART, 0, 4800),  # fell, and shows more than time allows
    (5000, 4800, 60, False, EntryKind.GAP, 0, 4800),
    (16_777_000, 100, 60, False, EntryKind.COUNTED, 316, 100),  # one sign only: it wrapped
    (16_777_000, 100, 60, True, EntryKind.RESTART, 100, 100),
    (16_777_000, 100, None, False, EntryKind.RESTART, 100, 100),  # both fit, and 100 is less than 316
    (1000, 999, 60, False, EntryKind.COUNTED, 0, 1000),  # a frame that came late
    (1000, 978, None, False, EntryKind.COUNTED, 0, 1000),
    (3, 16_777_214, 60, False, EntryKind.COUNTED, 0, 3),  # late, from before the wrap
    (1000, 999, 60, True, EntryKind.RESTART, 999, 999),
    (1000, 9_000_000, None, False, EntryKind.GAP, 0, 9_000_000),
    (1000, 9_000_000, None, True, EntryKind.RESTART, 0, 9_000_000),
]


@pytest.mark.parametrize(("before", "now", "seconds", "mode_reset", "kind", "counts", "on"), DECISIONS)
def test_a_restart_takes_two_signs_else_the_smaller_reading_is_booked(
    before: int, now: int, seconds: int | None, mode_reset: bool, kind: EntryKind, counts: int, on: int
) -> None:
    step = judge(before, now, None if seconds is None else seconds * SECOND, mode_reset=mode_reset)
    assert (step.kind, step.counts, step.count) == (kind, counts, on)
    assert step.note or (kind is EntryKind.COUNTED and not mode_reset)


@pytest.mark.parametrize(("elapsed_us", "most"), [(0, 2), (SECOND, 22), (60 * SECOND, 1202)])
def test_no_chip_counts_faster_than_its_power_register_can_say(elapsed_us: int, most: int) -> None:
    assert most_counts(elapsed_us) == most


@pytest.mark.parametrize(("before", "now", "moved"), [(10, 7, -3), (0, 0xFFFFFF, -1), (0xFFFFFF, 1, 2)])
def test_an_algebraic_counter_may_fall(before: int, now: int, moved: int) -> None:
    assert signed_difference(before, now) == moved
