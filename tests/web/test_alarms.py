"""Alarms in the interface and on the page: what is raised now, what was, and that it is seen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from http.client import HTTPConnection
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.web.access_rig import Site
from tests.web.conftest import photograph, served
from tests.web.test_api import ask
from tests.web.test_dashboard import SCHEMES, SCREENS
from wattrail.gateway import Feed
from wattrail.web import Setup
from wattrail.web.app import build_app, meters_json
from wattrail.web.events import Broadcast
from wattrail.web.waveform import Waveforms

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


@pytest.mark.parametrize(
    ("client", "status"), [("127.0.0.1", 202), ("::1", 202), ("::ffff:127.0.0.1", 202), ("192.168.1.9", 401), ("", 401)]
)
def test_another_machine_acknowledges_nothing(tmp_path: Path, client: str, status: int) -> None:
    site, seen = Site(tmp_path), list[int]()

    async def acknowledged() -> None:
        feed = Feed()
        app = build_app(
            feed, Setup(database=site.database), Broadcast(feed, meters_json), Waveforms(seen.append),
            acknowledge=site.acknowledged.append, report=site.report,
        )  # fmt: skip
        await app(scope, receive, send)

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    statuses: list[int] = []
    scope = {
        "type": "http", "method": "POST", "path": "/api/v1/alarms/1/acknowledge", "headers": [(b"host", b"localhost")],
        "client": (client, 50000), "query_string": b"", "root_path": "", "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    asyncio.run(acknowledged())
    assert statuses[0] == status
    assert site.acknowledged == ([1] if status == 202 else [])


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
    for (width, height), scheme in product(SCREENS, SCHEMES):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        expect(strip).to_be_in_viewport()
        photograph(page, f"alarms-{width}-{scheme}", full_page=False)
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


def post(address: str, path: str, **headers: str) -> tuple[int, str]:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        connection.request("POST", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.mark.browser
def test_a_click_acknowledges_an_alarm(tmp_path: Path, browser: Browser) -> None:
    with served("alarms", tmp_path) as (address, _):
        page = browser.new_page()
        page.goto(address)
        page.get_by_role("button", name="Acknowledge: house: voltage").click()
        expect(page.get_by_label("Alarms").get_by_role("listitem").first).to_contain_text("acknowledged at")
        expect(page.get_by_role("button")).to_have_count(0)
        page.close()
        assert [one["acknowledged"] for one in ask(address, "/api/v1/alarms")[1]] == [True, True]
        assert len(ask(address, "/api/v1/alarms/events")[1]) == 6
        assert post(address, "/api/v1/alarms/1/acknowledge")[0] == 202  # again: nothing is stored twice
        assert len(ask(address, "/api/v1/alarms/events")[1]) == 6


def test_only_a_raised_alarm_is_acknowledged_and_by_our_own_page(scene: Scene) -> None:
    address = scene("alarms")
    status, answer = post(address, "/api/v1/alarms/99/acknowledge")
    assert (status, "no raised alarm has the number 99" in answer) == (404, True)
    assert post(address, "/api/v1/alarms/1/acknowledge", Origin="http://evil.example")[0] == 403
    assert post(address, "/api/v1/alarms/1/acknowledge", Origin="null")[0] == 403
    assert post(address, "/api/v1/alarms/x/acknowledge")[0] == 422
    assert post(address, "/api/v1/alarms")[0] == 405
