"""The page where a dump is dropped, in a real browser: what it shows, what it keeps, what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.board.evidence import configuration
from tests.cli.test_board_dump import CONSTANTS, FACTORY, stock_dump, with_openbeken
from tests.image.stock_storage import in_flash
from tests.web.conftest import photograph
from tests.web.test_states import fits_and_shuts_nobody_out
from wattrail.board import known_boards

pytestmark = pytest.mark.browser

EXAMPLES = Path(__file__).with_name("found_examples.de.json")
ENGLISH = re.compile(r"\b(?:the|this|says|unused|button|relay|led|active|unknown|erased|hidden)\b")
SENTENCE = re.compile(r"\b[a-z]{2,} [a-z]{2,}\b")

Scene = Callable[[str], str]


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="en-GB", reduced_motion="reduce", viewport={"width": 1280, "height": 800})
    yield context
    context.close()


@pytest.fixture
def german(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="de-DE", reduced_motion="reduce", viewport={"width": 390, "height": 844})
    yield context
    context.close()


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A dump with both configurations, which disagree, and constants of the factory."""
    stock = stock_dump(configuration("tongou TO-Q-SY1-JWT"))
    path = tmp_path / "<b>stock.bin"
    path.write_bytes(in_flash(FACTORY, with_openbeken(stock, {}), CONSTANTS))
    return path


def opened(context: BrowserContext, address: str) -> tuple[Page, list[str]]:
    page, errors = context.new_page(), []
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.goto(f"{address}inspect")
    return page, errors


def test_a_dump_is_shown_with_its_board_and_files(scene: Scene, context: BrowserContext, dump: Path) -> None:
    page, errors = opened(context, scene("empty"))
    page.get_by_label("Choose a file").set_input_files(dump)
    expect(page.get_by_role("heading", name="<b>stock.bin", exact=True)).to_be_focused()
    boards = page.get_by_role("region", name="Which board it is")
    expect(boards).to_contain_text("contradict each other")
    expect(boards).to_contain_text("EARU EAKCB-T-M breaker (earu-eakcb-t-m): one of several with the same wiring")
    expect(page.get_by_role("region", name="Map of the flash").first).to_contain_text("bootloader")
    expect(page.get_by_role("region", name="Pins of the stock firmware").first).to_contain_text("P26")
    expect(page.get_by_text("--factory 15968,12418,3091,2653")).to_be_visible()
    with page.expect_download() as kept:
        boards.get_by_role("button", name="autoexec.bat").first.press("Enter")
    assert "startDriver BL0942" in Path(kept.value.path()).read_text()
    fits_and_shuts_nobody_out(page)
    assert errors == []


def test_a_file_that_is_dropped_and_no_dump_says_why(scene: Scene, context: BrowserContext) -> None:
    page, _ = opened(context, scene("empty"))
    drop = page.locator(".drop")
    expect(drop).to_be_visible()
    given = page.evaluate_handle(
        "() => { const all = new DataTransfer();"
        " all.items.add(new File(['<!DOCTYPE html><html>'], 'page.html')); return all; }"
    )
    drop.dispatch_event("drop", {"dataTransfer": given})
    expect(page.locator(".said")).to_have_text(re.compile("not a firmware image"))
    expect(page.get_by_text("Try this: ")).to_be_visible()


def test_a_german_reader_reads_it_in_german(
    scene: Scene, context: BrowserContext, german: BrowserContext, dump: Path
) -> None:
    damaged = bytearray(dump.read_bytes())
    damaged[0x1F0000:0x1F1000] = damaged[0x1F3000:0x1F4000] = b"\xff" * 0x1000
    damaged[0x20000] ^= 1
    dump.write_bytes(damaged)
    pages = [opened(one, scene("empty"))[0] for one in (context, german)]
    for page in pages:
        page.locator("#file").set_input_files(dump)
        expect(page.get_by_role("heading", name="<b>stock.bin", exact=True)).to_be_focused()
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    english, shown = (set(page.locator("main").evaluate("(main) => main.innerText").splitlines()) for page in pages)
    data = {"wattrail meter calibrate", *(board.title for board in known_boards())}  # a command, and names
    left = {line for line in english & shown if SENTENCE.search(line) and not any(one in line for one in data)}
    assert left == set()
    assert {line for line in shown if ENGLISH.search(line) and not any(one in line for one in data)} == set()
    page = pages[1]
    expect(page.get_by_role("region", name=re.compile("Welche Platine"))).to_contain_text("P9 LED 1, aktiv bei Low")
    expect(page.get_by_role("region", name=re.compile("^Problem"))).to_contain_text(
        "die Blöcke 6, 12 der Einstellungen"
    )
    for text, said in json.loads(EXAMPLES.read_text("utf-8")).items():
        assert page.evaluate("(text) => import('/assets/found.js').then(({ tell }) => tell(text))", text) == said
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        photograph(page, f"german-inspect-{width}")
    fits_and_shuts_nobody_out(page)
