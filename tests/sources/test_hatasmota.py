"""Home Assistant's own reader of Tasmota (HATasmota) understands our simulated one."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hatasmota.discovery import TasmotaDiscovery
from hatasmota.mqtt import ReceiveMessage, TasmotaMQTTClient
from hatasmota.sensor import TasmotaSensor, TasmotaSensorConfig

from tests.sources.conftest import run
from wattrail.clock import ManualClock
from wattrail.twin.network.devices import tasmota
from wattrail.twin.network.serving import Message
from wattrail.twin.network.tasmota import SimulatedTasmota


class Hub:
    """Home Assistant's side of MQTT: keeps the callbacks of what was subscribed to."""

    def __init__(self) -> None:
        self.callbacks: list[tuple[str, Callable[[ReceiveMessage], Awaitable[None] | None]]] = []
        self.client = TasmotaMQTTClient(self._publish, self._subscribe, self._unsubscribe)

    async def deliver(self, message: Message) -> None:
        for pattern, callback in list(self.callbacks):
            if message.topic == pattern or (pattern.endswith("#") and message.topic.startswith(pattern[:-1])):
                done = callback(ReceiveMessage(message.topic, message.payload, 0, message.retain))
                if done is not None:
                    await done

    async def _publish(self, *_: Any) -> None:
        return None

    async def _subscribe(self, state: dict[str, Any] | None, topics: dict[str, Any]) -> dict[str, Any]:
        for topic in topics.values():
            self.callbacks.append((topic["topic"], topic["msg_callback"]))
        return state or {}

    async def _unsubscribe(self, state: dict[str, Any] | None) -> dict[str, Any]:
        return state or {}


async def values_of(device: SimulatedTasmota) -> dict[str, object]:
    """What Home Assistant would show, by the name of each entity."""
    hub, found, shown = Hub(), [], {}

    async def discovered(sensors: list[Any], _mac: str) -> None:
        found.extend(sensors)

    async def device_discovered(*_: Any) -> None:
        return None

    discovery = TasmotaDiscovery("tasmota/discovery", hub.client)
    await discovery.start_discovery(device_discovered, discovered)
    for message in device.births():
        await hub.deliver(message)
    for config in (config for config, _ in found if isinstance(config, TasmotaSensorConfig)):
        entity = TasmotaSensor(config=config, mqtt_client=hub.client)
        entity.set_on_state_callback(lambda state, name=config.friendly_name, **_: shown.__setitem__(name, state))
        await entity.subscribe_topics()
    for message in device.state():
        await hub.deliver(message)
    return shown


def test_home_assistant_finds_energy_power_and_voltage() -> None:
    clock = ManualClock()
    device = tasmota(clock, total_wh=5000)
    device.phases[0].set(volts=230.0, watts=1000.0)
    clock.advance(3600)
    shown = run(values_of(device))
    assert shown["ENERGY Total"] == pytest.approx(6.0, abs=0.002)
    assert shown["ENERGY Power"] == 1000
    assert shown["ENERGY Voltage"] == 230


def test_home_assistant_finds_three_phases_and_their_export() -> None:
    clock = ManualClock()
    device = tasmota(clock, phases=3, export="separate")
    for phase in device.phases:
        phase.set(volts=230.0, watts=-1000.0)
    clock.advance(3600)
    shown = run(values_of(device))
    assert shown["ENERGY ExportActive 2"] == pytest.approx(1.0, abs=0.002)
    assert shown["ENERGY Power 0"] == -1000


def test_the_discovery_says_that_it_is_simulated() -> None:
    config = json.loads(tasmota(ManualClock()).births()[0].payload)
    assert config["md"] == "SIMULATED"
    assert "SIMULATED" in config["dn"]
