"""Waveforms on request: only while somebody looks, from the meter's own worker, and no reading is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.rig import Household
from wattrail.clock import Clock, ManualClock
from wattrail.gateway.feed import Feed
from wattrail.gateway.plan import MeterPlan
from wattrail.gateway.scope import EVERY_S, LEASE_S
from wattrail.gateway.source import MeterReader, open_planned
from wattrail.gateway.worker import Worker
from wattrail.meter import Meter
from wattrail.store import open_store


class Rig:
    def __init__(self, folder: Path, url: str) -> None:
        self.clock = ManualClock()
        self.store = open_store(folder / "w.sqlite")
        self.feed = Feed(self.clock)
        self.meter: MeterReader | None = None
        plan = MeterPlan(name="house", url=url)
        self.worker = Worker(plan, self.store, self.feed, clock=self.clock, opener=self._open)

    def _open(self, plan: MeterPlan, clock: Clock) -> MeterReader:
        self.meter = open_planned(plan, clock)
        return self.meter

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            self.clock.advance(self.worker.step())

    @property
    def questions(self) -> int:
        assert isinstance(self.meter, Meter)
        return self.meter.statistics.exchanges


@pytest.fixture
def spi(tmp_path: Path):
    rig = Rig(tmp_path, "twin://pziot-e01?watts=1150&seed=1")
    yield rig
    rig.worker.close()
    rig.store.close()


def test_nobody_looks_nothing_is_captured(spi: Rig) -> None:
    spi.step(5)
    assert spi.questions < 200


def test_a_request_brings_captures_from_the_next_reading_on(spi: Rig) -> None:
    spi.step()
    assert spi.feed.scopes.watch("house") is None
    spi.step()
    first = spi.feed.scopes.watch("house")
    assert first is not None
    assert first.found is not None
    assert first.found.waveform.watts == pytest.approx(1150, rel=0.005)
    assert first.found.simulated
    before = spi.clock.monotonic()
    while (now := spi.feed.scopes.watch("house")) is first:
        spi.step()
    assert now is not None
    assert EVERY_S - 0.01 <= spi.clock.monotonic() - before < EVERY_S + 2.5


def test_once_nobody_looks_it_ends_and_the_old_picture_is_forgotten(spi: Rig) -> None:
    spi.step()
    spi.feed.scopes.watch("house")
    spi.step()
    spi.clock.advance(LEASE_S + 1)
    spi.step()
    asked = spi.questions
    spi.step(3)
    assert spi.questions - asked < 100
    assert spi.feed.scopes.watch("house") is None


def test_a_capture_takes_a_quarter_of_a_second_of_the_bus_and_no_reading(spi: Rig) -> None:
    spi.step()
    spi.feed.scopes.watch("house")
    readings = spi.meter.statistics.readings  # type: ignore[union-attr]
    begun = spi.clock.monotonic()
    spi.worker.step()
    assert spi.clock.monotonic() - begun < 0.25
    assert spi.meter.statistics.readings == readings + 1  # type: ignore[union-attr]


def test_a_meter_on_uart_says_why_not(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "twin://lspa9?watts=60")
    rig.feed.scopes.watch("house")
    rig.step()
    seen = rig.feed.scopes.watch("house")
    assert seen is not None
    assert seen.found is None
    assert seen.why_not is not None
    assert "no waveform over UART" in seen.why_not
    assert seen.hint is not None
    rig.worker.close()
    rig.store.close()


def test_a_meter_that_is_not_a_chip_has_no_waveform(house: Household) -> None:
    house.feed.scopes.watch("house")
    house.step()
    seen = house.feed.scopes.last("house")
    assert seen is not None
    assert (seen.found, seen.why_not) == (None, "this meter gives readings only, no waveform")
