"""Whether a device has restarted, by what it says of its uptime."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import pytest

from wattrail.bk7231 import Chip
from wattrail.clock import ManualClock
from wattrail.device.client import DeviceInformation, OpenBekenClient
from wattrail.device.restart import wait_for_restart
from wattrail.errors import PortTimeout


@dataclass
class Answering:
    """A device that says these uptimes, one for each time it is asked."""

    uptimes: list[int]
    name: str = "http://twin"

    async def information(self, timeout_s: float = 0.0) -> DeviceInformation:
        """The next answer; the last one stays."""
        return up(self.uptimes.pop(0) if len(self.uptimes) > 1 else self.uptimes[0])


def up(seconds: int) -> DeviceInformation:
    return DeviceInformation(
        chipset="BK7231N", chip=Chip.N, version="1.18.300", build="", mac="", ip="", short_name="", mqtt="",
        mqtt_client="", uptime_s=seconds, is_simulated=True,
    )  # fmt: skip


def waited(before: int, *answers: int) -> DeviceInformation:
    """Ask every two seconds."""

    clock = ManualClock(datetime(2026, 6, 21, tzinfo=UTC))

    async def pause(seconds: float) -> None:
        clock.advance(seconds)

    client = cast(OpenBekenClient, Answering(list(answers)))
    return asyncio.run(wait_for_restart(client, up(before), clock.monotonic(), pause=pause, clock=clock))


def test_a_device_whose_clock_is_slow_has_not_restarted_for_that() -> None:
    found = waited(100, 100, 101, 101, 102, 102, 3)
    assert found.uptime_s == 3, "ten seconds of a busy machine were two for the emulated one"


def test_an_uptime_that_fell_is_a_restart() -> None:
    assert waited(3600, 3600, 5).uptime_s == 5


def test_a_device_that_had_just_started_is_known_by_the_time_since() -> None:
    assert waited(2, 4, 6, 8, 3).uptime_s == 3


def test_a_device_that_only_goes_on_has_not_restarted() -> None:
    with pytest.raises(PortTimeout, match="it answers, and has not restarted: up for 3600 s"):
        waited(3500, 3600)
