"""Testing a twin's accuracy in a real browser: load after load, and a report that says what it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.web.test_ledger_page import axe

pytestmark = pytest.mark.browser

Scene = Callable[[str], str]


@pytest.fixture
def blank(browser: Browser) -> Iterator[Page]:
    """A phone's page before it knows where to go."""
    context = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    opened, problems = context.new_page(), list[str]()
    opened.on("pageerror", lambda error: problems.append(str(error)))
    yield opened
    context.close()
    assert problems == []


@pytest.fixture
def page(blank: Page, scene: Scene) -> Page:
    blank.goto(f"{scene('bench').rstrip('/')}/accuracy/bench")
    return blank


def test_a_meter_that_was_not_read_yet_is_waited_for(blank: Page, scene: Scene) -> None:
    first = iter([True])

    def too_early(route: Route) -> None:
        """The gateway's answer before the first reading, once."""
        if not next(first, False):
            return route.continue_()
        said = {"status": 503, "detail": "bench has not been read yet"}
        return route.fulfill(status=503, content_type="application/problem+json", body=json.dumps(said))

    blank.route("**/accuracy/points", too_early)
    blank.clock.install()
    blank.goto(f"{scene('bench').rstrip('/')}/accuracy/bench")
    expect(blank.get_by_role("alert").filter(has_text="bench has not been read yet")).to_be_visible()
    expect(blank.get_by_text("This page tries again by itself.")).to_be_visible()
    blank.clock.run_for(10_000)
    expect(blank.get_by_text("Set 230 V and 0.05 A, power factor 1: about 11.5 W.")).to_be_visible()


def test_loads_are_skipped_measured_and_reported(page: Page) -> None:
    expect(page.get_by_text("Set 230 V and 0.05 A, power factor 1: about 11.5 W.")).to_be_visible()
    page.get_by_role("button", name="Skip this load").click()
    expect(page.get_by_text("Set 230 V and 0.25 A, power factor 1: about 57.5 W.")).to_be_visible()
    page.get_by_label("Load", exact=True).select_option(label="6. 5 A, power factor 1")
    page.get_by_label("Reference: which device").fill("clamp <i>X</i>")
    page.get_by_label("Its class or error, per cent").fill("0,2")
    page.get_by_label("Watts").fill("2300,0")
    page.get_by_role("button", name="Measure").click()
    expect(page.get_by_role("status").filter(has_text="Measured: 10 A, power factor 1")).to_be_visible(timeout=30_000)
    report = page.get_by_role("region", name="Report")
    row = report.get_by_role("row", name="10 A, power factor 1")  # what really flowed
    expect(row).to_contain_text("2300.0 W")  # hidden on a phone, there in print
    expect(row).to_contain_text("outside")
    expect(report.get_by_text("a ratio error of")).to_be_visible()
    expect(report.get_by_text("as far as tested: 1 of 22 loads")).to_be_visible()
    expect(report.get_by_text("clamp <i>X</i>, 0,2 %")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    axe(page)
    page.reload()
    expect(row).to_be_visible()
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Measure")).to_be_hidden()
    expect(report.get_by_text("Simulated – digital twin").first).to_be_visible()
