"""The ledger in a real browser, over the generated year: why a gap was booked, and a typo that is not for ever."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.web.conftest import photograph
from tests.web.test_years import open_page
from wattrail.ledger import AuditFinding

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
__all__ = ["open_page"]  # the fixture


def test_the_night_of_a_gap_takes_three_clicks(open_page: Open) -> None:
    page = open_page("/")
    page.get_by_role("article").get_by_role("link", name="twin", exact=True).click()
    page.get_by_role("region", name="History").get_by_role("button", name="1 y").click()
    gap = page.locator(".event.is-gap").first
    number = gap.get_by_role("link").inner_text().removeprefix("entry ")
    gap.get_by_role("link").click()
    entry = page.locator(f"#entry-{number}")
    expect(entry.get_by_text("Nothing was read for")).to_be_visible()
    expect(entry.get_by_text(re.compile(r"Register energy went from [\d,]+ to [\d,]+"))).to_be_visible()
    expect(entry.get_by_text("Note: nobody watched (generated)")).to_be_visible()


def test_a_typo_is_corrected_by_key_alone(open_page: Open) -> None:
    page = open_page("/ledger/twin")
    manual = page.get_by_role("region", name="Manual entries", exact=True)
    expect(manual.get_by_text("Nobody has stated anything yet.")).to_be_visible()
    expect(page.get_by_text("Simulated – digital twin")).to_be_visible()
    register = page.locator(".facts-list dd").first
    before = register.inner_text()
    manual.get_by_label("Import, kWh").focus()
    page.keyboard.type("1000,5")
    manual.get_by_label("Why").focus()
    page.keyboard.type("<b>old</b> meter")
    manual.get_by_label("Your name").focus()
    page.keyboard.type("ada")
    page.keyboard.press("Enter")
    preview = page.get_by_role("region", name="Preview")
    expect(preview.get_by_role("row", name="Import register").locator("td").last).not_to_have_text(before)
    after = preview.get_by_role("row", name="Import register").locator("td").last.inner_text()
    preview.get_by_role("button", name="Keep it for ever").press("Enter")
    first = page.locator("#manual-entry-1")
    expect(first).to_contain_text("ada: <b>old</b> meter")
    expect(first).to_be_focused()
    expect(register).to_contain_text(after)
    first.get_by_role("button", name="Reverse manual entry 1").press("Enter")
    page.keyboard.type("10,5 in place of 1000,5")
    page.keyboard.press("Enter")
    expect(preview.get_by_role("row", name="Reversed, still in the registers").locator("td").last).to_have_text(
        "1000.500"
    )
    axe(page)
    preview.get_by_role("button", name="Keep it for ever").press("Enter")
    expect(first).to_contain_text("reversed by 2")
    expect(
        page.get_by_text("Of the registers 1000.500 kWh of import and 0.000 kWh of export were reversed.")
    ).to_be_visible()
    page.get_by_role("button", name="Verify everything").click()
    expect(page.locator(".good")).to_contain_text("Nothing differs")


def test_a_verification_that_failed_says_why_in_the_readers_language(open_page: Open, browser: Browser) -> None:
    failed = {"state": "failed", "error": "nothing is stored of twin yet", "done": 0, "entries": 0, "findings": []}
    with browser.new_context(locale="de-DE") as context:
        page = context.new_page()
        page.route("**/ledger/verification", lambda route: route.fulfill(json=failed))
        page.goto(open_page("/ledger/twin").url)
        expect(page.get_by_text("noch nichts gespeichert")).to_be_visible()


def test_findings_of_a_verification_are_in_the_readers_language(open_page: Open, browser: Browser) -> None:
    text = str(AuditFinding(7, "the sum of its counts", "9", "4: the counter went from 2 to 6"))
    found = [{"number": 7, "manual": False, "text": text}]
    done = {"state": "done", "done": 9, "entries": 9, "findings": found, "more_findings": 0, "at": None}
    with browser.new_context(locale="de-DE") as context:
        page = context.new_page()
        page.route("**/ledger/verification", lambda route: route.fulfill(json=done))
        page.goto(open_page("/ledger/twin").url)
        finding = page.locator(".findings li")
        expect(finding).to_contain_text("Eintrag 7: die Summe seiner Impulse")
        expect(finding).to_contain_text("Der Zählerstand ging von 2 auf 6")


def test_entries_are_found_by_kind_and_day(open_page: Open) -> None:
    page = open_page("/ledger", locale="de-DE")
    entries = page.get_by_role("region", name="Einträge", exact=True)
    entries.get_by_label("Zeigen").select_option("all")
    expect(entries.locator(".entry")).to_have_count(50)
    entries.get_by_role("button", name="Ältere").click()
    expect(entries.locator(".entry")).to_have_count(100)
    entries.get_by_label("Tag").fill("2001-01-01")
    expect(entries.get_by_text("Einen solchen Eintrag gibt es nicht.")).to_be_visible()


def test_the_ledger_fits_every_screen_and_shuts_nobody_out(open_page: Open) -> None:
    page = open_page("/ledger/twin", locale="de-DE")
    page.locator(".entry summary").first.click()
    expect(page.locator(".evidence li").first).to_be_visible()
    for (width, height), scheme in product(((320, 640), (390, 844), (1280, 800), (2560, 1440)), ("light", "dark")):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        photograph(page, f"ledger-{width}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{width} {scheme}"
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        axe(page)


def axe(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["target"]) for one in found if one["impact"] in {"serious", "critical"}] == []
