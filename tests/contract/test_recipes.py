"""Node-RED and Prometheus themselves, set up by the pages of docs/how-to and nothing else.

Each runs where its variable names the program: ``make contract NODE_RED=... PROMETHEUS=...``.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from tests.publish.broker import DEADLINE_S, publishing, subscriber
from tests.publish.recipes import BROKER, Recipe
from tests.publish.rig import AT, Site, view
from tests.publish.test_recipes import alert_expressions, dashboard_expressions, page, run
from tests.sources.conftest import NEEDS_BROKER, Mosquitto, _free_port
from wattrail.units import Quantities
from wattrail.web import MetricsSetup

NODE_RED, PROMETHEUS = os.environ.get("NODE_RED", ""), os.environ.get("PROMETHEUS", "")


@pytest.mark.skipif(not NODE_RED, reason="NODE_RED names no node-red: see make contract")
@NEEDS_BROKER
def test_node_red_switches_the_load_by_the_flow_of_the_page(tmp_path: Path, broker: Mosquitto) -> None:
    recipe, site = Recipe("node-red"), Site(tmp_path)
    nodes = json.loads(recipe.of("json")[0].replace(BROKER, "127.0.0.1"))
    for node in nodes:
        if node["type"] == "mqtt-broker":
            node["port"] = str(broker.port)

    async def story() -> None:
        for watts, word in ((-1500.0, "on"), (500.0, "off")):
            site.feed.publish(view(known=Quantities(volts=230.0, watts=watts), at=AT))
            async with (
                subscriber(broker, "home/heater/set") as load,
                publishing(site, recipe.consumer(broker)),
                node_red(nodes, tmp_path / "node-red"),
            ):
                await load.until_topic("home/heater/set", word)

    run(story())


@asynccontextmanager
async def node_red(nodes: list[dict[str, Any]], folder: Path) -> AsyncIterator[None]:
    """Node-RED with a flow, on loopback, connected to the broker of the flow."""
    folder.mkdir(exist_ok=True)
    (folder / "flows.json").write_text(json.dumps(nodes), encoding="utf-8")
    command = [
        NODE_RED, "--userDir", str(folder), "--port", str(_free_port()), "--no-telemetry", "-D", "uiHost=127.0.0.1",
        str(folder / "flows.json"),
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    try:
        said = b""
        while b"Connected to broker" not in said:
            said = await asyncio.wait_for(process.stdout.readline(), DEADLINE_S)
            assert said, "Node-RED ended before it was connected"
        yield
    finally:
        process.terminate()
        await process.communicate()


@pytest.mark.skipif(not PROMETHEUS, reason="PROMETHEUS names no prometheus: see make contract")
def test_prometheus_answers_every_panel_and_alert_of_the_page(tmp_path: Path) -> None:
    site = Site(tmp_path, ("house", "twin"))
    site.feed.publish(view("house"))
    site.feed.publish(view("twin", simulated=True))

    async def story() -> None:
        async with page(site, metrics=MetricsSetup()) as address:
            await asyncio.to_thread(ask_prometheus, address)

    def ask_prometheus(address: str) -> None:
        with prometheus(address, tmp_path / "prometheus") as ask:
            for expression in dashboard_expressions():
                marks = {one["metric"]["meter"]: one["metric"].get("mark") for one in ask(expression, wanted=2)}
                assert marks == {"house": None, "twin": " (simulated)"}
            for expression in alert_expressions():
                assert ask(expression, wanted=0) == []

    run(story())


@contextmanager
def prometheus(address: str, folder: Path) -> Iterator[Any]:
    """Prometheus with the files of the page, reading an address each second; how to ask it."""
    scrape, rules = Recipe("grafana").of("yaml")
    config = yaml.safe_load(scrape.replace("192.168.1.10:8042", address.removeprefix("http://").rstrip("/")))
    config["scrape_configs"][0]["scrape_interval"] = "1s"
    config["rule_files"] = ["rules.yml"]
    folder.mkdir()
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / "rules.yml").write_text(rules, encoding="utf-8")
    port = _free_port()
    command = [
        PROMETHEUS, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def ask(expression: str, *, wanted: int) -> list[Any]:
        """The samples of an expression, asked for until they are as many as wanted."""
        while True:
            assert process.poll() is None, "Prometheus ended"
            try:
                with urlopen(f"http://127.0.0.1:{port}/api/v1/query?{urlencode({'query': expression})}") as answer:
                    found: list[Any] = json.load(answer)["data"]["result"]
            except URLError as error:
                if getattr(error, "code", 503) != 503:  # 503 while it starts
                    raise
                continue
            if len(found) == wanted:
                return found

    try:
        yield ask
    finally:
        process.terminate()
        process.wait(DEADLINE_S)
