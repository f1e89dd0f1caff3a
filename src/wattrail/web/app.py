"""The web application: the REST interface, the pages that use it, and the layers that each request passes first.

Guard (which site it comes from), permissions (who sends it, and what that one may), body (how much of it), application.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter

from wattrail import __version__
from wattrail.access import Scope
from wattrail.clock import Clock, SystemClock
from wattrail.gateway import Feed, MeterView
from wattrail.web.access_api import access_router
from wattrail.web.accuracy_api import accuracy_router
from wattrail.web.administration import administration_router
from wattrail.web.api import MeterJson, api_router
from wattrail.web.body import BoundedBody
from wattrail.web.calibration_api import calibration_router
from wattrail.web.callers import Callers
from wattrail.web.docs_page import docs_router
from wattrail.web.events import Broadcast
from wattrail.web.gateway_calls import GatewayCalls
from wattrail.web.guard import Guard
from wattrail.web.health_api import health_router
from wattrail.web.history import PowerHistory
from wattrail.web.inspect_api import inspect_router
from wattrail.web.ledger_api import ledger_router
from wattrail.web.login import login_router
from wattrail.web.messages import PublisherJson, Setup
from wattrail.web.openapi import describe
from wattrail.web.openapi_3_0 import in_version_3_0
from wattrail.web.pages import ASSETS, pages_router
from wattrail.web.permissions import Permissions, needs
from wattrail.web.problem_handlers import add_problem_handlers
from wattrail.web.reports import Reports
from wattrail.web.sessions import PageSessions
from wattrail.web.settings_api import settings_router
from wattrail.web.waveform import Waveforms

__all__ = ["build_app", "meters_json"]

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
    report: Callable[..., object] = lambda **_message: None,
    calls: GatewayCalls | None = None,
    clock: Clock | None = None,
) -> Guard:
    """The application over a feed and a database. ``publishers`` are read at each request.

    ``acknowledge`` takes the id of an alarm that someone has seen, ``report`` the fields of a message to the gateway,
    ``calls`` asks it for something and brings the answer.
    """
    clock = clock or SystemClock()
    app = FastAPI(title="wattrail", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    reports = Reports(report, clock)
    callers = Callers(setup.database, PageSessions(clock), reports, clock)
    history = PowerHistory(setup.database)
    routers = [
        api_router(feed, history, broadcast, waveforms, setup, publishers, acknowledge),
        health_router(feed, setup, publishers, calls),
        ledger_router(feed, setup, calls),
        calibration_router(feed, setup, calls),
        inspect_router(),
        accuracy_router(feed, calls),
        login_router(callers, reports, clock),
        administration_router(setup.database),
        pages_router(feed, setup.metrics),
    ]
    if calls is not None:
        routers += [settings_router(calls), access_router(setup.database, calls)]
    # before the files of the page that explains it, one of which has any name
    routers += [_description(app, routers), docs_router(ASSETS["docs.html"])]
    for router in routers:
        app.include_router(router)
    add_problem_handlers(app)
    routes = [route for router in routers for route in router.routes]
    permitted = Permissions(BoundedBody(app), routes, callers, reports)
    return Guard(permitted, names=setup.names, trusted_proxies=setup.trusted_proxies)


def _description(app: FastAPI, routers: Sequence[APIRouter]) -> APIRouter:
    """The route of the description of all others."""
    described, described_routers = APIRouter(prefix="/api/v1", include_in_schema=False), tuple(routers)

    @cache
    def document() -> dict[str, Any]:
        return describe(app, [route for router in described_routers for route in router.routes])

    @described.get("/openapi.json")
    @needs(Scope.READ)
    async def openapi() -> Response:
        """The description of this interface."""
        return JSONResponse(document())

    @described.get("/docs/openapi.json")
    @needs(Scope.READ)
    async def openapi_3_0() -> Response:
        """The same for the page that explains it."""
        return JSONResponse(in_version_3_0(document()))

    return described
