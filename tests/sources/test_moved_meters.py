"""Meters that change their addresses: another one's numbers are refused, and the right one is found again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.sources.conftest import NEEDS_BROKER, Mosquitto, no_secrets, opened, run
from wattrail.clock import ManualClock
from wattrail.errors import OtherDevice, PortOpenError, UrlError
from wattrail.network_meters.mac_address import BrokerAddresses
from wattrail.sources import BrokerPool, MeterLocator, MeterSource, Secrets, open_source
from wattrail.sources.discovery import SearchPlan
from wattrail.sources.locating import PAUSES_S
from wattrail.twin.network.devices import openbeken, tasmota
from wattrail.twin.network.openbeken import SimulatedOpenBeken
from wattrail.twin.network.serving import connect_to_broker, serve_web
from wattrail.units import Reading

KITCHEN, CELLAR = "A4C138000001", "A4C138000002"
ON_LOOPBACK = SearchPlan(mdns=True, interface="127.0.0.1", seconds=1.5)
NOWHERE = SearchPlan(seconds=0.2)


def board(mac: str, total_wh: int) -> SimulatedOpenBeken:
    device = openbeken(ManualClock(), total_wh=total_wh)
    device.mac, device.client = mac, f"obk{mac[4:]}"
    device.meter.set(watts=0.0)
    return device


def wh(reading: Reading) -> float:
    (count,) = reading.registers
    return float(count.register.milliwatt_hours(count.count)) / 1000


def moved_source(
    url: str, plan: SearchPlan, *, pool: BrokerPool | None = None, secrets: Secrets | None = None
) -> MeterSource:
    pool = pool or BrokerPool()
    return open_source(url, pool=pool, secrets=secrets or no_secrets(), locator=MeterLocator(pool, plan=plan))


class Network:
    """Two addresses with a board at each; ``swap`` is what a router does that gives new leases."""

    def __init__(self, first: SimulatedOpenBeken, second: SimulatedOpenBeken) -> None:
        self.boards = [first, second]
        self.places: list[str] = []
        self.requests = 0

    def swap(self) -> None:
        self.boards.reverse()

    def at(self, number: int) -> Callable[[str, bytes], bytes]:
        def answer(target: str, head: bytes) -> bytes:
            self.requests += 1
            return self.boards[number].answer(target, head)

        return answer


@asynccontextmanager
async def network(*, password: str = "") -> AsyncIterator[Network]:
    both = Network(board(KITCHEN, 1000), board(CELLAR, 77_000))
    for device in both.boards:
        device.board.settings.put_text("web_password", password)
    async with serve_web(both.at(0)) as first, serve_web(both.at(1)) as second:
        both.places = [first, second]
        yield both


@asynccontextmanager
async def announced(*places: str) -> AsyncIterator[None]:
    zeroconf = pytest.importorskip("zeroconf")
    from zeroconf.asyncio import AsyncZeroconf

    responder = AsyncZeroconf(interfaces=["127.0.0.1"])
    for number, place in enumerate(places):
        service = zeroconf.ServiceInfo(
            "_http._tcp.local.",
            f"obk{number}._http._tcp.local.",
            port=int(place.rpartition(":")[2]),
            addresses=[socket.inet_aton("127.0.0.1")],
        )
        await (await responder.async_register_service(service))
    yield
    await responder.async_unregister_all_services()
    await responder.async_close()


def test_two_boards_that_swap_addresses_are_never_mixed() -> None:
    async def story() -> None:
        async with network() as both:
            kitchen, cellar = (
                moved_source(f"openbeken://{place}?mac={mac}", NOWHERE)
                for place, mac in zip(both.places, ("a4:c1:38:00:00:01", CELLAR), strict=True)
            )
            assert (wh(await kitchen.read()), wh(await cellar.read())) == (1000, 77_000)
            both.swap()
            for source in (kitchen, cellar):
                with pytest.raises(OtherDevice, match=r"expected the meter with MAC A4C138.*: nothing of it is booked"):
                    await source.read()
            both.swap()
            assert (wh(await kitchen.read()), wh(await cellar.read())) == (1000, 77_000)

    run(story())


def test_after_a_swap_each_board_is_found_by_mdns() -> None:
    async def story() -> None:
        async with network() as both, announced(*both.places):
            pool = BrokerPool()
            locator = MeterLocator(pool, plan=ON_LOOPBACK)
            kitchen, cellar = (
                open_source(f"openbeken://{place}?mac={mac}", secrets=no_secrets(), pool=pool, locator=locator)
                for place, mac in zip(both.places, (KITCHEN, CELLAR), strict=True)
            )
            both.swap()
            assert [wh(one) for one in await asyncio.gather(kitchen.read(), cellar.read())] == [1000, 77_000]
            assert f"the meter was found at http://{both.places[1]}" in kitchen.advice[0]
            asked = both.requests
            assert wh(await kitchen.read()) == 1000
            assert both.requests == asked + 1  # it is not looked for again
            both.swap()  # and back: the address in the URL is tried first
            assert wh(await kitchen.read()) == 1000
            assert kitchen.advice == ()

    run(story())


@NEEDS_BROKER
@pytest.mark.parametrize("firmware", ["openbeken", "tasmota"])
def test_a_broker_in_use_says_where_a_meter_is(
    broker: Mosquitto, firmware: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    device: Any = board(KITCHEN, 1000) if firmware == "openbeken" else tasmota(ManualClock(), total_wh=1000)
    device.mac = KITCHEN

    async def story() -> None:
        async with serve_web(device.answer) as place:
            monkeypatch.setattr("wattrail.sources.opening._HTTP_PORT", int(place.rpartition(":")[2]))
            pool = BrokerPool()
            # Another meter behind the broker is what makes it known.
            other = open_source(f"mqtt://127.0.0.1:{broker.port}/x?device=openbeken", pool=pool, secrets=no_secrets())
            running = asyncio.create_task(connect_to_broker(device, port=broker.port, interval_s=60))
            source = moved_source(f"{firmware}://127.0.0.1:9?mac={KITCHEN}", SearchPlan(seconds=1.0), pool=pool)
            reading = await source.read()
            assert wh(reading) == 1000
            await other.close()
            running.cancel()
            await asyncio.wait([running])

    run(story())


def test_a_password_is_not_sent_to_an_address_nobody_wrote() -> None:
    async def story() -> None:
        async with network(password="planted-secret") as both:
            secrets = Secrets(
                file=Path("/nonexistent"), environment={"WATTRAIL_LOGIN_ME": "planted-secret"}, uses_keyring=False
            )
            locator = MeterLocator(BrokerPool(), plan=NOWHERE)
            locator._places, locator._due = {KITCHEN: both.places[1]}, {KITCHEN: float("inf")}
            url = f"openbeken://{both.places[0]}?mac={KITCHEN}&login=me"
            source = open_source(url, secrets=secrets, locator=locator)
            assert wh(await source.read()) == 1000
            both.swap()
            with pytest.raises(PortOpenError, match="its password is sent only to the address in its URL") as caught:
                await source.read()
            assert both.places[1] in str(caught.value.hint)

    run(story())


def test_a_meter_that_stays_away_is_looked_for_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    searches: list[float] = []

    async def search(locator: MeterLocator) -> dict[str, str]:
        searches.append(clock.monotonic())
        return {}

    monkeypatch.setattr(MeterLocator, "_search", search)

    async def story() -> None:
        locator = MeterLocator(BrokerPool(), plan=NOWHERE, clock=clock)
        for _ in range(1000):
            assert await locator.find(KITCHEN) is None
            assert await locator.find(CELLAR) is None  # shares the search
            clock.advance(10)

    run(story())
    pauses = [after - before for before, after in pairwise(searches)]
    assert pauses == [*PAUSES_S, PAUSES_S[-1]]


def test_a_host_name_is_resolved_again_at_each_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with network() as both:
            places = iter(both.places)
            loop = asyncio.get_running_loop()
            resolve = loop.getaddrinfo

            async def resolved(host: str, port: int, **kind: Any) -> Any:
                return await resolve("127.0.0.1", int(next(places).rpartition(":")[2]), **kind)

            monkeypatch.setattr(loop, "getaddrinfo", resolved)
            async with opened("openbeken://kitchen.local") as (source,):
                source.link._page, source.link._info = "known", {}  # type: ignore[attr-defined]
                assert [wh(await source.read()), wh(await source.read())] == [1000, 77_000]

    run(story())


def test_only_addresses_of_private_networks_are_believed() -> None:
    found = BrokerAddresses()
    for ip in ("8.8.8.8", "meter.example.com", "", "192.168.1.7"):
        found.receive(f"tasmota/discovery/{KITCHEN}/config", f'{{"mac":"{KITCHEN}","ip":"{ip}"}}'.encode())
        assert found.places == ({KITCHEN: ip} if ip.startswith("192.") else {})


@pytest.mark.parametrize("mac", ["a4:c1", "A4C13800000G", "00:00:00:00:00:00"])
def test_a_mac_that_is_none_is_refused(mac: str) -> None:
    with pytest.raises(UrlError, match="12 hexadecimal digits"):
        open_source(f"openbeken://192.168.1.20?mac={mac}", secrets=no_secrets())
