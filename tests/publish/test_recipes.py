"""Every recipe of docs/how-to, run: our side by its own lines, the reader's side by languages that others wrote.

evcc reads with jq, openHAB with JSONPath, Prometheus and Grafana with PromQL. How emoncms names an input is in its
scripts/services/emoncms_mqtt/emoncms_mqtt.php. Node-RED, Prometheus and Home Assistant themselves: tests/contract.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import jq
import jsonpath_ng
import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.publish.broker import DEADLINE_S
from tests.publish.recipes import HOW_TO, METER, Recipe, followed
from tests.publish.rig import Site, view
from tests.sources.conftest import NEEDS_BROKER, Mosquitto
from wattrail.app import plan_service
from wattrail.app.config import parse_config
from wattrail.gateway import MeterState
from wattrail.web import MetricsSetup, Setup, WebProcess, bind

BLOCKS = {
    "emoncms": ["toml"],
    "evcc": ["toml", "yaml", "yaml"],
    "grafana": ["toml", "yaml", "yaml"],
    "home-assistant": ["toml"],
    "node-red": ["toml", "json"],
    "openhab": ["toml", "xtend", "xtend"],
}
WATTS, IMPORT_KWH, EXPORT_KWH = -1834.5, 1234.567, 89.012
READS = {"power": WATTS, "energy": IMPORT_KWH, "returnenergy": EXPORT_KWH}
DASHBOARD = json.loads((HOW_TO / "grafana-dashboard.json").read_text(encoding="utf-8"))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def mosquitto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mosquitto]:
    monkeypatch.setenv("WATTRAIL_SECRETS", str(tmp_path / "secrets.toml"))
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Mosquitto(folder)
    broker.start()
    yield broker
    broker.stop()


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_every_block_of_a_recipe_is_run_here(name: str) -> None:
    assert [language for language, _ in Recipe(name).blocks] == BLOCKS[name]


def test_every_recipe_is_in_the_list_above() -> None:
    assert {page.stem for page in HOW_TO.glob("*.md")} - {"flash"} == set(BLOCKS)


@NEEDS_BROKER
def test_home_assistants_page_names_entities_that_appear(site: Site, mosquitto: Mosquitto) -> None:
    recipe = Recipe("home-assistant")

    async def story() -> None:
        async with followed(recipe, site, mosquitto) as heard:
            (document,) = [
                json.loads(text) for topic, text in heard.messages if topic.startswith("homeassistant/device/")
            ]
            entities = {
                one.get("name") or one["device_class"].capitalize(): one for one in document["components"].values()
            }
            for name, unit in recipe.table("entity"):
                assert entities[name]["unit_of_measurement"] == unit
            for asked, name in recipe.table("Home Assistant asks for"):
                wanted = ("power", "measurement") if asked.endswith("power") else ("energy", "total_increasing")
                assert (entities[name]["device_class"], entities[name]["state_class"]) == wanted

    run(story())


@NEEDS_BROKER
def test_evcc_gets_power_and_both_registers_from_the_broker(site: Site, mosquitto: Mosquitto) -> None:
    recipe = Recipe("evcc")

    async def story() -> None:
        async with followed(recipe, site, mosquitto) as heard:
            config = yaml.safe_load(recipe.of("yaml")[0])
            (meter,) = config["meters"]
            assert config["site"]["meters"]["grid"] == meter["name"]
            assert meter["power"]["timeout"] == "30s"
            for what, value in READS.items():
                source = meter[what]
                assert source["source"] == "mqtt"
                assert jq.compile(source["jq"]).input_text(heard.newest(source["topic"])).first() == value

    run(story())


def test_evcc_reads_the_page_without_a_broker_while_the_meter_is_live(site: Site) -> None:
    (meter,) = yaml.safe_load(Recipe("evcc").of("yaml")[1])["meters"]

    def read(what: str, address: str) -> float:
        source = meter[what]
        assert source["source"] == "http"
        answer = fetched(source["uri"].replace("http://192.168.1.10:8042/", address))
        return float(jq.compile(source["jq"]).input_text(answer).first()) * float(source.get("scale", 1))

    async def story() -> None:
        site.feed.publish(view())
        async with page(site) as address:
            for what, value in READS.items():
                got = await asyncio.to_thread(read, what, address)
                assert got == pytest.approx(value, abs=0.001)
        site.feed.publish(view(state=MeterState.STALE))
        async with page(site) as address:
            with pytest.raises(ValueError, match="the meter is stale"):
                await asyncio.to_thread(read, "power", address)

    run(story())


@NEEDS_BROKER
def test_openhab_finds_a_value_for_every_channel_and_item(site: Site, mosquitto: Mosquitto) -> None:
    recipe = Recipe("openhab")
    things, items = recipe.of("xtend")
    (bridge,), (thing,) = re.findall(r"Bridge (mqtt:broker:\w+)", things), re.findall(r"Thing topic (\w+)", things)
    channels = {
        name: dict(re.findall(r'(\w+)="([^"]*)"', settings))
        for name, settings in re.findall(r'Type number : (\w+) +"[^"]+" +\[ (.*) \]', things)
    }
    config = dict(re.findall(r'(\w+)="([^"]*)"', things.splitlines()[1]))

    async def story() -> None:
        async with followed(recipe, site, mosquitto) as heard:
            assert heard.newest(config["availabilityTopic"]) == config["payloadAvailable"]
            for name, channel in channels.items():
                language, _, path = channel["transformationPattern"].partition(":")
                assert language == "JSONPATH"
                (found,) = jsonpath_ng.parse(path).find(json.loads(heard.newest(channel["stateTopic"]) or ""))
                assert found.value == OPENHAB[name][0]
                assert channel["unit"] == OPENHAB[name][1]
        assert heard.newest(config["availabilityTopic"]) != config["payloadNotAvailable"]

    run(story())
    linked = re.findall(r'channel="([^"]+)"', items)
    assert linked == [f"{bridge.replace('broker', 'topic')}:{thing}:{name}" for name in channels]


OPENHAB = {
    "power": (WATTS, "W"), "voltage": (230.4, "V"), "current": (-7.963, "A"),
    "import": (IMPORT_KWH, "kWh"), "export": (EXPORT_KWH, "kWh"),
}  # fmt: skip


@NEEDS_BROKER
def test_emoncms_makes_the_inputs_that_its_page_lists(site: Site, mosquitto: Mosquitto) -> None:
    recipe = Recipe("emoncms")

    async def story() -> None:
        async with followed(recipe, site, mosquitto) as heard:
            inputs = {name: value for topic, text in heard.messages for name, value in emoncms_inputs(topic, text)}
        for (name, *_), value in zip(recipe.table("input"), READS.values(), strict=True):
            assert inputs["house", name] == value

    run(story())


def emoncms_inputs(topic: str, payload: str) -> Iterator[tuple[tuple[str, str], Any]]:
    """Node and name of each input: the topic below emon; its first part, and the others and the key, joined by _."""
    node, *parts = topic.removeprefix("emon/").split("/")
    if payload.startswith("{"):
        for key, value in json.loads(payload).items():
            yield (node, "_".join([*parts, key])), value
    else:
        yield (node, "_".join(parts)), payload


def test_the_flow_of_node_red_is_whole() -> None:
    """Every wire ends at a node of the flow, and every node on the broker uses the one that is there."""
    (text,) = Recipe("node-red").of("json")
    nodes = {node["id"]: node for node in json.loads(text)}
    wires = [end for node in nodes.values() for output in node.get("wires", ()) for end in output]
    assert set(wires) <= set(nodes)
    assert {node["broker"] for node in nodes.values() if node["type"].startswith("mqtt ")} == {"wattrail-broker"}
    assert not {node.get("name") for node in nodes.values()} & set(nodes), (
        "Node-RED takes any such text for a reference"
    )


def test_prometheus_finds_every_metric_that_dashboard_and_alerts_ask_for(site: Site) -> None:
    asked = {name for expression in (*dashboard_expressions(), *alert_expressions()) for name in metrics_of(expression)}

    async def story() -> None:
        site.feed.publish(view())
        config = plan_service(parse_config(METER + Recipe("grafana").of("toml")[0], "wattrail.toml"))
        assert config.web is not None
        assert config.web.open_to_network
        assert config.web.metrics is not None
        async with page(site, metrics=MetricsSetup(has_kwh=config.web.metrics.has_kwh)) as address:
            (job,) = yaml.safe_load(Recipe("grafana").of("yaml")[0])["scrape_configs"]
            ((target,),) = (one["targets"] for one in job["static_configs"])
            url = f"http://{target}/metrics".replace("http://192.168.1.10:8042/", address)
            text = await asyncio.to_thread(fetched, url, Accept="text/plain;version=0.0.4")
        served = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
        assert asked <= served

    run(story())
    assert {"wattrail_active_power_watts", "wattrail_energy_import_joules_total", "wattrail_build_info"} <= asked


def test_the_dashboard_marks_a_twin_wherever_it_names_a_meter() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            assert "{{meter}}{{mark}}" in target["legendFormat"]
            assert 'label_replace(wattrail_meter_info, "mark", " (simulated)", "simulated", "true")' in target["expr"]


def test_the_panels_of_the_dashboard_fill_its_width_and_do_not_overlap() -> None:
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells)) == 24 * (1 + max(y for _, y in cells))
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD["panels"]))) == variables


def dashboard_expressions() -> list[str]:
    return [target["expr"].replace("$meter", ".*") for panel in DASHBOARD["panels"] for target in panel["targets"]]


def alert_expressions() -> list[str]:
    groups = yaml.safe_load(Recipe("grafana").of("yaml")[1])["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def metrics_of(expression: str) -> set[str]:
    """The metrics that an expression of PromQL reads, as a foreign parser finds them."""
    found: set[str] = set()

    def visit(node: object) -> bool:
        if isinstance(node, promql_parser.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql_parser.VectorSelector):
            found.add(node.name)
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


@asynccontextmanager
async def page(site: Site, metrics: MetricsSetup | None = None) -> AsyncIterator[str]:
    """The page of a site, on loopback; its address."""
    ready, loop = asyncio.Event(), asyncio.get_running_loop()
    with bind(port=0) as listener:
        process = WebProcess(
            site.feed, Setup(database=site.database, metrics=metrics), listener,
            on_ready=lambda _: loop.call_soon_threadsafe(ready.set),
        )  # fmt: skip
        try:
            await asyncio.wait_for(ready.wait(), DEADLINE_S)
            yield process.address
        finally:
            await asyncio.to_thread(process.stop)


def fetched(url: str, **headers: str) -> str:
    with urlopen(Request(url, headers=headers)) as answer:
        text: str = answer.read().decode()
    return text


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 2 * DEADLINE_S))
