"""The health report over a real service: what only the gateway knows, what the database knows, who may see the log."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from zoneinfo import ZoneInfo

import pytest

from tests.databases import forge
from tests.store.rig import live_through, register
from tests.web.access_rig import Site, visit
from wattrail.access import Scope
from wattrail.app import load_config, open_service, plan_service
from wattrail.gateway import MeterChanged, MeterState
from wattrail.store import open_store
from wattrail.web.health_api import next_clock_change

CONFIG = """
[site]
timezone = "Europe/Berlin"
tariffs = ["dynamic.toml"]
[[meter]]
name = "house"
url = "twin://pziot-e01?watts=1000&seed=7"
[[meter]]
name = "gone"
url = "tcp://127.0.0.1:1?chip=bl0942"
front_end = "pziot-e01"
[store]
path = "w.sqlite"
[web]
port = 0
"""
DYNAMIC = 'name = "Spot"\ncurrency = "EUR"\n[market]\nprices = "spot.csv"\n[[price]]\nfrom = 2026-01-01\nrates = 0.1\n'


def asked(address: str | None, path: str, method: str = "GET") -> Any:
    try:
        with urlopen(Request(f"{address}api/v1/{path}", method=method)) as answer:
            return json.load(answer)
    except HTTPError as error:
        return json.load(error)


def run(folder: Path, story: Callable[[str | None], Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A service whose first meter is live and whose second one is lost, and a story about its page."""
    monkeypatch.chdir(folder)
    (folder / "wattrail.toml").write_text(CONFIG)
    (folder / "dynamic.toml").write_text(DYNAMIC)

    async def whole() -> None:
        ready = asyncio.Event()
        loop = asyncio.get_running_loop()
        plan = plan_service(load_config(folder / "wattrail.toml"))
        async with (
            asyncio.timeout(60),
            open_service(plan, on_ready=lambda _address: loop.call_soon_threadsafe(ready.set)) as service,
        ):
            await ready.wait()
            wanted = {"house": MeterState.LIVE, "gone": MeterState.LOST}
            with service.feed.subscribe("story") as events:
                async for event in events:
                    if isinstance(event, MeterChanged) and wanted.get(event.meter) is event.view.state:
                        del wanted[event.meter]
                    if not wanted:
                        break
            await story(service.address)

    asyncio.run(whole())


def test_the_report_says_how_it_stands_with_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(address: str | None) -> None:
        logging.getLogger("wattrail.story").warning("mqtt://me:hunter2@broker is away")
        report = await asyncio.to_thread(asked, address, "health/report")
        while report["meters"][0]["state"] == "connecting":  # the page is served before the first reading
            report = await asyncio.to_thread(asked, address, "health/report")
        assert report["problem"] is None
        assert report["gateway"]["version"] == report["starts"][0]["version"].removeprefix("wattrail ")
        assert report["gateway"]["database_bytes"] > 10_000
        assert {finding["check"] for finding in report["findings"]} >= {"versions", "disk", "clock"}
        house, gone = report["meters"]
        assert (house["state"], house["simulated"]) == ("live", True)
        assert house["counters"]["readings"] >= 1
        assert (gone["state"], gone["counters"]) == ("lost", None)
        assert "127.0.0.1:1" in gone["error"]
        assert report["prices"][0]["known_until"] is None
        log = await asyncio.to_thread(asked, address, "log")
        assert log[0]["message"] == "mqtt://***:***@broker is away" or "hunter2" not in json.dumps(log)
        assert any("gone is lost" in line["message"] for line in log)

    run(tmp_path, story, monkeypatch)
    with closing(sqlite3.connect(tmp_path / "w.sqlite")) as database:
        assert database.execute("SELECT COUNT(*) FROM audit WHERE action = 'gateway started'").fetchone() == (1,)


def test_the_whole_file_is_checked_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(address: str | None) -> None:
        found = await asyncio.to_thread(asked, address, "health/database-check", "POST")
        assert (found["problems"], found["remedies"]) == ([], [])

    run(tmp_path, story, monkeypatch)


def test_a_sum_that_differs_is_a_problem_with_its_remedy(tmp_path: Path, quick_passwords: None) -> None:
    site = Site(tmp_path)
    token = site.token("visitor", Scope.ADJUST)
    with open_store(site.database) as store:
        live_through(store, register(store), range(1000))
    forge(site.database, "DELETE FROM quarter_sum")

    async def story(site: Site) -> None:
        found = (await site.ask("POST /api/v1/health/database-check", Authorization=f"Bearer {token}")).json
        (problem,) = found["problems"]
        assert problem.startswith(
            "house: sum of the quarter hour 2026-06-21 10:00 UTC, epoch 1: it is missing, should be "
        )
        assert "wattrail store check --rebuild" in found["remedies"][0]

    visit(site, story, elsewhere=True)


def test_a_start_is_found_behind_thousands_of_other_records(tmp_path: Path, quick_passwords: None) -> None:
    site = Site(tmp_path)
    many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
    row = "(at, who, origin, action, subject, result)"
    forge(site.database, f"INSERT INTO audit {row} VALUES (1, '', '', 'gateway started', 'wattrail 0.1.0', 'done')")
    forge(site.database, f"INSERT INTO audit {row} {many} SELECT i, 'anna', '', 'login', '', 'done' FROM n")

    async def story(site: Site) -> None:
        report = (await site.ask("GET /api/v1/health/report")).json
        assert [one["version"] for one in report["starts"]] == ["wattrail 0.1.0"]

    visit(site, story)


def test_a_page_without_its_gateway_still_says_what_it_knows(tmp_path: Path, quick_passwords: None) -> None:
    site = Site(tmp_path)

    async def story(site: Site) -> None:
        report = (await site.ask("GET /api/v1/health/report")).json
        assert report["gateway"] is None
        assert report["problem"] == "there is no gateway to ask"
        assert report["meters"]

    visit(site, story)


@pytest.mark.parametrize(
    ("path", "method", "scope", "status"),
    [
        ("/api/v1/health/report", "GET", Scope.READ, 200),
        ("/api/v1/log", "GET", Scope.ADJUST, 403),
        ("/api/v1/health/database-check", "POST", Scope.READ, 403),
        ("/api/v1/health/database-check", "POST", Scope.ADJUST, 200),
    ],
)
def test_the_log_is_for_administrators(
    tmp_path: Path, quick_passwords: None, path: str, method: str, scope: Scope, status: int
) -> None:
    site = Site(tmp_path)
    token = site.token("visitor", scope)

    async def story(site: Site) -> None:
        assert (await site.ask(f"{method} {path}", Authorization=f"Bearer {token}")).status == status

    visit(site, story, elsewhere=True)


def test_an_unknown_address_is_a_page_for_people(tmp_path: Path, quick_passwords: None) -> None:
    site = Site(tmp_path)

    async def story(site: Site) -> None:
        for path in ("/nowhere", "/meter", "/costs/more"):
            page = await site.ask(f"GET {path}")
            assert (page.status, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
            assert b"There is no page at this address" in page.body
            assert "default-src 'none'" in page.headers["content-security-policy"]
        problem = await site.ask("GET /api/v1/nowhere")
        assert (problem.status, problem.headers["content-type"]) == (404, "application/problem+json")
        assert (await site.ask("GET /assets/nothing.js")).headers["content-type"].startswith("text/plain")

    visit(site, story)


@pytest.mark.parametrize(
    ("zone", "now", "at", "offsets"),
    [
        ("Europe/Berlin", datetime(2026, 3, 1, tzinfo=UTC), "2026-03-29T01:00:00+00:00", (60, 120)),
        ("Europe/Berlin", datetime(2026, 10, 25, 0, 59, tzinfo=UTC), "2026-10-25T01:00:00+00:00", (120, 60)),
        ("America/St_Johns", datetime(2026, 1, 1, tzinfo=UTC), "2026-03-08T05:30:00+00:00", (-210, -150)),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 45, tzinfo=UTC), "2027-04-03T15:00:00+00:00", (660, 630)),
        ("Asia/Kolkata", datetime(2026, 1, 1, tzinfo=UTC), None, None),
    ],
)
def test_the_next_change_of_clocks_is_found_to_the_minute(
    zone: str, now: datetime, at: str | None, offsets: tuple[int, int] | None
) -> None:
    change = next_clock_change(ZoneInfo(zone), now)
    assert (change and change.at.isoformat()) == at
    assert (change and (change.offset_before, change.offset_after)) == offsets
