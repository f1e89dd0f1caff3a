"""The web application: pages as files, the REST interface that they use, and the guard before both."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException

from wattrail import __version__
from wattrail.errors import WattrailError
from wattrail.gateway import Feed, MeterView
from wattrail.publish.openmetrics import OPENMETRICS_TYPE, TEXT_TYPE, metrics_page, wants_openmetrics
from wattrail.web.api import MeterJson, api_router
from wattrail.web.events import Broadcast
from wattrail.web.guard import Guard
from wattrail.web.history import PowerHistory
from wattrail.web.messages import PublisherJson, Setup
from wattrail.web.waveform import Waveforms

__all__ = ["build_app", "meters_json"]

_ASSETS: Final = {
    file.name: file.read_bytes()
    for file in (files(__package__) / "assets").iterdir()
    if file.name.endswith((".css", ".js", ".html", ".svg", ".json"))
}
_METERS: Final = TypeAdapter(list[MeterJson])


def meters_json(views: Iterable[MeterView]) -> bytes:
    """Meters as JSON of the REST interface."""
    return _METERS.dump_json([MeterJson.of(view) for view in views])


def build_app(
    feed: Feed,
    setup: Setup,
    broadcast: Broadcast,
    waveforms: Waveforms,
    publishers: Sequence[PublisherJson] = (),
    *,
    acknowledge: Callable[[int], object] = lambda _number: None,
) -> Guard:
    """The application over a feed and a database. ``publishers`` are read at each request.

    ``acknowledge`` takes the id of an alarm that someone has seen.
    """
    app = FastAPI(
        title="wattrail",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # its pages would load scripts from the internet
        redoc_url=None,
    )
    history = PowerHistory(setup.database)
    app.include_router(api_router(feed, history, broadcast, waveforms, setup, publishers, acknowledge))

    @app.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        if setup.metrics is None:
            raise HTTPException(404, "metrics are off; [publish.openmetrics] in wattrail.toml turns them on")
        is_open = wants_openmetrics(request.headers.get("accept", ""))
        page = metrics_page(feed.views(), has_kwh=setup.metrics.has_kwh, openmetrics=is_open)
        return Response(page, headers={"content-type": OPENMETRICS_TYPE if is_open else TEXT_TYPE})

    @app.get("/", include_in_schema=False)
    async def dashboard() -> Response:
        return _asset("dashboard.html")

    @app.get("/scope/{name}", include_in_schema=False)
    async def scope(name: str) -> Response:
        return _asset("scope.html", status=200 if feed.view(name) else 404)

    @app.get("/meter/{name}", include_in_schema=False)
    async def meter(name: str) -> Response:
        return _asset("meter.html", status=200 if feed.view(name) else 404)

    @app.get("/costs", include_in_schema=False)
    async def costs() -> Response:
        return _asset("costs.html")

    @app.get("/assets/words.{language}.json", include_in_schema=False)
    async def words(language: str) -> Response:
        """The words of a language; none for one that has no file, so that the page remains in English."""
        name = f"words.{language}.json"
        return _asset(name) if name in _ASSETS else JSONResponse({})

    @app.get("/assets/{name}", include_in_schema=False)
    async def asset(name: str) -> Response:
        if name not in _ASSETS or name.endswith(".html"):
            raise HTTPException(404, "there is no such file")
        return _asset(name)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        if request.url.path.startswith("/api"):
            return JSONResponse({"detail": error.detail}, error.status_code)
        return PlainTextResponse(f"{error.detail}\n", error.status_code)

    @app.exception_handler(WattrailError)
    async def failed(_request: Request, error: WattrailError) -> Response:
        return JSONResponse({"detail": str(error), "hint": error.hint}, 503)

    return Guard(app)


def _asset(name: str, *, status: int = 200) -> Response:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(_ASSETS[name], status, media_type=kind)
