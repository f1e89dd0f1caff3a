"""The gateway that ``bench.one_core`` measures, in a process of its own.

    python -m bench.one_core_service KIND METERS DATABASE PAGE PORT

KIND is ``mqtt`` (meters behind a broker on PORT), ``chip`` (chips that answer at once), ``twin`` (simulated chips), or
``bare``: no gateway, but aiomqtt alone, which counts what the same meters publish. It prints a line when it is ready.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import aiomqtt

from wattrail.app import ServicePlan, WebPlan, run
from wattrail.clock import Clock
from wattrail.gateway import GatewayPlan, MeterPlan, open_planned
from wattrail.gateway.source import Opener
from wattrail.meter import open_meter
from wattrail.metrology.scale_origin import ScaleOrigin
from wattrail.units import Reading


class ReadyChip:
    """A chip that answers at once: the first reading of a twin, again and again, one count further each time."""

    def __init__(self, shown: Reading, scale: ScaleOrigin, url: str, clock: Clock) -> None:
        assert shown.calibration is not None
        self.calibration, self.scale, self.url, self.simulated = shown.calibration, scale, url, True
        self._shown, self._clock, self._reads = shown, clock, 0

    def connect(self) -> None:
        pass

    def read(self) -> Reading:
        self._reads += 1
        (register,) = self._shown.registers
        counted = replace(register, count=register.count + self._reads)
        return replace(self._shown, at=self._clock.now(), monotonic=self._clock.monotonic(), registers=(counted,))

    def close(self) -> None:
        pass


def ready_chips() -> Opener:
    """Opens chips that all repeat one reading, taken now."""
    with open_meter("twin://pziot-e01?scenario=house&seed=942") as meter:
        meter.connect()
        shown, scale = meter.read(), meter.scale
    return lambda plan, clock: ReadyChip(shown, scale, plan.url, clock)


async def count_messages(port: int, meters: int) -> None:
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe([(f"bench/{number}", 0) for number in range(meters)])
        print("ready", flush=True)
        count = 0
        async for _ in client.messages:
            count += 1


def main(kind: str, meters: int, database: Path, has_page: bool, port: int) -> None:
    if kind == "bare":
        return asyncio.run(count_messages(port, meters))
    url = {
        "mqtt": f"mqtt://127.0.0.1:{port}/bench/{{}}?device=json&energy=energy&power=power",
        "chip": "twin://pziot-e01?scenario=house&seed={}",
        "twin": "twin://pziot-e01?scenario=house&seed={}",
    }[kind]
    plan = GatewayPlan(
        meters=tuple(MeterPlan(name=f"m{number}", url=url.format(number)) for number in range(meters)), zone="UTC"
    )
    service = ServicePlan(gateway=plan, database=database, web=WebPlan(port=0) if has_page else None)
    opener = ready_chips() if kind == "chip" else open_planned
    run(service, on_ready=lambda address: print(address, flush=True), opener=opener)
    return None


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4] == "1", int(sys.argv[5]))
