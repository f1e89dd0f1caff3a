"""Alarms in the interface and on the page: what is raised now, what was, and that it is seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product

import pytest
from playwright.sync_api import Browser, expect

from tests.web.test_api import ask
from tests.web.test_dashboard import SCHEMES, SCREENS, SCREENSHOTS

Scene = Callable[[str], str]


def test_the_alarms_that_are_raised_say_since_when_and_who_saw_them(scene: Scene) -> None:
    status, alarms = ask(scene("alarms"), "/api/v1/alarms")
    assert status == 200
    assert [(one["rule"], one["acknowledged"], one["simulated"]) for one in alarms] == [
        ("over-voltage", False, True),
        ("freezer", True, False),
    ]
    assert (alarms[0]["value"], alarms[0]["limit"], alarms[0]["unit"]) == (261.3, 253.0, "V")
    assert alarms[0]["since"].endswith("Z")


def test_the_events_of_alarms_are_listed_newest_first_or_from_an_id(scene: Scene) -> None:
    _, events = ask(scene("alarms"), "/api/v1/alarms/events?limit=2")
    assert [(one["rule"], one["change"]) for one in events] == [("export", "cleared"), ("export", "raised")]
    _, later = ask(scene("alarms"), f"/api/v1/alarms/events?after={events[1]['id']}")
    assert [one["id"] for one in later] == [events[0]["id"]]
    status, _ = ask(scene("alarms"), "/api/v1/alarms/events?limit=0")
    assert status == 422


def test_without_alarms_there_is_an_empty_list(scene: Scene) -> None:
    assert ask(scene("live"), "/api/v1/alarms") == (200, [])


@pytest.mark.browser
def test_raised_alarms_stand_above_the_meters_on_every_screen(scene: Scene, browser: Browser) -> None:
    page = browser.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(scene("alarms"))
    strip = page.get_by_label("Alarms")
    rows = strip.get_by_role("listitem")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Critical: house: voltage 261.3 V, above 253 V")
    expect(rows.first.get_by_text("Simulated")).to_be_visible()
    expect(rows.last).to_contain_text(re.compile("since .*, acknowledged at "))
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for (width, height), scheme in product(SCREENS, SCHEMES):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        expect(strip).to_be_in_viewport()
        page.screenshot(path=SCREENSHOTS / f"alarms-{width}-{scheme}.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert errors == []
    page.close()


@pytest.mark.browser
def test_without_alarms_there_is_no_strip(scene: Scene, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(scene("live"))
    expect(page.get_by_role("article", name="Meter house")).to_be_visible()
    expect(page.locator("#alarms")).to_be_hidden()
    page.close()
