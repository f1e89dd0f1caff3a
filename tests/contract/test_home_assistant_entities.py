"""What Home Assistant makes of announcements: of ours, of a virtual meter's, and of a simulated OpenBeken's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from tests.cli.network_rig import house_openbeken
from tests.contract.home_assistant import BEGIN, NEEDS_HOME_ASSISTANT, Days, HomeAssistant, home_assistant
from tests.contract.single_entities import dialect_for
from tests.gateway.rig import CALIBRATION
from tests.publish.broker import EVERY, QUICK, publishing
from tests.publish.rig import AT, Site, view
from tests.sources.conftest import NEEDS_BROKER, Mosquitto, run
from wattrail.clock import ManualClock
from wattrail.gateway import MeterState, MeterView
from wattrail.gateway.plan import VirtualPlan
from wattrail.gateway.virtual_meter import VirtualMeter
from wattrail.ledger import Definition, VirtualKind, registers_at
from wattrail.network_meters.link_health import LinkDay
from wattrail.publish.home_assistant_history import HOUR, whole_hours
from wattrail.publish.home_assistant_history_fill import FillSpan, HomeAssistantHistoryPlan, fill_history
from wattrail.publish.mqtt import MqttPlan
from wattrail.publish.values import QUANTITIES
from wattrail.sources.broker import BrokerAddress
from wattrail.store import open_store
from wattrail.store.outbox import Outbox
from wattrail.units import Quantities

pytestmark = [NEEDS_HOME_ASSISTANT, NEEDS_BROKER]
DEADLINE_S = 60.0
EVERYTHING = Quantities(volts=230.4, amps=7.963, watts=-1834.5, hertz=49.98, power_factor=-0.99, celsius=31.5)


@dataclass
class Entities:
    """What Home Assistant shows, by the unique ids of its MQTT entities."""

    app: HomeAssistant

    def registered(self) -> dict[str, dict[str, Any]]:
        rows = self.app.command("config/entity_registry/list")
        return {row["unique_id"]: row for row in rows if row["platform"] == "mqtt"}

    def states(self) -> dict[str, dict[str, Any]]:
        by_id = {row["entity_id"]: row for row in self.app.command("get_states")}
        return {
            unique: by_id[row["entity_id"]] for unique, row in self.registered().items() if row["entity_id"] in by_id
        }

    async def until(
        self, unique: str, state: str, *, meanwhile: Callable[[], Awaitable[None]] | None = None
    ) -> dict[str, dict[str, Any]]:
        """All of them, once one has a state; ``meanwhile`` is done before each try."""
        until = time.monotonic() + DEADLINE_S
        while (found := self.states()).get(unique, {}).get("state") != state:
            assert time.monotonic() < until, f"{unique} has {found.get(unique)}, expected {state}"
            await (meanwhile() if meanwhile else asyncio.sleep(0))
        return found

    async def until_known(
        self, uniques: set[str], *, meanwhile: Callable[[], Awaitable[None]]
    ) -> dict[str, dict[str, Any]]:
        """All of them, once each of these has a value: entities are made one by one, and later states find them."""
        until = time.monotonic() + DEADLINE_S
        while missing := {
            unique for unique in uniques
            if (found := self.states()).get(unique, {}).get("state", "unknown") in {"unknown", "unavailable"}
        }:  # fmt: skip
            assert time.monotonic() < until, f"without a value: {sorted(missing)}"
            await meanwhile()
        return found

    def device_of(self, unique: str) -> dict[str, Any]:
        wanted = self.registered()[unique]["device_id"]
        (found,) = (row for row in self.app.command("config/device_registry/list") if row["id"] == wanted)
        return dict(found)


@pytest.fixture(scope="module")
def module_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path_factory.mktemp("broker"))
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, module_broker: Mosquitto) -> Iterator[HomeAssistant]:
    """One for all stories of this module: each announces devices of its own."""
    with home_assistant(tmp_path_factory.mktemp("app") / "hass", module_broker) as running:
        yield running


@pytest.fixture
def entities(app: HomeAssistant) -> Iterator[Entities]:
    yield Entities(app)
    complaints = [line for line in app.log.read_text().splitlines() if "components.mqtt" in line and "ERROR" in line]
    assert complaints == []


def plan(app: HomeAssistant, broker: Mosquitto) -> MqttPlan:
    address = BrokerAddress("127.0.0.1", broker.port, False, "127.0.0.1")
    return MqttPlan(name="home_assistant", address=address, dialect=dialect_for(app), cadence=EVERY, pacing=QUICK)


def unique_ids(site: Site, name: str) -> str:
    with Outbox(site.database, "home_assistant") as outbox:
        known = outbox.identity(name)
    assert known is not None
    return f"wattrail_{known.identity}"


def test_every_entity_has_its_class_unit_and_value(
    tmp_path: Path, module_broker: Mosquitto, app: HomeAssistant, entities: Entities
) -> None:
    site = Site(tmp_path, names=("cellar",))
    who = unique_ids(site, "cellar")

    async def story() -> dict[str, dict[str, Any]]:
        async with publishing(site, plan(app, module_broker)):
            site.feed.publish(whole_view("cellar"))
            await entities.until(f"{who}_import", "1234.567")
            return await entities.until(f"{who}_power", "-1834.5")

    states, registered = run(story(), deadline_s=2 * DEADLINE_S), entities.registered()
    for quantity in QUANTITIES:
        attributes = states[f"{who}_{quantity.key}"]["attributes"]
        assert attributes["device_class"] == quantity.device_class
        assert attributes.get("unit_of_measurement", "") == quantity.unit
        assert attributes["state_class"] == "measurement"
        category = registered[f"{who}_{quantity.key}"]["entity_category"]
        assert category == ("diagnostic" if quantity.is_diagnostic else None)
    for way, kwh in (("import", "1234.567"), ("export", "89.012")):
        state = states[f"{who}_{way}"]
        assert state["state"] == kwh
        assert state["entity_id"] == f"sensor.cellar_energy_{way}"
        shown = {key: state["attributes"][key] for key in ("device_class", "state_class", "unit_of_measurement")}
        assert shown == {"device_class": "energy", "state_class": "total_increasing", "unit_of_measurement": "kWh"}
    assert states[f"{who}_link"]["state"] == "on"
    device = entities.device_of(f"{who}_import")
    assert (device["name"], device["model"]) == ("cellar", "Energy meter")
    assert device["identifiers"] == [["mqtt", who]]


def whole_view(name: str, **options: Any) -> MeterView:
    """A view that has every quantity that is published."""
    day = LinkDay(day=AT.date(), readings=1, signal_sum=-61.0, signals=1)
    return replace(view(name, EVERYTHING, **options), link=day)


def test_a_meter_that_is_silent_is_unavailable_and_its_link_says_why(
    tmp_path: Path, module_broker: Mosquitto, app: HomeAssistant, entities: Entities
) -> None:
    site = Site(tmp_path, names=("attic",))
    who = unique_ids(site, "attic")

    async def story() -> None:
        async with publishing(site, plan(app, module_broker)):
            site.feed.publish(view("attic"))
            await entities.until(f"{who}_power", "-1834.5")
            site.feed.publish(view("attic", state=MeterState.LOST))
            states = await entities.until(f"{who}_power", "unavailable")
            assert states[f"{who}_link"]["state"] == "off"
        states = await entities.until(f"{who}_link", "unavailable")  # the gateway has gone as well
        assert states[f"{who}_import"]["state"] == "unavailable"

    run(story(), deadline_s=3 * DEADLINE_S)


def test_a_simulated_meter_is_called_simulated_there_too(
    tmp_path: Path, module_broker: Mosquitto, app: HomeAssistant, entities: Entities
) -> None:
    site = Site(tmp_path, names=())
    with open_store(site.database) as store:
        store.register_meter("rehearsal", "twin://pziot-e01", simulated=True, calibration=CALIBRATION, at=AT)
    site.names = ("rehearsal",)
    who = unique_ids(site, "rehearsal")

    async def story() -> None:
        async with publishing(site, plan(app, module_broker)):
            site.feed.publish(view("rehearsal", simulated=True))
            await entities.until(f"{who}_power", "-1834.5")

    run(story(), deadline_s=2 * DEADLINE_S)
    device = entities.device_of(f"{who}_power")
    assert (device["name"], device["model"]) == ("rehearsal (simulated)", "Simulated energy meter")


def test_a_virtual_meter_has_entities_and_hours_of_its_own(
    tmp_path: Path, module_broker: Mosquitto, app: HomeAssistant, entities: Entities, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, days = Site(tmp_path, names=()), [Days(days=1, seed=seed, outages=0) for seed in (1, 2)]
    with open_store(site.database) as store:
        rows = [
            store.register_meter(name, f"serial:///dev/{name}", simulated=False, calibration=CALIBRATION, at=BEGIN)
            for name in ("l1", "l2")
        ]
        members = [day.book(site.database, row.id) for day, row in zip(days, rows, strict=True)]
        definition = Definition(kind=VirtualKind.SUM, plus=("l1", "l2"))
        both, clock = VirtualPlan(name="both", definition=definition), ManualClock(days[0].end)
        VirtualMeter(both, store, site.feed, clock=clock, zone=UTC).follow(None)
    site.names = ("both",)
    who = unique_ids(site, "both")

    async def story() -> str:
        async with publishing(site, plan(app, module_broker)):
            site.feed.publish(view("both", at=days[0].end))
            states = await entities.until(f"{who}_import", "1234.567")
        return str(states[f"{who}_import"]["entity_id"])

    entity = run(story(), deadline_s=2 * DEADLINE_S)
    monkeypatch.setenv("WATTRAIL_LOGIN_HOME_ASSISTANT", f":{app.token}")
    history = HomeAssistantHistoryPlan(url=app.url, login="home_assistant", now=lambda: days[0].end + HOUR / 4)

    def fill() -> list[int]:
        done = list(fill_history(history, site.database, ("both",), FillSpan(start=BEGIN)))
        assert [one.problem for one in done] == [None, None]
        return [len(one.plan.rows) for one in done]

    assert fill() == [24, 24]
    assert fill() == [0, 0]
    with app.socket() as socket:
        hours = socket.rows(entity, BEGIN, days[0].end)
    at = whole_hours(BEGIN + HOUR, days[0].end)
    of_members = zip(*(registers_at(ledger, at) for ledger in members), strict=True)
    together = [sum(point.total.import_ for point in points) for points in of_members]
    assert [hours[start].state_mwh for start in sorted(hours)] == [int(mwh) // 1000 * 1000 for mwh in together]


def test_the_simulated_openbeken_announces_itself_as_the_firmware_does(
    module_broker: Mosquitto, entities: Entities
) -> None:
    device = house_openbeken()
    who = f"SIMULATED_{device.client}"

    async def story() -> dict[str, dict[str, Any]]:
        async with aiomqtt.Client("127.0.0.1", module_broker.port) as client:
            for message in (*device.births(), *device.discovery()):
                await client.publish(message.topic, message.payload, qos=1, retain=message.retain)

            async def publish_again() -> None:
                for message in (*device.births(), *device.state()):
                    await client.publish(message.topic, message.payload, qos=1, retain=message.retain)

            await entities.until(f"{who}_ip", "127.0.0.1", meanwhile=publish_again)
            await entities.until(f"{who}_sensor_3", "4200.000", meanwhile=publish_again)
            asked = (
                "sensor_0",
                "sensor_2",
                "sensor_138",
                "sensor_11",
                "sensor_8",
                "rssi",
                "temp",
                "uptime",
                "build",
                "ssid",
            )
            return await entities.until_known({f"{who}_{name}" for name in asked}, meanwhile=publish_again)

    states = run(story(), deadline_s=3 * DEADLINE_S)
    shown = {
        unique.removeprefix(f"{who}_"): (state["state"], state["attributes"].get("unit_of_measurement"))
        for unique, state in states.items()
        if unique.startswith(who)
    }
    said = {message.topic.split("/")[1]: message.payload for message in device.state()}
    units = {"0": ("voltage", "V"), "2": ("power", "W"), "138": ("138", "Hz"), "11": ("power_factor", None)}
    for number, (topic, unit) in units.items():
        state, shown_unit = shown[f"sensor_{number}"]
        assert (float(state), shown_unit) == (float(said[topic]), unit)
    assert shown["sensor_8"][0] == "2026-01-01T00:00:00+00:00"
    assert shown["rssi"] == ("-61", "dBm")
    assert len(shown) == 16  # the frequency comes twice, under one id
    assert entities.device_of(f"{who}_sensor_3")["model"] == "BK7231N"
    registered = entities.registered()
    assert {unique for unique, row in registered.items() if unique.startswith(who) and row["entity_category"]} == {
        f"{who}_{name}" for name in ("temp", "rssi", "uptime", "build", "ssid", "ip")
    }
