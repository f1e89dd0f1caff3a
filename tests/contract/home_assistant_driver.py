"""Runs Home Assistant itself in a Python of its own; a line of JSON on stdin lets it live through the past.

``{"states": [[entity, value, unix time], ...], "compile": [unix time, ...]}`` sets states at their times and queues its
recorder's own task for each five minutes; the answer is a line once all is written. Home Assistant's clock, recorder
and statistics are its own; only its five-minute timer is off, since it would put the present between those times.

usage: PYTHON home_assistant_driver.py CONFIG_DIR BROKER_PORT
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from homeassistant import bootstrap, runner
from homeassistant.auth.models import TOKEN_TYPE_LONG_LIVED_ACCESS_TOKEN
from homeassistant.components.recorder import get_instance
from homeassistant.const import __version__
from homeassistant.core import Context, HomeAssistant, StateMachine

TAKES_A_TIME = "timestamp" in inspect.signature(StateMachine.async_set).parameters
"""Whether a state can be set in the past; 2024.3 only knows the present, which is then moved."""


async def main(config_dir: str, broker_port: int) -> None:
    bootstrap.CRITICAL_INTEGRATIONS = set()  # its pages are a package of 60 MB, and nobody looks at them
    hass = await bootstrap.async_setup_hass(runner.RuntimeConfig(config_dir=config_dir, skip_pip=True))
    assert hass is not None
    recorder = get_instance(hass)
    recorder.async_periodic_statistics = lambda *_: None
    await hass.async_start()
    flow = await hass.config_entries.flow.async_init("mqtt", context={"source": "user"})
    made = await hass.config_entries.flow.async_configure(flow["flow_id"], {"broker": "127.0.0.1", "port": broker_port})
    say(token=await token_of_an_administrator(hass), version=__version__, mqtt=str(made.get("type")))
    lines = asyncio.StreamReader(limit=1 << 26)
    await hass.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        await live_through(hass, recorder, json.loads(line))
        say(done=True)
    await hass.async_stop()


async def token_of_an_administrator(hass: HomeAssistant) -> str:
    user = await hass.auth.async_create_user("owner", group_ids=["system-admin"])
    refresh = await hass.auth.async_create_refresh_token(
        user, client_name="wattrail", token_type=TOKEN_TYPE_LONG_LIVED_ACCESS_TOKEN,
        access_token_expiration=timedelta(days=1),
    )  # fmt: skip
    return str(hass.auth.async_create_access_token(refresh))


async def live_through(hass: HomeAssistant, recorder: Any, wanted: dict[str, Any]) -> None:
    from homeassistant.components.recorder.tasks import StatisticsTask

    for entity, value, at in wanted["states"]:
        set_state(hass, entity, value, at)
    await recorder.async_block_till_done()
    for at in wanted["compile"]:
        recorder.queue_task(StatisticsTask(datetime.fromtimestamp(at, UTC), False))
    await recorder.async_block_till_done()


def set_state(hass: HomeAssistant, entity: str, value: str, at: float) -> None:
    attributes = hass.states.get(entity).attributes
    if TAKES_A_TIME:
        hass.states.async_set(entity, value, attributes, force_update=True, timestamp=at)
        return
    with patch("homeassistant.util.dt.utcnow", return_value=datetime.fromtimestamp(at, UTC)):
        hass.states.async_set(entity, value, attributes, force_update=True, context=Context())


def say(**content: object) -> None:
    sys.stdout.write(f"DRIVER {json.dumps(content)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
