"""The pages and their files, and ``/metrics``: what is served outside the REST interface."""

from __future__ import annotations

import mimetypes
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from wattrail.access import Scope
from wattrail.gateway import Feed
from wattrail.publish.openmetrics import OPENMETRICS_TYPE, TEXT_TYPE, metrics_page, wants_openmetrics
from wattrail.web.messages import MetricsSetup
from wattrail.web.page_shell import PAGES
from wattrail.web.permissions import needs, public
from wattrail.web.problems import ProblemDetails, RequestRefused

__all__ = ["ASSETS", "pages_router"]

ASSETS: Final = {
    file.name: file.read_bytes()
    for file in (files(__package__) / "assets").iterdir()
    if file.name.endswith((".css", ".js", ".html", ".svg", ".json"))
}
"""Every file beside the HTML of the pages, by its name; ``docs.html`` is a page of another making."""

_PATHS: Final = {
    "/": "dashboard", "/costs": "costs", "/settings": "settings", "/health": "health", "/inspect": "inspect",
    "/meter/{name}": "meter", "/ledger": "ledger", "/ledger/{name}": "ledger", "/calibration/{name}": "calibration",
    "/accuracy/{name}": "accuracy", "/scope/{name}": "scope",
}  # fmt: skip
"""The page at each path, for those who may read; its script takes the name of a meter from the path."""


def pages_router(feed: Feed, metrics_setup: MetricsSetup | None) -> APIRouter:
    """The routes of pages and metrics."""
    router = APIRouter(include_in_schema=False)

    @router.get("/metrics")
    @needs(Scope.READ)
    async def metrics(request: Request) -> Response:
        if metrics_setup is None:
            raise RequestRefused(
                ProblemDetails("not-found", "metrics are off; [publish.openmetrics] in wattrail.toml turns them on")
            )
        is_open = wants_openmetrics(request.headers.get("accept", ""))
        page = metrics_page(feed.views(), has_kwh=metrics_setup.has_kwh, openmetrics=is_open)
        return Response(page, headers={"content-type": OPENMETRICS_TYPE if is_open else TEXT_TYPE})

    def add_page(path: str, page: str) -> None:
        async def answer() -> Response:
            return _page(page)

        async def answer_of_meter(name: str) -> Response:
            return _page(page, status=200 if feed.view(name) else 404)

        scope = Scope.ADMIN if page == "settings" else Scope.READ
        router.get(path)(needs(scope)(answer_of_meter if "{name}" in path else answer))

    for path, page in _PATHS.items():
        add_page(path, page)

    @router.get("/login")
    @public
    async def login() -> Response:
        return _page("login")

    @router.get("/assets/{kind}.{language}.json")
    @public
    async def words(kind: str, language: str) -> Response:
        """The words of a language; none for one that has no file, so that the page remains in English."""
        name = f"{kind}.{language}.json"
        return _asset(name) if name in ASSETS else JSONResponse({})

    @router.get("/assets/{name}")
    @public
    async def asset(name: str) -> Response:
        if name not in ASSETS or name.endswith(".html"):
            raise RequestRefused(ProblemDetails("not-found", "there is no such file"))
        return _asset(name)

    return router


def _page(name: str, *, status: int = 200) -> Response:
    return Response(PAGES[name], status, media_type="text/html")


def _asset(name: str) -> Response:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(ASSETS[name], media_type=kind)
