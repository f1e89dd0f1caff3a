"""Signing in, looking around and signing out, in a real browser that comes from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.web.access_rig import PASSWORD, Served, Site
from tests.web.conftest import photograph
from tests.web.test_dashboard import SCHEMES
from wattrail.access import Scope
from wattrail.clock import ManualClock

pytestmark = pytest.mark.browser

SCREENS = ((320, 640), (390, 844), (1280, 800))


@pytest.fixture
def served(tmp_path: Path, quick_passwords: None) -> Iterator[Served]:
    site = Site(tmp_path, clock=ManualClock(datetime.now(UTC)))
    site.user("anna", Scope.ADJUST)
    site.user("rita", Scope.READ)
    with Served(site, elsewhere=True) as running:
        yield running


@pytest.fixture
def context(browser: Browser, served: Served) -> Iterator[BrowserContext]:
    context = browser.new_context(extra_http_headers=served.site.more)
    yield context
    context.close()


def is_fault(said: ConsoleMessage) -> bool:
    """Whether a line of the console is one: not the refusals that a story is about, and what plain HTTP cannot do."""
    is_expected = re.search("401|429|origin was untrustworthy", said.text)
    return said.type == "error" and not is_expected


def opened(context: BrowserContext, address: str) -> tuple[Page, list[str]]:
    page, errors = context.new_page(), list[str]()
    page.on("console", lambda said: errors.append(said.text) if is_fault(said) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    return page, errors


def sign_in(page: Page, user: str, password: str = PASSWORD) -> None:
    page.get_by_label("User").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_stranger_signs_in_sees_the_page_and_signs_out(served: Served, context: BrowserContext) -> None:
    page, errors = opened(context, f"{served.address}/scope/house")
    expect(page).to_have_url(f"{served.address}/login?next=/scope/house")
    sign_in(page, "anna", "a wrong password")
    expect(page.get_by_role("alert")).to_have_text("The user or the password is wrong.")
    expect(page.get_by_label("Password")).to_have_value("")
    expect(page.get_by_label("Password")).to_be_focused()
    sign_in(page, "anna")
    expect(page).to_have_url(f"{served.address}/scope/house")
    page.goto(served.address)
    expect(page.get_by_role("article", name="Meter house")).to_be_visible()
    expect(page.get_by_text("anna (adjust)")).to_be_visible()
    assert page.evaluate("document.cookie") == ""  # no script has it
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{served.address}/login")
    page.goto(served.address)
    expect(page).to_have_url(f"{served.address}/login?next=/")
    assert errors == []


def test_a_link_from_another_site_leads_to_the_page_during_a_session(served: Served, context: BrowserContext) -> None:
    page, _ = opened(context, f"{served.address}/login")
    sign_in(page, "rita")
    expect(page.get_by_role("article", name="Meter house")).to_be_visible()
    mail = context.new_page()
    mail.set_content(f"<a href='{served.address}/scope/house'>See the meter</a>")  # its cookie is not sent along
    mail.get_by_role("link").click()
    expect(mail).to_have_url(f"{served.address}/scope/house")


def test_only_who_may_adjust_has_the_button_to_acknowledge(served: Served, context: BrowserContext) -> None:
    page, errors = opened(context, f"{served.address}/login")
    sign_in(page, "rita")
    expect(page.get_by_label("Alarms").get_by_role("listitem")).to_have_count(1)
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "anna")
    with page.expect_response("**/acknowledge") as answered:
        page.get_by_role("button", name="Acknowledge: house").click()
    assert answered.value.status == 202
    assert served.site.acknowledged == [1]
    assert errors == []


def test_too_many_attempts_say_how_long_to_wait(served: Served, context: BrowserContext) -> None:
    page, _ = opened(context, f"{served.address}/login")
    for _ in range(5):
        sign_in(page, "anna", "a wrong password")
        expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
        expect(page.get_by_role("alert")).to_be_visible()
    sign_in(page, "anna")
    expect(page.get_by_role("alert")).to_have_text(re.compile(r"Too many attempts: try again in \d+ s\."))


@pytest.mark.parametrize(
    "target", ["//evil.example", "/\\evil.example", "https://evil.example/", "javascript:alert(1)"]
)
def test_signing_in_leads_to_no_other_server(served: Served, context: BrowserContext, target: str) -> None:
    page, errors = opened(context, f"{served.address}/login?next={target}")
    sign_in(page, "rita")
    expect(page.get_by_role("article", name="Meter house")).to_be_visible()
    assert page.url == f"{served.address}/"
    assert errors == []


def test_a_session_that_ended_leads_back_to_the_login(served: Served, context: BrowserContext) -> None:
    page, _ = opened(context, f"{served.address}/login")
    sign_in(page, "rita")
    expect(page.get_by_role("article", name="Meter house")).to_be_visible()
    context.clear_cookies()
    expect(page).to_have_url(f"{served.address}/login?next=%2F")


def test_the_login_fits_every_screen_in_light_and_dark(served: Served, context: BrowserContext) -> None:
    page, errors = opened(context, f"{served.address}/login")
    sign_in(page, "anna", "a wrong password")
    expect(page.get_by_role("alert")).to_be_visible()
    for (width, height), scheme in product(SCREENS, SCHEMES):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        expect(page.get_by_role("button", name="Sign in")).to_be_in_viewport()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        photograph(page, f"login-{width}-{scheme}", full_page=False)
    assert errors == []


def test_the_interface_is_explained_and_tried_without_another_server(served: Served, context: BrowserContext) -> None:
    page, errors = opened(context, f"{served.address}/login?next=/api/v1/docs")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    sign_in(page, "rita")
    expect(page.get_by_role("heading", name="wattrail", level=2)).to_be_visible()
    operation = page.locator("#operations-gateway-get_health")
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table")).to_contain_text('"status": "degraded"')
    photograph(page, "docs", full_page=False)
    assert {url.startswith((served.address, "data:")) for url in asked} == {True}
    assert errors == []
