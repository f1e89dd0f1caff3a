"""The dashboard, in a real browser, over a real server."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise, product
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.fair_time import fair_time
from tests.web.conftest import photograph, served

pytestmark = pytest.mark.browser

POINTS = "window.wattrail && wattrail.names().length ? wattrail.points(wattrail.names()[0]) : []"
DRAWN = f"document.querySelector('.drawing .line') ? ({POINTS}).length : 0"
SCREENS, SCHEMES = ((390, 844), (1280, 800)), ("light", "dark")
Scene = Callable[[str], str]


@dataclass
class Visit:
    """A page, with everything that went wrong on it and everything that it asked for."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce", locale="en-GB")
    yield context
    context.close()


@pytest.fixture
def visit(context: BrowserContext) -> Iterator[Callable[[str], Visit]]:
    def go(address: str) -> Visit:
        page = context.new_page()
        visit = Visit(page)
        page.on("console", lambda message: visit.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: visit.errors.append(str(error)))
        page.on("request", lambda request: visit.requests.append(request.url))
        page.on("websocket", lambda socket: visit.requests.append(socket.url))
        page.goto(address)
        return visit

    yield go
    for page in context.pages:
        page.close()


def test_watts_move_every_second_and_the_chart_moves_with_them(scene: Scene, visit: Callable[[str], Visit]) -> None:
    page = visit(scene("live")).page
    watts = page.locator(".watts")
    expect(watts).to_have_text(re.compile(r"^\d+\.\d$"))
    first = watts.inner_text()
    expect(watts).not_to_have_text(first)
    page.wait_for_function(f"() => ({DRAWN}) > 600")
    before = page.evaluate(POINTS)
    page.wait_for_function(
        f"last => String(({POINTS}).at(-1)) !== last", arg=page.evaluate(f"String(({POINTS}).at(-1))")
    )
    assert len(before) <= 720
    assert all(later[0] > earlier[0] for earlier, later in pairwise(before))


def test_a_twin_is_marked_as_simulated_in_plain_sight(scene: Scene, visit: Callable[[str], Visit]) -> None:
    page = visit(scene("live")).page
    badge = page.get_by_text("Simulated – digital twin")
    expect(badge).to_be_visible()
    expect(badge).to_be_in_viewport()


def test_no_script_from_outside_runs_on_the_page(scene: Scene, visit: Callable[[str], Visit]) -> None:
    seen = visit(scene("shared"))
    seen.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.owned = true";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src='x:' onerror='window.owned = true'>");
        }"""
    )
    expect(seen.page.get_by_role("article", name="Meter house")).to_be_visible()
    assert seen.page.evaluate("() => window.owned ?? false") is False
    assert any("Content Security Policy" in error for error in seen.errors)


def test_a_real_meter_carries_no_such_mark(scene: Scene, visit: Callable[[str], Visit]) -> None:
    page = visit(scene("trouble")).page
    expect(page.get_by_role("article")).to_have_count(3)
    expect(page.locator(".badge:visible")).to_have_count(0)


def test_a_card_tells_direction_quantities_and_energy_by_name(scene: Scene, visit: Callable[[str], Visit]) -> None:
    card = visit(scene("live")).page.get_by_role("article", name="Meter house")
    expect(card.locator(".direction")).to_have_text(re.compile("^(Import|Export)$"))
    for label, unit in (("Voltage", "V"), ("Current", "A"), ("Power factor", ""), ("Frequency", "Hz")):
        cell = card.locator("dl > div").filter(has_text=label)
        expect(cell.locator("dd")).to_have_text(re.compile(rf"^−?\d+\.\d+\s*{unit}$"))
    for row in ("Import", "Export"):
        line = card.get_by_role("row").filter(has_text=row)
        expect(line.get_by_role("cell")).to_have_text([re.compile(r"^\d+\.\d{3}\s*kWh$")] * 2)
    expect(card.get_by_role("status")).to_contain_text("Live")


def test_a_line_begins_with_a_reading_that_is_stored_nowhere(scene: Scene, visit: Callable[[str], Visit]) -> None:
    card = visit(scene("virtual")).page.get_by_role("article", name="Meter both")
    expect(card.locator(".plot.is-drawn .line.import")).to_be_attached()
    expect(card.get_by_text("The line begins with the first reading.")).to_be_hidden()


def test_energy_is_shown_rounded_down_so_that_it_never_falls(scene: Scene, visit: Callable[[str], Visit]) -> None:
    """An estimate of the present minute may be corrected by less than a watt-hour: the third decimal must not fall."""
    page = visit(scene("live")).page
    shown = page.evaluate(
        """async (wattHours) => {
            const { kilowattHours } = await import(new URL("format.js", document.querySelector("script[src]").src));
            return wattHours.map(kilowattHours);
        }""",
        [0, 0.999, 1, 1234.5, 1234.999, 12_345_678.9, None],
    )
    assert shown == ["0.000", "0.000", "0.001", "1.234", "1.234", "12,345.678", "–"]


def test_trouble_shows_its_remedy_and_the_last_numbers_stay(scene: Scene, visit: Callable[[str], Visit]) -> None:
    page = visit(scene("trouble")).page
    silent, gone = (page.get_by_role("article", name=f"Meter {name}") for name in ("workshop", "garage"))
    expect(silent.get_by_role("status")).to_contain_text("Stale")
    expect(silent.get_by_role("status")).to_contain_text("last reading")
    expect(silent.get_by_role("alert")).to_contain_text("no answer from the chip: 0 of 23 bytes")
    expect(silent.locator(".watts")).to_have_text(re.compile(r"\d"))
    expect(gone.get_by_role("status")).to_contain_text("Lost")
    expect(gone.get_by_role("alert")).to_contain_text("Try this: plug the adapter in again")
    expect(gone.get_by_role("alert")).to_contain_text("Next attempt at")
    expect(page.get_by_role("article", name="Meter house").get_by_role("status")).to_contain_text("Live")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_a_page_whose_gateway_died_or_hangs_is_grey_within_5_s(
    visit: Callable[[str], Visit], tmp_path: Path, end: signal.Signals
) -> None:
    with served("live", tmp_path) as (address, server):
        page = visit(address).page
        card = page.get_by_role("article", name="Meter house")
        expect(card.get_by_role("status")).to_contain_text("Live")
        try:
            with fair_time() as taken:
                server.send_signal(end)
                expect(card.get_by_role("status")).to_contain_text("No connection")
            assert taken.seconds < 5
            expect(card).to_have_class(re.compile("is-cut-off"))
            expect(card.get_by_role("status")).to_contain_text("last reading")
            expect(page.get_by_text("The gateway does not answer")).to_be_visible()
        finally:
            server.send_signal(signal.SIGCONT)
        if end is signal.SIGSTOP:
            expect(card.get_by_role("status")).to_contain_text("Live")
            expect(page.get_by_text("The gateway does not answer")).to_be_hidden()


def test_without_a_meter_the_page_says_which_lines_make_one(scene: Scene, visit: Callable[[str], Visit]) -> None:
    page = visit(scene("empty")).page
    expect(page.get_by_role("heading", name="Hardware that could be a meter")).to_be_visible()
    expect(page.locator("pre").nth(1)).to_contain_text('url = "spi:///dev/spidev0.0"')


def test_without_a_meter_and_without_hardware_the_page_says_what_to_do(
    scene: Scene, visit: Callable[[str], Visit]
) -> None:
    page = visit(scene("bare")).page
    expect(page.get_by_role("heading", name="No meter yet")).to_be_visible()
    expect(page.locator("pre")).to_contain_text("[[meter]]")


def test_a_stand_in_twin_leaves_room_for_the_hardware_that_was_found(
    scene: Scene, visit: Callable[[str], Visit]
) -> None:
    page = visit(scene("live")).page
    expect(page.get_by_role("article", name="Meter house")).to_be_visible()
    expect(page.get_by_role("region", name="Hardware that could be a meter").get_by_role("listitem")).to_have_count(2)


def test_every_publisher_is_shown_with_what_to_do_about_it(scene: Scene, visit: Callable[[str], Visit]) -> None:
    publishers = visit(scene("published")).page.get_by_role("region", name="Publishers")
    expect(publishers.get_by_role("heading", level=3)).to_have_text(
        ["Home Assistant", "MQTT", "InfluxDB", "OpenMetrics"]
    )
    fallen, away, refused, served = publishers.locator(".publisher").all()
    expect(fallen).to_contain_text("house: the registers fell to 1.000 kWh")
    expect(fallen).to_contain_text(re.compile(r"Last delivery \d\d:\d\d:\d\d"))
    expect(away.get_by_role("status")).to_have_text(re.compile(r"^Awaysince \d\d:\d\d:\d\d$"))
    expect(refused).to_contain_text("answers 401: unauthorizedTry this: check the login 'influx'")
    expect(refused).to_contain_text("1 waiting")
    expect(refused).to_contain_text("/<b>home</b>")
    expect(served.get_by_role("status")).to_contain_text("Live")
    expect(served.locator(".notice")).to_be_hidden()


def test_the_backlog_of_a_publisher_grows_before_ones_eyes(scene: Scene, visit: Callable[[str], Visit]) -> None:
    waiting = visit(scene("published")).page.locator(".publisher", has_text="Away").locator(".facts")
    expect(waiting).to_have_text(re.compile(r"^1[4-9]\d\d waiting$"))
    first = waiting.inner_text()
    expect(waiting).not_to_have_text(first)


def test_without_a_publisher_the_page_does_not_speak_of_them(scene: Scene, visit: Callable[[str], Visit]) -> None:
    page = visit(scene("trouble")).page
    with page.expect_response("**/api/v1/publishers"):
        page.reload()
    expect(page.get_by_role("article")).to_have_count(3)
    expect(page.locator("#publishers")).to_be_hidden()


def test_nothing_is_asked_of_the_internet_and_nothing_goes_wrong(scene: Scene, visit: Callable[[str], Visit]) -> None:
    for name in ("live", "empty", "trouble"):
        seen = visit(scene(name))
        expect(seen.page.get_by_role("heading", name="wattrail")).to_be_visible()
        if name != "empty":
            seen.page.wait_for_function(f"() => ({DRAWN}) > 0")
        hosts = {urlsplit(url).hostname for url in seen.requests if not url.startswith(("data:", "blob:"))}
        assert hosts == {"127.0.0.1"}
        assert seen.errors == []


@pytest.mark.parametrize("name", ["live", "trouble", "empty", "published"])
def test_every_page_fits_phone_and_desktop_by_day_and_by_night(
    scene: Scene, visit: Callable[[str], Visit], name: str
) -> None:
    page = visit(scene(name)).page
    for (width, height), scheme in product(SCREENS, SCHEMES):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        expect(page.get_by_role("heading", name="wattrail")).to_be_visible()
        if name != "empty":
            page.wait_for_function(f"() => ({DRAWN}) > 0")
            expect(page.locator(".drawing").first).to_be_visible()
        photograph(page, f"{name}-{width}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (max(map(int, re.findall(r"\d+", background)[:3])) < 64) == (scheme == "dark")


def test_a_real_twin_shows_through_the_whole_service(scene: Scene, visit: Callable[[str], Visit]) -> None:
    page = visit(scene("twin")).page
    expect(page.get_by_text("Simulated – digital twin")).to_be_visible()
    expect(page.locator(".volts")).to_have_text(re.compile(r"^2[0-5]\d\.\d$"))
    expect(page.get_by_role("status")).to_contain_text("Live")
