"""The other side of ``bench.network_meters``, in a process of its own: meters that publish, and meters that are asked.

    python -m bench.network_twins PORT MQTT_METERS HTTP_METERS

It prints the ports of the web servers, then obeys lines on stdin: ``publish SECONDS EVERY`` lets every MQTT meter
publish each EVERY seconds, and prints how many messages were sent. The power of a message is the monotonic clock at
which it was sent, so that its reader, on the same machine, knows how long it took.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack

import aiomqtt

from wattrail.clock import SystemClock
from wattrail.twin.network.devices import openbeken
from wattrail.twin.network.serving import serve_web

_WH_PER_S = 1


async def main(port: int, mqtt_meters: int, http_meters: int) -> None:
    async with AsyncExitStack() as stack:
        ports = []
        for number in range(http_meters):
            device = openbeken(SystemClock(), seed=number)
            device.meter.set(watts=500.0)
            place = await stack.enter_async_context(serve_web(device.answer))
            ports.append(int(place.rpartition(":")[2]))
        client = await stack.enter_async_context(aiomqtt.Client("127.0.0.1", port))
        print(json.dumps(ports), flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            _, seconds, every = line.split()
            print(await publish(client, mqtt_meters, float(seconds), float(every)), flush=True)


async def publish(client: aiomqtt.Client, meters: int, seconds: float, every: float) -> int:
    """Each meter once in ``every`` seconds, evenly spread; all of them equally often."""
    rounds, sent = max(1, round(seconds / every)), 0
    begin = time.monotonic()
    for turn in range(rounds):
        for meter in range(meters):
            due = begin + every * (turn + meter / meters)
            if (wait := due - time.monotonic()) > 0.001:
                await asyncio.sleep(wait)
            now = time.monotonic()
            payload = {"energy": round(now * _WH_PER_S / 1000, 3), "power": round(now, 4), "simulated": True}
            await client.publish(f"bench/{meter}", json.dumps(payload), qos=0)
            sent += 1
    return sent


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
