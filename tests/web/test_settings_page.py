"""Somebody changes the settings on the page, in a real browser, beside others and beside a hand at the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.web.conftest import photograph
from tests.web.settings_rig import HOUSE, Gateway

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=document.title=1>"
HOOK = '[[publish.webhook]]\nname = "phone"\nurl = "https://ntfy.sh/planted-secret"\nevents = ["alarms"]\n'


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    made = Gateway(tmp_path_factory.mktemp("page"), "# mine\n", HOUSE, HOOK)
    yield made
    made.stop()


@pytest.fixture
def page(gateway: Gateway, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    made, problems = context.new_page(), list[str]()
    made.on("pageerror", lambda error: problems.append(str(error)))
    made.on("console", lambda said: problems.append(said.text) if "Content Security Policy" in said.text else None)
    made.goto(f"{gateway.address}settings")
    expect(made.get_by_role("region", name="Meters", exact=True)).to_be_visible()
    yield made
    context.close()
    assert problems == []


def opened(page: Page, region: str, title: str) -> Locator:
    """The form of a table, opened."""
    summary = page.get_by_role("region", name=region, exact=True).locator("summary").filter(has_text=title).first
    summary.click()
    return summary.locator("..")


def test_a_meter_is_added_within_three_clicks_from_the_first_page(gateway: Gateway, page: Page) -> None:
    page.goto(gateway.address)
    page.get_by_role("link", name="Settings").click()
    form = opened(page, "Meters", "Add a meter")
    form.locator("input").nth(0).fill("roof")
    form.get_by_label("Where the meter is").fill("twin://pziot-e01?watts=-400&seed=9")
    form.get_by_role("button", name="Add the meter").click()
    expect(page.get_by_text("Saved: added meter roof")).to_be_visible()
    expect(page.get_by_role("region", name="Meters", exact=True).locator("summary .name")).to_have_text(
        ["house", "roof", "Add a meter"]
    )
    gateway.until("meters", lambda meters: [one["name"] for one in meters] == ["house", "roof"])
    assert gateway.file.read_text().startswith("# mine\n")
    page.on("dialog", lambda dialog: dialog.accept())
    opened(page, "Meters", "roof").get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("Saved: removed meter roof")).to_be_visible()


def test_the_wiring_is_asked_for_where_saving_asks_for_it(page: Page) -> None:
    form = opened(page, "Meters", "Add a meter")
    url, danger = form.get_by_label("Where the meter is"), form.locator(".danger")
    url.fill("serial:///dev/ttyUSB0?baud=4800")
    expect(danger).to_be_visible()
    url.fill("rfc2217://192.168.1.20:2217?baud=4800")
    expect(danger).to_be_hidden()
    url.fill("SPI+FTDI://232h/1")
    expect(danger).to_be_visible()


def test_a_wrong_value_is_said_at_its_field(gateway: Gateway, page: Page) -> None:
    before = gateway.file.read_text()
    form = opened(page, "Meters", "house")
    seconds = form.get_by_label("Seconds from one reading")
    seconds.fill("0.01")
    form.get_by_role("button", name="Save").click()
    error = form.locator(".field-error").filter(has_text="0.2")
    expect(error).to_be_visible()
    expect(seconds).to_have_attribute("aria-invalid", "true")
    assert seconds.get_attribute("aria-describedby") == error.get_attribute("id")
    expect(seconds).to_be_focused()
    assert gateway.file.read_text() == before


def test_a_refused_setting_says_why_in_the_readers_language(gateway: Gateway, browser: Browser) -> None:
    context = browser.new_context(locale="de-DE", viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{gateway.address}settings")
    form = opened(page, "Zähler", "house")
    for label, wrong, said in (
        ("Sekunden von einer", "0.01", re.compile(r"muss mindestens 0,\d+ sein, .* 0,01")),
        ("URL", "nonsense", re.compile("kein.* URL")),
    ):
        field = form.get_by_label(label).first
        before = field.input_value()
        field.fill(wrong)
        form.get_by_role("button", name="Speichern").click()
        expect(form.locator(".field-error").filter(has_text=said)).to_be_visible()
        photograph(page, f"german-settings-390-{wrong}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        field.fill(before)
    context.close()


def test_an_adapter_without_a_port_is_explained_in_the_readers_language(gateway: Gateway, browser: Browser) -> None:
    english = "a CH340 (1a86:7523) is plugged in as ttyUSB0, and /dev/ttyUSB0 does not exist here: in a container hand "
    found = {"ports": [], "network": [], "actions": [], "problems": []}
    context = browser.new_context(locale="de-DE")
    page = context.new_page()
    page.route("**/settings/discovery**", lambda route: route.fulfill(
        json={**found, "hidden": [f"{english}it in (docker run --device /dev/ttyUSB0)"]}
    ))  # fmt: skip
    page.goto(f"{gateway.address}settings")
    form = opened(page, "Zähler", "Zähler hinzufügen")
    expect(form.get_by_text(re.compile(r"ein CH340 .* eingesteckt"))).to_be_visible()
    context.close()


def test_two_people_see_what_both_wrote(gateway: Gateway, page: Page) -> None:
    form = opened(page, "Page, log and safety", "Log")
    form.get_by_label("What is logged").select_option("debug")
    before = gateway.until("health", bool)["configuration"]
    assert gateway.change("log", None, {"level": "info"})[0] == 200
    gateway.until("health", lambda health: health["configuration"] != before)
    form.get_by_role("button", name="Save").click()
    both = form.locator("table.both tbody tr")
    expect(both).to_have_text(["levelinfodebug"])
    assert 'level = "info"' in gateway.file.read_text()
    form.get_by_role("button", name="Save mine over it").click()
    expect(page.get_by_text("Saved: log changed")).to_be_visible()
    assert 'level = "debug"' in gateway.file.read_text()
    before = gateway.until("health", bool)["configuration"]
    assert gateway.change("log", None, None)[0] == 200
    gateway.until("health", lambda health: health["configuration"] != before)  # another log starts the page again


def test_a_file_broken_by_hand_is_corrected_on_the_page(gateway: Gateway, page: Page) -> None:
    good = gateway.file.read_text()
    gateway.file.write_text(good.replace('name = "house"', "name = house"))
    page.reload()
    expect(page.locator(".notice")).to_contain_text("line 3, column 8")
    area = page.get_by_label("Text of the file")
    broken = good.replace('name = "house"', "name = house")
    expect(area).to_have_value(re.compile(re.escape(broken).replace("planted\\-secret", r"\(kept [0-9a-f]{8}\)")))
    area.fill(area.input_value().replace("name = house", 'name = "house"'))
    page.get_by_role("button", name="Save the text").click()
    expect(page.get_by_text("Saved. Nothing that runs has changed.")).to_be_visible()
    assert gateway.file.read_text() == good


def test_names_and_errors_of_the_file_are_text(gateway: Gateway, page: Page) -> None:
    good = gateway.file.read_text()
    gateway.file.write_text(f'{good}[site]\ngrid = "{EVIL}"\nnames = ["{EVIL}"]\n[[alarm]]\nkind = "{EVIL}"\n')
    page.reload()
    expect(page.locator(".notice").first).to_contain_text("onerror")
    expect(page.locator("summary .name").filter(has_text="onerror")).to_have_count(1)
    assert page.locator("img[src=x]").count() == 0
    assert page.title() != "1"
    gateway.file.write_text(good)


def test_a_user_and_a_token_are_made_on_the_page(gateway: Gateway, page: Page) -> None:
    page.on("dialog", lambda dialog: dialog.accept())
    form = opened(page, "People and programs", "Add a user")
    form.get_by_label("Name", exact=True).fill("anna")
    form.get_by_label("Password, 10").fill("correct horse battery")
    form.get_by_role("button", name="Add the user").click()
    expect(page.get_by_text("anna may sign in")).to_be_visible()
    page.get_by_role("button", name="Remove user anna").click()
    expect(page.get_by_text("anna may no longer sign in")).to_be_visible()
    form = opened(page, "People and programs", "Add a token")
    form.get_by_label("Name of the program").fill("evcc")
    form.get_by_role("button", name="Make the token").click()
    expect(page.get_by_text("Keep this token now")).to_be_visible()
    token = page.locator("#people pre").inner_text()
    assert gateway.ask("GET meters", Authorization=f"Bearer {token}")[0] == 200
    page.reload()
    expect(page.get_by_role("button", name="Revoke token evcc")).to_be_visible()
    assert token not in page.content()


@pytest.mark.parametrize("language", ["en-GB", "de-DE"])
def test_the_page_fits_and_shuts_nobody_out(gateway: Gateway, browser: Browser, language: str) -> None:
    context = browser.new_context(locale=language, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{gateway.address}settings")
    expect(page.locator("#meters")).to_be_visible()
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    expect(page.locator("#meters .place form")).to_be_visible()
    expect(page.locator("#web form")).to_have_count(3)
    assert "planted-secret" not in page.content()
    for (width, height), scheme in product(((320, 640), (390, 844), (1280, 800), (2560, 1440)), ("light", "dark")):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        photograph(page, f"settings-{language}-{width}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{width} {scheme}"
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found = Axe().run(page).response["violations"]
        assert [
            (one["id"], one["nodes"][0]["target"]) for one in found if one["impact"] in {"serious", "critical"}
        ] == []
    context.close()
