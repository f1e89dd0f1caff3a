"""Programs of others, each in a process of its own, read the running service: dsmr-parser over TCP, paho over MQTT."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.publish.test_p1_server import free_port
from tests.sources.conftest import DEADLINE_S, NEEDS_BROKER, Mosquitto
from wattrail.app import load_config, open_service, plan_service

P1_CLIENT = """
import asyncio, json, sys
from dsmr_parser.clients.protocol import create_tcp_dsmr_reader

async def main():
    first = asyncio.get_running_loop().create_future()
    take = lambda telegram: first.done() or first.set_result(telegram)
    transport, _ = await create_tcp_dsmr_reader("127.0.0.1", int(sys.argv[1]), "5", take)
    telegram = await first
    transport.close()
    print(json.dumps({
        "power_kw": float(telegram.CURRENT_ELECTRICITY_USAGE.value),
        "import_kwh": float(telegram.ELECTRICITY_USED_TARIFF_1.value),
        "volts": float(telegram.INSTANTANEOUS_VOLTAGE_L1.value),
    }))

asyncio.run(main())
"""
"""What Home Assistant's dsmr integration does: it has the same reader."""

MQTT_CLIENT = """
import json, sys
from paho.mqtt import subscribe

topics = ["meters/house/live", "meters/house/registers"]
got = subscribe.simple(topics, qos=1, msg_count=2, hostname="127.0.0.1", port=int(sys.argv[1]))
print(json.dumps({message.topic: json.loads(message.payload) for message in got}))
"""
"""A subscriber of MQTT 3.1.1, which knows nothing of version 5."""


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@asynccontextmanager
async def serving(tmp_path: Path, publish: str) -> AsyncIterator[None]:
    """The service with a twin of 1000 W, until the block ends."""
    file = tmp_path / "wattrail.toml"
    file.write_text(
        '[[meter]]\nname = "house"\nurl = "twin://pziot-e01?watts=1000&seed=7"\n'
        f'[store]\npath = "{tmp_path}/m.sqlite"\n[web]\nport = 0\n{publish}'
    )
    async with open_service(plan_service(load_config(file))):
        yield


async def said_by(script: str, port: int) -> Any:
    """What a client prints, as JSON."""
    command = [sys.executable, "-c", script, str(port)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    try:
        out, complaints = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaints.decode()
    return json.loads(out)


async def until_connected(port: int) -> None:
    """Until the service listens."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                await asyncio.sleep(0)
            else:
                writer.close()
                return


def test_dsmr_parser_reads_telegrams_in_a_process_of_its_own(tmp_path: Path) -> None:
    async def story() -> None:
        port = free_port()
        async with serving(tmp_path, f"[publish.p1]\nport = {port}\nevery_s = 1\n"):
            await until_connected(port)
            found = await said_by(P1_CLIENT, port)
        assert found["power_kw"] == pytest.approx(1.0, rel=0.05)
        assert found["volts"] == pytest.approx(230, rel=0.1)
        assert found["import_kwh"] >= 0

    asyncio.run(asyncio.wait_for(story(), 3 * DEADLINE_S))


@NEEDS_BROKER
def test_paho_subscribes_in_a_process_of_its_own(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTRAIL_SECRETS", str(tmp_path / "secrets.toml"))

    async def story() -> None:
        async with serving(tmp_path, f'[publish.mqtt]\nbroker = "mqtt://127.0.0.1:{mosquitto.port}"\n'):
            found = await said_by(MQTT_CLIENT, mosquitto.port)
        live, registers = found["meters/house/live"], found["meters/house/registers"]
        assert live["power"] == pytest.approx(1000, rel=0.05)
        assert registers["import_kwh"] >= 0
        assert live["simulated"] is True
        assert registers["simulated"] is True

    asyncio.run(asyncio.wait_for(story(), 3 * DEADLINE_S))
