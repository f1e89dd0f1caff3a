"""What is missing or wrong in Home Assistant's hours, derived from the ledger's registers."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from wattrail.publish.home_assistant_history import (
    HOUR,
    HistoryPlan,
    HourBoundary,
    HourlyRow,
    plan_history,
    whole_hours,
)

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
KWH = 1_000_000

Rows = dict[datetime, HourlyRow]


def boundaries(*registers_kwh: float, unknown: tuple[int, ...] = (), before: float = 0.02) -> list[HourBoundary]:
    """Registers at the hours from BEGIN on; a consumer may have got one that is ``before`` kWh lower."""
    return [
        HourBoundary(
            at=BEGIN + number * HOUR,
            register_mwh=round(kwh * KWH),
            lowest_mwh=round((kwh - before) * KWH),
            highest_mwh=round((kwh + 0.01) * KWH),
            is_known=number not in unknown,
        )
        for number, kwh in enumerate(registers_kwh)
    ]


def row(hour: int, state_kwh: float, sum_kwh: float) -> HourlyRow:
    return HourlyRow(start=BEGIN + hour * HOUR, state_mwh=round(state_kwh * KWH), sum_mwh=round(sum_kwh * KWH))


def rows(*some: HourlyRow) -> Rows:
    return {one.start: one for one in some}


def written(plan: HistoryPlan, to: Rows) -> Rows:
    """What Home Assistant has afterwards."""
    moved = {
        one.start: HourlyRow(
            start=one.start,
            state_mwh=one.state_mwh,
            sum_mwh=None
            if one.sum_mwh is None
            else one.sum_mwh + (plan.adjust_mwh if plan.adjust_from and one.start >= plan.adjust_from else 0),
        )
        for one in to.values()
    }
    return moved | {one.start: one for one in plan.rows}


def test_what_is_right_is_left_alone() -> None:
    present = rows(row(0, 101, 1), row(1, 101.99, 1.99), row(2, 103, 3))
    plan = plan_history(boundaries(100, 101, 102, 103), present)
    assert plan.is_empty
    assert plan.found.right == 3


def test_an_outage_is_filled_and_the_hour_it_began_in_put_right() -> None:
    present = rows(row(0, 101, 1), row(1, 101.3, 1.3), row(4, 105, 5))
    plan = plan_history(boundaries(100, 101, 102, 103, 104, 105), present)
    assert plan.rows == (row(1, 102, 2), row(2, 103, 3), row(3, 104, 4))
    assert (plan.found.missing, plan.found.wrong, plan.found.right) == (2, 1, 2)
    assert plan_history(boundaries(100, 101, 102, 103, 104, 105), written(plan, present)).is_empty


def test_hours_that_end_inside_a_gap_are_neither_written_nor_touched() -> None:
    present = rows(row(0, 101, 1), row(1, 101.3, 1.3), row(4, 105, 5))
    plan = plan_history(boundaries(100, 101, 101.3, 101.3, 104, 105, unknown=(2, 3)), present)
    assert plan.rows == (row(3, 104, 4),)
    assert plan.found.unknown == 1


def test_a_sum_that_began_again_is_moved_from_there_on() -> None:
    present = rows(row(0, 101, 1), row(3, 104, 0.2), row(4, 105, 1.2))
    hours = boundaries(100, 101, 102, 103, 104, 105)
    plan = plan_history(hours, present)
    assert (plan.adjust_from, plan.adjust_mwh) == (BEGIN + 3 * HOUR, round(3.8 * KWH))
    assert plan.rows == (row(1, 102, 2), row(2, 103, 3))
    assert plan_history(hours, written(plan, present)).is_empty


def test_a_sum_wrong_in_one_hour_alone_is_written_not_moved() -> None:
    present = rows(row(0, 101, 1), row(1, 102, 700), row(2, 103, 3))
    plan = plan_history(boundaries(100, 101, 102, 103), present)
    assert plan.adjust_from is None
    assert plan.rows == (row(1, 102, 2),)


def test_older_hours_begin_with_the_energy_of_the_first() -> None:
    present = rows(row(2, 103, 0.5), row(3, 104, 1.5))
    hours = boundaries(100, 101, 102, 103, 104)
    plan = plan_history(hours, present)
    assert plan.rows == (row(0, 101, 1), row(1, 102, 2))
    assert (plan.adjust_from, plan.adjust_mwh) == (BEGIN + 2 * HOUR, round(2.5 * KWH))
    assert plan_history(hours, written(plan, present)).is_empty


def test_a_move_without_its_rows_is_completed_not_repeated() -> None:
    present = rows(row(2, 103, 0.5), row(3, 104, 1.5))
    hours = boundaries(100, 101, 102, 103, 104)
    plan = plan_history(hours, present)
    cut = written(HistoryPlan(adjust_from=plan.adjust_from, adjust_mwh=plan.adjust_mwh), present)
    again = plan_history(hours, cut)
    assert again.adjust_from is None
    assert again.rows == plan.rows


def test_an_opening_stated_later_draws_no_bar() -> None:
    present = rows(row(0, 1, 1), row(1, 2, 2), row(2, 5003, 5003), row(3, 5004, 5004))
    hours = boundaries(5000, 5001, 5002, 5003, 5004)
    plan = plan_history(hours, present)
    after = written(plan, present)
    assert [after[start].sum_mwh for start in sorted(after)] == [KWH, 2 * KWH, 3 * KWH, 4 * KWH]
    assert plan_history(hours, after).is_empty


def test_without_statistics_and_without_a_ledger_nothing_is_done() -> None:
    assert plan_history(boundaries(1, 2, 3, unknown=(0, 1, 2)), {}).is_empty
    assert plan_history([], {}).is_empty


@pytest.mark.parametrize("seed", range(50))
def test_any_outages_leave_the_ledgers_energy_and_nothing_to_do(seed: int) -> None:
    chance = random.Random(seed)
    registers = [100.0]
    for _ in range(200):
        registers.append(round(registers[-1] + chance.choice((0, 0.25, 1.5)), 3))
    hours = boundaries(*registers, before=0.0)
    offset, present = 99.0, {}
    for number in range(200):
        if chance.random() < 0.02:
            offset += 50  # the sum began again
        if chance.random() < 0.8:
            known = registers[number + 1] if chance.random() < 0.9 else registers[number]
            present[BEGIN + number * HOUR] = row(number, known, known - offset)
    present = present or rows(row(0, registers[1], 1))
    after = present
    for _ in range(2):
        after = written(plan_history(hours, after), after)
    assert plan_history(hours, after).is_empty
    sums = [after[BEGIN + number * HOUR].sum_mwh for number in range(200)]
    energy = [round(later * KWH) - round(now * KWH) for now, later in pairwise(registers[1:])]
    assert [later - now for now, later in pairwise(sums) if now is not None and later is not None] == energy


def test_whole_hours_are_those_inside_of_a_span() -> None:
    start = BEGIN.replace(minute=20)
    assert whole_hours(start, BEGIN + 3 * HOUR) == tuple(BEGIN + number * HOUR for number in (1, 2, 3))
    assert whole_hours(start, start) == ()
