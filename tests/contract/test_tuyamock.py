"""Our source reads tuyamock, a device with Tuya's firmware that others made of tinytuya's own functions.

``make test`` installs it (.venv/tuyamock); TUYAMOCK_PYTHON names the Python of another one.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.sources.conftest import run
from wattrail.errors import WattrailError
from wattrail.sources import Secrets, open_source

PYTHON = os.environ.get("TUYAMOCK_PYTHON") or f"{sys.prefix}/tuyamock/bin/python"
pytestmark = pytest.mark.skipif(
    not Path(PYTHON).exists(), reason="there is no tuyamock: make test installs it, or TUYAMOCK_PYTHON names one"
)
KEY, ID = "thisisarealkey00", "eb0123456789abcdefghij"
POINTS = '{"101":2312,"102":437,"103":98650,"109":123456}'
DEADLINE_S = 60.0


@asynccontextmanager
async def tuyamock(version: str, *habits: str) -> AsyncIterator[int]:
    """A device, and its port, which is the first thing that it says."""
    words = ["-u", "-m", "tuyamock", "--version", version, "--local-key", KEY, "--gw-id", ID, "--dps", POINTS]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = await asyncio.create_subprocess_exec(
        PYTHON, *words, "--port", "0", *habits, stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.terminate()
        await process.communicate()


def secrets(key: str = KEY) -> Secrets:
    login = {"WATTRAIL_LOGIN_MOCK": f"{ID}:{key}"}
    return Secrets(file=Path("/nonexistent"), environment=login, uses_keyring=False)


@pytest.mark.parametrize(
    ("version", "habits"),
    [
        ("3.1", ()),
        ("3.3", ()),
        ("3.3", ("--dev22",)),
        ("3.4", ()),
        ("3.4", ("--dev22",)),
        ("3.5", ()),
        ("3.5", ("--seqno-mode", "global")),
        ("3.5", ("--seqno-mode", "zero")),
    ],
)
def test_a_device_of_others_is_read(version: str, habits: tuple[str, ...]) -> None:
    async def story() -> None:
        async with tuyamock(version, *habits) as port:
            url = f"tuya://127.0.0.1:{port}?version={version}&board=pziot-e01&login=mock&timeout=20"
            source = open_source(url, secrets=secrets())
            reading = await source.read()
            assert (reading.volts, reading.amps, reading.watts) == (231.2, 4.37, 986.5)
            assert [count.count for count in reading.registers] == [123456]
            await source.close()

    run(story(), deadline_s=DEADLINE_S)


@pytest.mark.parametrize("version", ["3.3", "3.4", "3.5"])
def test_a_device_of_others_is_not_read_with_another_key(version: str) -> None:
    async def story() -> None:
        async with tuyamock(version) as port:
            url = f"tuya://127.0.0.1:{port}?version={version}&board=pziot-e01&login=mock&timeout=1"
            source = open_source(url, secrets=secrets("wrong-key-16-let"))
            with pytest.raises(WattrailError, match="look alike"):
                await source.read()

    run(story(), deadline_s=DEADLINE_S)
