"""What a simulated OpenBeken says about itself, on every way that it has."""

from __future__ import annotations

import asyncio
import json

from wattrail.clock import ManualClock
from wattrail.image.layout import FLASH
from wattrail.twin.network.devices import openbeken
from wattrail.twin.network.serving import serve_web


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


async def uploaded(path: str, size: int) -> tuple[bytes, int, int]:
    """The answer to an upload, the bytes that the device was given of it, and those of its files."""
    device, given = openbeken(ManualClock()), list[int]()

    def answer(target: str, request: bytes) -> bytes:
        given.append(len(request))
        return device.answer(target, request)

    async with serve_web(answer) as place:
        host, port = place.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (path.encode(), size))
        for _ in range(size >> 20):
            writer.write(bytes(1 << 20))
            await writer.drain()
        said = await reader.read()
        writer.close()
        await writer.wait_closed()
    return said, given[0], sum(map(len, device.pages.files.values()))


def test_an_update_larger_than_the_flash_is_read_to_its_end_and_not_kept() -> None:
    said, kept, _ = asyncio.run(uploaded("/api/ota", 8 << 20))
    assert said.startswith(b"HTTP/1.1 -20 OK")
    assert kept <= FLASH


def test_a_file_ends_where_the_file_system_is_full() -> None:
    said, _, kept = asyncio.run(uploaded("/api/lfs/large.bin", 8 << 20))
    start, end = openbeken(ManualClock()).board.file_system
    assert kept == end - start
    assert b'"size": %d' % kept in said
