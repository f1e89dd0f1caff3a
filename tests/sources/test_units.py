"""Firmware whose total is wrong by a thousand: found against its power, and corrected by the URL."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction

import pytest

from tests.sources.conftest import no_secrets, run
from wattrail.clock import ManualClock
from wattrail.errors import UnexpectedReply
from wattrail.sources import MeterSource, open_source
from wattrail.twin.network.devices import openbeken, tasmota
from wattrail.twin.network.meter import SimulatedNetworkMeter
from wattrail.twin.network.openbeken import SimulatedOpenBeken
from wattrail.twin.network.register_habits import UJ_PER_WH
from wattrail.twin.network.serving import serve_web

SCHEMES = ["openbeken", "tasmota"]
SLOW, FAST = Fraction(1, 1000), Fraction(1000)


@asynccontextmanager
async def house(
    clock: ManualClock, scheme: str, options: str = "", *, pace: Fraction = Fraction(1)
) -> AsyncIterator[tuple[SimulatedNetworkMeter, MeterSource]]:
    """20 kW through a device that counts so many times too fast, and a source that reads it."""
    device = openbeken(clock, total_wh=5000) if scheme == "openbeken" else tasmota(clock, total_wh=5000)
    meter = device.meter if isinstance(device, SimulatedOpenBeken) else device.phases[0]
    meter.set(watts=20_000.0)
    meter.register.pace = pace
    async with serve_web(device.answer) as place:
        source = open_source(f"{scheme}://{place}{options}", secrets=no_secrets(), clock=clock)
        yield meter, source
        await source.close()


async def poll(clock: ManualClock, source: MeterSource, *, minutes: int) -> float:
    """Read every ten seconds; the energy that the registers rose by, in Wh."""
    shown = []
    for _ in range(minutes * 6):
        clock.advance(10)
        (count,) = (await source.read()).registers
        shown.append(count.register.milliwatt_hours(count.count))
    return float(shown[-1] - shown[0]) / 1000


def unit_advice(source: MeterSource) -> list[str]:
    return [line for line in source.advice if "Wh" in line]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_total_that_counts_too_slowly_is_advised_and_corrected(scheme: str) -> None:
    async def story() -> None:
        clock = ManualClock()
        async with house(clock, scheme, pace=SLOW) as (_, source):
            await poll(clock, source, minutes=10)
            (advice,) = unit_advice(source)
            assert re.match(r"registers of sum rose by [\d.]+ Wh where power says [\d.]+ Wh: \d+ times", advice)
            assert advice.endswith("too little; set energy_scale=1000")
        async with house(clock, scheme, "?energy_scale=1000", pace=SLOW) as (_, source):
            assert await poll(clock, source, minutes=10) == pytest.approx(20_000 * 590 / 3600, abs=1000)
            assert unit_advice(source) == []

    run(story())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_total_that_counts_too_fast_is_refused_and_corrected(scheme: str) -> None:
    async def story() -> None:
        clock = ManualClock()
        async with house(clock, scheme, pace=FAST) as (_, source):
            with pytest.raises(UnexpectedReply, match="times too much") as refused:
                await poll(clock, source, minutes=1)
            assert refused.value.hint == "set energy_scale=0.001, then open the source again"
            with pytest.raises(UnexpectedReply, match="times too much"):
                await source.read()
        async with house(clock, scheme, "?energy_scale=0.001", pace=FAST) as (_, source):
            assert await poll(clock, source, minutes=2) == pytest.approx(20_000 * 110 / 3600, rel=0.02)

    run(story())


def test_a_scale_that_is_not_needed_is_refused() -> None:
    async def story() -> None:
        clock = ManualClock()
        async with house(clock, "openbeken", "?energy_scale=1000") as (_, source):
            with pytest.raises(UnexpectedReply, match="times too much") as refused:
                await poll(clock, source, minutes=1)
            assert refused.value.hint == "drop energy_scale= from the URL, then open the source again"

    run(story())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_total_that_somebody_sets_is_not_doubted(scheme: str) -> None:
    async def story() -> None:
        clock = ManualClock()
        async with house(clock, scheme) as (meter, source):
            await poll(clock, source, minutes=1)
            meter.register.flow(7000 * UJ_PER_WH, seconds=0)
            await poll(clock, source, minutes=2)
            meter.set(watts=3.0)
            await poll(clock, source, minutes=5)
            assert unit_advice(source) == []

    run(story())


def test_a_corrected_register_keeps_its_limits() -> None:
    async def story() -> None:
        clock = ManualClock()
        async with house(clock, "openbeken", "?energy_scale=1000") as (_, source):
            (scaled,) = (await source.read()).registers
        async with house(clock, "openbeken") as (_, source):
            (plain,) = (await source.read()).registers
        assert scaled.count == plain.count
        assert scaled.register.step_mwh == 1000 * plain.register.step_mwh
        assert scaled.register.max_counts_per_us * 1000 == plain.register.max_counts_per_us

    run(story())
