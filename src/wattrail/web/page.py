"""The dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

from nicegui import ui

from wattrail.gateway import Feed
from wattrail.web.card import Card, text

__all__ = ["ICON", "Candidate", "dashboard"]

_ASSETS = files(__package__) / "assets"
ICON = (_ASSETS / "icon.svg").read_text(encoding="utf-8")
_HEAD = (
    f"<style>{(_ASSETS / 'dashboard.css').read_text(encoding='utf-8')}</style>"
    f"<script>{(_ASSETS / 'dashboard.js').read_text(encoding='utf-8')}</script>"
)

REFRESH_S = 1.0


class Candidate(NamedTuple):
    """Hardware that could be a meter: what it looks like, its URL, and the lines for wattrail.toml that make it one."""

    description: str
    url: str
    toml: str


def dashboard(feed: Feed, *, candidates: Sequence[Candidate], zone: ZoneInfo | None) -> None:
    """Build the page for one visitor, and keep it fresh."""
    ui.add_head_html(_HEAD)
    views = feed.views()
    cards: dict[str, Card] = {}
    with ui.element("div").classes("page"):
        _top()
        if views:
            with ui.element("section").classes("meters").props('aria-label="Meters"'):
                cards = {view.name: Card(view, zone=zone) for view in views}
        if candidates:
            _possible_meters(candidates)
        elif not views:
            _nothing_found()

    def refresh() -> None:
        script = "".join(cards[view.name].show(view, feed) for view in feed.views() if view.name in cards)
        if script:
            ui.run_javascript(script)

    refresh()
    if cards:
        ui.timer(REFRESH_S, refresh)


def _top() -> None:
    with ui.element("header").classes("top"):
        ui.html(ICON, sanitize=False).classes("icon").props('aria-hidden="true"')
        text("h1", "wattrail")


def _possible_meters(candidates: Sequence[Candidate]) -> None:
    with ui.element("section").classes("setup").props('aria-label="Hardware that could be a meter"'):
        text("h2", "Hardware that could be a meter")
        text("p", "None of it was opened. Add the lines of yours to wattrail.toml and start again:")
        with ui.element("ul").classes("candidates"):
            for candidate in candidates:
                with ui.element("li"):
                    text("h3", candidate.description)
                    text("p", candidate.url, classes="url")
                    _lines(candidate.toml)


def _nothing_found() -> None:
    with ui.element("section").classes("setup").props('aria-label="No meter yet"'):
        text("h2", "No meter yet")
        text("p", "Nothing that could be a meter is plugged into this machine.")
        text("p", "Plug in the adapter and start again, or add a meter by its address to wattrail.toml:")
        _lines('[[meter]]\nname = "house"\nurl = "tcp://192.168.1.20:8888"')


def _lines(toml: str) -> None:
    with ui.element("pre").props('tabindex="0"'):
        text("code", toml.strip())
