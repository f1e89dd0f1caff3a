"""Our gateway beside Home Assistant's recorder: the same messages of one broker, stored by both; and a year of hours.

    HASS_PYTHON=~/hass/bin/python make bench ARGS=home_assistant          two minutes

Each message carries the moment at which it was published. Both databases are watched for it: what is counted is the
time until a reader of the file sees it. Home Assistant runs as it comes, with its five seconds between two commits, and
makes states of the messages; the gateway books energy as well. Both are given the same cores.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bench.network_meters import mosquitto
from bench.network_twins import publish
from bench.table import Row, text
from wattrail.chips import BL0942
from wattrail.front_end import FRONT_ENDS
from wattrail.gateway import Gateway, GatewayPlan, MeterPlan
from wattrail.ledger import Entry, EntryKind
from wattrail.publish.home_assistant_history import HOUR
from wattrail.publish.home_assistant_history_fill import FillSpan, HomeAssistantHistoryPlan, fill_history
from wattrail.publish.home_assistant_history_socket import open_home_assistant
from wattrail.store import open_store
from wattrail.store.outbox import Outbox

METERS: Final = 200
USUAL_S, FAST_S, SECONDS = 10.0, 0.5, 20.0
"""Seconds between two messages of a meter: an ordinary rate and a high one, each for so long."""

DRIVER: Final = Path(__file__).resolve().parent.parent / "tests/contract/home_assistant_driver.py"
_CONFIGURATION: Final = """\
homeassistant: {{time_zone: UTC}}
http: {{server_host: 127.0.0.1, server_port: {port}}}
recorder:
config:
"""
_DRAIN_S: Final = 30.0
_WARM_UP_S: Final = 180.0
_BEGIN: Final = datetime(2025, 1, 1, tzinfo=UTC)
_QUARTERS: Final = 365 * 96
_TICKS: Final = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class Stored:
    """What one program stored of the messages, its delays in seconds, and what it cost."""

    count: int
    delays: list[float]
    cores: float
    megabytes: float


class Watched:
    """A database that somebody else writes: the moments of its newest rows, and when they could be read first."""

    def __init__(self, path: Path, sql: str, pid: int) -> None:
        self._path, self._sql, self._pid = path, sql, pid
        self._delays: list[float] = []
        self._is_over = threading.Event()
        self._since, self._cpu, self._began = self._newest(), _cpu_s(pid), time.monotonic()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def result(self, wanted: int, lasted: float) -> Stored:
        """What was stored once it is as many rows as were published, or once the time to wait is over."""
        cores = (_cpu_s(self._pid) - self._cpu) / lasted
        until = time.monotonic() + _DRAIN_S
        while len(self._delays) < wanted and time.monotonic() < until:
            time.sleep(0.1)
        self._is_over.set()
        self._thread.join()
        return Stored(len(self._delays), self._delays, cores, _megabytes(self._pid))

    def _newest(self) -> int:
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as connection:
            return max((int(row[0]) for row in connection.execute(self._sql, (0,))), default=0)

    def _watch(self) -> None:
        last = self._since
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as connection:
            while not self._is_over.wait(0.05):
                rows, now = connection.execute(self._sql, (last,)).fetchall(), time.monotonic()
                last = max((int(row[0]) for row in rows), default=last)
                self._delays += [now - float(row[1]) for row in rows if float(row[1]) >= self._began]


READINGS: Final = "SELECT id, milliwatts / 1000.0 FROM reading WHERE id > ? ORDER BY id"
STATES: Final = (
    "SELECT state_id, state FROM states JOIN states_meta USING (metadata_id) WHERE state_id > ? "
    "AND states_meta.entity_id LIKE 'sensor.bench%' AND state NOT IN ('unknown', 'unavailable') ORDER BY state_id"
)
READINGS_OF: Final = "SELECT COUNT(DISTINCT meter_id) FROM reading"
STATES_OF: Final = (
    "SELECT COUNT(DISTINCT metadata_id) FROM states JOIN states_meta USING (metadata_id) "
    "WHERE states_meta.entity_id LIKE 'sensor.bench%' AND state NOT IN ('unknown', 'unavailable')"
)


@contextmanager
def home_assistant(python: str, folder: Path, broker: int) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Home Assistant with an empty database; its process, address and an administrator's token."""
    port = _free_port()
    folder.mkdir()
    (folder / "configuration.yaml").write_text(_CONFIGURATION.format(port=port), encoding="utf-8")
    command = [python, str(DRIVER), str(folder), str(broker)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = next((line for line in process.stdout if line.startswith("DRIVER ")), None)
        if line is None:
            raise SystemExit("Home Assistant did not start: is it installed where HASS_PYTHON says?")
        yield process, f"http://127.0.0.1:{port}", json.loads(line.removeprefix("DRIVER "))["token"]
    finally:
        process.stdin.close()
        process.wait(60)


def announce(broker: int) -> None:
    """One sensor for each meter, of the message that the gateway reads as well."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker)
    client.loop_start()
    for number in range(METERS):
        content = {"name": f"bench {number}", "unique_id": f"bench_{number}", "state_topic": f"bench/{number}"}
        content["value_template"] = "{{ value_json.power }}"
        sent = client.publish(f"homeassistant/sensor/bench_{number}/config", json.dumps(content), qos=1, retain=True)
        sent.wait_for_publish(30)
    client.disconnect()
    client.loop_stop()


def gateway_process(folder: Path, broker: int) -> subprocess.Popen[str]:
    """The gateway, in a process of its own, reading every meter."""
    command = [sys.executable, "-m", "bench.home_assistant", "--gateway", str(folder / "w.sqlite"), str(broker)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


async def run_gateway(path: Path, broker: int) -> None:
    """Read until stdin ends."""
    url = f"mqtt://127.0.0.1:{broker}/bench"
    meters = tuple(
        MeterPlan(name=f"m{n}", url=f"{url}/{n}?device=json&energy=energy&power=power") for n in range(METERS)
    )
    with open_store(path) as store:
        async with Gateway(GatewayPlan(meters=meters, zone="UTC"), store):
            print("reading", flush=True)
            await asyncio.to_thread(sys.stdin.read)


def load(folder: Path, broker: int, app: int, gateway: int, every: float) -> tuple[int, float, Stored, Stored]:
    """Messages that were published, in so many seconds, and what both made of them."""
    ours = Watched(folder / "w.sqlite", READINGS, gateway)
    theirs = Watched(folder / "hass/home-assistant_v2.db", STATES, app)
    began = time.monotonic()
    sent = asyncio.run(_publish(broker, every))
    lasted = time.monotonic() - began
    return sent, lasted, ours.result(sent, lasted), theirs.result(sent, lasted)


def _warm_up(folder: Path, broker: int) -> None:
    """Publish until both have stored something of every meter."""
    until = time.monotonic() + _WARM_UP_S
    while min(_seen(folder / "hass/home-assistant_v2.db", STATES_OF), _seen(folder / "w.sqlite", READINGS_OF)) < METERS:
        if time.monotonic() > until:
            raise SystemExit(f"the meters were not read within {_WARM_UP_S:.0f} s")
        asyncio.run(_publish(broker, SECONDS))


def _seen(path: Path, sql: str) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return int(connection.execute(sql).fetchone()[0])


async def _publish(broker: int, every: float) -> int:
    import aiomqtt

    async with aiomqtt.Client("127.0.0.1", broker) as client:
        return await publish(client, METERS, SECONDS, every)


def year(folder: Path, url: str, token: str, broker: int) -> tuple[float, int]:
    """Seconds in which a year of hours is compared and written, and how many hours that are."""
    database = folder / "year.sqlite"
    with open_store(database) as store:
        calibration = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])
        row = store.register_meter("house", "twin://pziot-e01", simulated=True, calibration=calibration, at=_BEGIN)
        store.book(row.id, list(_entries()))
    with Outbox(database, "home_assistant") as outbox:
        known = outbox.identity("house")
    assert known is not None
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker)
    for way in ("import", "export"):
        content = {
            "name": way, "unique_id": f"wattrail_{known.identity}_{way}", "state_topic": f"year/{way}",
            "device_class": "energy", "state_class": "total_increasing", "unit_of_measurement": "kWh",
        }  # fmt: skip
        client.publish(f"homeassistant/sensor/year_{way}/config", json.dumps(content), qos=1, retain=True)
    client.loop_start()
    os.environ["WATTRAIL_LOGIN_HOME_ASSISTANT"] = f":{token}"
    end = _BEGIN + _QUARTERS * HOUR / 4
    plan = HomeAssistantHistoryPlan(url=url, login="home_assistant", now=lambda: end + HOUR / 4)
    with open_home_assistant(url, token) as socket:
        while f"wattrail_{known.identity}_export" not in socket.entities():
            time.sleep(0.1)
    began = time.monotonic()
    done = list(fill_history(plan, database, ("house",), FillSpan(start=_BEGIN)))
    took = time.monotonic() - began
    assert [one.problem for one in done] == [None, None]
    client.disconnect()
    client.loop_stop()
    return took, sum(len(one.plan.rows) for one in done)


def _entries() -> Iterator[Entry]:
    yield Entry(sequence=1, kind=EntryKind.START, start=_BEGIN, end=_BEGIN, epoch=1, count=0)
    quarter, count = timedelta(minutes=15), 0
    for number in range(_QUARTERS):
        more = 40 + number % 97
        count += more
        yield Entry(
            sequence=number + 2, kind=EntryKind.COUNTED, start=_BEGIN + number * quarter,
            end=_BEGIN + (number + 1) * quarter, epoch=1, count=count % (1 << 24), positive=more,
            elapsed_us=quarter // timedelta(microseconds=1), readings=900,
        )  # fmt: skip


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def rows() -> list[Row]:
    """The rows of the table."""
    python = os.environ.get("HASS_PYTHON", "")
    if not python or not Path("/proc/self/stat").exists():
        return [Row("Home Assistant's recorder beside ours", "", "not run: HASS_PYTHON not given", "")]
    with tempfile.TemporaryDirectory() as place, mosquitto(Path(place)) as broker:
        folder = Path(place)
        with home_assistant(python, folder / "hass", broker) as (app, url, token):
            announce(broker)
            gateway = gateway_process(folder, broker)
            try:
                _warm_up(folder, broker)
                found = [load(folder, broker, app.pid, gateway.pid, every) for every in (USUAL_S, FAST_S)]
            finally:
                assert gateway.stdin is not None
                gateway.stdin.close()
                gateway.wait(60)
            took, hours = year(folder, url, token, broker)
    return [
        *(_row(*one) for one in found),
        Row(
            "Home Assistant: a year of hours written into it", f"{took:.1f} s, {hours:,} hours",
            "its WebSocket, read again afterwards", "",
        ),
    ]  # fmt: skip


def _row(sent: int, lasted: float, ours: Stored, theirs: Stored) -> Row:
    """Two programs at one rate; the ratio is that of the processor time."""
    return Row(
        f"Home Assistant's recorder beside ours: {sent / lasted:,.0f} messages /s of {METERS} meters, {lasted:.0f} s",
        _cells(sent, ours), f"{_cells(sent, theirs)}, Home Assistant",
        f"{theirs.cores / ours.cores:.1f} times the processor" if ours.cores else "", "none lost", ours.count == sent,
    )  # fmt: skip


def _cells(sent: int, found: Stored) -> str:
    cuts: Any = quantiles(found.delays, n=100) if len(found.delays) > 1 else [float("nan")] * 99
    return (
        f"{found.count:,} of {sent:,} stored, half / 99 % in {cuts[49]:.2f} / {cuts[98]:.2f} s, "
        f"{found.cores:.0%} of a core, {found.megabytes:.0f} MB"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--gateway"]:
        asyncio.run(run_gateway(Path(sys.argv[2]), int(sys.argv[3])))
    else:
        print(text(rows()))
