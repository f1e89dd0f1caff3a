"""2,000 meters behind one broker and 200 web servers, each every 10 s, read, booked and stored by one core.

    make bench ARGS=network_meters                                 a minute
    .venv/bin/python -m bench.network_meters --minutes 10          as the goal says

The gateway has one core; mosquitto and the simulated meters run in other processes. Latency is from the moment a meter
publishes to the moment its reading is committed and shown. Nothing dropped: as many readings are in the database as
messages were published. The ceiling is found by letting the same meters publish faster.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from bench.table import Row, text
from wattrail.gateway import Feed, Gateway, GatewayPlan, MeterChanged, MeterPlan, MeterState
from wattrail.store import open_store

MQTT_METERS, HTTP_METERS, EVERY_S = 2000, 200, 10.0
GOAL_P99_S = 2.0
FULL_CORE = 0.9
_SEARCH_S = 10.0
_DRAIN_S = 30.0
_START_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """What one stretch of time cost; latencies in seconds."""

    published: int
    stored: int
    polled: int
    p50: float
    p99: float
    cores: float
    megabytes: float

    @property
    def dropped(self) -> int:
        """Messages that are not in the database."""
        return self.published - self.stored


class Latencies:
    """Follows the feed in a thread: how old each MQTT reading was when it was shown."""

    def __init__(self, feed: Feed) -> None:
        self.seconds: list[float] = []
        self._since = time.monotonic()  # a subscription begins with every meter as it stood before
        self._events = feed.subscribe("the benchmark", max_waiting=0)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        for event in self._events:
            if isinstance(event, MeterChanged) and event.view.name.startswith("m"):
                reading = event.view.reading
                if reading is not None and (reading.watts or 0.0) > self._since and event.view.state is MeterState.LIVE:
                    self.seconds.append(time.monotonic() - (reading.watts or 0.0))


class Twins:
    """The process of the simulated meters."""

    def __init__(self, broker: int, *, mqtt_meters: int = MQTT_METERS, http_meters: int = HTTP_METERS) -> None:
        command = [sys.executable, "-m", "bench.network_twins", str(broker), str(mqtt_meters), str(http_meters)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports: list[int] = json.loads(self._line())

    def publish(self, seconds: float, every: float) -> int:
        """Let every MQTT meter publish; returns how many messages were sent."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"publish {seconds} {every}\n")
        self._process.stdin.flush()
        return int(self._line())

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """A broker on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    command = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if command is None:
        raise SystemExit("mosquitto is not installed: apt-get install mosquitto")
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "persistence false", "user root"]
    lines += ["max_queued_messages 0", "set_tcp_nodelay true"]
    (folder / "mosquitto.conf").write_text("\n".join([*lines, ""]), encoding="utf-8")
    broker = subprocess.Popen([command, "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        broker.terminate()
        broker.wait()


def measure(minutes: float) -> tuple[Load, Load]:
    """The usual load, and the last one that was carried while meters published ever faster."""
    with tempfile.TemporaryDirectory() as name, mosquitto(Path(name)) as broker:
        twins = Twins(broker)
        try:
            return asyncio.run(_measure(Path(name) / "w.sqlite", broker, twins, minutes))
        finally:
            twins.close()


async def _measure(path: Path, broker: int, twins: Twins, minutes: float) -> tuple[Load, Load]:
    meters = [
        MeterPlan(name=f"m{n}", url=f"mqtt://127.0.0.1:{broker}/bench/{n}?device=json&energy=energy&power=power")
        for n in range(MQTT_METERS)
    ]
    meters += [
        MeterPlan(name=f"h{n}", url=f"openbeken://127.0.0.1:{port}?timeout=9", poll_s=EVERY_S)
        for n, port in enumerate(twins.ports)
    ]
    if hasattr(os, "sched_setaffinity"):  # after the twins were started: they keep all cores
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with open_store(path) as store:
        gateway = Gateway(GatewayPlan(meters=tuple(meters), zone="UTC"), store)
        async with gateway:
            await _until_all_listen(gateway, twins)
            usual = await _load(gateway, path, twins, minutes * 60, EVERY_S)
            return usual, await _ceiling(gateway, path, twins, usual)


async def _until_all_listen(gateway: Gateway, twins: Twins) -> None:
    until = time.monotonic() + _START_WITHIN_S
    while any(view.state is not MeterState.LIVE for view in gateway.feed.views()):
        if time.monotonic() > until:
            raise SystemExit("the meters were not read within two minutes")
        await asyncio.to_thread(twins.publish, 4.0, 4.0)
        await asyncio.sleep(1.0)


async def _load(gateway: Gateway, path: Path, twins: Twins, seconds: float, every: float) -> Load:
    stored, polled = _rows(path, "m"), _rows(path, "h")
    latencies = Latencies(gateway.feed)
    cpu, begin = time.process_time(), time.monotonic()
    published = await asyncio.to_thread(twins.publish, seconds, every)
    cores = (time.process_time() - cpu) / (time.monotonic() - begin)
    until = time.monotonic() + _DRAIN_S
    while _rows(path, "m") - stored < published and time.monotonic() < until:
        await asyncio.sleep(0.5)
    seen = quantiles(latencies.seconds or [0.0, 0.0], n=100)
    return Load(
        published=published, stored=_rows(path, "m") - stored, polled=_rows(path, "h") - polled, p50=seen[49],
        p99=seen[98], cores=cores, megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )  # fmt: skip


async def _ceiling(gateway: Gateway, path: Path, twins: Twins, best: Load) -> Load:
    rate = MQTT_METERS / EVERY_S
    for factor in (2, 3, 4, 5, 6, 8, 10, 12, 16):
        found = await _load(gateway, path, twins, _SEARCH_S, MQTT_METERS / (rate * factor))
        print(f"    at {rate * factor:,.0f}/s: {found}", file=sys.stderr, flush=True)
        if found.dropped or found.p99 > GOAL_P99_S or found.cores > FULL_CORE:
            break
        best = found
    return best


def _rows(path: Path, prefix: str) -> int:
    sql = "SELECT COUNT(*) FROM reading JOIN meter ON meter.id = meter_id WHERE name LIKE ?"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return int(connection.execute(sql, (f"{prefix}%",)).fetchone()[0])


def rows(minutes: float = 1.0) -> list[Row]:
    usual, most = measure(minutes)
    expected = round(minutes * 60 / EVERY_S) * HTTP_METERS
    what = f"network: {MQTT_METERS:,} MQTT and {HTTP_METERS} HTTP meters every {EVERY_S:g} s, {minutes:g} min"
    carried = most.published / _SEARCH_S * EVERY_S
    return [
        Row(
            f"{what}, dropped",
            f"{usual.dropped} of {usual.published:,}",
            f"{usual.polled:,} of {expected:,} polls stored",
            f"{usual.dropped / usual.published:.6f}",
            "none",
            usual.dropped == 0,
        ),
        Row(
            "network: from publish to stored, half / 99 %",
            f"{usual.p50 * 1e3:.0f} / {usual.p99 * 1e3:.0f} ms",
            f"{EVERY_S:g} s, between two readings",
            f"{usual.p99 / EVERY_S:.4f}",
            f"{GOAL_P99_S:g} s",
            usual.p99 <= GOAL_P99_S,
        ),
        Row(
            "network: the same, of one core, memory",
            f"{usual.cores:.0%}, {usual.megabytes:.0f} MB",
            "one core",
            f"{usual.cores:.2f}",
            "one core",
            usual.cores <= 1,
        ),
        Row(
            "network: most MQTT meters at 10 s, one core",
            f"{carried:,.0f}, {most.p99 * 1e3:.0f} ms",
            f"{MQTT_METERS:,}",
            f"{carried / MQTT_METERS:.1f}",
        ),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m bench.network_meters", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    logging.basicConfig(level=logging.ERROR)
    print(text(rows(parser.parse_args().minutes)))
