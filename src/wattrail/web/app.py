"""The web application: dashboard, REST and the guard in front of both."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from nicegui import ui

from wattrail import __version__
from wattrail.gateway import Feed
from wattrail.store import Store
from wattrail.web.api import api_router
from wattrail.web.guard import Guard
from wattrail.web.page import ICON, Candidate, dashboard
from wattrail.web.scope import scope_page

__all__ = ["Candidate", "build_app"]


def build_app(
    feed: Feed, store: Store, *, candidates: Sequence[Candidate] = (), zone: ZoneInfo | None = None
) -> FastAPI:
    """The application over a feed and a store. NiceGUI keeps its pages per process: build one."""
    app = FastAPI(
        title="wattrail",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # both pages would load their scripts from the internet
        redoc_url=None,
    )
    app.include_router(api_router(feed, store))

    @ui.page("/")
    def page() -> None:
        dashboard(feed, candidates=candidates, zone=zone)

    @ui.page("/scope/{name}")
    def scope(name: str) -> None:
        scope_page(feed, name)

    ui.run_with(app, title="wattrail", favicon=ICON, dark=None, tailwind=False, language="en-US")
    app.add_middleware(Guard)
    return app
