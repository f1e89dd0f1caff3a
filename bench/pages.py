"""The pages over the generated year of the demo: server time, bytes, first paint, memory, and a gateway that dies.

``make bench ARGS=pages`` takes about a minute, and never longer than two: every wait has a limit of its own, and a
timer ends the gateway. Server time is the processor's, of the page's process. Twenty open pages are twenty plain event
streams and their requests: a browser has six connections for a host, so twenty pages in one would wait for each other.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from bench.process_cost import Meter, processes_of
from bench.table import Row, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LONGEST_S: Final = 110
STEP_S: Final = 20
PAGES_OPEN: Final = 20
ASKED: Final = 3
GOAL_MS, GOAL_BYTES, GOAL_PAINT_MS, GOAL_GREY_S = 100, 300_000, 1000, 5.0
QUIET: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


@dataclass
class Found:
    """What was measured; milliseconds, bytes, megabytes and seconds. Without a browser some are empty."""

    answers: dict[str, tuple[float, int]] = field(default_factory=dict)
    views: dict[str, tuple[float, int]] = field(default_factory=dict)
    alone_mb: float = 0.0
    crowded_mb: float = 0.0
    grey_s: float | None = None


@contextmanager
def gateway() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The demo with its year, in a folder of its own; it ends by itself after LONGEST_S."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        places = {"XDG_CONFIG_HOME": folder, "XDG_DATA_HOME": folder}
        process = subprocess.Popen(
            [sys.executable, "-m", "wattrail", "run", "--port", "0"], cwd=folder, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env={**os.environ, **places},
        )  # fmt: skip
        guard = threading.Timer(LONGEST_S, process.kill)
        guard.start()
        stack.callback(process.wait, STEP_S)
        stack.callback(process.kill)
        stack.callback(guard.cancel)
        assert process.stdout is not None
        address = next((line.split()[-1] for line in process.stdout if "http://" in line), "")
        if not address:
            raise RuntimeError("the gateway did not say its address")
        yield process, address.strip()


def get(address: str, path: str) -> bytes:
    """The body of an answer."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=STEP_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} answers {answer.status}: {body[:200]!r}")
        return body
    finally:
        connection.close()


def questions() -> dict[str, str]:
    """What each view asks for that is not a file."""
    today = datetime.now(UTC).date()
    year, month = today - timedelta(days=365), today - timedelta(days=31)
    meter = "/api/v1/meters/twin"
    return {
        "overview: today": f"{meter}/today",
        "year: bars by month": f"{meter}/energy?by=month&from={year}",
        "year: power, 720 points": f"{meter}/series?from={year}&to={today}&points=720",
        "month: bars by day": f"{meter}/energy?by=day&from={month}",
        "heat map: 8,784 hours": f"{meter}/hours",
        "health": "/api/v1/health/report",
    }


def answer_times(address: str, page: int) -> dict[str, tuple[float, int]]:
    """Processor milliseconds of an answer, and its bytes."""
    found = {}
    for name, path in questions().items():
        size, meter = len(get(address, path)), Meter(page)
        for _ in range(ASKED):
            get(address, path)
        found[name] = meter.cost().cpu_s / ASKED * 1e3, size
    return found


def memory_with_pages(address: str, page: int) -> float:
    """Megabytes of the page's process while so many event streams are open and each has asked for its files."""
    with ExitStack() as stack:
        for _ in range(PAGES_OPEN):
            connection = HTTPConnection(urlsplit(address).netloc, timeout=STEP_S)
            stack.callback(connection.close)
            connection.request("GET", "/api/v1/events")
            connection.getresponse().read1(100)
            for path in ("/", "/assets/dashboard.js", "/api/v1/meters", "/api/v1/meters/twin/today"):
                get(address, path)
        return Meter(page).cost().rss


def browse(address: str, process: subprocess.Popen[str], found: Found) -> None:
    """First views in a real browser, and how long a page takes to show that its gateway died."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        return
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(QUIET), timeout=STEP_S * 1000)
        try:
            for name, path in (("overview", "/"), ("meter", "/meter/twin"), ("costs", "/costs"), ("health", "/health")):
                found.views[name] = first_view(browser, address.rstrip("/") + path)
            page = browser.new_page()
            page.set_default_timeout(STEP_S * 1000)
            page.goto(address, wait_until="load")
            page.wait_for_selector("article.meter.is-live")
            began = time.monotonic()
            process.kill()
            page.wait_for_selector("body.is-cut-off")
            found.grey_s = time.monotonic() - began
        except Error as error:  # a machine with other work: what was measured so far is shown
            print(f"the browser was given up: {error.message.splitlines()[0]}", file=sys.stderr)
        finally:
            browser.close()


def first_view(browser: Browser, url: str) -> tuple[float, int]:
    """Milliseconds to the first paint with content, and bytes over the wire until a second after the load."""
    context = browser.new_context()
    try:
        page, received = context.new_page(), 0
        page.set_default_timeout(STEP_S * 1000)
        wire = context.new_cdp_session(page)
        wire.send("Network.enable")

        def count(event: dict[str, Any]) -> None:
            nonlocal received
            received += int(event["encodedDataLength"])

        wire.on("Network.loadingFinished", count)
        page.goto(url, wait_until="load")
        page.wait_for_selector("main > *")
        page.wait_for_timeout(1000)
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Infinity")
        return float(paint), received
    finally:
        context.close()


def measure() -> Found:
    """All of it."""
    found = Found()
    with gateway() as (process, address):
        page = next(one for one in processes_of(process.pid) if one != process.pid)
        get(address, "/api/v1/meters")
        found.alone_mb = Meter(page).cost().rss
        found.answers = answer_times(address, page)
        found.crowded_mb = memory_with_pages(address, page)
        browse(address, process, found)
    return found


def rows() -> list[Row]:
    """The table."""
    found = measure()
    shown = [
        Row(f"pages: {name}", f"{took:.0f} ms, {size / 1e3:.1f} kB", "", "", f"under {GOAL_MS} ms", took < GOAL_MS)
        if name.startswith("year")
        else Row(f"pages: {name}", f"{took:.0f} ms, {size / 1e3:.1f} kB", "", "")
        for name, (took, size) in found.answers.items()
    ]
    shown += [
        Row(
            f"pages: first view of {name}", f"{paint:.0f} ms, {size / 1e3:.0f} kB", "", "",
            f"under {GOAL_PAINT_MS / 1e3:.0f} s and {GOAL_BYTES / 1e3:.0f} kB",
            paint < GOAL_PAINT_MS and size < GOAL_BYTES,
        )
        for name, (paint, size) in found.views.items()
    ]  # fmt: skip
    shown.append(
        Row(f"pages: memory of the page's process, {PAGES_OPEN} streams open", f"{found.crowded_mb:.0f} MB",
            f"{found.alone_mb:.0f} MB, none open", f"{found.crowded_mb / found.alone_mb:.2f}")
    )  # fmt: skip
    if found.grey_s is not None:
        is_met = found.grey_s < GOAL_GREY_S
        shown.append(Row("pages: grey after kill -9 of the gateway", f"{found.grey_s:.1f} s", "", "", "5 s", is_met))
    return shown


if __name__ == "__main__":
    print(text(rows()))
