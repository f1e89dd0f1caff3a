"""Counted, wrapped, restarted, or not to be known: told apart by evidence."""

from __future__ import annotations

import pytest

from wattrail.ledger import Kind
from wattrail.ledger.counter import judge, most_counts, signed_difference

SECOND = 1_000_000


def test_an_ordinary_step_is_counted() -> None:
    step = judge(1000, 1005, SECOND, restarted=False)
    assert (step.kind, step.counts, step.note) == (Kind.COUNTED, 5, "")


def test_a_wrap_is_counted_through_and_noted() -> None:
    step = judge(0xFFFFF0, 0x000003, SECOND, restarted=False)
    assert (step.kind, step.counts, step.note) == (Kind.COUNTED, 19, "the counter wrapped")


def test_a_fridge_plug_that_fell_from_2636_to_3_books_three_counts_and_not_three_megawatt_hours() -> None:
    step = judge(2636, 3, SECOND, restarted=False)
    assert (step.kind, step.counts) == (Kind.RESTART, 3)
    assert step.note == "the counter fell from 2636 to 3: it began again"


def test_a_chip_that_lost_its_settings_counts_from_zero_even_where_the_number_could_have_grown() -> None:
    step = judge(2, 5, SECOND, restarted=True)
    assert (step.kind, step.counts) == (Kind.RESTART, 5)


def test_a_restart_close_to_the_wrap_is_believed_to_be_a_restart_if_the_settings_are_gone() -> None:
    assert judge(0xFFFFFE, 4, SECOND, restarted=True).counts == 4
    assert judge(0xFFFFFE, 4, SECOND, restarted=False).counts == 6


def test_a_chip_that_wakes_with_half_the_range_on_its_counter_proves_nothing() -> None:
    step = judge(500, 0x800000, SECOND, restarted=True)  # one real dump shows this start value
    assert (step.kind, step.counts) == (Kind.RESTART, 0)


def test_a_leap_no_chip_can_make_is_a_gap() -> None:
    step = judge(500, 100_000, SECOND, restarted=False)
    assert (step.kind, step.counts) == (Kind.GAP, 0)
    assert "more than the 22 counts that time allows" in step.note


@pytest.mark.parametrize(("elapsed_us", "most"), [(0, 2), (SECOND, 22), (60 * SECOND, 1202)])
def test_no_chip_counts_faster_than_its_power_register_can_say(elapsed_us: int, most: int) -> None:
    assert most_counts(elapsed_us) == most


@pytest.mark.parametrize(("before", "now", "moved"), [(10, 7, -3), (0, 0xFFFFFF, -1), (0xFFFFFF, 1, 2)])
def test_an_algebraic_counter_may_fall(before: int, now: int, moved: int) -> None:
    assert signed_difference(before, now) == moved
