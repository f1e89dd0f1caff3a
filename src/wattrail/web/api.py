"""The REST interface, version 1. Every answer says whether it is simulated; energy is in watt-hours, times are UTC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Annotated, Final, Literal, Self

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from wattrail import __version__
from wattrail.gateway import Feed, MeterState, MeterView
from wattrail.ledger import Totals
from wattrail.network_meters.link_health import LinkDay, advice
from wattrail.sanitize import printable
from wattrail.units import Reading
from wattrail.web.alarms import add_alarm_routes
from wattrail.web.events import Broadcast, TooManyStreams
from wattrail.web.history import PowerHistory
from wattrail.web.messages import CandidateJson, ConfigurationJson, PublisherJson, Setup
from wattrail.web.waveform import WaveformJson, Waveforms

__all__ = ["MeterJson", "api_router"]

_MAX_MINUTES = 14 * 24 * 60

MAX_NAMES: Final = 20
"""Names of meters listed in an error; /meters has all of them."""


class EnergyJson(BaseModel):
    """Energy registers in watt-hours; ``undirected`` is energy of unknown direction."""

    import_wh: float
    export_wh: float
    undirected_wh: float

    @classmethod
    def of(cls, totals: Totals) -> Self:
        return cls(
            import_wh=totals.import_mwh / 1000,
            export_wh=totals.export_mwh / 1000,
            undirected_wh=totals.undirected_mwh / 1000,
        )


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
        return cls(
            day=link.day, readings=link.readings, signal_min=link.signal_min, signal_mean=link.signal_mean,
            dropouts=link.dropouts, broker_dropouts=link.broker_dropouts, reconnects=link.reconnects,
            restarts=link.restarts, power_cuts=link.power_cuts, longest_silence_s=link.longest_silence_s,
            advice=list(advice(link)),
        )  # fmt: skip


class MeterJson(BaseModel):
    """The state of one meter, with its last reading. ``expected_s`` is the time between two readings.

    ``has_waveform``: its waveforms can be asked for.

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
    scale: str | None
    expected_s: float
    has_waveform: bool
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
            notice=view.notice, scale=view.scale, expected_s=view.poll_s, has_waveform=view.has_waveform,
            link=LinkJson.of(view.link) if view.link else None, advice=list(view.advice),
            reading=ReadingJson.of(view, view.reading) if view.reading else None,
            today=EnergyJson.of(view.today) if view.today else None,
            total=EnergyJson.of(view.total) if view.total else None,
        )  # fmt: skip


class PointJson(BaseModel):
    """Power during one stretch of time, in watts."""

    at: datetime
    lowest: float
    mean: float
    highest: float
    readings: int


class SeriesJson(BaseModel):
    """Power over time, without the stretches that have no reading."""

    name: str
    simulated: bool
    unit: Literal["W"] = "W"
    points: list[PointJson]


class HealthJson(BaseModel):
    """``ok`` when every meter is live, and the configuration was not refused when it was read last."""

    status: Literal["ok", "degraded"]
    version: str
    simulated: bool
    meters: dict[str, MeterState]
    configuration: ConfigurationJson | None


class AboutJson(BaseModel):
    """Version, time zone, ports that could be meters, and whether other machines can read the page."""

    version: str
    zone: str | None
    open_to_network: bool
    candidates: list[CandidateJson]


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
    router = APIRouter(prefix="/api/v1")

    def known(name: str) -> MeterView:
        if (view := feed.view(name)) is None:
            names = ", ".join(view.name for view in feed.views()[:MAX_NAMES]) or "none"
            raise HTTPException(404, f"there is no meter {printable(name, limit=64)!r}; known: {names}")
        return view

    @router.get("/meters")
    async def meters() -> list[MeterJson]:
        """Every meter."""
        return [MeterJson.of(view) for view in feed.views()]

    @router.get("/meters/{name}")
    async def meter(name: str) -> MeterJson:
        """One meter."""
        return MeterJson.of(known(name))

    @router.get("/meters/{name}/reading")
    async def reading(name: str) -> ReadingJson:
        """The last reading of a meter; 503 before the first."""
        view = known(name)
        if view.reading is None:
            raise HTTPException(503, f"{name} has not been read yet: {view.error or view.state}")
        return ReadingJson.of(view, view.reading)

    @router.get("/meters/{name}/series")
    def series(
        name: str,
        minutes: Annotated[int, Query(ge=1, le=_MAX_MINUTES)] = 60,
        points: Annotated[int, Query(ge=2, le=2000)] = 720,
    ) -> SeriesJson:
        """Power over the last minutes, in about ``points`` points at most."""
        view = known(name)
        buckets = history.series(name, minutes=minutes, points=points)
        return SeriesJson(
            name=name,
            simulated=view.simulated,
            points=[
                PointJson(
                    at=b.start, lowest=b.lowest_watts, mean=b.mean_watts, highest=b.highest_watts, readings=b.readings
                )
                for b in buckets
            ],
        )

    @router.get("/meters/{name}/link")
    def link(name: str) -> list[LinkJson]:
        """How a network meter was connected, today as it is now and the days before, newest first."""
        view = known(name)
        days = {day.day: day for day in history.link_days(name)}
        if view.link is not None:
            days[view.link.day] = view.link
        return [LinkJson.of(days[day]) for day in sorted(days, reverse=True)]

    @router.get("/meters/{name}/waveform")
    async def waveform(name: str) -> WaveformJson:
        """The last capture of a meter's waveform. Each request keeps captures coming for some seconds."""
        view = known(name)
        return waveforms.of(name) or WaveformJson(name=name, simulated=view.simulated)

    @router.get("/events")
    async def events() -> StreamingResponse:
        """Server-sent events: first every meter as in /meters, then each second those that changed."""
        try:
            stream = broadcast.stream()
        except TooManyStreams as error:
            raise HTTPException(503, str(error)) from error
        return StreamingResponse(stream, media_type="text/event-stream")

    add_alarm_routes(router, setup.database, acknowledge)

    @router.get("/about")
    async def about() -> AboutJson:
        """Version, time zone, ports that could be a meter."""
        return AboutJson(
            version=__version__, zone=setup.zone, open_to_network=setup.open_to_network, candidates=setup.candidates
        )

    @router.get("/publishers")
    async def publishing() -> list[PublisherJson]:
        """Every publisher: whether it reaches its consumer, and how many registers wait for it."""
        return list(publishers)

    @router.get("/health")
    async def health() -> HealthJson:
        """The state of the whole service."""
        views, configuration = feed.views(), setup.configuration
        is_refused = configuration is not None and configuration.error is not None
        is_ok = not is_refused and all(view.state is MeterState.LIVE for view in views)
        return HealthJson(
            status="ok" if is_ok else "degraded",
            version=__version__,
            simulated=any(view.simulated for view in views),
            meters={view.name: view.state for view in views},
            configuration=configuration,
        )

    return router
