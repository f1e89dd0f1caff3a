"""The oscilloscope page before a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.fair_time import fair_time
from tests.web.conftest import served

pytestmark = pytest.mark.browser


def test_the_dashboard_leads_to_curves_and_harmonics_marked_as_simulated(
    scene: Callable[[str], str], browser: Browser
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 900})
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(scene("twin"))
    page.get_by_role("link", name="Oscilloscope of house").click()
    page.wait_for_function("() => window.wattrailScope && wattrailScope.last()")
    expect(page.get_by_role("heading", name="Oscilloscope of house")).to_be_visible()
    expect(page.get_by_text("Simulated – digital twin")).to_be_visible()
    expect(page.get_by_text("Reactive power")).to_be_visible()
    drawn = page.evaluate("wattrailScope.last()")
    assert 300 < max(volts for _, volts in drawn["volts"]["points"]) < 360
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert faults == []
    page.close()


def test_a_meter_that_is_not_there_is_said_to_be_missing(scene: Callable[[str], str], browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{scene('twin')}scope/attic")
    expect(page.get_by_role("heading", name="There is no meter 'attic'")).to_be_visible()
    page.close()


def test_a_meter_without_waveform_says_why(scene: Callable[[str], str], browser: Browser) -> None:
    page = browser.new_page()
    page.goto(scene("live"))
    expect(page.get_by_role("heading", name="house")).to_be_visible()
    expect(page.get_by_role("link", name="Oscilloscope of house")).to_be_hidden()
    page.goto(f"{scene('live')}scope/house")
    expect(page.get_by_text("this meter gives readings only, no waveform")).to_be_visible()
    page.close()


def test_a_scope_whose_gateway_died_says_so(browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page()
    with served("live", tmp_path) as (address, server):
        page.goto(f"{address}scope/house")
        expect(page.get_by_text("this meter gives readings only, no waveform")).to_be_visible()
        with fair_time() as taken:
            server.kill()
            expect(page.get_by_text("The gateway does not answer")).to_be_visible()
        assert taken.seconds < 5
    page.close()
