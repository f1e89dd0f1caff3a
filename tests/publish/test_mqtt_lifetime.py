"""A meter is renamed, replaced and removed: a real broker keeps no orphan, and Home Assistant the same entities."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.rig import CALIBRATION
from tests.publish.broker import DEADLINE_S, EVERY, QUICK, board_says, publishing, subscriber
from tests.publish.rig import AT, Site
from tests.sources.conftest import NEEDS_BROKER, Mosquitto
from wattrail.publish import PublisherStatus
from wattrail.publish.home_assistant import HomeAssistantDialect
from wattrail.publish.mqtt import MqttPlan
from wattrail.publish.mqtt_topics import PlainDialect
from wattrail.sources.broker import BrokerAddress
from wattrail.store import open_store
from wattrail.store.rename import rename_meter

pytestmark = NEEDS_BROKER


@pytest.fixture
def mosquitto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mosquitto]:
    monkeypatch.setenv("WATTRAIL_SECRETS", str(tmp_path / "secrets.toml"))
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.stop()


async def published(site: Site, broker: Mosquitto) -> dict[str, str]:
    """Run both publishers for a reading of each meter; returns what the broker retains afterwards."""
    plan = MqttPlan(
        name="mqtt", address=BrokerAddress("127.0.0.1", broker.port), dialect=PlainDialect(is_flat=True),
        cadence=EVERY, pacing=QUICK,
    )  # fmt: skip
    for name in site.names:
        site.show(name)
    home = replace(plan, name="home_assistant", dialect=HomeAssistantDialect())
    async with publishing(site, plan), publishing(site, home):
        for name in ("mqtt", "home_assistant"):
            await board_says(site, lambda at=name: site.state(at).status is PublisherStatus.LIVE)  # type: ignore[misc]
    async with subscriber(broker) as heard:
        await heard.client.publish("end", "1", qos=1)
        await heard.until(lambda: heard.newest("end"))
    return {topic: payload for topic, payload in heard.messages if topic != "end"}


def devices(retained: dict[str, str]) -> dict[str, set[str]]:
    """The unique ids of every device, by its name."""
    documents: list[dict[str, Any]] = [json.loads(text) for topic, text in retained.items() if topic.endswith("config")]
    return {one["device"]["name"]: {part["unique_id"] for part in one["components"].values()} for one in documents}


def test_a_meter_keeps_its_entities_for_life_and_leaves_none(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async def story() -> None:
        both = Site(tmp_path, ("house", "shed"))
        before = devices(await published(both, mosquitto))
        assert set(before) == {"house", "shed"}

        rename_meter(both.database, "house", "villa")
        retained = await published(Site(tmp_path, ("villa", "shed")), mosquitto)
        assert devices(retained) == {"villa": before["house"], "shed": before["shed"]}
        assert not [topic for topic in retained if topic.startswith("meters/house/")]
        assert json.loads(retained["meters/villa/registers"])["import_kwh"] == 1234.567

        # Another meter at the same name: the account goes on, and with it what Home Assistant knows.
        with open_store(both.database) as store:
            new = "serial:///dev/ttyUSB7"
            store.register_meter("villa", new, simulated=False, calibration=CALIBRATION, at=AT + timedelta(days=1))
        replaced = await published(Site(tmp_path, ("villa", "shed")), mosquitto)
        assert devices(replaced) == devices(retained)

        retained = await published(Site(tmp_path, ("villa",)), mosquitto)
        assert devices(retained) == {"villa": before["house"]}
        assert not [topic for topic in retained if "shed" in topic]

    asyncio.run(asyncio.wait_for(story(), 3 * DEADLINE_S))
