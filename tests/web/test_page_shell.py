"""Every page is whole: its script and its styles are there, and what it needs is said where scripts do not run."""

from __future__ import annotations

import re

import pytest

from wattrail.ledger import EntryKind
from wattrail.ledger.entries import STATED
from wattrail.web.page_shell import PAGES
from wattrail.web.pages import ASSETS


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_only_files_that_are_served(name: str) -> None:
    html = PAGES[name].decode()
    named = re.findall(r'(?:href|src)="/assets/([^"]+)"', html)
    assert {f"{name}.js", "dashboard.css", "icon.svg"} <= {*named} <= {*ASSETS}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_one_place_for_what_its_script_shows(name: str) -> None:
    html = PAGES[name].decode()
    assert (html.count("<main"), html.count("</main>"), html.count("<body>")) == (1, 1, 1)
    assert "$" not in html


@pytest.mark.parametrize("name", sorted({*PAGES} - {"login"}))
def test_a_page_leads_to_the_others(name: str) -> None:
    assert '<header class="top" id="top">' in PAGES[name].decode()
    script = ASSETS[f"{name}.js"].decode()
    assert "showHeader()" in script or "navigation()" in script, "the line of pages, in the reader's language"


def test_marks_of_what_people_did_have_the_colour_of_no_fault() -> None:
    (kinds,) = re.findall(r"\.mark:is\(([^)]*)\)", ASSETS["meter.css"].decode())
    assert {kind.removeprefix(".is-") for kind in kinds.split(", ")} == {EntryKind.EPOCH, *STATED}
