"""A running service, read by other people's clients in processes of their own: dsmr-parser by TCP, paho by MQTT."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from tests.publish.broker import DEADLINE_S
from tests.publish.test_p1_server import free_port
from tests.sources.conftest import NEEDS_BROKER, Mosquitto
from wattrail.app import load_config, open_service, plan_service

HOUSE = '[[meter]]\nname = "house"\nurl = "twin://pziot-e01?watts=-1500&seed=7"\n'

DSMR_READER = """
import asyncio, json, sys
from dsmr_parser.clients.protocol import create_tcp_dsmr_reader

def show(telegram):
    print(json.dumps({
        "to_grid_kw": str(telegram.CURRENT_ELECTRICITY_DELIVERY.value),
        "from_grid_kw": str(telegram.CURRENT_ELECTRICITY_USAGE.value),
        "volts": str(telegram.INSTANTANEOUS_VOLTAGE_L1.value),
        "exported": str(telegram.ELECTRICITY_DELIVERED_TARIFF_1.value),
    }), flush=True)

async def main():
    protocol = None
    while protocol is None:
        try:
            _, protocol = await create_tcp_dsmr_reader("127.0.0.1", sys.argv[1], "5", show)
        except OSError:
            await asyncio.sleep(0)
    await protocol.wait_closed()

asyncio.run(main())
"""
"""How Home Assistant's dsmr integration reads a meter on the network."""

PAHO_SUBSCRIBER = """
import sys
import paho.mqtt.client as paho

client = paho.Client(paho.CallbackAPIVersion.VERSION2)
client.on_connect = lambda *_: client.subscribe("meters/house/#", qos=1)
client.on_message = lambda _client, _data, message: print(message.topic, message.payload.decode(), flush=True)
client.connect("127.0.0.1", int(sys.argv[1]))
client.loop_forever()
"""


@asynccontextmanager
async def service(tmp_path: Path, tables: str) -> AsyncIterator[None]:
    """The service of a configuration, while the block lasts."""
    file = tmp_path / "wattrail.toml"
    file.write_text(f'{HOUSE}[store]\npath = "{tmp_path}/m.sqlite"\n{tables}', encoding="utf-8")
    async with open_service(plan_service(load_config(file), web=False)):
        yield


@asynccontextmanager
async def client(program: str, port: int) -> AsyncIterator[asyncio.StreamReader]:
    """A program in a process of its own; what it prints."""
    command = [sys.executable, "-c", program, str(port)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.terminate()
        await process.wait()


async def line(reader: asyncio.StreamReader) -> str:
    said = await asyncio.wait_for(reader.readline(), DEADLINE_S)
    assert said, "the client ended"
    return said.decode()


def test_the_protocol_of_home_assistants_dsmr_reads_the_service(tmp_path: Path) -> None:
    port = free_port()

    async def story() -> None:
        async with (
            service(tmp_path, f"[publish.p1]\nport = {port}\nevery_s = 1\n"),
            client(DSMR_READER, port) as reader,
        ):
            exported = []
            for _ in range(3):
                found = json.loads(await line(reader))
                assert Decimal(found["to_grid_kw"]) == pytest.approx(Decimal("1.5"), rel=Decimal("0.05"))
                assert Decimal(found["from_grid_kw"]) == 0
                assert 210 < Decimal(found["volts"]) < 250
                exported.append(Decimal(found["exported"]))
            assert exported == sorted(exported)

    asyncio.run(asyncio.wait_for(story(), 3 * DEADLINE_S))


@NEEDS_BROKER
def test_paho_as_a_plain_subscriber_reads_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTRAIL_SECRETS", str(tmp_path / "secrets.toml"))
    mosquitto = Mosquitto(tmp_path)
    mosquitto.start()

    async def story() -> None:
        table = f'[publish.mqtt]\nbroker = "mqtt://127.0.0.1:{mosquitto.port}"\nflat = true\n'
        async with client(PAHO_SUBSCRIBER, mosquitto.port) as reader, service(tmp_path, table):
            got: dict[str, str] = {}
            while not {"live", "registers", "state", "flat/power"} <= got.keys():
                topic, _, payload = (await line(reader)).strip().partition(" ")
                got[topic.removeprefix("meters/house/")] = payload
            live, registers = json.loads(got["live"]), json.loads(got["registers"])
            assert live["power"] == pytest.approx(-1500, rel=0.05)
            assert registers["export_kwh"] >= 0
            assert live["simulated"] is True
            assert registers["simulated"] is True
            assert got["state"] == "online"
            assert float(got["flat/power"]) == live["power"]

    try:
        asyncio.run(asyncio.wait_for(story(), 3 * DEADLINE_S))
    finally:
        mosquitto.stop()
