"""A meter whose energy is estimated from power, as the page's process gives it to others and shows it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.gateway.test_estimates import NOON, Gateway
from tests.web.test_api import ask
from wattrail.app.tariff_file import parse_tariff
from wattrail.clock import ManualClock
from wattrail.gateway import Feed, MeterState, MeterView
from wattrail.store import open_store
from wattrail.web import Setup, WebProcess, bind
from wattrail.web.messages import decode_line, encode_views, view_from_message

TARIFF = 'name = "plain"\ncurrency = "EUR"\n[[price]]\nfrom = 2026-01-01\nrates = 0.30\n'


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a gateway that has read a plug for ten minutes."""
    path = tmp_path_factory.mktemp("estimated") / "w.sqlite"
    with open_store(path) as store:
        gateway = Gateway(store)
        for second in range(0, 601, 10):
            account = gateway.see(second, 600.0)
        account.close()
        view = MeterView(
            name="plug", url="tuya://plug", simulated=False, state=MeterState.LIVE, total=account.totals(),
            reading=gateway.reading(610, 600.0), has_estimates=True, is_estimated=True,
        )  # fmt: skip
    feed, ready = Feed(ManualClock(NOON + timedelta(minutes=11))), threading.Event()
    feed.publish(view)
    setup = Setup(database=path, zone="UTC", tariffs={"plain": parse_tariff(TARIFF, "tariff.toml")})
    with bind(port=0) as listener:
        page = WebProcess(feed, setup, listener, on_ready=lambda _: ready.set())
        assert ready.wait(60)
        yield page.address
        page.stop()


def answered(address: str, path: str) -> Any:
    status, answer = ask(address, f"/api/v1/meters/plug{path}")
    assert status == 200, answer
    return answer


def test_every_answer_with_energy_says_that_it_is_an_estimate(address: str) -> None:
    meter = answered(address, "")
    assert (meter["has_estimates"], meter["is_estimated"]) == (True, True)
    periods = answered(address, "/energy?by=day&from=2026-06-20&to=2026-06-22")["periods"]
    assert [period["estimated"] for period in periods] == [True, True]
    assert answered(address, "/registers")["estimated"] is True
    assert answered(address, "/ledger")["estimated"] is True
    bills = answered(address, "/costs?from=2026-06-21&to=2026-06-22&tariff=plain")["bills"]
    assert [bill["estimated"] for bill in bills] == [True]


def test_an_estimate_survives_the_way_to_the_process_of_the_page(tmp_path: Path) -> None:
    with open_store(tmp_path / "w.sqlite") as store:
        reading = Gateway(store).reading(0, 600.0)
    view = MeterView(name="plug", url="tuya://plug", simulated=False, reading=reading, is_estimated=True)
    (plain,) = decode_line(encode_views([view]))["views"]
    back = view_from_message(plain)
    assert back.is_estimated
    assert back.reading is not None
    assert back.reading.is_estimated
    assert replace(back, reading=None) == replace(view, reading=None)


def test_the_page_says_it_beside_the_energy(address: str, browser: Browser) -> None:
    page, root = browser.new_page(locale="en-GB"), address.rstrip("/")
    words = "Energy is estimated from power: this meter counts none."
    for place in ("/", "/meter/plug"):
        page.goto(f"{root}{place}")
        expect(page.get_by_text(words)).to_be_visible()
    page.goto(f"{root}/ledger/plug")
    expect(page.get_by_text("Some of the energy is estimated from power.")).to_be_visible()
    page.close()


def test_downloads_have_the_mark_in_each_row(address: str) -> None:
    for what in ("energy?by=day&from=2026-06-21&to=2026-06-22&format=json", "entries?format=json"):
        rows = answered(address, f"/download/{what}")
        assert rows
        assert {row["estimated"] for row in rows} == {True}


def test_a_bill_of_an_estimate_is_marked_on_the_page(address: str, browser: Browser) -> None:
    page = browser.new_page(locale="en-GB")
    page.goto(f"{address.rstrip('/')}/costs")
    expect(page.get_by_text("estimated").first).to_be_visible()
    page.close()
