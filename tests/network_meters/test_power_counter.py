"""Power of a meter without an energy register, added up over the time that it was watched and never beyond."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.energy_register import BootEvidence, Direction, EnergyRegister, Persistence, RegisterCount, fastest
from wattrail.network_meters.decoded import Decoded
from wattrail.network_meters.power_counter import PowerCounter
from wattrail.units import Quantities

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
TOTAL = EnergyRegister(
    name="import", step_mwh=Fraction(1000), direction=Direction.IMPORT, persistence=Persistence.SAVED,
    max_counts_per_us=fastest(44_000, Fraction(1000)),
)  # fmt: skip


def power(watts: float | None) -> Decoded:
    return Decoded(sample=Quantities(watts=watts), is_power_only=True)


def shown(counter: PowerCounter, watts: float | None, at: float) -> tuple[int, ...]:
    """Milliwatt-hours of import and export after a reading."""
    return tuple(count.count for count in counter.take(power(watts), at))


def test_a_power_holds_until_the_next_one() -> None:
    counter = PowerCounter(60.0)
    assert shown(counter, 3600.0, 0.0) == (0, 0)
    assert shown(counter, 0.0, 10.0) == (10_000, 0)
    assert shown(counter, 0.0, 20.0) == (10_000, 0)


def test_export_is_counted_apart_by_the_sign_of_power() -> None:
    counter = PowerCounter(60.0)
    shown(counter, -1800.0, 0.0)
    assert shown(counter, 720.0, 10.0) == (0, 5_000)
    assert shown(counter, 720.0, 20.0) == (2_000, 5_000)


def test_a_time_that_nobody_watched_adds_nothing() -> None:
    counter = PowerCounter(60.0)
    shown(counter, 1000.0, 0.0)
    assert shown(counter, 1000.0, 60.0) == (16_666, 0)
    assert shown(counter, 1000.0, 3660.0) == (16_666, 0)
    assert shown(counter, 1000.0, 3670.0) == (19_444, 0)


@given(st.lists(st.tuples(st.integers(-30_000_000, 30_000_000), st.integers(1, 60_000_000)), min_size=1, max_size=50))
def test_not_a_milliwatt_microsecond_is_lost_to_rounding(steps: list[tuple[int, int]]) -> None:
    counter, at_us, sums = PowerCounter(60.0), 5_000_000, [0, 0]
    counts: tuple[int, ...] = (0, 0)
    for milliwatts, elapsed_us in steps:
        shown(counter, milliwatts / 1000, at_us / 1e6)
        at_us += elapsed_us
        sums[milliwatts < 0] += abs(milliwatts) * elapsed_us
        counts = shown(counter, milliwatts / 1000, at_us / 1e6)
    assert list(counts) == [total // 3_600_000_000 for total in sums]


@pytest.mark.parametrize("watts", [None, float("nan"), 65_535.0])
def test_what_is_not_a_power_is_passed_over(watts: float | None) -> None:
    counter = PowerCounter(60.0, max_watts=23_000)
    shown(counter, 3600.0, 0.0)
    assert shown(counter, watts, 5.0) == ()
    assert shown(counter, 3600.0, 10.0) == (10_000, 0)


def test_a_repeated_power_neither_counts_nor_ends_the_time_before() -> None:
    counter = PowerCounter(60.0)
    shown(counter, 3600.0, 0.0)
    assert counter.take(replace(power(3600.0), is_power_only=False), 30.0) == ()
    assert shown(counter, 3600.0, 70.0) == (0, 0)


def test_a_meter_that_has_shown_a_register_is_never_estimated() -> None:
    counter = PowerCounter(60.0)
    shown(counter, 3600.0, 0.0)
    counter.take(Decoded(sample=Quantities(watts=3600.0), registers=(RegisterCount(TOTAL, 7),)), 10.0)
    assert shown(counter, 3600.0, 20.0) == ()


def test_what_is_counted_here_says_since_when_and_that_it_is_an_estimate() -> None:
    counter = PowerCounter(60.0)
    said = replace(power(100.0), evidence=BootEvidence(uptime_s=7.0, boot_count=3))
    counter.reading(said, (), at=NOON, monotonic=100.0, simulated=True)
    reading = counter.reading(said, (), at=NOON, monotonic=110.0, simulated=True)
    assert reading.is_estimated
    assert [shown.register.direction for shown in reading.registers] == [Direction.IMPORT, Direction.EXPORT]
    assert {shown.register.persistence for shown in reading.registers} == {Persistence.VOLATILE}
    assert reading.evidence == BootEvidence(uptime_s=10.0)
