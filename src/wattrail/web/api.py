"""The REST interface, version 1. Every answer says whether it is simulated; energy is in watt-hours, times are UTC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Final, Literal, Self

from fastapi import APIRouter, Path, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from wattrail import __version__
from wattrail.access import Scope
from wattrail.gateway import Feed, MeterState, MeterView, UnstoredReadings
from wattrail.network_meters.link_health import LinkDay, advice
from wattrail.units import Reading
from wattrail.web.alarms import add_alarm_routes
from wattrail.web.callers import somebody_can_sign_in
from wattrail.web.downloads import add_download_routes
from wattrail.web.energy_api import EnergyJson, add_energy_routes
from wattrail.web.events import Broadcast, TooManyStreams
from wattrail.web.hours import add_hours_route
from wattrail.web.messages import CandidateJson, ConfigurationJson, PublisherJson, Setup
from wattrail.web.openapi import may_fail
from wattrail.web.permissions import needs, recheck
from wattrail.web.problems import ProblemDetails, RequestRefused
from wattrail.web.series_api import PowerHistory, add_series_routes
from wattrail.web.site_meters import SiteMeters
from wattrail.web.today import add_today_route
from wattrail.web.waveform import WaveformJson, Waveforms

__all__ = ["MeterJson", "api_router"]

_RECHECK_AFTER: Final = 5
"""Events, one a second, after which a stream asks whether its reader may still have it."""

MeterName = Annotated[str, Path(description="The name of a meter.", examples=["house"])]


class ReadingJson(BaseModel):
    """One reading; ``watts`` is positive for import and negative for export."""

    name: str
    simulated: bool
    state: MeterState
    at: datetime
    volts: float | None
    amps: float | None
    watts: float | None
    hertz: float | None
    power_factor: float | None
    energy_count: int
    watt_count: int

    @classmethod
    def of(cls, view: MeterView, reading: Reading) -> Self:
        return cls(
            name=view.name, simulated=view.simulated, state=view.state, at=reading.at,
            volts=reading.volts, amps=reading.amps, watts=reading.watts, hertz=reading.hertz,
            power_factor=reading.power_factor, energy_count=reading.energy_count, watt_count=reading.watt_count,
        )  # fmt: skip


class LinkJson(BaseModel):
    """How a network meter was connected on one local day; signal in dBm, None where it does not say it."""

    day: date
    readings: int
    signal_min: float | None
    signal_mean: float | None
    dropouts: int
    broker_dropouts: int
    reconnects: int
    restarts: int
    power_cuts: int
    longest_silence_s: float
    advice: list[str]

    @classmethod
    def of(cls, link: LinkDay) -> Self:
        return cls(**asdict(link), signal_mean=link.signal_mean, advice=list(advice(link)))


class UnstoredJson(BaseModel):
    """Readings that wait in memory because the database cannot be written; ``dropped`` there was no room for."""

    model_config = ConfigDict(from_attributes=True)

    count: int
    dropped: int
    since: datetime
    error: str
    hint: str | None


class MeterJson(BaseModel):
    """The state of one meter, with its last reading. ``expected_s`` is the time between two readings.

    ``has_waveform``: its waveforms can be asked for. ``has_estimates``: some of its energy is estimated, by adding up
    power; ``is_estimated``: all that is booked now.

    ``link`` is the connection of a network meter today; ``advice`` is what to change about it or on it.
    """

    name: str
    url: str
    simulated: bool
    state: MeterState
    error: str | None
    hint: str | None
    retry_at: datetime | None
    last_reading_at: datetime | None
    notice: str | None
    unstored: UnstoredJson | None
    scale: str | None
    expected_s: float
    has_waveform: bool
    has_estimates: bool
    is_estimated: bool
    link: LinkJson | None
    advice: list[str]
    reading: ReadingJson | None
    today: EnergyJson | None
    total: EnergyJson | None

    @classmethod
    def of(cls, view: MeterView) -> Self:
        """A view of the feed."""
        return cls(
            name=view.name, url=view.url, simulated=view.simulated, state=view.state,
            error=view.error, hint=view.hint, retry_at=view.retry_at,
            last_reading_at=view.reading.at if view.reading else None,
            notice=view.notice, unstored=UnstoredJson.model_validate(view.unstored) if view.unstored else None,
            scale=view.scale, expected_s=view.poll_s, has_waveform=view.has_waveform,
            has_estimates=view.has_estimates, is_estimated=view.is_estimated,
            link=LinkJson.of(view.link) if view.link else None, advice=list(view.advice),
            reading=ReadingJson.of(view, view.reading) if view.reading else None,
            today=EnergyJson.of(view.today) if view.today else None,
            total=EnergyJson.of(view.total) if view.total else None,
        )  # fmt: skip


class HealthJson(BaseModel):
    """``ok`` when every meter is live, its readings are stored, and the configuration was not refused when last read.

    ``unstored`` says what waits, of all meters. ``waits_for_user``: the page is open to the network, and nobody can
    sign in yet. This alone is not ``degraded``.
    """

    status: Literal["ok", "degraded"]
    version: str
    simulated: bool
    meters: dict[str, MeterState]
    unstored: UnstoredJson | None = None
    configuration: ConfigurationJson | None
    waits_for_user: bool


class AboutJson(BaseModel):
    """Version, time zone, ports that could be meters, and whether other machines can read the page.

    ``grid`` and ``solar`` are the meters between house and grid, and behind the roof; None where it is not known. An
    only meter stands at the grid. ``tariffs`` are the names by which costs can be asked for; ``example_tariff`` is the
    one that is an example, because none is configured and nothing is measured.
    """

    version: str
    zone: str | None
    open_to_network: bool
    candidates: list[CandidateJson]
    grid: str | None
    solar: str | None
    tariffs: list[str]
    example_tariff: str | None


class _EventStream(StreamingResponse):
    """An answer without an end."""

    media_type = "text/event-stream"


async def _while_allowed(stream: AsyncIterator[bytes], request: Request) -> AsyncIterator[bytes]:
    """A stream for as long as its reader may have it."""
    sent = 0
    async for event in stream:
        sent += 1
        if sent % _RECHECK_AFTER == 0 and not await recheck(request):
            return
        yield event


def api_router(
    feed: Feed,
    history: PowerHistory,
    broadcast: Broadcast,
    waveforms: Waveforms,
    setup: Setup,
    publishers: Sequence[PublisherJson],
    acknowledge: Callable[[int], object],
) -> APIRouter:
    """The routes over a feed and a database. ``acknowledge`` takes the id of an alarm that someone has seen."""
    router, site = APIRouter(prefix="/api/v1"), SiteMeters(feed, setup)

    @router.get("/meters", tags=["meters"])
    @needs(Scope.READ)
    async def meters() -> list[MeterJson]:
        """Every meter."""
        return [MeterJson.of(view) for view in feed.views()]

    @router.get("/meters/{name}", tags=["meters"], responses=may_fail(404))
    @needs(Scope.READ)
    async def meter(name: MeterName) -> MeterJson:
        """One meter."""
        return MeterJson.of(site.view(name))

    @router.get("/meters/{name}/reading", tags=["meters"], responses=may_fail(404))
    @needs(Scope.READ)
    async def reading(name: MeterName) -> ReadingJson:
        """The last reading of a meter; 503 before the first."""
        view = site.view(name)
        if view.reading is None:
            raise RequestRefused(
                ProblemDetails("unavailable", f"{name} has not been read yet: {view.error or view.state}", view.hint)
            )
        return ReadingJson.of(view, view.reading)

    @router.get("/meters/{name}/link", tags=["meters"], responses=may_fail(404))
    @needs(Scope.READ)
    def link(name: MeterName) -> list[LinkJson]:
        """How a network meter was connected, today as it is now and the days before, newest first."""
        view = site.view(name)
        days = {day.day: day for day in history.link_days(name)}
        if view.link is not None:
            days[view.link.day] = view.link
        return [LinkJson.of(days[day]) for day in sorted(days, reverse=True)]

    @router.get("/meters/{name}/waveform", tags=["meters"], responses=may_fail(404))
    @needs(Scope.READ)
    async def waveform(name: MeterName) -> WaveformJson:
        """The last capture of a meter's waveform. Each request keeps captures coming for some seconds."""
        view = site.view(name)
        return waveforms.of(name) or WaveformJson(name=name, simulated=view.simulated)

    @router.get("/events", tags=["meters"], response_class=_EventStream)
    @needs(Scope.READ)
    async def events(request: Request) -> StreamingResponse:
        """Server-sent events: first every meter as in /meters, then each second those that changed.

        The stream ends when the session or the token does.
        """
        try:
            stream = broadcast.stream()
        except TooManyStreams as error:
            raise RequestRefused(ProblemDetails("unavailable", str(error))) from error
        return _EventStream(_while_allowed(stream, request))

    add_alarm_routes(router, setup.database, acknowledge)
    add_today_route(router, site)
    add_hours_route(router, site)
    add_series_routes(router, site, history)
    add_energy_routes(router, site)
    add_download_routes(router, site)

    @router.get("/about", tags=["gateway"])
    @needs(Scope.READ)
    async def about() -> AboutJson:
        """Version, time zone, ports that could be a meter."""
        return AboutJson(
            version=__version__, zone=setup.zone, open_to_network=setup.open_to_network, candidates=setup.candidates,
            grid=setup.grid, solar=setup.solar, tariffs=list(setup.tariffs), example_tariff=setup.example_tariff,
        )  # fmt: skip

    @router.get("/publishers", tags=["gateway"])
    @needs(Scope.READ)
    async def publishing() -> list[PublisherJson]:
        """Every publisher: whether it reaches its consumer, and how many registers wait for it."""
        return list(publishers)

    @router.get("/health", tags=["gateway"])
    @needs(Scope.READ)
    def health() -> HealthJson:
        """The state of the whole service."""
        views, configuration = feed.views(), setup.configuration
        is_refused = configuration is not None and configuration.error is not None
        waiting = [view.unstored for view in views if view.unstored is not None]
        is_ok = not is_refused and not waiting and all(view.state is MeterState.LIVE for view in views)
        return HealthJson(
            status="ok" if is_ok else "degraded",
            unstored=_together(waiting) if waiting else None,
            version=__version__,
            simulated=any(view.simulated for view in views),
            meters={view.name: view.state for view in views},
            configuration=configuration,
            waits_for_user=setup.open_to_network and not somebody_can_sign_in(setup.database),
        )

    return router


def _together(waiting: Sequence[UnstoredReadings]) -> UnstoredJson:
    """What waits of all meters: one database, one cause."""
    return UnstoredJson(
        count=sum(one.count for one in waiting), dropped=sum(one.dropped for one in waiting),
        since=min(one.since for one in waiting), error=waiting[0].error, hint=waiting[0].hint,
    )  # fmt: skip
