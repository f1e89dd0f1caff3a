"""The whole service on asyncio: started and stopped together, one meter never in another's way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

from tests.gateway.rig import StubMeter
from wattrail.clock import Clock, ManualClock, SystemClock
from wattrail.errors import PortLost
from wattrail.gateway import Gateway, GatewayPlan, MeterChanged, MeterPlan, MeterState, MeterView, open_planned
from wattrail.store import Store, open_store

PLAN = GatewayPlan(
    meters=(
        MeterPlan(name="good", url="serial:///dev/ttyUSB0", poll_s=0.2),
        MeterPlan(name="bad", url="serial:///dev/ttyUSB1", poll_s=0.2),
    )
)


async def until(gateway: Gateway, holds: Callable[[MeterView], bool]) -> None:
    """Wait for a view of which something holds."""

    async def wait() -> None:
        with gateway.feed.subscribe("test") as events:
            async for event in events:
                if isinstance(event, MeterChanged) and holds(event.view):
                    return

    await asyncio.wait_for(wait(), 60)


def with_store(folder: Path, story: Callable[[Store], object]) -> None:
    with open_store(folder / "w.sqlite") as store:
        asyncio.run(story(store))  # type: ignore[arg-type]


def test_one_bad_meter_does_not_stop_the_good_one(tmp_path: Path) -> None:
    bad = StubMeter(no_connection=PortLost("gone"))

    def opener(plan: MeterPlan, clock: Clock) -> StubMeter:
        return bad.open(plan, clock) if plan.name == "bad" else StubMeter().open(plan, clock)

    async def story(store: Store) -> None:
        async with Gateway(PLAN, store, opener=opener) as gateway:
            await until(gateway, lambda view: view.name == "bad" and view.state is MeterState.LOST)
            await until(gateway, lambda view: view.name == "good" and view.state is MeterState.LIVE)
        row = store.meter("good")
        assert row is not None
        ledger = store.ledger(row.id)
        assert ledger is not None
        assert ledger.close() == ()  # the stop wrote it up

    with_store(tmp_path, story)


def test_a_stop_does_not_wait_for_a_port_that_hangs(tmp_path: Path) -> None:
    release = threading.Event()

    class Hanging(StubMeter):
        def connect(self) -> None:
            release.wait(30)

    async def story(store: Store) -> None:
        gateway = Gateway(GatewayPlan(meters=PLAN.meters[:1]), store, opener=Hanging().open)
        await gateway.start()
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await gateway.stop()
        assert loop.time() - begin < 2.5
        release.set()

    with_store(tmp_path, story)


def test_a_gateway_without_meters_runs_and_stops(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        async with Gateway(GatewayPlan(), store) as gateway:
            assert gateway.feed.views() == ()
        await Gateway(GatewayPlan(), store).stop()

    with_store(tmp_path, story)


def test_a_plan_becomes_a_meter_with_its_wire_the_other_way() -> None:
    straight = open_planned(MeterPlan(name="house", url="twin://pziot-e01?seed=7"), ManualClock())
    turned = open_planned(MeterPlan(name="house", url="twin://pziot-e01?seed=7", inverted=True), ManualClock())
    assert straight.simulated
    assert (straight.calibration.inverted, turned.calibration.inverted) == (False, True)
    straight.close()
    turned.close()


def test_a_twin_house_is_read_and_booked_through_the_real_meter(tmp_path: Path) -> None:
    plan = GatewayPlan(meters=(MeterPlan(name="demo", url="twin://pziot-e01?scenario=house&seed=7", poll_s=0.5),))

    async def story(store: Store) -> None:
        async with Gateway(plan, store, clock=SystemClock()) as gateway:
            await until(gateway, lambda view: view.reading is not None and view.reading.volts > 200)
            view = gateway.feed.view("demo")
            assert view is not None
            assert view.simulated
            assert view.state is MeterState.LIVE
        assert [row.simulated for row in store.meters()] == [True]

    with_store(tmp_path, story)
