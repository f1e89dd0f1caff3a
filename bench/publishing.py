"""What publishing over MQTT costs: a backlog delivered, live values on their way, the room an outbox takes.

    make bench ARGS=publishing            under a minute

Broker and subscriber are processes of their own on the same machine. Beside it: paho alone, which publishes the same
messages with the same guarantee, without outbox, cadence or state.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bench.network_meters import mosquitto
from bench.table import Row, text
from wattrail.chips import BL0942
from wattrail.front_end import FRONT_ENDS
from wattrail.gateway import Feed, MeterState, MeterView
from wattrail.ledger import Totals
from wattrail.publish import ConsumerContext, PublisherBoard
from wattrail.publish.dialect import registers_json
from wattrail.publish.mqtt import MqttPlan
from wattrail.publish.mqtt_topics import PlainDialect
from wattrail.publish.pending import PublishCadence
from wattrail.publish.values import PublishedMeter, RegisterValues
from wattrail.sources.broker import BrokerAddress
from wattrail.store import open_store
from wattrail.store.outbox import Outbox, StoredRegisters
from wattrail.units import Quantities, Reading

METERS, DAY = 100, 1440
OUTAGE = 240
"""Minutes of many meters that are delivered; a whole day of them takes six times as long."""

LIVE_SECONDS = 8
_BEGAN = datetime(2026, 6, 21, tzinfo=UTC)
_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What the subscriber got: ``last`` is the moment of the last message by the monotonic clock, delays in seconds."""

    count: int
    last: float
    delays: list[float]


class Subscriber:
    """Paho as a plain subscriber, in a process of its own."""

    def __init__(self, port: int, topic: str) -> None:
        command = [sys.executable, "-m", "bench.publishing", "--subscribe", str(port), topic]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def result(self, count: int) -> Arrivals:
        """What came, once it is so many messages; ends the process. 0 for what came until now."""
        said, _ = self._process.communicate(f"{count}\n", timeout=_WITHIN_S)
        return Arrivals(**json.loads(said))


def subscribe(port: int, topic: str) -> None:
    """The process of the subscriber: says that it is subscribed, reads how many to wait for, prints what came."""
    arrivals: list[tuple[float, bytes]] = []

    def connected(*_: object) -> None:
        client.subscribe(topic, qos=1)

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = connected
    client.on_subscribe = lambda *_: print("subscribed", flush=True)
    client.on_message = lambda _client, _data, message: arrivals.append((time.monotonic(), bytes(message.payload)))
    client.connect("127.0.0.1", port)
    client.loop_start()
    wanted = int(sys.stdin.readline())
    until = time.monotonic() + _WITHIN_S
    while len(arrivals) < wanted and time.monotonic() < until:
        time.sleep(0.01)
    client.loop_stop()
    sent = ((at, json.loads(payload).get("current")) for at, payload in arrivals)
    delays = [at - abs(moment) for at, moment in sent if moment is not None]
    print(json.dumps({"count": len(arrivals), "last": arrivals[-1][0] if arrivals else 0.0, "delays": delays}))


class Site:
    """A database with accounts, and the publisher of ``[publish.mqtt]`` in a thread."""

    def __init__(self, folder: Path, meters: int, port: int) -> None:
        self.database, self.names = folder / f"{meters}.sqlite", tuple(f"m{number}" for number in range(meters))
        self.feed = Feed()
        with open_store(self.database) as store:
            calibration = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])
            for name in self.names:
                store.register_meter(name, f"twin://{name}", simulated=True, calibration=calibration, at=_BEGAN)
        self.plan = MqttPlan(
            name="mqtt", address=BrokerAddress("127.0.0.1", port, login=""),
            dialect=PlainDialect(topic=f"of{meters}", live_s=1.0), cadence=PublishCadence(live_s=1.0, registers_s=60.0),
        )  # fmt: skip

    def store(self, minutes: int) -> float:
        """Registers of every minute, as they are stored while the broker is away; returns the bytes that they take."""
        with Outbox(self.database, "mqtt") as outbox:
            ids = [known.meter_id for name in self.names if (known := outbox.identity(name))]
            before = self._bytes()
            for minute in range(minutes):
                at, totals = _BEGAN + timedelta(minutes=minute), Totals(minute * 8_000_000, 0)
                outbox.add([StoredRegisters(meter_id=one, at=at, totals=totals) for one in ids])
            return self._bytes() - before

    def _bytes(self) -> float:
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return float(self.database.stat().st_size)

    def start(self) -> threading.Thread:
        """Publish until the feed ends."""
        board = PublisherBoard()
        board.add(self.plan.name, self.plan.target)
        publish: Any = self.plan.publisher(
            ConsumerContext(database=self.database, meters=self.names, board=board, zone=UTC)
        )
        events = self.feed.subscribe("the benchmark")
        thread = threading.Thread(target=lambda: asyncio.run(publish(events)), daemon=True)
        thread.start()
        return thread

    def show(self) -> None:
        """A reading of every meter, whose current is the moment by the monotonic clock."""
        for name in self.names:
            now = time.monotonic()
            reading = Reading(
                at=datetime.now(UTC), monotonic=now, sample=Quantities(volts=230.0, amps=now, watts=500.0)
            )
            self.feed.publish(
                MeterView(name=name, url="twin://", simulated=True, poll_s=1.0, state=MeterState.LIVE, reading=reading)
            )


def deliver(folder: Path, meters: int, minutes: int, port: int) -> tuple[float, float]:
    """A backlog: seconds until the subscriber has all of it, megabytes of memory that delivering took."""
    site = Site(folder, meters, port)
    site.store(minutes)
    subscriber, memory = Subscriber(port, f"of{meters}/+/registers"), _megabytes()
    began = time.monotonic()
    thread = site.start()
    arrivals = subscriber.result(meters * minutes)
    site.feed.end()
    thread.join(_WITHIN_S)
    assert arrivals.count == meters * minutes, f"{arrivals.count} registers came"
    return arrivals.last - began, _megabytes() - memory


def live(folder: Path, port: int) -> Arrivals:
    """Live values of all meters, each second, on their way to a subscriber."""
    site = Site(folder, METERS, port)
    site.show()
    thread = site.start()
    time.sleep(1)  # connected, and what came at first is over
    subscriber = Subscriber(port, f"of{METERS}/+/live")
    for _ in range(LIVE_SECONDS):
        site.show()
        time.sleep(1)
    arrivals = subscriber.result(0)
    site.feed.end()
    thread.join(_WITHIN_S)
    return Arrivals(arrivals.count - METERS, arrivals.last, arrivals.delays[METERS:])  # the first are retained ones


def paho_alone(port: int, messages: int) -> float:
    """Messages a second that paho publishes with QoS 1, until the subscriber has the last."""
    subscriber, client = Subscriber(port, "alone/+/registers"), paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    meter = PublishedMeter(identity="m", name="m", simulated=True)
    began = time.monotonic()
    for number in range(messages):
        registers = RegisterValues.of(Totals(number * 8_000_000, 0), _BEGAN + timedelta(minutes=number))
        client.publish(f"alone/m{number % METERS}/registers", registers_json(meter, registers), qos=1, retain=True)
    arrivals = subscriber.result(messages)
    client.disconnect()
    client.loop_stop()
    assert arrivals.count == messages
    return messages / (arrivals.last - began)


def paho_live(port: int) -> list[float]:
    """Delays of the same live values, published by paho alone."""
    subscriber, client = Subscriber(port, "alone/+/live"), paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for _ in range(LIVE_SECONDS // 2):
        for number in range(METERS):
            payload = json.dumps({"t": "2026-06-21T00:00:00.000Z", "power": 500.0, "current": time.monotonic()})
            client.publish(f"alone/m{number}/live", payload, qos=1)
        time.sleep(1)
    arrivals = subscriber.result(0)
    client.disconnect()
    client.loop_stop()
    return arrivals.delays


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _delay(seconds: list[float]) -> str:
    cuts = quantiles(seconds, n=100)
    return f"{cuts[49] * 1000:,.0f} ms, p99 {cuts[98] * 1000:,.0f} ms"


def rows() -> list[Row]:
    """The rows of the table."""
    with tempfile.TemporaryDirectory() as place, mosquitto(Path(place)) as port:
        folder = Path(place)
        arrivals, alone_live = live(folder, port), paho_live(port)
        sizes = [Site(folder, meters, port).store(DAY) for meters in (1, METERS)]
        for file in folder.glob("*.sqlite"):
            file.unlink()
        one_s, _ = deliver(folder, 1, DAY, port)
        many_s, memory = deliver(folder, METERS, OUTAGE, port)
        alone = paho_alone(port, METERS * OUTAGE // 2)
    rate, hours = METERS * OUTAGE / many_s, OUTAGE // 60
    return [
        Row(
            f"publishing: live values of {METERS} meters each second, on their way", _delay(arrivals.delays),
            f"{_delay(alone_live)}, paho alone", "",
        ),
        Row(
            "publishing: a day of 1 meter delivered", f"{one_s:.1f} s",
            f"{DAY / alone:.1f} s, paho alone", f"{one_s * alone / DAY:.1f}",
        ),
        Row(
            f"publishing: {hours} h of {METERS} meters delivered", f"{many_s:.1f} s, {rate:,.0f} registers /s",
            f"{alone:,.0f} /s, paho alone", f"{rate / alone:.2g}",
        ),
        Row("publishing: a day's outbox on disk, 1 meter", f"{sizes[0] / 1000:,.0f} kB", "", ""),
        Row(f"publishing: a day's outbox on disk, {METERS} meters", f"{sizes[1] / 1e6:.1f} MB", "", ""),
        Row(f"publishing: memory while {hours} h of {METERS} meters are delivered", f"{memory:.1f} MB", "", ""),
    ]  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--subscribe"]:
        with suppress(KeyboardInterrupt):
            subscribe(int(sys.argv[2]), sys.argv[3])
    else:
        print(text(rows()))
