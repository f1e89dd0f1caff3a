"""Simulated network devices from the command line."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from wattrail.sources import Secrets, open_source


def read(url: str, environment: dict[str, str]) -> float | None:
    """The power that a source at this URL shows."""
    secrets = Secrets(file=Path("/nonexistent"), environment=environment, uses_keyring=False)

    async def story() -> float | None:
        source = open_source(url, secrets=secrets)
        reading = await source.read()
        await source.close()
        assert reading.simulated
        return reading.watts

    return asyncio.run(story())


@pytest.mark.parametrize("device", ["openbeken", "tasmota", "tuya", "tuya --plug"])
def test_a_served_device_is_read_by_the_url_it_names(device: str) -> None:
    device, *options = device.split()
    command = [sys.executable, "-m", "wattrail", "twin", "serve", device, *options, "--watts", "500"]
    served = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert served.stdout is not None
    text = ""
    while "Ctrl-C" not in text:
        line = served.stdout.readline()
        assert line, "it ended before it served"
        text += line
    assert text.startswith("SIMULATED: ")
    found = re.search(rf"its URL: ({device}://\S+)", text)
    assert found is not None
    environment = dict(re.findall(r"export (\w+)=(\S+)", text))
    assert read(found[1], environment) == pytest.approx(500, abs=1)
    os.kill(served.pid, signal.SIGTERM)
    assert served.wait(60) == 0
    served.stdout.close()


def test_stock_firmware_publishes_to_no_broker(wattrail: Type) -> None:
    said = wattrail("twin", "serve", "tuya", "--broker", "127.0.0.1:1883")
    assert said.code == 2
    assert "Tuya's stock firmware publishes to no broker" in said.err


def test_a_plug_without_a_broker_is_a_usage_error(wattrail: Type) -> None:
    said = wattrail("twin", "serve", "mqtt-json")
    assert said.code == 2
    assert "mqtt-json publishes over MQTT and needs a broker" in said.err
    assert "add --broker 127.0.0.1:1883" in said.err


@pytest.mark.parametrize("broker", ["", ":1883", "host:port", "host:70000", "host:0"])
def test_a_broker_that_is_not_an_address_is_a_usage_error(wattrail: Type, broker: str) -> None:
    said = wattrail("twin", "serve", "mqtt-json", "--broker", broker)
    assert said.code == 2
    assert "is not a host, or host:port" in said.err


def test_a_broker_that_is_not_there_ends_it_with_a_word(wattrail: Type) -> None:
    said = wattrail("twin", "serve", "mqtt-json", "--broker", "127.0.0.1:1")
    assert said.code == 3
    assert "broker 127.0.0.1:1: " in said.err


def test_the_list_names_network_devices(wattrail: Type) -> None:
    said = wattrail("twin", "list")
    for name in ("openbeken", "tasmota", "mqtt-json", "tuya"):
        assert name in said.out


@pytest.mark.parametrize("start", ["noon", "25:00", "24:30"])
def test_a_start_that_is_not_a_time_of_day_is_a_usage_error(wattrail: Type, start: str) -> None:
    for device in ("openbeken", "tuya"):
        said = wattrail("twin", "serve", device, "--start", start)
        assert said.code == 2
        assert "must be a time of day like 10:30" in said.err
