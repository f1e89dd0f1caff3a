"""A flashed meter on Wi-Fi: from its new firmware to kilowatt-hours, through power cuts, export and broker restarts."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.flasher.desk import Desk, known_image, over
from tests.gateway.network_rig import House, running
from tests.sources.conftest import NEEDS_BROKER, Mosquitto, broker, run
from wattrail.clock import ManualClock
from wattrail.errors import PortOpenError
from wattrail.gateway import MeterPlan, MeterState
from wattrail.ledger import EntryKind, Totals
from wattrail.twin.network.devices import openbeken
from wattrail.twin.network.openbeken import SimulatedOpenBeken
from wattrail.twin.network.serving import connect_to_broker, serve_web

__all__ = ["broker"]

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
STEP_MWH = 10
SAVED_EVERY_WH = 10
POLL_S = 0.02
"""Less than the gateway allows: only the stories move the clock here, and between two steps nobody has to wait."""


@pytest.fixture(autouse=True)
def quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattrail.gateway.plan._FASTEST_S", POLL_S)


def pziot_e01(clock: ManualClock, watts: float) -> SimulatedOpenBeken:
    """What a PZIOT-E01 is once OpenBeken runs on it, with this power through its hole."""
    device = openbeken(clock, total_wh=5)
    device.meter.set(watts=watts)
    return device


def flowed(device: SimulatedOpenBeken) -> tuple[float, float]:
    """Watt-hours that really flowed so far, import and export."""
    device.meter.update()
    return device.meter.truth.import_wh, device.meter.truth.export_wh


def booked(house: House, name: str = "cupboard") -> Totals:
    total = house.view(name).total
    assert total is not None
    return total


async def pass_time(house: House, clock: ManualClock, seconds: float, *names: str, step_s: float = 50) -> None:
    """Let time pass in steps; in each, every one of these meters is read."""
    for _ in range(round(seconds / step_s)):
        clock.advance(step_s)
        now = clock.monotonic()

        def is_read(house: House, now: float = now) -> bool:
            readings = [house.view(name).reading for name in names or ("cupboard",)]
            return all(reading is not None and reading.monotonic >= now for reading in readings)

        await house.until(is_read, f"read at {now:g} s")


class SteppingDevice:
    """A device whose clock steps when it is next asked, so that no answer is on its way while it does."""

    def __init__(self, device: SimulatedOpenBeken, clock: ManualClock) -> None:
        self._device, self._clock = device, clock
        self._step_s = 0.0

    def answer(self, target: str, request: bytes) -> bytes:
        """What the device says, after the step that waits."""
        step_s, self._step_s = self._step_s, 0.0
        self._clock.advance(step_s)
        return self._device.answer(target, request)

    async def pass_time(self, house: House, seconds: float, step_s: float = 50) -> None:
        """Let time pass in steps; in each, the meter is read."""
        for _ in range(round(seconds / step_s)):
            then = self._clock.monotonic() + step_s
            self._step_s = step_s

            def is_read(house: House, then: float = then) -> bool:
                reading = house.view("cupboard").reading
                return reading is not None and reading.monotonic >= then

            await house.until(is_read, f"read at {then:g} s")


def plan(place: str, name: str = "cupboard") -> MeterPlan:
    return MeterPlan(name=name, url=f"openbeken://{place}", poll_s=POLL_S)


def test_a_flashed_meter_books_its_first_kilowatt_hour(tmp_path: Path) -> None:
    desk, image = Desk(tmp_path / "desk", supply="bench supply", reset=None, port={"adapter": "ch340"}), known_image()
    desk.write(image)
    assert desk.flash == over(desk.before, image), "the firmware is on it; now it is mounted"
    clock = ManualClock(NOON)
    device = pziot_e01(clock, watts=7000)

    async def story() -> None:
        asked = SteppingDevice(device, clock)
        async with serve_web(asked.answer) as place, running(tmp_path, plan(place), clock=clock) as house:
            await house.until_state("cupboard", MeterState.LIVE)
            begin, _ = flowed(device)
            await asked.pass_time(house, 550)
            now, _ = flowed(device)
            assert booked(house).import_mwh >= 1_000_000
            assert booked(house).import_mwh == pytest.approx((now - begin) * 1000, abs=STEP_MWH)
            assert booked(house).export_mwh == 0
            assert house.view("cupboard").simulated

    run(story(), deadline_s=60)


def test_a_power_cut_in_the_night_costs_what_the_meter_had_not_saved(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    device = pziot_e01(clock, watts=3000)

    async def story() -> None:
        asked = SteppingDevice(device, clock)
        async with serve_web(asked.answer) as place:
            port = int(place.rpartition(":")[2])
        async with running(tmp_path, plan(place), clock=clock) as house:
            async with serve_web(asked.answer, port=port):
                await house.until_state("cupboard", MeterState.LIVE)
                begin, _ = flowed(device)
                await asked.pass_time(house, 96, step_s=4)
                await asked.pass_time(house, 8, step_s=4)  # not saved yet
            cut_power()
            await house.until_state("cupboard", MeterState.LOST)
            before = booked(house)
            clock.advance(3600)
            give_power()
            async with serve_web(asked.answer, port=port):
                await house.until_state("cupboard", MeterState.LIVE)
                await asked.pass_time(house, 100, step_s=4)  # less than what a reading on its way may differ by
            now, _ = flowed(device)
            true_mwh = (now - begin) * 1000
            assert booked(house).import_mwh >= before.import_mwh
            assert booked(house).import_mwh <= true_mwh + STEP_MWH, "nothing is invented"
            assert booked(house).import_mwh > true_mwh - 2 * SAVED_EVERY_WH * 1000
            link = house.view("cupboard").link
            assert link is not None
            assert (link.restarts, link.power_cuts) == (1, 1)
            row = house.store.meter("cupboard")
            assert row is not None

            def is_booked(house: House) -> bool:
                return EntryKind.RESTART in {entry.kind for entry in house.store.entries(row.id)}

            await house.until(is_booked, "its restart is booked")

    def cut_power() -> None:
        device.meter.update()
        device.meter.register.power_cut()
        device.meter.set(watts=0.0)

    def give_power() -> None:
        device.meter.update()
        device.meter.register.power_on()
        device.meter.set(watts=3000.0)

    run(story(), deadline_s=60)


def test_export_at_noon_is_export_though_the_firmware_adds_it(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    device = pziot_e01(clock, watts=-2500)

    async def story() -> None:
        asked = SteppingDevice(device, clock)
        async with serve_web(asked.answer) as place, running(tmp_path, plan(place), clock=clock) as house:
            await house.until_state("cupboard", MeterState.LIVE)
            _, begin = flowed(device)
            await asked.pass_time(house, 600)
            _, now = flowed(device)
            assert now - begin == pytest.approx(2500 * 600 / 3600, rel=0.1)
            assert booked(house).import_mwh == 0
            assert booked(house).export_mwh == pytest.approx((now - begin) * 1000, abs=STEP_MWH)

    run(story(), deadline_s=60)


@NEEDS_BROKER
def test_a_restarted_broker_loses_nothing(tmp_path: Path, broker: Mosquitto) -> None:
    clock = ManualClock(NOON)
    device = pziot_e01(clock, watts=3000)
    url = f"mqtt://127.0.0.1:{broker.port}/{device.client}?device=openbeken&ask=0&unit=Wh"

    async def be_there() -> None:
        while True:
            with suppress(PortOpenError):
                # Its own task each time: on Python 3.11 one whose TaskGroup has failed stays marked as cancelled.
                await asyncio.create_task(connect_to_broker(device, port=broker.port, interval_s=0.05))
            await asyncio.sleep(0.05)

    async def story() -> None:
        meter = asyncio.create_task(be_there())
        async with running(tmp_path, MeterPlan(name="cupboard", url=url), clock=clock) as house:
            await house.until(lambda h: h.view("cupboard").total is not None, "the first total")
            begin, _ = flowed(device)
            await pass_time(house, clock, 300)
            broker.stop()
            await house.until(broker_is_named, "the broker is the cause")
            assert house.view("cupboard").state is MeterState.LOST
            clock.advance(60)
            meter.cancel()  # it connects again; aiomqtt would take ten seconds to see that it is alone
            broker.start()
            meter = asyncio.create_task(be_there())
            await house.until_state("cupboard", MeterState.LIVE)
            await pass_time(house, clock, 300)
            device.meter.set(watts=0.0)
            now, _ = flowed(device)
            true_mwh = (now - begin) * 1000
            # A message that was on its way while the clock stepped shows the total of before; the next one, a second
            # later, the rest of that step: it came late, and is a gap with its energy.
            while booked(house).import_mwh < true_mwh - STEP_MWH:
                await pass_time(house, clock, 1, step_s=1)
            await pass_time(house, clock, 5, step_s=1)
            assert booked(house).import_mwh == pytest.approx(true_mwh, abs=STEP_MWH)
            link = house.view("cupboard").link
            assert link is not None
            assert (link.dropouts, link.broker_dropouts) == (1, 1)
        meter.cancel()

    def broker_is_named(house: House) -> bool:
        link = house.view("cupboard").link
        return link is not None and link.broker_dropouts == 1

    run(story(), deadline_s=60)


def test_the_same_meter_by_wire_and_by_wifi_agrees(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    device = pziot_e01(clock, watts=2300)
    wire = MeterPlan(name="wire", url="twin://pziot-e01?watts=2300&seed=7", poll_s=POLL_S)

    async def story() -> None:
        async with serve_web(device.answer) as place, running(tmp_path, wire, plan(place), clock=clock) as house:
            await asyncio.gather(*(house.until_state(name, MeterState.LIVE) for name in ("wire", "cupboard")))
            begin = [booked(house, name).import_mwh for name in ("wire", "cupboard")]
            await pass_time(house, clock, 240, "wire", "cupboard", step_s=8)
            await pass_time(house, clock, 2, "wire", "cupboard", step_s=0.5)  # as much as an answer may be behind
            by_wire, by_wifi = (
                booked(house, name).import_mwh - before
                for name, before in zip(("wire", "cupboard"), begin, strict=True)
            )
            assert by_wire == pytest.approx(by_wifi, rel=0.01)
            assert by_wire > 150_000

    run(story(), deadline_s=60)
