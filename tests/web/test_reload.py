"""A reload on the page, in a real browser: cards come and go, and a refused configuration is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

pytestmark = pytest.mark.browser

HOUSE = '[[meter]]\nname = "house"\nurl = "twin://pziot-e01?watts=1000&seed=7"\n'
GARAGE = '[[meter]]\nname = "garage"\nurl = "twin://pziot-e01?watts=200&seed=8"\n'


class Gateway:
    """A gateway as a process, and its configuration."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "wattrail.toml"
        self._rest = f'[store]\npath = "{folder}/w.sqlite"\n[web]\nport = 0\n'
        self.write(HOUSE)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wattrail", "run"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env={**os.environ, "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)},
        )  # fmt: skip
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()

    def write(self, text: str) -> None:
        self._file.write_text(text + self._rest)

    def reload(self, text: str) -> None:
        self.write(text)
        self.process.send_signal(signal.SIGHUP)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path)
    yield made
    made.process.terminate()
    made.process.communicate(timeout=60)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_cards_come_and_go_and_a_refusal_stands_above_them(gateway: Gateway, page: Page) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(gateway.address)
    names, said = page.locator("article.meter h2"), page.locator("#configuration")
    expect(names).to_have_text(["house"])
    expect(said).to_be_hidden()

    gateway.reload(GARAGE + HOUSE)
    expect(names).to_have_text(["garage", "house"])
    expect(page.locator("article.meter.is-live")).to_have_count(2)

    gateway.reload(GARAGE + HOUSE.replace("url =", "urk ="))
    expect(said).to_contain_text("is refused, and the one before it runs on")
    expect(said).to_contain_text("line 6: meter[2] has no field 'urk'")
    expect(said).to_contain_text("did you mean url?")
    expect(names).to_have_text(["garage", "house"])

    gateway.reload(GARAGE)
    expect(names).to_have_text(["garage"])
    expect(said).to_be_hidden()
    assert not errors


@pytest.mark.parametrize("script", ["dashboard.js", "element.js"])  # the page's own, and one that it needs
def test_a_page_whose_script_does_not_arrive_opens_again(gateway: Gateway, page: Page, script: str) -> None:
    cut: list[str] = []

    def cut_once(route: Route) -> None:
        cut.append(route.request.url)
        route.abort("connectionreset") if len(cut) == 1 else route.continue_()

    page.route(f"**/assets/{script}", cut_once)
    page.goto(gateway.address)
    expect(page.get_by_role("status").filter(has_text="has not arrived whole")).to_be_visible()
    expect(page.locator("article.meter.is-live")).to_have_count(1)
    assert len(cut) == 2
