"""OpenBeken as its own build speaks, read by our sources and held against our simulated device."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.network_rig import house_openbeken
from tests.sources.conftest import read_forever, run
from wattrail.sources.recording import open_replayed
from wattrail.transport.replay import CaptureEnded

CAPTURES = Path(__file__).parent.parent / "captures"


@pytest.mark.parametrize("kind", ["http", "mqtt"])
def test_the_firmware_itself_is_read(kind: str) -> None:
    async def story() -> list[float | None]:
        source = open_replayed(f"replay:{CAPTURES / f'openbeken-{kind}.jsonl'}")
        reading = await source.read()
        assert source.simulated is False  # it does not know of our mark
        (total,) = reading.registers
        assert total.count > 0
        with pytest.raises(CaptureEnded):
            await read_forever(source)
        await source.close()
        return [reading.volts, reading.amps, reading.watts, reading.hertz, reading.power_factor]

    assert run(story()) == [230.0, 0.5, 115.0, 50.0, 1.0]


def bodies(kind: str) -> list[dict[str, str]]:
    lines = (CAPTURES / f"openbeken-{kind}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines[1:]]


def test_our_simulated_status_has_the_same_keys() -> None:
    captured = json.loads(bodies("http")[0]["body"])
    ours = json.loads(house_openbeken().command("Status 0"))
    assert list(ours) == [part for part in captured if part in ours]
    assert ours["StatusSNS"].keys() == captured["StatusSNS"].keys()
    assert list(ours["StatusSNS"]["ENERGY"]) == list(captured["StatusSNS"]["ENERGY"])
    for part in ours:
        assert ours[part].keys() <= captured[part].keys(), part


def test_our_simulated_numbers_are_written_alike() -> None:
    shape = re.compile(
        r'"(Power|ApparentPower|ReactivePower|Factor|Voltage|Yesterday|ConsumptionTotal)":( ?)\d+\.(\d+)'
    )

    def written(body: str) -> list[tuple[str, str, int]]:
        return [(name, blank, len(decimals)) for name, blank, decimals in shape.findall(body)]

    captured = written(bodies("http")[0]["body"])
    assert len(captured) == 7
    assert written(house_openbeken().command("Status 0")) == captured


def test_our_simulated_topics_are_those_of_the_firmware() -> None:
    captured = {event["topic"].partition("/")[2] for event in bodies("mqtt") if event["topic"].startswith("obkReal/")}
    device = house_openbeken()
    ours = {message.topic.partition("/")[2] for message in (*device.births(), *device.state())}
    assert captured <= ours
