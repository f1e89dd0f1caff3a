"""Energy of every hour of many days in few bytes, for a year at a glance: ``/api/v1/meters/NAME/hours``."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel

from wattrail.access import Scope
from wattrail.ledger import By, Interval, boundaries, midnight
from wattrail.store import StoreReader, open_to_read
from wattrail.web.openapi import may_fail
from wattrail.web.permissions import needs
from wattrail.web.site_meters import SiteMeters

__all__ = ["add_hours_route", "hours_of"]

_MAX_DAYS: Final = 3 * 366


class DayOfHoursJson(BaseModel):
    """Energy of the hours of one local day in watt-hours: 24 of them from midnight on, or others.

    ``starts`` is what the clock shows where each begins, null for the 24 of nearly every day: one on which clocks
    change has 23 or 25, and the first day begins where anything is known. ``imported`` has the places of hours with
    imported energy, by its origin. A direction that an origin does not say is null in them.
    """

    day: date
    import_wh: list[int | None]
    export_wh: list[int | None]
    imported: dict[str, list[int]]
    starts: list[str] | None = None


class HoursJson(BaseModel):
    """Days of a meter, oldest first, without those before anything is known of it."""

    name: str
    simulated: bool
    days: list[DayOfHoursJson]


def add_hours_route(router: APIRouter, site: SiteMeters) -> None:
    """The route /meters/{name}/hours."""

    @router.get("/meters/{name}/hours", tags=["energy"], responses=may_fail(404, 503))
    @needs(Scope.READ)
    def hours(name: str, days: Annotated[int, Query(ge=1, le=_MAX_DAYS)] = 366) -> HoursJson:
        """Energy of each hour of the last days, today among them."""
        view = site.view(name)
        with open_to_read(site.setup.database) as reader:
            return hours_of(reader, view.name, site.now(), days, site.zone, simulated=view.simulated)


def hours_of(reader: StoreReader, name: str, now: datetime, days: int, zone: tzinfo, *, simulated: bool) -> HoursJson:
    """The answer for a meter, of which nothing may be known yet."""
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    span = [midnight(day, zone) for day in (tomorrow - timedelta(days=days), tomorrow)]
    row = reader.meter(name)
    since = reader.energy_since(row.id) if row else None
    if row is None or since is None or since >= span[1]:
        return HoursJson(name=name, simulated=simulated, days=[])
    marks = boundaries(By.HOUR, max(span[0], since), span[1], zone)
    found = reader.energy(row.id, marks)
    nights = boundaries(By.DAY, marks[0], marks[-1], zone)
    places = [bisect_left(marks, night) for night in nights]  # hours are counted from midnight, so each is a mark
    shown = [
        _day(night.astimezone(zone).date(), found[place:after], zone)
        for night, (place, after) in zip(nights, pairwise(places), strict=False)
    ]
    return HoursJson(name=name, simulated=simulated, days=shown)


_EVERY_HOUR: Final = [f"{hour}:00" for hour in range(24)]


def _day(day: date, hours: Sequence[Interval], zone: tzinfo) -> DayOfHoursJson:
    imported: dict[str, list[int]] = {}
    for place, hour in enumerate(hours):
        for origin in hour.imported.origins if hour.imported else ():
            imported.setdefault(origin, []).append(place)
    energies = [_watt_hours(hour) for hour in hours]
    starts = [f"{start.hour}:{start:%M}" for start in (hour.start.astimezone(zone) for hour in hours)]
    return DayOfHoursJson(
        day=day, import_wh=[used for used, _ in energies], export_wh=[fed for _, fed in energies], imported=imported,
        starts=None if starts == _EVERY_HOUR else starts,
    )  # fmt: skip


def _watt_hours(hour: Interval) -> tuple[int | None, int | None]:
    """Import and export; None for a direction of which neither an origin nor the ledger says anything."""
    used, fed, part = hour.energy.import_mwh, hour.energy.export_mwh, hour.imported
    return (
        None if part and part.import_mwh is None and not used else used // 1000,
        None if part and part.export_mwh is None and not fed else fed // 1000,
    )
