"""The deviation of two meters, against a simulated truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from random import Random

import pytest

from wattrail.energy_register import Direction, EnergyRegister, Persistence, RegisterCount
from wattrail.metrology.comparison import Agreement, MeterComparison, MeterSeries, compare
from wattrail.units import Quantities, Reading

START = datetime(2026, 6, 21, tzinfo=UTC)
Load = Callable[[float], float]


def register(step_wh: str = "0.1", direction: Direction = Direction.SUM, modulus: int | None = None) -> EnergyRegister:
    step = Fraction(step_wh) * 1000
    return EnergyRegister(
        name=direction, step_mwh=step, direction=direction, persistence=Persistence.KEPT,
        max_counts_per_us=Fraction(1), modulus=modulus,
    )  # fmt: skip


class SimulatedMeter:
    """Shows what flows, wrongly by ``gain``, late by up to ``age_s``, with noise, in steps."""

    def __init__(
        self, load: Load, random: Random, *, gain: float = 1.0, noise_watts: float = 0.0, age_s: float = 1.0,
        register: EnergyRegister | None = None, watts_decimals: int = 1,
    ) -> None:  # fmt: skip
        self.load, self.random, self.gain, self.noise, self.age_s = load, random, gain, noise_watts, age_s
        self.register, self.decimals = register, watts_decimals
        self.offset_wh = random.uniform(0, 1000)
        self.total_wh, self.now = 0.0, 0.0

    def read(self, at: float) -> Reading:
        measured = max(at - self.random.uniform(0, self.age_s), self.now)
        steps = max(1, math.ceil((measured - self.now) * 4))
        for step in range(steps):
            moment = self.now + (measured - self.now) * (step + 0.5) / steps
            self.total_wh += abs(self.load(moment)) * (measured - self.now) / steps / 3600
        self.now = measured
        watts = self.load(measured) * self.gain + self.random.gauss(0, self.noise)
        registers = ()
        if self.register is not None:
            count = int(Fraction((self.offset_wh + self.total_wh * self.gain) * 1000) / self.register.step_mwh)
            if self.register.modulus:
                count %= self.register.modulus
            registers = (RegisterCount(self.register, count),)
        return Reading(
            at=START + timedelta(seconds=at), monotonic=at, sample=Quantities(watts=round(watts, self.decimals)),
            registers=registers,
        )  # fmt: skip


def side_by_side(
    one: SimulatedMeter, two: SimulatedMeter, *, seconds: float = 600, every: tuple[float, float] = (1.0, 2.3)
) -> MeterComparison:
    series = []
    for meter, interval in zip((one, two), every, strict=True):
        shown, at = MeterSeries(age_s=meter.age_s), 1.0
        while at < seconds:
            shown.add(meter.read(at))
            at += interval
        series.append(shown)
    return compare(*series)


def kettle(at: float) -> float:
    """A base load, and a kettle for a minute out of three."""
    return 240.0 + (2000.0 if at % 180 < 60 else 0.0)


def steady(_: float) -> float:
    return 1150.0


@pytest.mark.parametrize("load", [steady, kettle])
@pytest.mark.parametrize("gain", [1.0, 1.02, 0.95])
def test_the_true_deviation_lies_within_the_uncertainty(load: Load, gain: float) -> None:
    hits = {"power": 0, "energy": 0}
    for seed in range(20):
        random = Random(seed)
        one = SimulatedMeter(load, random, noise_watts=3.0, register=register())
        two = SimulatedMeter(load, random, gain=gain, noise_watts=5.0, register=register("0.2"))
        found = side_by_side(one, two)
        for name, deviation in (("power", found.power), ("energy", found.energy)):
            assert deviation is not None
            assert deviation.percent is not None
            assert deviation.uncertainty_percent is not None
            hits[name] += abs(deviation.percent - 100 * (gain - 1)) <= deviation.uncertainty_percent
    assert hits["energy"] >= 19  # 95 %
    assert hits["power"] >= 18


def test_two_per_cent_are_found_within_minutes() -> None:
    random = Random(1)
    found = side_by_side(
        SimulatedMeter(steady, random, noise_watts=2, register=register("0.01")),
        SimulatedMeter(steady, random, gain=1.02, noise_watts=2, register=register("0.01")),
    )
    assert found.agreement is Agreement.DIFFER
    assert found.verdict.startswith("they differ in energy: +2.0")


def test_the_same_values_agree() -> None:
    random = Random(2)
    meters = [SimulatedMeter(steady, random, noise_watts=2, register=register("0.01")) for _ in range(2)]
    found = side_by_side(*meters)
    assert found.agreement is Agreement.AGREE
    assert found.verdict.startswith("they agree within the uncertainty: ")


def test_coarse_registers_ask_for_more_time() -> None:
    random = Random(3)
    one, two = (
        SimulatedMeter(lambda _: 60.0, random, register=register("10"), noise_watts=30, watts_decimals=0)
        for _ in range(2)
    )
    found = side_by_side(one, two, seconds=30)
    assert found.agreement is Agreement.OPEN
    assert "too little to judge: at this load, " in found.verdict


def test_a_unit_mistaken_by_a_thousand_is_named() -> None:
    random = Random(4)
    one = SimulatedMeter(steady, random, register=register())
    two = SimulatedMeter(steady, random, gain=0.001, watts_decimals=4, register=register("0.0001"))
    found = side_by_side(one, two)
    assert "about 1000 times less: a unit is mistaken" in found.verdict


def test_a_clamp_the_wrong_way_round_is_named() -> None:
    random = Random(5)
    found = side_by_side(SimulatedMeter(steady, random), SimulatedMeter(lambda _: -1150.0, random))
    assert "the other sign" in found.verdict


def test_export_is_not_compared_between_sum_and_import() -> None:
    random = Random(6)
    one = SimulatedMeter(lambda _: -500.0, random, register=register())
    two = SimulatedMeter(lambda _: -500.0, random, register=register(direction=Direction.IMPORT))
    found = side_by_side(one, two)
    assert found.energy is None
    assert found.reasons == (
        "energy is not compared: energy flows back, and the registers add up different things: sum and import",
    )


def test_a_wrap_of_the_counter_is_not_a_fall() -> None:
    random = Random(7)
    one = SimulatedMeter(steady, random, register=register("0.2", modulus=64))
    found = side_by_side(one, SimulatedMeter(steady, random, register=register()))
    assert found.energy is not None
    assert found.energy.agreement is Agreement.AGREE


def test_a_register_that_fell_is_not_compared() -> None:
    series = MeterSeries()
    for at, count in ((0.0, 100), (1.0, 40)):
        series.add(Reading(at=START, monotonic=at, sample=Quantities(watts=1.0),
                           registers=(RegisterCount(register(), count),)))  # fmt: skip
    assert compare(series, series).reasons[-1] == "energy is not compared: a register fell meanwhile"


def test_meters_that_were_never_read_together_say_why() -> None:
    found = compare(MeterSeries(), MeterSeries())
    assert (found.power, found.energy, found.agreement) == (None, None, Agreement.OPEN)
    assert found.reasons == (
        "power is not compared: 0 pairs of readings, at least 5 are needed",
        "energy is not compared: one of the two shows no energy register",
    )
    assert found.verdict == "too little to judge: compare for longer, with a load"
