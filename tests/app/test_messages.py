"""From an alarm in a configuration file to a webhook of somebody else, through the whole service."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from wattrail.app import load_config, open_service, plan_service

DEADLINE_S = 60.0
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def test_a_voltage_that_is_too_high_reaches_a_signed_webhook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer
) -> None:
    monkeypatch.setenv("WATTRAIL_SECRETS", str(tmp_path / "secrets.toml"))
    monkeypatch.setenv("WATTRAIL_LOGIN_SIGN", SECRET)
    file = tmp_path / "wattrail.toml"
    file.write_text(f"""
[[meter]]
name = "house"
url = "twin://pziot-e01?volts=260&seed=7"
[[alarm]]
kind = "over-voltage"
for_s = 0
[store]
path = "{tmp_path}/m.sqlite"
[[publish.webhook]]
name = "script"
url = "{httpserver.url_for("/hook")}"
events = ["alarms", "daily", "monthly"]
secret = "sign"
""")

    async def story() -> list[dict[str, Any]]:
        arrived, loop = asyncio.Event(), asyncio.get_running_loop()

        def take(_: Request) -> Response:
            loop.call_soon_threadsafe(arrived.set)
            return Response(status=204)

        httpserver.expect_request("/hook", method="POST").respond_with_handler(take)
        async with open_service(plan_service(load_config(file), web=False)):
            await asyncio.wait_for(arrived.wait(), DEADLINE_S)
        return [Webhook(SECRET).verify(request.data, dict(request.headers)) for request, _ in httpserver.log]

    message = asyncio.run(story())[0]
    assert message["type"] == "alarm.raised"
    assert message["data"]["rule"] == "over-voltage"
    assert message["data"]["value"] > 253
    assert message["simulated"] is True
    assert message["subject"].startswith("[simulated] alarm raised: house: ")
