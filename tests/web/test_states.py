"""The states of the pages, each from its real cause: a pulled cable, a broker that is away, a database that is gone."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.fair_time import fair_time
from tests.web.conftest import photograph, served

pytestmark = pytest.mark.browser

SCREENS = ((320, 640), (390, 844), (1280, 800), (2560, 1440))
SAID = Path(__file__).with_name("said_examples.de.json")
"""What the gateway says, and what a German page shows: values and words from outside stay as they are."""

Scene = Callable[[str], str]


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="en-GB", reduced_motion="reduce", viewport={"width": 1280, "height": 800})
    yield context
    context.close()


def fits_and_shuts_nobody_out(page: Page) -> None:
    for (width, height), scheme in product(SCREENS, ("light", "dark")):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{width} {scheme}"
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found = Axe().run(page).response["violations"]
        serious = [(one["id"], one["nodes"][0]["target"]) for one in found if one["impact"] in {"serious", "critical"}]
        assert serious == []


@contextmanager
def process(*words: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A command of ours, which is killed in the end."""
    places = {"XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    with subprocess.Popen(
        [sys.executable, "-m", "wattrail", *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env={**os.environ, **places},
    ) as running:  # fmt: skip
        try:
            yield running
        finally:
            running.kill()


def test_two_hundred_meters_have_a_line_each_and_trouble_first(scene: Scene, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(scene("many"))
    lines = page.get_by_role("region", name="All meters")
    expect(lines.locator("tbody tr")).to_have_count(200)
    states = lines.locator("tbody tr .mark-of")
    expect(states.nth(0)).to_have_text("Lost")
    expect(states.nth(3)).to_have_text("Stale")
    expect(states.nth(4)).to_have_text("Live")
    expect(lines.locator(".facts-line")).to_have_text("1 Lost, 3 Stale, 196 Live")
    expect(page.locator("article.meter")).to_have_count(0)
    expect(lines.locator("tbody tr").last).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.evaluate("document.images.length") == 1  # our own sign, and none that a name brought
    heights = page.evaluate("[...document.querySelectorAll('tbody tr')].map((row) => row.offsetHeight)")
    assert max(heights) < 60
    fits_and_shuts_nobody_out(page)


def is_said_in_german(context: BrowserContext, address: str) -> None:
    """What the gateway says of the pulled cable and of the broker, on the pages of a German reader."""
    assert context.browser is not None
    german = context.browser.new_context(locale="de-DE", reduced_motion="reduce")
    page = german.new_page()
    page.goto(address)
    alert = page.get_by_role("article").get_by_role("alert")
    expect(alert).to_contain_text("keine Verbindung: Verbindung abgelehnt")
    expect(alert).to_contain_text("Abhilfe: dort lauscht nichts: die Portnummer prüfen, und ob der Server läuft")
    expect(page.locator("#publishers")).to_contain_text("Verbindung abgelehnt")
    expect(page.locator("#publishers")).to_contain_text("Abhilfe: prüfen, ob der Broker dort läuft")
    fits_and_shuts_nobody_out(page)
    page.goto(f"{address}health")
    row = page.get_by_role("region", name="Zähler").locator("tbody tr").first
    expect(row).to_contain_text("Verloren")
    expect(row).to_contain_text("keine Verbindung: Verbindung abgelehnt")
    expect(page.get_by_role("region", name="Rechner")).to_contain_text("beginnen und enden in Europe/Berlin")
    expect(page.get_by_role("region", name="Rechner")).to_contain_text(re.compile(r"[\d.]+ MB sind frei"))
    fits_and_shuts_nobody_out(page)
    for english, said in json.loads(SAID.read_text("utf-8")).items():
        assert page.evaluate("(text) => import('/assets/said.js').then(({ said }) => said(text))", english) == said
    for path, name in (("health", "health"), ("meter/house", "meter")):
        page.goto(address + path)
        expect(page.locator(".part, .now").first).to_be_visible()
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 844})
            photograph(page, f"german-{name}-{width}")
    german.close()


def test_a_pulled_cable_and_a_broker_that_is_away_are_said(tmp_path: Path, context: BrowserContext) -> None:
    with process("twin", "serve", "lspa9", "--port", "0", folder=tmp_path) as twin:
        assert twin.stdout is not None
        found = next(filter(None, (re.search(r"tcp://127\.0\.0\.1:\d+\S*", line) for line in twin.stdout)))
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            broker = f"mqtt://127.0.0.1:{nobody.getsockname()[1]}"
        (tmp_path / "wattrail.toml").write_text(
            f'[site]\ntimezone = "Europe/Berlin"\n[[meter]]\nname = "house"\nurl = "{found[0]}"\n[publish.mqtt]\n'
            f'broker = "{broker}"\n[store]\npath = "{tmp_path}/w.sqlite"\n[web]\nport = 0\n'
        )
        with process("run", folder=tmp_path) as gateway:
            assert gateway.stdout is not None
            page = context.new_page()
            page.goto(gateway.stdout.readline().strip())
            card = page.get_by_role("article", name="Meter house")
            expect(card.get_by_role("status").first).to_contain_text("Live")
            expect(page.locator("#publishers")).to_contain_text("Away")
            expect(page.locator("#publishers")).to_contain_text("connection refused")
            ink = card.locator(".watts").evaluate("(it) => getComputedStyle(it).color")
            twin.kill()  # the cable
            expect(card).to_have_class(re.compile("is-(lost|stale)"))
            expect(card).to_have_class(re.compile("is-lost"))
            expect(card.get_by_role("alert")).to_contain_text(re.compile("onnection refused"))
            expect(card.locator(".watts")).to_have_text(re.compile(r"\d"))
            assert card.locator(".watts").evaluate("(it) => getComputedStyle(it).color") != ink
            is_said_in_german(context, page.url)
            card.get_by_role("link", name="house", exact=True).click()
            expect(page.get_by_role("alert")).to_contain_text("Try this:")
            page.get_by_role("link", name="Health").click()
            row = page.get_by_role("region", name="Meters").locator("tbody tr").first
            expect(row).to_contain_text("Lost")
            expect(page.get_by_role("region", name="Publishers").first).to_contain_text("Away")
            fits_and_shuts_nobody_out(page)


def test_a_database_that_is_gone_is_said_and_can_come_back(tmp_path: Path, context: BrowserContext) -> None:
    with served("demo", tmp_path) as (address, server):
        page = context.new_page()
        page.goto(f"{address}costs")
        expect(page.get_by_role("region", name="Bills")).to_be_visible()
        database = tmp_path / "demo.sqlite"
        database.rename(tmp_path / "away.sqlite")
        page.reload()
        problem = page.get_by_role("alert").filter(has_text="Not available yet")
        expect(problem).to_contain_text("demo.sqlite")
        expect(problem).to_contain_text("This page tries again by itself.")
        (tmp_path / "away.sqlite").rename(database)
        expect(page.get_by_role("region", name="Bills")).to_be_visible()
        pages = [page]
        for path in ("", "meter/twin", "health"):
            pages.append(context.new_page())
            pages[-1].goto(address + path)
            expect(pages[-1].locator(".part, .now").first).to_be_visible()
        with fair_time() as taken:
            server.send_signal(signal.SIGKILL)  # and now the gateway: every page is grey, and says why
            for one in pages:
                expect(one.locator("body")).to_have_class(re.compile("is-cut-off"))
        assert taken.seconds < 5
        for one in pages:
            expect(one.get_by_text("The gateway does not answer").first).to_be_visible()


def test_what_is_not_there_leads_to_what_is(scene: Scene, context: BrowserContext) -> None:
    page = context.new_page()
    for path, heading in (
        ("nowhere", "There is no page at this address"),
        ("meter/attic", "There is no meter 'attic'"),
        ("scope/attic", "There is no meter 'attic'"),
        ("ledger/attic", "There is no meter 'attic'"),
        ("accuracy/attic", "There is no meter 'attic'"),
        ("calibration/attic", "There is no meter 'attic'"),
        ("meter/%3Cimg%20src=x%3E", "There is no meter '<img src=x>'"),
    ):
        answer = page.goto(scene("trouble") + path)
        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        expect(page.get_by_role("link", name="workshop")).to_be_visible()
    fits_and_shuts_nobody_out(page)
    page.get_by_role("link", name="workshop").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("workshop")


def test_the_health_page_reads_the_log_and_checks_the_file(tmp_path: Path, context: BrowserContext) -> None:
    with served("demo", tmp_path) as (address, _):
        page = context.new_page()
        errors: list[str] = []
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.goto(f"{address}health")
        expect(page.get_by_text("Simulated – digital twin")).to_be_visible()
        page.get_by_role("button", name="Check the whole file").press("Enter")
        expect(page.locator(".check [role=status]")).to_have_text(re.compile(r"^whole; [\d.]+ s$"))
        page.get_by_role("button", name="Read the log").press("Enter")
        expect(page.get_by_role("region", name="Lines of the log")).to_contain_text(re.compile("No warning|Warning"))
        page.emulate_media(media="print")
        expect(page.get_by_role("button", name="Read again")).to_be_hidden()
        page.emulate_media(media="screen")
        fits_and_shuts_nobody_out(page)
        assert errors == []


@pytest.mark.parametrize(
    ("severities", "heading"),
    [
        (["ok", "ok"], "Everything is in order"),
        (["ok", "warning"], "Nothing has failed; there are warnings"),
        (["warning", "error"], "Not everything is in order"),
    ],
)
def test_the_head_of_the_health_page_says_what_stands_below(
    scene: Scene, context: BrowserContext, severities: list[str], heading: str
) -> None:
    page, address = context.new_page(), scene("demo")
    report = json.loads(page.request.get(f"{address}api/v1/health/report").text())
    report |= {
        "findings": [{"check": "disk", "severity": one, "text": "x", "remedy": None} for one in severities],
        "meters": [meter | {"state": "live"} for meter in report["meters"]], "publishers": [], "problem": None,
    }  # fmt: skip
    page.route("**/api/v1/health/report", lambda route: route.fulfill(json=report))
    page.goto(f"{address}health")
    expect(page.locator("header.head")).to_contain_text(heading)
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_clock_is_that_of_the_site_in_the_readers_way(scene: Scene, browser: Browser) -> None:
    for locale, shown in (("en-US", r"\d\d:\d\d:\d\d [AP]M"), ("de-DE", r"\d\d:\d\d:\d\d$")):
        context = browser.new_context(locale=locale, timezone_id="Asia/Tokyo")
        page = context.new_page()
        page.goto(f"{scene('demo')}health")
        at = page.locator(".pairs dd").first
        expect(at).to_have_text(re.compile(shown))
        berlin = page.evaluate(
            "new Date().toLocaleTimeString('en-GB', { timeZone: 'Europe/Berlin', hour: '2-digit', hour12: true })"
        )
        hour = int(re.findall(r"(\d\d):\d\d:\d\d", at.inner_text())[0]) % 12
        assert (hour - int(berlin.split()[0])) % 12 in {0, 11}  # 11: the hour turned meanwhile
        context.close()
