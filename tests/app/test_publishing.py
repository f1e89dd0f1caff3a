"""From a configuration file to a broker, a page of metrics, and the state of every publisher in the interface."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.publish.broker import DEADLINE_S, subscriber
from tests.sources.conftest import NEEDS_BROKER, Mosquitto
from wattrail.app import load_config, open_service, plan_service

HOUSE = '[[meter]]\nname = "house"\nurl = "twin://pziot-e01?watts=1000&seed=7"\n'


def fetched(url: str, **headers: str) -> tuple[str, str]:
    with urlopen(Request(url, headers=headers)) as answer:
        return answer.headers["content-type"], answer.read().decode()


def publishers(address: str) -> dict[str, Any]:
    _, text = fetched(f"{address}api/v1/publishers")
    return {one["name"]: one for one in json.loads(text)}


@NEEDS_BROKER
def test_a_twin_reaches_a_broker_metrics_and_the_state_of_its_publishers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTRAIL_SECRETS", str(tmp_path / "secrets.toml"))
    mosquitto = Mosquitto(tmp_path)
    mosquitto.start()
    file = tmp_path / "wattrail.toml"
    file.write_text(
        f'{HOUSE}[store]\npath = "{tmp_path}/m.sqlite"\n'
        f'[web]\nport = 0\n[publish.home_assistant]\nbroker = "mqtt://127.0.0.1:{mosquitto.port}"\n'
        "[publish.openmetrics]\nkwh = true\n"
    )

    async def story() -> None:
        ready, loop = asyncio.Event(), asyncio.get_running_loop()
        plan = plan_service(load_config(file))
        async with (
            subscriber(mosquitto) as heard,
            open_service(plan, on_ready=lambda _: loop.call_soon_threadsafe(ready.set)) as service,
        ):
            await asyncio.wait_for(ready.wait(), DEADLINE_S)
            assert service.address is not None
            await heard.until(lambda: any(topic.endswith("/live") for topic, _ in heard.messages))
            kind, page = await asyncio.to_thread(
                lambda: fetched(f"{service.address}metrics", Accept="application/openmetrics-text")
            )
            assert kind.startswith("application/openmetrics-text; version=1.0.0")
            families = {family.name: family for family in text_string_to_metric_families(page)}
            assert families["wattrail_active_power_watts"].samples[0].value == pytest.approx(1000, rel=0.05)
            kind, _ = await asyncio.to_thread(lambda: fetched(f"{service.address}metrics"))
            assert kind.startswith("text/plain; version=0.0.4")
            states = await until_live(service.address)
            assert states["home_assistant"]["target"] == f"mqtt://127.0.0.1:{mosquitto.port}"
            assert states["openmetrics"]["status"] == "live"
        await heard_offline(heard)

    async def heard_offline(heard: Any) -> None:
        assert any('"simulated":true' in payload for _, payload in heard.messages)

    try:
        asyncio.run(asyncio.wait_for(story(), 3 * DEADLINE_S))
    finally:
        mosquitto.stop()


async def until_live(address: str) -> dict[str, Any]:
    """The publishers, once the page has heard that one of them delivers."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            states = await asyncio.to_thread(lambda: publishers(address))
            if states["home_assistant"]["status"] == "live":
                return states


def test_without_its_table_there_is_no_page_of_metrics(tmp_path: Path) -> None:
    file = tmp_path / "wattrail.toml"
    file.write_text(f'{HOUSE}[store]\npath = "{tmp_path}/m.sqlite"\n[web]\nport = 0\n')

    async def story() -> None:
        ready, loop = asyncio.Event(), asyncio.get_running_loop()
        plan = plan_service(load_config(file))
        async with open_service(plan, on_ready=lambda _: loop.call_soon_threadsafe(ready.set)) as service:
            await asyncio.wait_for(ready.wait(), DEADLINE_S)
            assert service.address is not None
            with pytest.raises(HTTPError, match="404"):
                await asyncio.to_thread(lambda: fetched(f"{service.address}metrics"))
            assert await asyncio.to_thread(lambda: publishers(service.address or "")) == {}

    asyncio.run(asyncio.wait_for(story(), 3 * DEADLINE_S))
