"""The first page and the costs with no meter, with one at the grid, and with two that nobody has placed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.web.test_states import fits_and_shuts_nobody_out

pytestmark = pytest.mark.browser

EXPORTING = '[[meter]]\nname = "house"\nurl = "twin://pziot-e01?watts=-2127&noise=0"\n'
USING = '[[meter]]\nname = "house"\nurl = "twin://pziot-e01?watts=480&noise=0"\n'
ROOF = '[[meter]]\nname = "roof"\nurl = "twin://pziot-e01?watts=-900&noise=0"\n'
PLACED = '[site]\ngrid = "house"\nsolar = "roof"\n'


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="en-GB", reduced_motion="reduce", viewport={"width": 1280, "height": 800})
    yield context
    context.close()


@contextmanager
def service(folder: Path, text: str = "") -> Iterator[str]:
    """The address of ``wattrail run`` by this configuration."""
    (folder / "wattrail.toml").write_text(text, encoding="utf-8")
    places = {"XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    with subprocess.Popen(
        [sys.executable, "-m", "wattrail", "run", "--port", "0", "--no-open", "--no-past"], cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **places},
    ) as running:  # fmt: skip
        assert running.stdout is not None
        try:
            yield running.stdout.readline().strip()
        finally:
            running.terminate()
            running.wait(60)


def test_the_demonstration_has_a_roof_and_prices_called_an_example(tmp_path: Path, context: BrowserContext) -> None:
    page = context.new_page()
    with service(tmp_path) as address:
        page.goto(address)
        now = page.locator("#now")
        expect(
            now.get_by_role("img", name=re.compile(r"^Grid [\d,]+ W.*, roof [\d,]+ W, house [\d,]+ W$"))
        ).to_be_visible()
        expect(now.get_by_text("Simulated", exact=True)).to_be_visible()
        expect(now.locator(".own")).to_be_visible()
        expect(now.locator(".cost .value")).to_have_text(re.compile(r"^−?\d+\.\d\d EUR$"))
        expect(now.locator(".cost .more")).to_contain_text("at an example tariff")
        fits_and_shuts_nobody_out(page)
        page.goto(f"{address}costs")
        costs = page.get_by_role("region", name="Costs")
        expect(costs).to_contain_text("No tariff is configured, so these prices are an example.")
        expect(costs.get_by_text("Simulated – digital twin")).to_be_visible()
        expect(costs.get_by_role("link", name="Name the file of your tariff")).to_have_attribute(
            "href", "/settings#site"
        )
        expect(costs.locator("thead th").last).to_have_text("Example tariff")
        fits_and_shuts_nobody_out(page)


def test_a_month_that_began_today_has_the_standing_charge_of_today(tmp_path: Path, context: BrowserContext) -> None:
    page = context.new_page()
    with service(tmp_path) as address:
        page.goto(f"{address}costs")
        bills = page.get_by_role("region", name="Bills")
        expect(bills.locator("tbody tr")).to_have_count(1)  # and none of the twelve months before
        expect(bills.locator("tbody tr")).to_contain_text("not complete")
        expect(page.locator(".bill tr", has_text="standing charge")).to_contain_text(re.compile(r"1 of \d\d days"))
        assert context.browser is not None
        german = context.browser.new_context(locale="de-DE", reduced_motion="reduce")
        there = german.new_page()
        there.goto(f"{address}costs")
        expect(there.locator(".bill tr", has_text="Grundpreis je Monat")).to_contain_text(
            re.compile(r"1 von \d\d Tagen")
        )
        german.close()


def test_what_goes_to_the_grid_is_never_shown_as_what_the_house_uses(tmp_path: Path, context: BrowserContext) -> None:
    page = context.new_page()
    with service(tmp_path, EXPORTING) as address:
        page.goto(address)
        picture = page.locator("#now").get_by_role("img")
        expect(picture).to_have_accessible_name(re.compile(r"^Grid 2,?12\d W \(Export\), house unknown$"))
        expect(page.locator(".flow .value")).to_have_text([re.compile(r"^2,?12\d$"), "–"])
        expect(page.locator(".flow .way")).to_have_class("way is-flowing export is-back")  # from house to grid


def test_without_a_roof_the_house_uses_what_comes_from_the_grid(tmp_path: Path, context: BrowserContext) -> None:
    page = context.new_page()
    with service(tmp_path, USING) as address:
        page.goto(address)
        picture = page.locator("#now").get_by_role("img")
        expect(picture).to_have_accessible_name(re.compile(r"^Grid (4[78]\d) W \(Import\), house \1 W$"))
        expect(page.locator(".flow .way")).to_have_class("way is-flowing import")


def test_two_meters_that_nobody_placed_say_which_line_is_missing(tmp_path: Path, context: BrowserContext) -> None:
    page = context.new_page()
    with service(tmp_path, USING + ROOF) as address:
        page.goto(address)
        remark = page.get_by_role("region", name="Which meter is at the grid?")
        expect(remark.locator("pre")).to_have_text('[site]\ngrid = "house"\nsolar = "roof"')
        expect(remark.get_by_role("link")).to_have_attribute("href", "/settings#site")
        expect(page.locator("#now")).to_be_hidden()
        fits_and_shuts_nobody_out(page)
        assert context.browser is not None
        german = context.browser.new_context(locale="de-DE", reduced_motion="reduce")
        there = german.new_page()
        there.goto(address)
        expect(there.get_by_role("region", name="Welcher Zähler")).to_contain_text("grid = ")
        fits_and_shuts_nobody_out(there)
        german.close()
        remark.get_by_role("link").click()
        expect(page.get_by_role("region", name="Site and costs")).to_be_visible()
    with service(tmp_path, USING + ROOF + PLACED) as address:  # the lines that it gave
        page.goto(address)
        expect(page.locator("#now").get_by_role("img")).to_have_accessible_name(
            re.compile(r"^Grid .*, roof .*, house ")
        )
        expect(page.get_by_role("region", name="Which meter is at the grid?")).to_have_count(0)
