"""The walks of somebody who opens the page for the first time, over the generated year, in a real browser."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import product
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.web.conftest import photograph

pytestmark = pytest.mark.browser

PAGES = ("/", "/meter/twin", "/costs")
Scene = Callable[[str], str]
Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, scene: Scene) -> Iterator[Open]:
    """Opens a path of the demo. A page that logged an error, or asked another host, fails the test."""
    address = scene("demo")
    contexts, problems = [], []

    def go(path: str, **options: object) -> Page:
        settings = {"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"} | options
        context = browser.new_context(**settings)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: problems.append(request.url) if elsewhere(request.url) else None)
        page.goto(address.rstrip("/") + path)
        return page

    yield go
    for context in contexts:
        context.close()
    assert problems == []


def elsewhere(url: str) -> bool:
    return not url.startswith(("data:", "blob:")) and urlsplit(url).hostname != "127.0.0.1"


def bars(page: Page) -> int:
    return page.get_by_role("region", name="Energy", exact=True).locator(".bar-group").count()


def test_todays_cost_is_on_the_first_page(open_page: Open) -> None:
    page = open_page("/")
    today = page.locator("#now")
    expect(today.locator(".cost .value")).to_have_text(re.compile(r"^−?\d+\.\d\d EUR$"))
    expect(today.locator(".used .more")).to_have_text(re.compile(r"yesterday by now [\d.]+, usual [\d.]+"))
    expect(today.locator(".flow .value").first).to_have_text(re.compile(r"^[\d,]+$"))
    # Neither colour nor motion alone says which way it flows.
    expect(today.get_by_role("img", name=re.compile(r"^Grid [\d,]+ W \((Import|Export)\), "))).to_be_visible()
    expect(today.locator(".flow .name").last).to_have_text(re.compile(r"^(Import|Export)$"))
    expect(today.get_by_text("Simulated", exact=True)).to_be_visible()  # here too: on a phone nothing else is in view
    expect(page.get_by_text("Simulated – digital twin")).to_have_count(2)  # at the grid and behind the roof


def test_last_month_against_the_one_before_takes_two_clicks(open_page: Open) -> None:
    page = open_page("/")
    page.get_by_role("article").get_by_role("link", name="twin", exact=True).click()
    energy = page.get_by_role("region", name="Energy", exact=True)
    expect(energy.locator(".sum")).to_contain_text("import")
    this_month = energy.get_by_role("heading", level=3).inner_text()
    energy.get_by_role("button", name="Earlier").click()
    expect(energy.get_by_role("heading", level=3)).not_to_have_text(this_month)
    expect(energy.locator(".sum")).to_have_text(
        re.compile(r"import [\d.]+ kWh · export [\d.]+ kWh · cost [\d.,−]+ EUR · the period before: [\d.]+ kWh")
    )


def test_a_month_leads_to_its_day_and_the_day_to_its_curve(open_page: Open) -> None:
    page = open_page("/meter/twin")
    energy = page.get_by_role("region", name="Energy", exact=True)
    expect(energy.locator(".sum")).to_contain_text("import")
    energy.get_by_role("button", name="Earlier").click()
    expect(energy.locator(".bar-group").nth(27)).to_be_visible()
    assert bars(page) in {28, 30, 31}
    energy.locator(".bar-group").nth(9).focus()
    page.keyboard.press("Enter")  # by key as well as by mouse
    expect(energy.locator(".bar-group")).to_have_count(24)
    expect(energy.get_by_role("heading", level=3)).to_contain_text(" 10 ")
    history = page.get_by_role("region", name="History")
    before = history.locator(".drawing .line").first.get_attribute("d")
    energy.locator(".bar-group").nth(12).click()
    expect(history.locator(".drawing .line").first).not_to_have_attribute("d", before or "")


def test_the_night_of_a_gap_is_found_and_says_why(open_page: Open) -> None:
    page = open_page("/meter/twin")
    history = page.get_by_role("region", name="History")
    history.get_by_role("button", name="1 y").click()
    gap = history.locator(".event.is-gap").first
    expect(gap).to_contain_text("nothing was read · nobody watched (generated)")
    expect(gap).to_contain_text(re.compile(r"direction unknown [\d.]+ kWh"))
    expect(gap).to_contain_text(re.compile(r"entry \d+"))
    mark = history.locator("a.mark.is-gap").first
    mark.click()
    assert urlsplit(page.url).fragment == (mark.get_attribute("href") or "").lstrip("#")


def test_a_mark_stays_at_its_moment_when_the_phone_is_turned(open_page: Open) -> None:
    page = open_page("/meter/twin", viewport={"width": 1280, "height": 900})
    history = page.get_by_role("region", name="History")
    history.get_by_role("button", name="1 y").click()
    mark = history.locator("a.mark.is-gap").last
    expect(mark).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("() => document.documentElement.scrollWidth <= 390")
    mark.scroll_into_view_if_needed()
    expect(mark).to_be_in_viewport()
    page.wait_for_function(
        """() => {
            const [mark] = [...document.querySelectorAll("a.mark.is-gap")].slice(-1);
            const at = wattrailMeter.events.marks.find(({ link }) => link === mark).at;
            return Math.abs(parseFloat(mark.style.left) - wattrailMeter.chart.place(at)) < 0.01;
        }"""
    )
    left = page.evaluate("() => [...document.querySelectorAll('a.mark.is-gap')].slice(-1)[0].style.left")
    page.get_by_role("img", name="Chart of twin").focus()
    page.keyboard.press("ArrowLeft")
    expect(mark).not_to_have_attribute("style", f"left: {left};")


def test_a_year_is_drawn_and_zoomed_without_reload(open_page: Open) -> None:
    page = open_page("/meter/twin")
    history = page.get_by_role("region", name="History")
    history.get_by_role("button", name="1 y").click()
    page.wait_for_function("() => wattrailMeter.chart.points.length > 300")
    chart = history.get_by_role("img")
    chart.focus()
    for _ in range(6):
        page.keyboard.press("+")
    page.wait_for_function("() => wattrailMeter.chart.to - wattrailMeter.chart.from < 7 * 86400e3")
    page.wait_for_function("() => wattrailMeter.chart.width <= 3600e3 && wattrailMeter.chart.points.length > 30")
    middle = page.evaluate("wattrailMeter.chart.from")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("wattrailMeter.chart.from") < middle


def test_voltage_has_its_band_and_its_limits(open_page: Open) -> None:
    page = open_page("/meter/twin")
    history = page.get_by_role("region", name="History")
    history.get_by_role("button", name="Voltage").click()
    expect(history.locator(".drawing .guide")).to_have_count(2)
    expect(history.locator(".drawing .tick").filter(has_text=" V").first).to_be_visible()


def test_the_year_by_hour_is_a_picture_that_leads_to_a_day(open_page: Open) -> None:
    page = open_page("/meter/twin")
    heat = page.get_by_role("img", name="Energy of each hour of the last year")
    heat.scroll_into_view_if_needed()
    expect(heat).to_have_class(re.compile("is-drawn"), timeout=20_000)
    box = heat.bounding_box()
    assert box is not None
    heat.hover(position={"x": box["width"] * 0.8, "y": box["height"] * 0.5})
    expect(heat.locator(".bubble")).to_contain_text("kWh")
    heat.click(position={"x": box["width"] * 0.8, "y": box["height"] * 0.5})
    expect(page.get_by_role("region", name="Energy", exact=True).locator(".bar-group")).to_have_count(24)


def test_what_another_tariff_would_have_cost(open_page: Open) -> None:
    page = open_page("/costs")
    bills = page.get_by_role("region", name="Bills")
    expect(bills.locator("thead th")).to_have_text(["Period", "kWh", "Green 24", "Fixed"])
    expect(bills.locator("tbody tr")).to_have_count(13)
    expect(bills.locator("tfoot td").last).to_have_text(re.compile(r"^[\d,]+\.\d\d EUR$"))
    second = bills.locator("tbody tr").nth(1)
    month = second.get_by_role("button").inner_text()
    second.get_by_role("button").click()
    expect(page.get_by_role("region", name="Bill", exact=True).get_by_role("heading", level=2)).to_have_text(month)


def test_the_last_day_of_a_month_belongs_to_that_month(open_page: Open) -> None:
    page = open_page("/inspect")  # no request is under way while the clock is set
    now = datetime.now(UTC)
    page.clock.set_fixed_time(datetime(now.year, now.month, monthrange(now.year, now.month)[1], 12, tzinfo=UTC))
    page.goto(page.url.replace("/inspect", "/costs"))
    expect(page.get_by_role("region", name="Bills").locator("tbody tr")).to_have_count(13)


def test_german_readers_get_german_words_and_numbers(open_page: Open) -> None:
    page = open_page("/meter/twin", locale="de-DE")
    energy = page.get_by_role("region", name="Energie", exact=True)
    expect(energy.locator(".sum")).to_have_text(re.compile(r"Bezug [\d.]*\d(,\d+)? kWh · Einspeisung"))
    assert page.evaluate("document.documentElement.lang") == "de"
    page.goto(page.url.replace("/meter/twin", "/"))
    expect(page.locator("#now")).to_contain_text("Heute bezogen")


def test_a_language_without_words_stays_english(open_page: Open) -> None:
    page = open_page("/", locale="fr-FR")
    expect(page.locator("#now")).to_contain_text("Imported today")
    assert page.evaluate("document.documentElement.lang") == "en"


@pytest.mark.parametrize("path", PAGES)
def test_every_page_of_years_fits_and_shuts_nobody_out(open_page: Open, path: str) -> None:
    page = open_page(path)
    name = path.strip("/").replace("/", "-") or "overview"
    for (width, height), scheme in product(((320, 640), (390, 844), (1280, 800), (2560, 1440)), ("light", "dark")):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        expect(page.locator(".part, .now").first).to_be_visible()
        photograph(page, f"years-{name}-{width}-{scheme}")
        page.wait_for_function("(width) => document.documentElement.scrollWidth <= width", arg=width)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found = Axe().run(page).response["violations"]
        assert [
            (one["id"], one["nodes"][0]["target"]) for one in found if one["impact"] in {"serious", "critical"}
        ] == []
