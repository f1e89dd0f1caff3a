"""The web application: the REST interface, the pages that use it, and the layers that each request passes first.

Guard (which site it comes from), permissions (who sends it, and what that one may), body (how much of it), application.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from fastapi import FastAPI
from pydantic import TypeAdapter

from wattrail import __version__
from wattrail.clock import Clock, SystemClock
from wattrail.gateway import Feed, MeterView
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
from wattrail.web.inspect_api import inspect_router
from wattrail.web.ledger_api import ledger_router
from wattrail.web.login import login_router
from wattrail.web.messages import PublisherJson, Setup
from wattrail.web.pages import pages_router
from wattrail.web.permissions import Permissions
from wattrail.web.problem_handlers import add_problem_handlers
from wattrail.web.reports import Reports
from wattrail.web.series_api import PowerHistory
from wattrail.web.sessions import PageSessions
from wattrail.web.settings_api import settings_router
from wattrail.web.site_meters import SiteMeters
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
    ``calls`` asks it for something and brings the answer; without them there is no gateway to ask.
    """
    clock, calls, site = clock or SystemClock(), calls or GatewayCalls(), SiteMeters(feed, setup)
    app = FastAPI(title="wattrail", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    reports = Reports(report, clock)
    callers = Callers(setup.database, PageSessions(clock), reports, clock)
    routers = [
        api_router(feed, PowerHistory(setup.database), broadcast, waveforms, setup, publishers, acknowledge),
        health_router(feed, setup, publishers, calls),
        ledger_router(site, calls),
        calibration_router(site, calls),
        inspect_router(),
        accuracy_router(site, calls),
        login_router(callers, reports, clock),
        administration_router(setup.database, calls),
        settings_router(calls),
        pages_router(feed, setup.metrics),
    ]
    described = [route for router in routers for route in router.routes]
    routers.append(docs_router(app, described))
    for router in routers:
        app.include_router(router)
    add_problem_handlers(app)
    routes = [route for router in routers for route in router.routes]
    permitted = Permissions(BoundedBody(app), routes, callers, reports)
    return Guard(permitted, names=setup.names, trusted_proxies=setup.trusted_proxies)
