"""Serves the dashboard over meters that play a part. Run by the tests as a process of its own.

python stage.py SCENE FOLDER      prints the address once it is ready
"""

from __future__ import annotations

import asyncio
import itertools
import math
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from wattrail.alarms import StoredAlarmEvent
from wattrail.app import ServicePlan, WebPlan, plan_service
from wattrail.app import run as run_service
from wattrail.app.config import parse_config
from wattrail.chips import BL0942
from wattrail.clock import Clock, SystemClock
from wattrail.energy_register import RegisterCount
from wattrail.errors import NoAnswer, PortLost, PortOpenError
from wattrail.front_end import FRONT_ENDS
from wattrail.gateway import Feed, Gateway, GatewayPlan, MeterPlan, MeterReader, MeterState, MeterView
from wattrail.gateway.account import observation
from wattrail.gateway.stopping import stop_requests
from wattrail.metrology.scale_origin import CALIBRATED
from wattrail.publish import PublisherBoard, PublisherStatus
from wattrail.store import Store, open_store
from wattrail.store.alarm_events import AlarmEvents
from wattrail.units import PlainSample, Quantities, Reading
from wattrail.web import CandidateJson, Setup, WebProcess, bind

CALIBRATION = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])
ENERGY = BL0942.energy_register(CALIBRATION)
ANSWERS = 3
"""Readings until the meter in the workshop falls silent."""

CANDIDATES = (
    CandidateJson(
        description="USB serial adapter, CP2102 (Silicon Labs), serial number 0001",
        url="serial:///dev/serial/by-id/usb-Silicon_Labs_CP2102_USB_to_UART_Bridge_Controller_0001-if00-port0",
        toml='[[meter]]\nname = "house"\nurl = "serial:///dev/serial/by-id/usb-Silicon_Labs_CP2102_USB_to_UART_Bridge'
        '_Controller_0001-if00-port0"\n',
    ),
    CandidateJson(
        description="SPI device 0.0 of this board",
        url="spi:///dev/spidev0.0",
        toml='[[meter]]\nname = "house"\nurl = "spi:///dev/spidev0.0"\nfront_end = "pziot-e01"\n',
    ),
)


class Actor:
    """A meter whose power swings, so that every second shows another number. The one in the workshop falls silent."""

    looks = 0
    in_workshop = 0
    scale = CALIBRATED

    def __init__(self, plan: MeterPlan, clock: Clock) -> None:
        self.url, self.simulated, self.calibration = plan.url, plan.url.startswith("twin:"), CALIBRATION
        self._part, self._clock = plan.name, clock

    def connect(self) -> None:
        if self._part == "garage":
            raise PortLost("serial:///dev/ttyUSB0 went away", hint="plug the adapter in again")

    def read(self) -> Reading:
        Actor.looks += 1
        Actor.in_workshop += self._part == "workshop"
        if self._part == "workshop" and Actor.in_workshop > ANSWERS:
            raise NoAnswer("no answer from the chip: 0 of 23 bytes", hint="is mains on? the chip has no other supply")
        return reading_at(self._clock.now(), self._clock.monotonic(), count=Actor.looks * 3)

    def close(self) -> None:
        pass


def reading_at(at: datetime, monotonic: float, *, count: int) -> Reading:
    watts = power_at(monotonic)
    known = Quantities(
        volts=231.4, amps=abs(watts) / 231.4 / 0.97, watts=watts, hertz=49.98, power_factor=math.copysign(0.97, watts)
    )
    counts = {"watt": round(watts * CALIBRATION.counts_per_watt), "status": int(watts < 0), "mode": 0x8F}
    return Reading(
        at=at, monotonic=monotonic, sample=PlainSample(known, counts), registers=(RegisterCount(ENERGY, count),)
    )


def power_at(seconds: float) -> float:
    cloud = 1.0 if math.sin(seconds / 310) > -0.3 else 0.25
    kettle = 2000.0 if (seconds % 1500) < 160 else 0.0
    return 420.0 + 60 * math.sin(seconds / 7) + kettle - 1400.0 * cloud * max(0.0, math.sin(seconds / 1100)) + 0.37


def store_past_hour(store: Store, name: str, url: str, clock: Clock) -> None:
    """A reading every five seconds, with a hole from fifteen to twenty minutes ago."""
    now, instant = clock.now(), clock.monotonic()
    row = store.register_meter(name, url, simulated=True, calibration=CALIBRATION, at=now)
    for seconds in range(3595, 5, -5):
        if 900 < seconds < 1200:
            continue
        reading = reading_at(now - timedelta(seconds=seconds), instant - seconds, count=0)
        store.append(row.id, reading, observation(reading, None), ())


def store_alarms(path: Path, now: datetime) -> None:
    """One that is critical, one that someone has seen, and one that is over."""
    voltage = StoredAlarmEvent(
        at=now, rule="over-voltage", meter="house", change="raised", severity="critical", value=261.3, limit=253.0,
        unit="V", text="house: voltage 261.3 V, above 253 V", simulated=True,
    )  # fmt: skip
    freezer = replace(
        voltage, rule="freezer", severity="warning", value=2.0, limit=20.0, unit="W", simulated=False,
        text="the freezer in the cellar, which must not thaw: house: power below 20 W for 4 h, now 2 W",
    )  # fmt: skip
    over = replace(voltage, rule="export", severity="info")
    with AlarmEvents(path) as stored:
        stored.append(
            [voltage, freezer, replace(freezer, change="acknowledged"), over, replace(over, change="cleared")]
        )


def board_of(scene: str) -> PublisherBoard:
    """Publishers in every state, if the scene has any."""
    board = PublisherBoard()
    if scene != "published":
        return board
    board.add("home_assistant", "mqtt://192.168.1.5:1883")
    board.reached("home_assistant")
    board.sent("home_assistant", waiting=0, held={"house": "the registers fell to 1.000 kWh, below 2.000 kWh"})
    board.add("mqtt", "mqtts://192.168.1.5:8883")
    board.add("influxdb", "http://192.168.1.6:8086/<b>home</b>")
    refusal = PortOpenError("http://192.168.1.6:8086 answers 401: unauthorized", hint="check the login 'influx'")
    board.failed("influxdb", PublisherStatus.REFUSED, refusal, waiting=1)
    board.add("openmetrics", "/metrics")
    board.reached("openmetrics")
    return board


async def keep_waiting(board: PublisherBoard) -> None:
    """One more register waits for the broker that is away every half second."""
    gone = PortOpenError("broker 192.168.1.5:8883: cannot connect", hint="check that it runs there")
    for waiting in itertools.count(1440):
        board.failed("mqtt", PublisherStatus.AWAY, gone, waiting=waiting)
        await asyncio.sleep(0.5)


def acknowledge(path: Path, number: int) -> None:
    with AlarmEvents(path) as stored:
        stored.acknowledge([number], SystemClock().now())


def tell(address: str | None) -> None:
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()


def made_of_others(clock: Clock) -> MeterView:
    """A virtual meter in its first minute: one reading so far, and no account to store it in."""
    reading = Reading(at=clock.now(), monotonic=clock.monotonic(), sample=Quantities(watts=420.0))
    return MeterView(
        name="both", url="virtual:sum?plus=l1,l2", simulated=False, poll_s=60.0, state=MeterState.LIVE, reading=reading
    )


def many(clock: Clock) -> list[MeterView]:
    """Two hundred meters: three are stale, one is lost, and one has a name that would like to be markup."""
    reading = Reading(at=clock.now(), monotonic=clock.monotonic(), sample=Quantities(watts=420.0))
    views = [
        MeterView(
            name=f"unit-{number:03d}", url=f"tcp://192.0.2.{number}:8888", simulated=number % 2 == 0, poll_s=3600.0,
            state=MeterState.LIVE, reading=reading,
        )
        for number in range(200)
    ]  # fmt: skip
    for number in (20, 40, 60):
        views[number] = replace(views[number], state=MeterState.STALE, error="no answer from the chip")
    views[150] = replace(views[150], state=MeterState.LOST, error="connection refused", hint="plug it in")
    views[199] = replace(views[199], name="<img src=x onerror=alert(1)>")
    return views


async def all_were_looked_at(feed: Feed) -> None:
    """Wait until every meter has been looked at once."""
    with feed.subscribe("stage") as events:
        async for _ in events:
            if all(view.state is not MeterState.CONNECTING for view in feed.views()):
                return


async def perform(scene: str, folder: Path) -> None:
    casts: dict[str, tuple[tuple[str, str], ...]] = {
        "alarms": (("house", "twin://pziot-e01?scenario=house&seed=7"),),
        "bare": (),
        "empty": (),
        "many": (),
        "live": (("house", "twin://pziot-e01?scenario=house&seed=7"),),
        "shared": (("house", "twin://pziot-e01?scenario=house&seed=7"),),
        "published": (("house", "twin://pziot-e01?scenario=house&seed=7"),),
        "trouble": (
            ("house", "serial:///dev/ttyUSB1?baud=4800"),
            ("workshop", "serial:///dev/ttyUSB2?baud=4800"),
            ("garage", "serial:///dev/ttyUSB0?baud=4800"),
        ),
        "virtual": (),
    }
    plan = GatewayPlan(meters=tuple(MeterPlan(name=name, url=url) for name, url in casts[scene]))
    opener: type[MeterReader] = Actor
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    candidates = [] if scene in {"bare", "trouble", "many"} else list(CANDIDATES)
    with (
        stop_requests(lambda: loop.call_soon_threadsafe(stop.set)),
        bind(port=0) as listener,
        open_store(folder / "stage.sqlite") as store,
    ):
        if scene == "live":
            store_past_hour(store, *casts["live"][0], SystemClock())
        if scene == "alarms":
            store_alarms(store.path, SystemClock().now())
        async with Gateway(plan, store, opener=opener) as gateway:
            if plan.meters:
                await all_were_looked_at(gateway.feed)
            if scene == "virtual":
                gateway.feed.publish(made_of_others(SystemClock()))
            if scene == "many":
                gateway.feed.publish_all((view, ()) for view in many(SystemClock()))
            setup = Setup(database=store.path, candidates=candidates, open_to_network=scene == "shared")
            board = board_of(scene)
            moving = asyncio.ensure_future(keep_waiting(board)) if board.states() else None
            page = WebProcess(
                gateway.feed,
                setup,
                listener,
                board=board,
                on_ready=tell,
                on_acknowledge=lambda number: acknowledge(store.path, number),
            )
            await stop.wait()
            page.stop()
            if moving is not None:
                moving.cancel()
    sys.stdout.write("stopped cleanly\n")


TARIFFS = {
    "green.toml": 'name = "Green 24"\ncurrency = "EUR"\n[[price]]\nfrom = 2024-01-01\nrates = 0.32\nexport = 0.08\n',
    "fixed.toml": 'name = "Fixed"\ncurrency = "EUR"\n[[price]]\nfrom = 2024-01-01\nrates = 0.45\nexport = 0.00\n',
}


def demo(folder: Path) -> ServicePlan:
    """The service of somebody who has no meter yet: a twin with its year, and two tariffs."""
    for name, text in TARIFFS.items():
        (folder / name).write_text(text, encoding="utf-8")
    files = ", ".join(f'"{folder / name}"' for name in TARIFFS)
    config = parse_config(f'[site]\ntimezone = "Europe/Berlin"\ntariffs = [{files}]\n', "wattrail.toml")
    return plan_service(config, database=folder / "demo.sqlite", port=0)


def main(scene: str, folder: Path) -> None:
    if scene not in {"twin", "demo", "bench"}:
        asyncio.run(perform(scene, folder))
        return
    meter = MeterPlan(name="house", url="twin://pziot-e01?scenario=house&seed=7")
    if scene == "bench":  # a steady load, and parts that are off by some per cent
        meter = MeterPlan(name="bench", url="twin://pziot-e01?volts=230&amps=10&seed=1&tolerance=5", poll_s=0.5)
    plan = GatewayPlan(meters=(meter,))
    service = ServicePlan(gateway=plan, database=folder / "twin.sqlite", web=WebPlan(port=0))
    run_service(demo(folder) if scene == "demo" else service, on_ready=tell)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
