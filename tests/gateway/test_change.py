"""Another plan for a running gateway: what both plans have alike is read on, and the rest changes without a loss."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.gateway.network_rig import House, running
from tests.gateway.rig import COUNTS_PER_SECOND, StubMeter
from tests.sources.conftest import run
from wattrail.clock import Clock, SystemClock
from wattrail.errors import ConfigError
from wattrail.gateway import Gateway, GatewayPlan, MeterChanged, MeterPlan, MeterState
from wattrail.gateway.plan import PlanChanges, VirtualPlan
from wattrail.ledger import Definition, VirtualKind
from wattrail.store import Store, open_store
from wattrail.twin.network.devices import openbeken
from wattrail.twin.network.serving import serve_web
from wattrail.units import Reading


def chip(name: str, port: int) -> MeterPlan:
    return MeterPlan(name=name, url=f"serial:///dev/ttyUSB{port}", poll_s=0.2)


def plan(*meters: MeterPlan, virtual: tuple[VirtualPlan, ...] = ()) -> GatewayPlan:
    return GatewayPlan(meters=meters, virtual=virtual, zone="UTC")


HOUSE, GARAGE, CELLAR = chip("house", 0), chip("garage", 1), chip("cellar", 2)


class Ports:
    """Every port that was opened, by its URL, each with its stub."""

    def __init__(self) -> None:
        self.meters: dict[str, StubMeter] = {}

    def open(self, plan: MeterPlan, clock: Clock) -> StubMeter:
        stub = self.meters.setdefault(plan.url, StubMeter(url=plan.url))
        return stub.open(plan, clock)

    def __getitem__(self, plan: MeterPlan) -> StubMeter:
        return self.meters[plan.url]


async def live(gateway: Gateway, *names: str, readings: int = 1) -> None:
    """Wait until each of these meters was read so many times more."""
    left = dict.fromkeys(names, readings + 1)  # the present view comes first
    async with asyncio.timeout(60):
        with gateway.feed.subscribe("test") as events:
            while left:
                event = await anext(events)
                if isinstance(event, MeterChanged) and event.view.state is MeterState.LIVE and event.meter in left:
                    left[event.meter] -= 1
                    if not left[event.meter]:
                        del left[event.meter]


def tell(folder: Path, before: GatewayPlan, story: Callable[[Gateway, Ports], Awaitable[None]]) -> Ports:
    """Run a story in a gateway on stubs."""
    ports = Ports()

    async def play(store: Store) -> None:
        async with Gateway(before, store, opener=ports.open) as gateway:
            await story(gateway, ports)

    with open_store(folder / "w.sqlite") as store:
        asyncio.run(play(store))
    return ports


def counted(folder: Path, name: str) -> int:
    """Counts in the stored entries of a meter, after the end."""
    with open_store(folder / "w.sqlite") as store:
        row = store.meter(name)
        assert row is not None
        return sum(entry.positive for entry in store.entries(row.id))


def test_an_unchanged_meter_is_read_on_and_others_come_and_go(tmp_path: Path) -> None:
    async def story(gateway: Gateway, ports: Ports) -> None:
        await live(gateway, "house", "garage")
        changes = await gateway.change(plan(CELLAR, HOUSE))
        assert changes == PlanChanges(added=("cellar",), removed=("garage",))
        await live(gateway, "house", "cellar")
        assert [view.name for view in gateway.feed.views()] == ["cellar", "house"]
        assert ports[GARAGE].closed == 1
        assert (ports[HOUSE].opened, ports[HOUSE].connected, ports[HOUSE].closed) == (1, 1, 0)

    ports = tell(tmp_path, plan(HOUSE, GARAGE), story)
    for meter in (HOUSE, GARAGE, CELLAR):
        first = 1000 + COUNTS_PER_SECOND
        assert counted(tmp_path, meter.name) == ports[meter].count - first, "everything between first and last reading"


def test_a_changed_meter_ends_before_it_begins_at_its_new_port(tmp_path: Path) -> None:
    moved = chip("house", 7)

    async def story(gateway: Gateway, ports: Ports) -> None:
        await live(gateway, "house", readings=3)
        ports.meters[moved.url] = StubMeter(url=moved.url, count=ports[HOUSE].count)  # the same counter
        assert await gateway.change(plan(moved)) == PlanChanges(changed=("house",))
        assert ports[HOUSE].closed == 1
        await live(gateway, "house", readings=3)
        view = gateway.feed.view("house")
        assert view is not None
        assert view.url == moved.url

    ports = tell(tmp_path, plan(HOUSE), story)
    with open_store(tmp_path / "w.sqlite") as store:
        row = store.meter("house")
        assert row is not None
        entries = store.entries(row.id)
    assert sum(entry.positive + entry.negative + entry.undirected for entry in entries) == (
        ports[moved].count - 1000 - COUNTS_PER_SECOND
    )


def test_the_same_plan_again_changes_nothing(tmp_path: Path) -> None:
    async def story(gateway: Gateway, ports: Ports) -> None:
        await live(gateway, "house")
        assert await gateway.change(plan(HOUSE)) == PlanChanges()
        await live(gateway, "house")
        assert ports[HOUSE].opened == 1

    tell(tmp_path, plan(HOUSE), story)


def test_another_time_zone_is_refused_and_everything_runs_on(tmp_path: Path) -> None:
    async def story(gateway: Gateway, ports: Ports) -> None:
        await live(gateway, "house")
        with pytest.raises(ConfigError, match="time zone"):
            await gateway.change(GatewayPlan(meters=(GARAGE,), zone="Europe/Berlin"))
        await live(gateway, "house")
        assert list(ports.meters) == [HOUSE.url]

    tell(tmp_path, plan(HOUSE), story)


class Blocking(StubMeter):
    """Blocks at its third reading, until it is released."""

    def __init__(self, url: str) -> None:
        super().__init__(url=url)
        self.blocks, self.released = threading.Event(), threading.Event()

    def read(self) -> Reading:
        if self.count >= 1000 + 2 * COUNTS_PER_SECOND and not self.released.is_set():
            self.blocks.set()
            self.released.wait(20)
        return super().read()


def test_the_successor_of_a_meter_that_blocks_waits_for_it(tmp_path: Path) -> None:
    moved = chip("house", 7)

    async def story(gateway: Gateway, ports: Ports) -> None:
        stuck = ports.meters[HOUSE.url]
        assert isinstance(stuck, Blocking)
        await asyncio.to_thread(stuck.blocks.wait, 20)
        await gateway.change(plan(moved, GARAGE))
        await live(gateway, "garage")
        assert moved.url not in ports.meters, "an account has one writer"
        stuck.released.set()
        await live(gateway, "house")
        assert stuck.closed == 1

    async def play(store: Store) -> None:
        ports = Ports()
        ports.meters[HOUSE.url] = Blocking(url=HOUSE.url)
        async with Gateway(plan(HOUSE), store, opener=ports.open) as gateway:
            await story(gateway, ports)

    with open_store(tmp_path / "w.sqlite") as store:
        asyncio.run(play(store))


def test_a_virtual_meter_comes_with_its_members_and_goes(tmp_path: Path) -> None:
    both = VirtualPlan(name="both", definition=Definition(kind=VirtualKind.SUM, plus=("house", "garage")))

    async def story(gateway: Gateway, _ports: Ports) -> None:
        await live(gateway, "house")
        await gateway.change(plan(HOUSE, GARAGE, virtual=(both,)))
        await live(gateway, "both")
        await gateway.change(plan(HOUSE))
        await live(gateway, "house")
        assert gateway.feed.names == ("house",)

    tell(tmp_path, plan(HOUSE), story)
    with open_store(tmp_path / "w.sqlite") as store:
        assert {row.name for row in store.meters()} == {"house", "garage", "both"}, "accounts stay"


def test_network_meters_come_to_a_gateway_that_had_none_and_go(tmp_path: Path) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            plans = []
            for number in (1, 2):
                device = openbeken(SystemClock(), total_wh=1000 * number)
                device.meter.set(watts=2000.0)
                place = await stack.enter_async_context(serve_web(device.answer))
                plans.append(MeterPlan(name=f"plug-{number}", url=f"openbeken://{place}", poll_s=0.2))
            house: House = await stack.enter_async_context(running(tmp_path))
            await house.gateway.change(plan(*plans))
            await house.readings("plug-1", 3)
            await house.readings("plug-2", 3)
            before = house.view("plug-1").total
            await house.gateway.change(plan(plans[1]))
            last = house.view("plug-2").reading
            assert house.feed.view("plug-1") is None
            await house.readings("plug-2", 3)
            assert last is not None
            assert before is not None
            assert house.stored("plug-1") >= before.import_mwh

    run(story())
