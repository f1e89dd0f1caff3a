"""Power, voltage and frequency over time in the REST interface."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Final, Self

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel

from wattrail.access import Scope
from wattrail.clock import Clock, SystemClock
from wattrail.database_address import DatabaseAddress
from wattrail.gateway import MeterView
from wattrail.network_meters.link_health import LinkDay
from wattrail.store import Bucket, SeriesQuantity, open_to_read
from wattrail.web.openapi import may_fail
from wattrail.web.permissions import needs
from wattrail.web.site_meters import SiteMeters
from wattrail.web.spans import First, Until, span_of

__all__ = ["PointJson", "PowerHistory", "SeriesJson", "add_series_routes"]

_MAX_MINUTES: Final = 10 * 366 * 24 * 60
_USUAL_MINUTES: Final = 60

_FRESH_S: Final = 1.0
"""Seconds for which an answer is reused: a meter has a new reading every second."""

_MAX_ANSWERS: Final = 64
"""Answers kept; each has at most 2,000 points."""


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


class PowerHistory:
    """Reads a database that the gateway writes, at most once a second for each query about the last minutes.

    Safe to share between threads.
    """

    def __init__(self, database: DatabaseAddress, clock: Clock | None = None) -> None:
        self._database, self._clock = database, clock or SystemClock()
        self._lock = threading.Lock()  # one query at a time: equal requests wait for one answer
        self._answers: OrderedDict[tuple[str, int, int, SeriesQuantity], tuple[float, tuple[Bucket, ...]]] = (
            OrderedDict()
        )

    def series(
        self, name: str, *, minutes: int, points: int, quantity: SeriesQuantity = SeriesQuantity.POWER
    ) -> tuple[Bucket, ...]:
        """A quantity of a meter over the last minutes; empty for a meter without readings. Raises StoreError."""
        query = (name, minutes, points, quantity)
        with self._lock:
            known = self._answers.get(query)
            if known is None or self._clock.monotonic() - known[0] > _FRESH_S:
                end = self._clock.now()
                found = self.between(name, end - timedelta(minutes=minutes), end, points=points, quantity=quantity)
                known = (self._clock.monotonic(), found)
                self._answers[query] = known
                while len(self._answers) > _MAX_ANSWERS:
                    self._answers.popitem(last=False)
            return known[1]

    def between(
        self, name: str, start: datetime, end: datetime, *, points: int, quantity: SeriesQuantity
    ) -> tuple[Bucket, ...]:
        """A quantity of a meter in ``[start, end)``. Raises StoreError."""
        with open_to_read(self._database) as reader:
            return reader.series(name, start, end, points=points, quantity=quantity)

    def link_days(self, name: str) -> tuple[LinkDay, ...]:
        """How a meter was connected on its last days, as it is kept each minute. Raises StoreError."""
        with open_to_read(self._database) as reader:
            return reader.link_days(name)


def add_series_routes(router: APIRouter, site: SiteMeters, history: PowerHistory) -> None:
    """The route /meters/{name}/series."""

    @router.get("/meters/{name}/series", tags=["energy"], responses=may_fail(404, 503))
    @needs(Scope.READ)
    def series(
        name: str, first: First = None, until: Until = None,
        minutes: Annotated[int | None, Query(ge=1, le=_MAX_MINUTES)] = None,
        points: Annotated[int, Query(ge=2, le=2000)] = 720, quantity: SeriesQuantity = SeriesQuantity.POWER,
    ) -> SeriesJson:  # fmt: skip
        """A quantity over the last minutes, or over a span, in about ``points`` points at most."""
        view = site.view(name)
        if first is None and until is None:
            buckets = history.series(name, minutes=minutes or _USUAL_MINUTES, points=points, quantity=quantity)
            return SeriesJson.of(view, quantity, buckets)
        if minutes is not None:
            raise HTTPException(422, "minutes: give either minutes, or from and to")
        span = span_of(first, until, site.zone, now=site.now(), usual=timedelta(minutes=_USUAL_MINUTES))
        return SeriesJson.of(view, quantity, history.between(name, *span, points=points, quantity=quantity))
