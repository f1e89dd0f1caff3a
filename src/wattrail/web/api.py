"""REST, version 1. Everything says whether it is simulated; energy is in watt-hours, times are UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, Self

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from wattrail import __version__
from wattrail.gateway import Feed, MeterView, State
from wattrail.ledger import Totals
from wattrail.sanitize import printable
from wattrail.units import Reading
from wattrail.web.events import Broadcast, TooManyStreams
from wattrail.web.history import History
from wattrail.web.setup import Candidate, Setup
from wattrail.web.waveform import Waveform, Waveforms

__all__ = ["Meter", "api_router"]

_MOST_MINUTES = 14 * 24 * 60

MAX_NAMES: Final = 20
"""Names of meters in an error; a client that wants all of them asks for /meters."""


class Energy(BaseModel):
    """Energy registers in watt-hours; ``undirected`` is energy whose direction nothing proves."""

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


class Live(BaseModel):
    """One reading; ``watts`` is positive for import and negative for export."""

    name: str
    simulated: bool
    state: State
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


class Meter(BaseModel):
    """One meter as it stands, with its last reading."""

    name: str
    url: str
    simulated: bool
    state: State
    error: str | None
    hint: str | None
    retry_at: datetime | None
    last_reading_at: datetime | None
    notice: str | None
    scale: str | None
    reading: Live | None
    today: Energy | None
    total: Energy | None

    @classmethod
    def of(cls, view: MeterView) -> Self:
        """A view of the feed."""
        return cls(
            name=view.name, url=view.url, simulated=view.simulated, state=view.state,
            error=view.error, hint=view.hint, retry_at=view.retry_at,
            last_reading_at=view.reading.at if view.reading else None,
            notice=view.notice, scale=view.scale,
            reading=Live.of(view, view.reading) if view.reading else None,
            today=Energy.of(view.today) if view.today else None,
            total=Energy.of(view.total) if view.total else None,
        )  # fmt: skip


class Point(BaseModel):
    """Power during one stretch of time, in watts."""

    at: datetime
    lowest: float
    mean: float
    highest: float
    readings: int


class Series(BaseModel):
    """Power over time; stretches without a reading are left out."""

    name: str
    simulated: bool
    unit: Literal["W"] = "W"
    points: list[Point]


class Health(BaseModel):
    """``ok`` when every meter is live."""

    status: Literal["ok", "degraded"]
    version: str
    simulated: bool
    meters: dict[str, State]


class About(BaseModel):
    """What a page says beside the meters: hardware that could be one, and who can read all this."""

    version: str
    zone: str | None
    open_to_network: bool
    candidates: list[Candidate]


def api_router(feed: Feed, history: History, broadcast: Broadcast, waveforms: Waveforms, setup: Setup) -> APIRouter:
    """The routes, reading from a feed and a database."""
    router = APIRouter(prefix="/api/v1")

    def known(name: str) -> MeterView:
        if (view := feed.view(name)) is None:
            names = ", ".join(view.name for view in feed.views()[:MAX_NAMES]) or "none"
            raise HTTPException(404, f"there is no meter {printable(name, limit=64)!r}; known: {names}")
        return view

    @router.get("/meters")
    async def meters() -> list[Meter]:
        """Every meter."""
        return [Meter.of(view) for view in feed.views()]

    @router.get("/meters/{name}")
    async def meter(name: str) -> Meter:
        """One meter."""
        return Meter.of(known(name))

    @router.get("/meters/{name}/reading")
    async def reading(name: str) -> Live:
        """The last reading of a meter; 503 before the first."""
        view = known(name)
        if view.reading is None:
            raise HTTPException(503, f"{name} has not been read yet: {view.error or view.state}")
        return Live.of(view, view.reading)

    @router.get("/meters/{name}/series")
    def series(
        name: str,
        minutes: Annotated[int, Query(ge=1, le=_MOST_MINUTES)] = 60,
        points: Annotated[int, Query(ge=2, le=2000)] = 720,
    ) -> Series:
        """Power over the last minutes, in at most about that many points."""
        view = known(name)
        buckets = history.series(name, minutes=minutes, points=points)
        return Series(
            name=name,
            simulated=view.simulated,
            points=[
                Point(
                    at=b.start, lowest=b.lowest_watts, mean=b.mean_watts, highest=b.highest_watts, readings=b.readings
                )
                for b in buckets
            ],
        )

    @router.get("/meters/{name}/waveform")
    async def waveform(name: str) -> Waveform:
        """The last capture of a meter's waveform. Asking keeps captures coming for some seconds."""
        view = known(name)
        return waveforms.of(name) or Waveform(name=name, simulated=view.simulated)

    @router.get("/events")
    async def events() -> StreamingResponse:
        """Server-sent events: first every meter as in /meters, then each second those that changed."""
        try:
            stream = broadcast.stream()
        except TooManyStreams as error:
            raise HTTPException(503, str(error)) from error
        return StreamingResponse(stream, media_type="text/event-stream")

    @router.get("/about")
    async def about() -> About:
        """Version, time zone, hardware that could be a meter."""
        return About(
            version=__version__, zone=setup.zone, open_to_network=setup.open_to_network, candidates=setup.candidates
        )

    @router.get("/health")
    async def health() -> Health:
        """How it stands with the whole service."""
        views = feed.views()
        return Health(
            status="ok" if all(view.state is State.LIVE for view in views) else "degraded",
            version=__version__,
            simulated=any(view.simulated for view in views),
            meters={view.name: view.state for view in views},
        )

    return router
