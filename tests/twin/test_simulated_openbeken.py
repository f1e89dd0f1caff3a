"""What a simulated OpenBeken says about itself, on every way that it has."""

from __future__ import annotations

import json

from wattrail.clock import ManualClock
from wattrail.twin.network.devices import openbeken


def test_a_restart_of_the_device_restarts_both_its_meters() -> None:
    clock = ManualClock()
    device = openbeken(clock, meters=2)
    for meter in device.meters.values():
        meter.set(watts=54.0)
    clock.advance(1000)
    device.state()
    assert [round(meter.register.mwh) for meter in device.meters.values()] == [15_000, 15_000]

    device.board.cut_power()
    device.answer("/index", b"")

    assert [round(meter.register.mwh) for meter in device.meters.values()] == [15_000, 15_000], "saved each 10 Wh"
    assert [meter.register.uptime_s for meter in device.meters.values()] == [0.0, 0.0]


def test_after_an_update_mqtt_and_home_assistant_hear_the_new_version() -> None:
    device = openbeken(ManualClock())

    device.board.version = "1.18.301"

    build = next(message.payload for message in device.births() if message.topic.endswith("/build"))
    assert build.endswith(" 1.18.301")
    assert {json.loads(message.payload)["dev"]["sw"] for message in device.discovery()} == {"1.18.301"}
