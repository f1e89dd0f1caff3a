"""The pages over the generated year: bytes, paint, server time, twenty pages at once, and a gateway that dies.

A real service in processes of its own and a real Chromium, both on this machine. There is no peer to run beside it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, sync_playwright

from bench.process_cost import Meter
from bench.table import Row, text

_MAX_KB: Final = 300
_MAX_PAINT_MS: Final = 1000
_MAX_QUERY_MS: Final = 100
_GREY_WITHIN_S: Final = 5
_PAGES: Final = (("overview", "/"), ("meter", "/meter/twin"), ("costs", "/costs"))
_QUERIES: Final = (
    ("power of a year, 366 points", "series?from={year}&points=366"),
    ("energy of a year by month", "energy?by=month&from={year}"),
    ("energy of a month by day", "energy?by=day&from={month}"), ("today", "today"), ("year by hour", "hours"),
)  # fmt: skip
_MANY: Final = 20


def rows() -> list[Row]:
    with TemporaryDirectory() as folder, _service(Path(folder)) as (address, process), sync_playwright() as playwright:
        executable = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        found = [row for name, path in _PAGES for row in _first_view(browser, name, address + path)]
        found += [_query(what, f"{address}/api/v1/meters/twin/{path}") for what, path in _queries()]
        found.append(_many(browser, address, process.pid))
        found.append(_death(browser, address, process))
        browser.close()
        return found


def _first_view(browser: Browser, name: str, address: str) -> Iterator[Row]:
    page = browser.new_context().new_page()
    sizes: list[int] = []
    page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    page.goto(address)
    page.wait_for_selector(".part, .now")
    page.wait_for_timeout(1500)  # for what it asks for by itself; a stream does not end
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    page.context.close()
    kilobytes = sum(sizes) / 1000
    yield _goal(f"page {name}: bytes of the first view", kilobytes, _MAX_KB, "kB")
    yield _goal(f"page {name}: first paint", paint, _MAX_PAINT_MS, "ms")


def _goal(what: str, value: float, limit: float, unit: str) -> Row:
    return Row(what, f"{value:.{0 if value >= 10 else 1}f} {unit}", "", "", f"under {limit} {unit}", value < limit)


def _queries() -> list[tuple[str, str]]:
    now = time.time()
    days = {"year": time.strftime("%Y-%m-%d", time.gmtime(now - 365 * 86400)), "month": time.strftime("%Y-%m-01")}
    return [(what, path.format(**days)) for what, path in _QUERIES]


def _query(what: str, address: str) -> Row:
    """The best of five whole answers."""
    best, size = float("inf"), 0
    for _ in range(5):
        start = time.perf_counter()
        with urlopen(address, timeout=60) as answer:
            size = len(answer.read())
        best = min(best, (time.perf_counter() - start) * 1000)
    return _goal(f"answer: {what}, {size / 1000:.0f} kB", best, _MAX_QUERY_MS, "ms")


def _many(browser: Browser, address: str, process: int) -> Row:
    before = Meter(process).cost().pss
    context = browser.new_context()
    pages = [context.new_page() for _ in range(_MANY)]
    for page in pages:
        page.goto(f"{address}/")
        page.wait_for_selector(".is-live")
    after = Meter(process).cost().pss
    context.close()
    peer = f"{before:.0f} MB, none open"
    return Row(f"memory of the gateway with {_MANY} pages open", f"{after:.0f} MB", peer, f"{after / before:.2f}")


def _death(browser: Browser, address: str, process: subprocess.Popen[str]) -> Row:
    page: Page = browser.new_context().new_page()
    page.goto(f"{address}/")
    page.wait_for_selector(".is-live")
    os.kill(process.pid, signal.SIGKILL)
    start = time.perf_counter()
    page.wait_for_selector("body.is-cut-off", timeout=30_000)
    seconds = time.perf_counter() - start
    return _goal("a gateway is killed: its page is grey after", seconds, _GREY_WITHIN_S, "s")


@contextmanager
def _service(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The demo with its year and a tariff: its address, and the process of the gateway."""
    (folder / "tariff.toml").write_text('name = "flat"\ncurrency = "EUR"\n[[price]]\nfrom = 2024-01-01\nrates = 0.3\n')
    (folder / "wattrail.toml").write_text(f'[site]\ntariffs = ["{folder / "tariff.toml"}"]\n')
    command = [
        sys.executable, "-m", "wattrail", "run", "--config", str(folder / "wattrail.toml"), "--port", "0", "--no-open",
        "--database", str(folder / "year.sqlite"),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        found = re.match(r"(http://[^/]+)", process.stdout.readline())
        assert found is not None
        yield found[1], process
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    print(text(rows()))
