"""Calibrating a twin in a real browser, against what is true of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.test_ledger_page import axe

pytestmark = pytest.mark.browser

Scene = Callable[[str], str]


@pytest.fixture
def page(browser: Browser, scene: Scene) -> Iterator[Page]:
    context = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844})
    opened, problems = context.new_page(), list[str]()
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.goto(f"{scene('bench').rstrip('/')}/calibration/bench")
    yield opened
    context.close()
    assert problems == []


def test_a_german_reader_sees_in_german_what_looks_wrong(browser: Browser, scene: Scene) -> None:
    context = browser.new_context(locale="de-DE", viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{scene('bench').rstrip('/')}/calibration/bench")
    for name, example, shown in (("Volt", "230,4", "23,00"), ("Ampere", "4,35", "0"), ("Watt", "1001", "2300")):
        field = page.get_by_label(name, exact=True)
        expect(field).to_have_attribute("placeholder", example)
        field.fill(shown)
    page.get_by_role("button", name="Messen").click()
    expect(page.get_by_role("alert")).to_contain_text("keine Zahl au\u00dfer 0")
    page.get_by_label("Ampere", exact=True).fill("10,00")
    page.get_by_role("button", name="Messen").click()
    findings = page.get_by_role("region", name="Ergebnis").locator(".findings")
    expect(findings).to_contain_text("scheinen 10-mal zu klein: auf das Dezimalkomma achten")
    expect(findings).not_to_contain_text("the ")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_a_load_is_measured_found_wrong_corrected_and_kept(page: Page) -> None:
    for name, shown in (("Volts", "23.00"), ("Amperes", "10,00"), ("Watts", "2300")):
        page.get_by_label(name).fill(shown)
    page.get_by_role("button", name="Measure").click()
    result = page.get_by_role("region", name="Result")
    expect(result.get_by_text("look at the decimal point")).to_be_visible()
    expect(result.get_by_role("button", name="Keep it")).to_be_disabled()
    page.get_by_label("Volts").fill("230.0")
    page.get_by_role("button", name="Measure").click()
    expect(result.get_by_role("row", name="Counts per volt")).to_contain_text("3.47 %")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    axe(page)
    expect(result.get_by_text("The meter is read with it at once; the past keeps its own.")).to_be_visible()
    kept = page.get_by_role("region", name="Kept calibrations")
    expect(kept.get_by_text("What holds now: front end pziot-e01, not calibrated")).to_be_visible()
    result.get_by_label("Remark: which reference, which load").fill("clamp meter <i>X</i>")
    result.get_by_label("Your name").fill("ada")
    result.get_by_role("button", name="Keep it").click()
    expect(result.get_by_text("Kept as calibration 1.")).to_be_visible()
    expect(kept.get_by_text("What holds now: calibrated constants")).to_be_visible()
    expect(kept.get_by_text("measured, ada: clamp meter <i>X</i>")).to_be_visible()
