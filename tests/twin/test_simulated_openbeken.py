"""What a simulated OpenBeken says about itself, on every way that it has."""

from __future__ import annotations

import json

from wattrail.clock import ManualClock
from wattrail.twin.network.devices import openbeken


def test_after_an_update_mqtt_and_home_assistant_hear_the_new_version() -> None:
    device = openbeken(ManualClock())

    device.board.version = "1.18.301"

    build = next(message.payload for message in device.births() if message.topic.endswith("/build"))
    assert build.endswith(" 1.18.301")
    assert {json.loads(message.payload)["dev"]["sw"] for message in device.discovery()} == {"1.18.301"}
