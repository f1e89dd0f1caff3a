"""Serves the dashboard over meters that play a part. Run by the tests as a process of its own.

python stage.py SCENE FOLDER      prints the address once it is ready
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from wattrail.bl0942.parts import FRONT_ENDS
from wattrail.bl0942.scale_origin import CALIBRATED
from wattrail.bl0942.scaling import Calibration
from wattrail.clock import Clock, SystemClock
from wattrail.errors import NoAnswer, PortLost
from wattrail.gateway import Feed, Gateway, GatewayPlan, MeterLike, MeterPlan, State
from wattrail.store import Bucket, open_store
from wattrail.units import Reading
from wattrail.web import Candidate, bind, run, serve

CALIBRATION = Calibration.of(FRONT_ENDS["pziot-e01"])
STARTED = SystemClock().monotonic()
CANDIDATES = (
    Candidate(
        "USB serial adapter, CP2102 (Silicon Labs), serial number 0001",
        "serial:///dev/serial/by-id/usb-Silicon_Labs_CP2102_USB_to_UART_Bridge_Controller_0001-if00-port0",
        '[[meter]]\nname = "house"\nurl = "serial:///dev/serial/by-id/usb-Silicon_Labs_CP2102_USB_to_UART_Bridge'
        '_Controller_0001-if00-port0"\n',
    ),
    Candidate(
        "SPI device 0.0 of this board",
        "spi:///dev/spidev0.0",
        '[[meter]]\nname = "house"\nurl = "spi:///dev/spidev0.0"\nfront_end = "pziot-e01"\n',
    ),
)


class Actor:
    """A meter whose power swings, so that every second shows another number. The one in the workshop falls silent."""

    looks = 0
    scale = CALIBRATED

    def __init__(self, plan: MeterPlan, clock: Clock) -> None:
        self.url, self.simulated, self.calibration = plan.url, plan.url.startswith("twin:"), CALIBRATION
        self._part, self._clock = plan.name, clock

    def connect(self) -> None:
        if self._part == "garage":
            raise PortLost("serial:///dev/ttyUSB0 went away", hint="plug the adapter in again")

    def read(self) -> Reading:
        Actor.looks += 1
        if self._part == "workshop" and self._clock.monotonic() > STARTED + 1.5:
            raise NoAnswer("no answer from the chip: 0 of 23 bytes", hint="is mains on? the chip has no other supply")
        now = self._clock.monotonic()
        watts = power_at(now)
        return Reading(
            at=self._clock.now(), monotonic=now, volts=231.4, amps=abs(watts) / 231.4 / 0.97, watts=watts, hertz=49.98,
            power_factor=math.copysign(0.97, watts), energy_count=Actor.looks * 3, status=int(watts < 0), mode=0x8F,
            watt_count=round(watts * CALIBRATION.counts_per_watt),
        )  # fmt: skip

    def close(self) -> None:
        pass


def power_at(seconds: float) -> float:
    cloud = 1.0 if math.sin(seconds / 310) > -0.3 else 0.25
    kettle = 2000.0 if (seconds % 1500) < 160 else 0.0
    return 420.0 + 60 * math.sin(seconds / 7) + kettle - 1400.0 * cloud * max(0.0, math.sin(seconds / 1100)) + 0.37


def past_hour(clock: Clock) -> list[Bucket]:
    now, instant = clock.now(), clock.monotonic()
    now = now.replace(microsecond=0, second=now.second // 5 * 5)
    moments = [(now - timedelta(seconds=5 * n), power_at(instant - 5 * n)) for n in range(719, 0, -1)]
    return [Bucket(at, watts, watts, watts, 5) for at, watts in moments if not 900 < (now - at).seconds < 1200]


def tell(address: str) -> None:
    sys.stdout.write(address + "\n")
    sys.stdout.flush()


def tell_once_all_were_looked_at(feed: Feed) -> Callable[[str], None]:
    """What tells the address as soon as the server is up and every meter has been looked at once."""
    addresses: list[str] = []

    def look(*_: object) -> None:
        if addresses and all(view.state is not State.CONNECTING for view in feed.views()):
            unsubscribe()
            tell(addresses.pop())

    def ready(address: str) -> None:
        addresses.append(address)
        look()

    unsubscribe = feed.subscribe(look)
    return ready


async def perform(scene: str, folder: Path) -> None:

    if scene == "twin":
        plan = GatewayPlan(meters=(MeterPlan(name="house", url="twin://pziot-e01?scenario=house&seed=7"),))
        await run(plan, folder / "twin.sqlite", port=0, on_ready=tell)
        return
    casts: dict[str, tuple[tuple[str, str], ...]] = {
        "bare": (),
        "empty": (),
        "live": (("house", "twin://pziot-e01?scenario=house&seed=7"),),
        "trouble": (
            ("house", "serial:///dev/ttyUSB1?baud=4800"),
            ("workshop", "serial:///dev/ttyUSB2?baud=4800"),
            ("garage", "serial:///dev/ttyUSB0?baud=4800"),
        ),
    }
    plan = GatewayPlan(meters=tuple(MeterPlan(name=name, url=url) for name, url in casts[scene]))
    opener: type[MeterLike] = Actor
    with bind(port=0) as listener, open_store(folder / "stage.sqlite") as store:
        gateway = Gateway(plan, store, opener=opener)
        if scene == "live":
            gateway.feed.warm("house", past_hour(SystemClock()))
        async with gateway:
            await serve(
                gateway.feed,
                store,
                listener,
                candidates=() if scene in {"bare", "trouble"} else CANDIDATES,
                on_ready=tell_once_all_were_looked_at(gateway.feed),
            )
    sys.stdout.write("stopped cleanly\n")


if __name__ == "__main__":
    asyncio.run(perform(sys.argv[1], Path(sys.argv[2])))
