"""What happens to the page does not happen to the meters: real processes, attacked over loopback."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from tests.fair_time import fair_time
from tests.web.test_api import ask
from wattrail.store import open_to_read

LONGEST_S = 2.0
"""Polled every 0.2 s; the rest is for the disk. Where page and meters shared a process it was 45 s, or no end."""
DESCRIPTORS = 1024
EVER, ALWAYS = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
PROGRAM = """
import sys
from pathlib import Path
from wattrail.app import ServicePlan, WebPlan, run
from wattrail.gateway import GatewayPlan, MeterPlan
from wattrail.gateway.logs import set_up_logging

set_up_logging()
plan = GatewayPlan(meters=(MeterPlan(name="house", url="twin://pziot-e01?scenario=house&seed=7", poll_s=0.2),))
service = ServicePlan(gateway=plan, database=Path(sys.argv[1]), web=WebPlan(port=0))
run(service, on_ready=lambda address: print(address, flush=True))
"""


@contextmanager
def gateway(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str], Path]]:
    """A gateway with one meter and as many descriptors as a process has by default: address, process, its log."""
    log = folder / "log"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))

    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder / "w.sqlite")], stdout=subprocess.PIPE, stderr=errors, text=True,
            preexec_fn=limit,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process, log
        finally:
            process.terminate()
            process.wait(60)
            process.stdout.close()


def moments(folder: Path) -> list[float]:
    """When each reading came, in seconds."""
    with open_to_read(folder / "w.sqlite") as reader:
        if (row := reader.meter("house")) is None:  # not registered yet
            return []
        return [(at or 0) / 1e6 for at, *_ in reader.readings_page(row.id, EVER, ALWAYS, None, 100_000)]


def longest_silence_during(folder: Path, attack: Callable[[], None], *, seconds: float = 4.0) -> float:
    """Seconds from one reading to the next at most, while something happens and for a while after it."""
    until = time.monotonic() + 60
    while len(moments(folder)) < 5:
        assert time.monotonic() < until
        time.sleep(0.05)
    before, began = len(moments(folder)), time.monotonic()
    with fair_time() as taken:
        attack()
        while time.monotonic() - began < seconds:
            time.sleep(0.05)
    found = [*moments(folder)[before - 1 :], time.time()]
    return taken.share * max(later - earlier for earlier, later in pairwise(found))


def test_no_reading_waits_for_a_head_of_200_megabytes(tmp_path: Path) -> None:
    with gateway(tmp_path) as (address, process, log):
        place = urlsplit(address)

        def attack() -> None:
            for _ in range(5):
                with socket.create_connection((place.hostname or "", place.port or 0)) as stranger:
                    stranger.settimeout(5)
                    stranger.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
                    with contextlib.suppress(OSError):
                        for _ in range(3200):
                            stranger.sendall(b"x" * 65536)

        assert longest_silence_during(tmp_path, attack) < LONGEST_S
        assert ask(address, "/api/v1/health")[0] == 200
        assert memory_kb(process.pid) < 300_000
    assert log.stat().st_size < 10_000


def test_no_reading_waits_for_1200_idle_connections(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    try:
        with gateway(tmp_path) as (address, _, log):
            place = urlsplit(address)
            with contextlib.ExitStack() as crowd:

                def attack() -> None:
                    for _ in range(1200):
                        with contextlib.suppress(OSError):
                            stranger = socket.create_connection((place.hostname or "", place.port or 0), timeout=1)
                            crowd.enter_context(stranger)

                assert longest_silence_during(tmp_path, attack) < LONGEST_S
                assert ask(address, "/api/v1/health")[0] == 200
        assert log.stat().st_size < 10_000
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_page_that_is_killed_comes_back_and_no_reading_is_missed(tmp_path: Path) -> None:
    with gateway(tmp_path) as (address, process, log):

        def attack() -> None:
            (child,) = children(process.pid)
            os.kill(child, signal.SIGKILL)

        assert longest_silence_during(tmp_path, attack) < LONGEST_S
        assert ask(address, "/api/v1/health")[0] == 200
    assert "started again" in log.read_text()


def test_a_page_does_not_outlive_its_gateway(tmp_path: Path) -> None:
    with gateway(tmp_path) as (_, process, _):
        (child,) = children(process.pid)
        process.kill()
        process.wait(60)
        until = time.monotonic() + 60
        while is_running(child) and time.monotonic() < until:
            time.sleep(0.05)
        assert not is_running(child)


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()] or [
        int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()
    ]


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and ") Z" not in status.read_text()


def memory_kb(pid: int) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])
