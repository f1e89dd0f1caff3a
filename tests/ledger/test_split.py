"""Import and export out of a counter that knows only their sum: every number here is worked out by hand."""

from __future__ import annotations

import pytest

from wattrail.ledger.split import ONE, Split

SECOND = 1_000_000


def test_power_adds_up_over_every_sample_until_the_counter_moves() -> None:
    split = Split()
    split.integrate(300, 2 * SECOND)
    split.integrate(100, 4 * SECOND)
    split.integrate(-500, SECOND)
    split.integrate(-250, 2 * SECOND)
    assert (split.watt_us_positive, split.watt_us_negative) == (1000 * SECOND, 1000 * SECOND)
    assert split.share(10, last_pulse_negative=False) == (5, 5)


def test_a_fraction_of_a_count_is_carried_to_the_next_move() -> None:
    split = Split()
    shares = []
    for _ in range(4):
        split.integrate(300, SECOND)  # three quarters of it import: 0.75 counts of each, 3 of 4
        split.integrate(-100, SECOND)
        shares.append(split.share(1, last_pulse_negative=False))
    assert [sum(share) for share in shares] == [1, 1, 1, 1]
    assert sum(positive for positive, _ in shares) == 3
    assert split.carry == 0


@pytest.mark.parametrize(("negative", "share"), [(False, (3, 0)), (True, (0, 3))])
def test_where_no_power_was_seen_the_last_pulse_decides(negative: bool, share: tuple[int, int]) -> None:
    split = Split()
    split.integrate(0, SECOND)
    assert split.share(3, last_pulse_negative=negative) == share
    assert split.carry == 0


def test_what_was_carried_counts_where_no_power_was_seen_too() -> None:
    split = Split(carry=3 * ONE // 4)
    assert split.share(2, last_pulse_negative=True) == (1, 1)
    assert split.carry == -ONE // 4


def test_power_is_used_once_and_the_next_move_starts_without_it() -> None:
    split = Split()
    split.integrate(-100, SECOND)
    assert split.share(2, last_pulse_negative=True) == (0, 2)
    assert split.share(2, last_pulse_negative=False) == (2, 0), "nothing is left of the power before"
    split.integrate(700, SECOND)
    assert split.share(0, last_pulse_negative=True) == (0, 0)
    assert split.watt_us_positive == 700 * SECOND, "no move uses no power"
