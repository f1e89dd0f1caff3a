"""Readings that a gateway misses with many meters: twins read once a second, while a page and its stream are open.

``python -m bench.gateway_load`` measures 100, 200 and 500 meters for a minute each, with and without a page. It takes
seven minutes and both cores of a small machine, and so is not a part of ``make bench``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bench.table import Row, text
from wattrail.store.engines import database_at

METERS: Final = (100, 200, 500)
WARM_UP_S: Final = 15.0
SECONDS: Final = 60.0

_SERVICE: Final = """
import sys
from pathlib import Path
from wattrail.app import ServicePlan, WebPlan, run
from wattrail.gateway import GatewayPlan, MeterPlan

plan = GatewayPlan(meters=tuple(
    MeterPlan(name=f"m{n}", url=f"twin://pziot-e01?scenario=house&seed={n}") for n in range(int(sys.argv[1]))
))
service = ServicePlan(gateway=plan, database=Path(sys.argv[2]), web=WebPlan(port=0))
run(service, on_ready=lambda address: print(address, flush=True))
"""


def missed(meters: int, *, page: str, seconds: float = SECONDS) -> float:
    """The share of readings that are not in the database, from 0 to 1. ``page`` is none, stream or browser."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "load.sqlite"
        command = [sys.executable, "-c", _SERVICE, str(meters), str(database)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
            try:
                assert service.stdout is not None
                address = service.stdout.readline().strip()
                if not address:
                    raise AssertionError("the gateway did not start")
                with _OPEN[page](address):
                    time.sleep(WARM_UP_S)
                    before, began = _readings(database), time.monotonic()
                    time.sleep(seconds)
                    came, took = _readings(database) - before, time.monotonic() - began
            finally:
                service.terminate()
                try:
                    service.wait(10)
                except subprocess.TimeoutExpired:
                    service.kill()
    return max(0.0, 1 - came / (meters * took))


def _readings(database: Path) -> int:
    with database_at(database).snapshot() as cursor:  # those that wait for their entry, too
        return int(cursor.execute("SELECT COUNT(*) FROM reading").fetchone()[0])


@contextmanager
def _nobody(_address: str) -> Iterator[None]:
    yield


@contextmanager
def _stream(address: str) -> Iterator[None]:
    """The page and its event stream, read as a browser reads them but drawn by nobody."""
    connection, stop = HTTPConnection(urlsplit(address).netloc, timeout=30), threading.Event()
    connection.request("GET", "/api/v1/events")
    response = connection.getresponse()
    assert response.status == 200, response.status

    def read() -> None:
        while not stop.is_set() and response.readline():
            pass

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    yield
    stop.set()
    reader.join(5)
    connection.close()


@contextmanager
def _browser(address: str) -> Iterator[None]:
    """A real one: it takes as much of the machine as the gateway."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = chromium.new_page()
        page.goto(address, timeout=120_000, wait_until="commit")
        yield
        chromium.close()


_OPEN: Final = {"none": _nobody, "stream": _stream, "browser": _browser}


def rows(meters: tuple[int, ...] = METERS, *, page: str = "stream", seconds: float = SECONDS) -> list[Row]:
    """One row for each number of meters: missed with a page open, beside the same without one."""
    found = []
    for count in meters:
        alone, watched = missed(count, page="none", seconds=seconds), missed(count, page=page, seconds=seconds)
        found.append(
            Row(
                f"gateway: readings missed, {count} meters at 1 Hz, page open",
                f"{watched:.2%}",
                f"{alone:.2%}, no page open",
                "",
            )
        )
        print(text(found[-1:]), file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meters", type=int, nargs="+", default=list(METERS))
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--page", choices=sorted(_OPEN), default="stream")
    options = parser.parse_args()
    print(text(rows(tuple(options.meters), page=options.page, seconds=options.seconds)))


if __name__ == "__main__":
    main()
