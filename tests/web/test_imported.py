"""Energy of the time before the ledger began, in the interface and on the page of its meter: always with its origin."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.store.rig import CALIBRATION, ENERGY
from tests.web.test_api import ask
from tests.web.test_history_api import download
from wattrail.app.tariff_file import parse_tariff
from wattrail.clock import ManualClock
from wattrail.gateway import Feed, MeterView
from wattrail.ledger import Entry, EntryKind
from wattrail.store import Store, open_store, open_to_read
from wattrail.store.history.periods import HistoryPeriod
from wattrail.store.imported_hours import ImportedHours
from wattrail.web import Setup, WebProcess, bind
from wattrail.web.hours import HoursJson, hours_of

BERLIN = "Europe/Berlin"
HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2026, 10, 26, 23, tzinfo=UTC)
"""Local midnight of the day on which the ledger begins, at ten."""

BEGAN = MIDNIGHT + 10 * HOUR
NOW = MIDNIGHT + 24 * HOUR
FLAT = 'currency = "EUR"\nname = "flat"\n[[price]]\nfrom = 2026-01-01\nrates = 0.30\n'


def count(store: Store) -> None:
    meter = store.register_meter("house", "serial:///dev/x", simulated=False, calibration=CALIBRATION, at=BEGAN)
    entries = [Entry(sequence=1, kind=EntryKind.START, start=BEGAN, end=BEGAN, epoch=1, count=0)]
    while entries[-1].end < NOW:
        start = entries[-1].end
        entries.append(
            Entry(
                sequence=len(entries) + 1, kind=EntryKind.COUNTED, start=start, end=start + HOUR, epoch=1, count=0,
                positive=9000, elapsed_us=3_600_000_000,
            )
        )  # fmt: skip
    store.book(meter.id, entries)


def bring(path: Path) -> None:
    """Two whole days of one origin, import only, then hours of another until the ledger begins."""
    days = [
        HistoryPeriod(start=start, end=start + 24 * HOUR, import_mwh=24_000_000, export_mwh=None)
        for start in (MIDNIGHT - 48 * HOUR, MIDNIGHT - 24 * HOUR)
    ]
    hours = [
        HistoryPeriod(
            start=MIDNIGHT + hour * HOUR, end=MIDNIGHT + (hour + 1) * HOUR, import_mwh=500_000, export_mwh=100_000
        )
        for hour in range(10)
    ]
    with ImportedHours(path) as imported:
        imported.add("house", "dsmr-reader", days)
        imported.add("house", "tibber", hours)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("imported") / "w.sqlite"
    with open_store(path) as store:
        count(store)
    bring(path)
    return path


@pytest.fixture(scope="module")
def house(database: Path) -> Iterator[str]:
    feed, ready = Feed(ManualClock(NOW)), threading.Event()
    feed.publish(MeterView(name="house", url="serial:///dev/x", simulated=False))
    setup = Setup(database=database, zone=BERLIN, tariffs={"flat": parse_tariff(FLAT, "tariff.toml")})
    with bind(port=0) as listener:
        page = WebProcess(feed, setup, listener, on_ready=lambda _: ready.set())
        assert ready.wait(60)
        yield page.address
        page.stop()


@pytest.fixture
def page(browser: Browser, house: str) -> Iterator[Page]:
    """The page of the meter. One that logged an error fails the test."""
    problems: list[str] = []
    with browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{house.rstrip('/')}/meter/house")
        page.wait_for_function("() => window.wattrailMeter")
        yield page
    assert problems == []


def api(house: str, what: str) -> Any:
    status, answer = ask(house, f"/api/v1/meters/house/{what}")
    assert status == 200, answer
    return answer


def test_a_period_says_what_of_it_was_imported_and_from_where(house: str) -> None:
    before, began = api(house, "energy?by=day&from=2026-10-26&to=2026-10-28")["periods"]
    assert before["imported"] == {"import_wh": 24_000, "export_wh": None, "origins": ["dsmr-reader"]}
    assert (before["import_wh"], before["complete"]) == (24_000, True)
    assert began["imported"] == {"import_wh": 5000, "export_wh": 1000, "origins": ["tibber"]}
    register = api(house, "registers")
    assert began["import_wh"] == pytest.approx(5000 + register["import_wh"], abs=0.001)
    assert began["complete"]


def test_a_day_asked_for_by_hours_is_divided_and_says_so(house: str) -> None:
    periods = api(house, "energy?by=hour&from=2026-10-26&to=2026-10-27")["periods"]
    assert [period["import_wh"] for period in periods] == [1000] * 24
    assert not any(period["complete"] for period in periods)


def test_a_period_of_the_ledger_alone_has_nothing_imported(house: str) -> None:
    (hour,) = api(house, "energy?by=hour&from=2026-10-27T12:00&to=2026-10-27T13:00")["periods"]
    assert hour["imported"] is None


def year(database: Path) -> HoursJson:
    with open_to_read(database) as reader:
        return hours_of(reader, "house", NOW - HOUR, 366, ZoneInfo(BERLIN), simulated=False)


def test_the_hours_of_a_year_begin_with_what_was_imported(database: Path) -> None:
    first, _, last = year(database).days
    assert (f"{first.day}", first.imported) == ("2026-10-25", {"dsmr-reader": [*range(24)]})
    assert (first.import_wh, first.export_wh) == ([1000] * 24, [None] * 24)
    assert first.starts == ["1:00", "2:00", "2:00", *(f"{hour}:00" for hour in range(3, 24))]  # clocks went back
    assert last.starts is None
    assert last.imported == {"tibber": [*range(10)]}
    assert (last.export_wh[9:11], last.import_wh[9:11]) == ([100, 0], [500, int(9 * ENERGY.step_mwh)])


def test_downloads_have_a_column_for_the_origin(house: str) -> None:
    path = "/api/v1/meters/house/download/energy?by=day&from=2026-10-26&to=2026-10-28"
    rows = list(csv.DictReader(io.StringIO(download(house, path)[1].decode())))
    assert [(float(row["imported_wh"]), row["origin"]) for row in rows] == [(24_000, "dsmr-reader"), (6000, "tibber")]


def test_bills_and_registers_hold_nothing_imported(house: str) -> None:
    (bill,) = api(house, "costs?from=2026-10-01&to=2026-11-01")["bills"]
    assert bill["import_wh"] == api(house, "registers")["import_wh"]


def look_at(page: Page, kind: str, first: str, until: str, by: str) -> None:
    span = {"kind": kind, "by": by, "from": first, "to": until}
    page.evaluate(f"wattrailMeter.energy.go({json.dumps(span)})")


@pytest.mark.browser
def test_imported_bars_are_hatched_and_named(page: Page) -> None:
    look_at(page, "month", "2026-10-01", "2026-11-01", "day")
    energy = page.get_by_role("region", name="Energy", exact=True)
    day = energy.get_by_role("button", name=re.compile("26 Oct"))
    expect(day).to_have_attribute("aria-label", re.compile(r"imported from dsmr-reader, its export is not known$"))
    expect(day.locator(".hatched")).to_have_count(1)
    expect(energy.locator(".sum")).to_contain_text("imported from dsmr-reader, tibber")
    expect(energy.locator(".sum")).not_to_contain_text("cost")  # the bill is of the ledger alone


@pytest.mark.browser
def test_a_bar_of_the_ledger_is_not_hatched(page: Page) -> None:
    look_at(page, "day", "2026-10-27", "2026-10-28", "hour")
    energy = page.get_by_role("region", name="Energy", exact=True)
    expect(energy.locator(".bar-group")).to_have_count(24)
    assert energy.locator(".bar-group:has(.hatched)").count() == 10
    expect(energy.locator(".bar-group").nth(12)).to_have_attribute(
        "aria-label", re.compile(r"import 3\.06 kWh, the period before: 1\.00 kWh \(imported from dsmr-reader\)$")
    )


@pytest.mark.browser
def test_the_heat_map_names_the_origin_of_an_hour(page: Page, database: Path) -> None:
    page.route("**/hours", lambda route: route.fulfill(body=year(database).model_dump_json()))
    heat = page.get_by_role("img", name="Energy of each hour of the last year")
    heat.scroll_into_view_if_needed()
    expect(heat).to_have_class(re.compile("is-drawn"))
    box = heat.bounding_box()
    assert box is not None
    heat.hover(position={"x": 44 + (box["width"] - 44) * 0.5, "y": box["height"] * 0.5})
    expect(heat.locator(".bubble")).to_contain_text("imported from dsmr-reader")
    heat.hover(position={"x": box["width"] - 20, "y": box["height"] * 0.8})
    expect(heat.locator(".bubble")).not_to_contain_text("imported")


@pytest.mark.browser
def test_the_heat_map_says_of_an_hour_what_the_clock_said(page: Page) -> None:
    spring = [*(f"{hour}:00" for hour in range(24) if hour != 2)]
    autumn = ["0:00", "1:00", "2:00", "2:00", *(f"{hour}:00" for hour in range(3, 24))]
    days = [
        {"day": day, "import_wh": [*range(1000, 1000 * len(starts) + 1, 1000)], "export_wh": [0] * len(starts),
         "imported": {}, "starts": starts}
        for day, starts in (("2026-03-29", spring), ("2026-03-30", autumn))
    ]  # fmt: skip
    page.route("**/hours", lambda route: route.fulfill(json={"name": "house", "simulated": False, "days": days}))
    heat = page.get_by_role("img", name="Energy of each hour of the last year")
    heat.scroll_into_view_if_needed()
    expect(heat).to_have_class(re.compile("is-drawn"))
    box = heat.bounding_box()
    assert box is not None
    row = (box["height"] - 26) / 24

    def look(column: float, hour: float) -> None:
        heat.hover(position={"x": 44 + (box["width"] - 44) * column, "y": 4 + row * hour})

    bubble = heat.locator(".bubble")
    for column, hour, said in (
        (0.25, 1.5, "1:00: import 2.00"), (0.25, 3.5, "3:00: import 3.00"), (0.25, 23.5, "23:00: import 23.00"),
        (0.75, 2.25, "2:00: import 3.00"), (0.75, 2.75, "2:00: import 4.00"), (0.75, 23.5, "23:00: import 25.00"),
    ):  # fmt: skip
        look(column, hour)
        expect(bubble).to_contain_text(said)
    look(0.25, 2.5)
    expect(bubble).to_be_hidden()
