"""tinytuya, whose bytes we did not make, reads our simulated meter: its codec and ours must agree on each version."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
import tinytuya

from tests.sources.conftest import run
from tests.sources.test_tuya import VERSIONS, device
from wattrail.twin.network.tuya import LOCAL_KEY, SimulatedTuya, TuyaServer, serve_tuya


def client(served: TuyaServer, *, key: str = LOCAL_KEY, timeout_s: float = 5) -> Any:
    host, _, port = served.place.partition(":")
    return tinytuya.Device(
        served.device.device_id, host, key, version=float(served.device.version), port=int(port),
        persist=True, connection_timeout=timeout_s, connection_retry_limit=1, connection_retry_delay=0,
    )  # fmt: skip


async def asked(of: SimulatedTuya, what: str, *, key: str = LOCAL_KEY, timeout_s: float = 5) -> Any:
    """What one call of tinytuya returns, in a thread of its own; it closes its connection after that."""
    async with serve_tuya(of) as served:
        reader = client(served, key=key, timeout_s=timeout_s)
        try:
            return await asyncio.to_thread(getattr(reader, what))
        finally:
            reader.close()


def points(said: Mapping[str, Any]) -> dict[str, int]:
    return {number: value for number, value in said["dps"].items() if number != "200"}


@pytest.mark.parametrize("version", VERSIONS)
def test_it_reads_the_status_in_every_version(version: str) -> None:
    said = run(asked(device(version), "status"))
    found = points(said)
    assert (found["103"], found["109"]) == (50_000, 100)
    assert found["101"] == pytest.approx(2300, abs=5)
    assert said["dps"]["200"] == "SIMULATED"


@pytest.mark.parametrize("version", VERSIONS)
def test_it_understands_a_push(version: str) -> None:
    async def story() -> None:
        of = device(version)
        async with serve_tuya(of) as served:
            reader = client(served)
            await asyncio.to_thread(reader.status)
            of.meter.set(watts=-800.0)
            served.report()
            said = await asyncio.to_thread(reader.receive)
            assert points(said)["103"] == -80_000
            reader.close()

    run(story())


@pytest.mark.parametrize("version", ["3.3", "3.5"])
def test_it_gets_a_push_for_an_update(version: str) -> None:
    async def story() -> None:
        of = device(version)
        async with serve_tuya(of) as served:
            reader = client(served)
            await asyncio.to_thread(reader.status)
            of.meter.set(watts=700.0)
            said = await asyncio.to_thread(reader.updatedps, [103])
            while not said:  # the empty acknowledgement comes first
                said = await asyncio.to_thread(reader.receive)
            assert points(said)["103"] == 70_000
            reader.close()

    run(story())


def test_it_finds_that_a_device_wants_its_data_points_named() -> None:
    async def story() -> None:
        async with serve_tuya(device(wants_points=True)) as served:
            reader = client(served)
            await asyncio.to_thread(reader.status)
            reader.set_dpsUsed({"103": None})
            assert points(await asyncio.to_thread(reader.status)) == {"103": 50_000}
            reader.close()

    run(story())


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_with_another_key_it_learns_nothing(version: str) -> None:
    said = run(asked(device(version), "status", key="wrong-key-16-let", timeout_s=0.3))
    assert said["Err"] in ("900", "901", "902", "904", "914")
    assert "dps" not in said
