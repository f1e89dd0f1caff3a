"""What one core carries: 2,000 meters at 1 Hz with a page open, and what a gateway with one meter costs.

    make bench ARGS=one_core

Two kinds of meters: on the network, behind one mosquitto, and chips that block a thread each. The chips here answer
at once, so that the gateway is measured and not its twins, which cost many times as much. Processor time is that of
the gateway and its page, as the system counts it, so other work on the machine changes it little. Minutes of a small
machine, and Linux only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.gateway_load import _stream
from bench.network_meters import Twins, mosquitto
from bench.process_cost import Cost, Meter
from bench.table import Row, text
from wattrail.store.engines import database_at

METERS: Final = 2000
KEPT_MB: Final = 7.8
"""A day of one meter in the database: see the rows of the ledger."""

GOAL_MB, GOAL_IDLE = 80.0, 0.01
_START_WITHIN_S: Final = 180.0
_DRAIN_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Carried:
    """What a stretch of time cost, and how many readings were due and stored."""

    due: int
    stored: int
    cost: Cost

    @property
    def us_per_reading(self) -> float:
        """Processor time of one reading."""
        return self.cost.cpu_s / max(1, self.stored) * 1e6


@contextmanager
def service(kind: str, meters: int, *, page: bool, port: int = 0) -> Iterator[tuple[int, Path]]:
    """A gateway in a process of its own, whose page is open; its process and its database."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "w.sqlite"
        words = [sys.executable, "-m", "bench.one_core_service", kind, str(meters), str(database), str(int(page))]
        with subprocess.Popen([*words, str(port)], stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                address = process.stdout.readline().strip()
                with _stream(address) if page else nullcontext():
                    yield process.pid, database
            finally:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()


def network(seconds: float, meters: int = METERS) -> Carried:
    """Meters behind one broker that publish once a second."""
    with tempfile.TemporaryDirectory() as folder, mosquitto(Path(folder)) as broker:
        twins = Twins(broker, mqtt_meters=meters, http_meters=0)
        try:
            with service("mqtt", meters, page=True, port=broker) as (process, database):
                until = time.monotonic() + _START_WITHIN_S
                while _count(database, "DISTINCT meter_id") < meters:
                    _require(time.monotonic() < until, "the meters were not read in time")
                    twins.publish(4.0, 4.0)
                    time.sleep(1.0)
                stored, meter = _count(database), Meter(process)
                due = twins.publish(seconds, 1.0)
                until = time.monotonic() + _DRAIN_S
                while _count(database) - stored < due and time.monotonic() < until:
                    time.sleep(0.25)
                # What is stored late still costs: the time that counts is that in which it was sent.
                cost = meter.cost()
                return Carried(due, _count(database) - stored, cost)
        finally:
            twins.close()


def blocking(seconds: float, meters: int = METERS) -> Carried:
    """Chips that answer at once, each in a thread of its own."""
    with service("chip", meters, page=True) as (process, database):
        until = time.monotonic() + _START_WITHIN_S
        while _count(database, "DISTINCT meter_id") < meters:
            _require(time.monotonic() < until, "the meters were not read in time")
            time.sleep(1.0)
        stored, meter = _count(database), Meter(process)
        time.sleep(seconds)
        cost = meter.cost()
        return Carried(round(meters * cost.seconds), _count(database) - stored, cost)


def alone(seconds: float, *, page: bool) -> Cost:
    """One simulated meter read once a second, as ``wattrail run`` shows it."""
    with service("twin", 1, page=page) as (process, _database):
        time.sleep(10.0)  # the start is over
        meter = Meter(process)
        time.sleep(seconds)
        return meter.cost()


def bare_client(seconds: float, meters: int = METERS) -> float:
    """Processor microseconds that aiomqtt alone takes for a message of the same meters, which it counts."""
    with tempfile.TemporaryDirectory() as folder, mosquitto(Path(folder)) as broker:
        twins = Twins(broker, mqtt_meters=meters, http_meters=0)
        words = [sys.executable, "-m", "bench.one_core_service", "bare", str(meters), "-", "0", str(broker)]
        try:
            with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                process.stdout.readline()
                meter = Meter(process.pid)
                sent = twins.publish(seconds, 1.0)
                cost = meter.cost()
                process.kill()
                return cost.cpu_s / sent * 1e6
        finally:
            twins.close()


def _count(database: Path, what: str = "*") -> int:
    with database_at(database).snapshot() as cursor:  # those that wait for their entry, too
        return int(cursor.execute(f"SELECT COUNT({what}) FROM reading").fetchone()[0])


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise SystemExit(otherwise)


def rows(seconds: float = 20.0, meters: int = METERS) -> list[Row]:
    pushed, bare, polled = network(seconds, meters), bare_client(seconds, meters), blocking(seconds, meters)
    quiet, shown = alone(2 * seconds, page=False), alone(seconds, page=True)
    written_mb = quiet.disk_bytes / quiet.seconds * 86_400 / 1e6
    ours, theirs = pushed.us_per_reading, f"{bare:.0f} us, aiomqtt that counts the messages"
    return [
        _carried("MQTT meters", pushed, meters, theirs, ours / bare),
        _carried("chips", polled, meters, f"{ours:.0f} us, the same over MQTT", polled.us_per_reading / ours),
        Row(
            "gateway: memory with one meter, no page", f"{quiet.rss:.0f} MB, {quiet.pss:.0f} MB its own share",
            f"{shown.rss:.0f} MB, {shown.pss:.0f} MB, with a page open", f"{quiet.rss / shown.rss:.2f}",
            f"under {GOAL_MB:.0f} MB", quiet.rss < GOAL_MB,
        ),
        Row(
            "gateway: processor time with one meter at 1 Hz, no page", f"{quiet.cores:.2%} of a core",
            f"{shown.cores:.2%}, with a page open", f"{quiet.cores / max(shown.cores, 1e-6):.2f}",
            f"under {GOAL_IDLE:.0%}", quiet.cores < GOAL_IDLE,
        ),
        Row(
            "gateway: written to disk, a day of one meter", f"{written_mb:,.0f} MB",
            f"{KEPT_MB} MB, what is kept of it", f"{written_mb / KEPT_MB:.0f}",
        ),
        Row(
            f"gateway: the same, each of {meters:,} chips", f"{_mb_per_meter_day(polled, meters):,.0f} MB",
            f"{KEPT_MB} MB, what is kept of it", f"{_mb_per_meter_day(polled, meters) / KEPT_MB:.0f}",
        ),
    ]  # fmt: skip


def _carried(kind: str, found: Carried, meters: int, peer: str, ratio: float) -> Row:
    missed, us = max(0.0, 1 - found.stored / found.due), found.us_per_reading
    return Row(
        f"gateway: {meters:,} {kind} at 1 Hz, page open",
        f"{meters * us / 1e6:.0%} of a core, {us:.0f} us a reading, {missed:.2%} missed",
        peer,
        f"{ratio:.1f}",
        "one core, none missed",
        meters * us <= 1e6 and missed < 0.001,
    )


def _mb_per_meter_day(found: Carried, meters: int) -> float:
    return found.cost.disk_bytes / found.cost.seconds * 86_400 / meters / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m bench.one_core", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--meters", type=int, default=METERS)
    asked = parser.parse_args()
    print(text(rows(asked.seconds, asked.meters)))
