"""Power, voltage and frequency over time in the REST interface."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Annotated, Final, Self

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel

from wattrail.access import Scope
from wattrail.clock import zone_of
from wattrail.gateway import MeterView
from wattrail.store import Bucket, SeriesQuantity
from wattrail.web.history import PowerHistory
from wattrail.web.messages import Setup
from wattrail.web.openapi import may_fail
from wattrail.web.permissions import needs
from wattrail.web.spans import First, Until, span_of

__all__ = ["PointJson", "SeriesJson", "add_series_routes"]

_MAX_MINUTES: Final = 10 * 366 * 24 * 60
_USUAL_MINUTES: Final = 60


class PointJson(BaseModel):
    """A quantity during ``[at, end)``, in the unit of the series."""

    at: datetime
    end: datetime
    lowest: float
    mean: float
    highest: float
    readings: int

    @classmethod
    def of(cls, bucket: Bucket) -> Self:
        """A bucket of the store."""
        return cls(
            at=bucket.start, end=bucket.end, lowest=bucket.lowest, mean=bucket.mean, highest=bucket.highest,
            readings=bucket.readings,
        )  # fmt: skip


class SeriesJson(BaseModel):
    """A quantity over time, without the stretches that have no reading."""

    name: str
    simulated: bool
    quantity: SeriesQuantity
    unit: str
    points: list[PointJson]

    @classmethod
    def of(cls, view: MeterView, quantity: SeriesQuantity, buckets: Iterable[Bucket]) -> Self:
        """Buckets of a meter."""
        points = [PointJson.of(bucket) for bucket in buckets]
        return cls(name=view.name, simulated=view.simulated, quantity=quantity, unit=quantity.unit, points=points)


def add_series_routes(
    router: APIRouter, known: Callable[[str], MeterView], history: PowerHistory, setup: Setup,
    now: Callable[[], datetime],
) -> None:  # fmt: skip
    """The route /meters/{name}/series. ``known`` refuses a name that no meter has."""
    site = zone_of(setup.zone)

    @router.get("/meters/{name}/series", tags=["energy"], responses=may_fail(404, 503))
    @needs(Scope.READ)
    def series(
        name: str, first: First = None, until: Until = None,
        minutes: Annotated[int | None, Query(ge=1, le=_MAX_MINUTES)] = None,
        points: Annotated[int, Query(ge=2, le=2000)] = 720, quantity: SeriesQuantity = SeriesQuantity.POWER,
    ) -> SeriesJson:  # fmt: skip
        """A quantity over the last minutes, or over a span, in about ``points`` points at most."""
        view = known(name)
        if first is None and until is None:
            buckets = history.series(name, minutes=minutes or _USUAL_MINUTES, points=points, quantity=quantity)
            return SeriesJson.of(view, quantity, buckets)
        if minutes is not None:
            raise HTTPException(422, "minutes: give either minutes, or from and to")
        span = span_of(first, until, site, now=now(), usual=timedelta(minutes=_USUAL_MINUTES))
        return SeriesJson.of(view, quantity, history.between(name, *span, points=points, quantity=quantity))
