"""Energy of every hour of many days in few bytes, for a year at a glance: ``/api/v1/meters/NAME/hours``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel

from wattrail.access import Scope
from wattrail.clock import zone_of
from wattrail.gateway import MeterView
from wattrail.ledger import By, Interval, boundaries, midnight
from wattrail.store import open_to_read
from wattrail.web.messages import Setup
from wattrail.web.openapi import may_fail
from wattrail.web.permissions import needs

__all__ = ["add_hours_route"]

_MAX_DAYS: Final = 3 * 366


class DayOfHoursJson(BaseModel):
    """Energy of the hours of one local day in watt-hours, from midnight on: 24 of them, or 23 or 25."""

    day: date
    import_wh: list[int]
    export_wh: list[int]


class HoursJson(BaseModel):
    """Days of a meter, oldest first, without those before its ledger began."""

    name: str
    simulated: bool
    days: list[DayOfHoursJson]


def add_hours_route(
    router: APIRouter, known: Callable[[str], MeterView], setup: Setup, now: Callable[[], datetime]
) -> None:
    """``known`` gives a meter by its name, or answers 404."""
    zone = zone_of(setup.zone)

    @router.get("/meters/{name}/hours", tags=["energy"], responses=may_fail(404, 503))
    @needs(Scope.READ)
    def hours(name: str, days: Annotated[int, Query(ge=1, le=_MAX_DAYS)] = 366) -> HoursJson:
        """Energy of each hour of the last days, today among them."""
        view = known(name)
        tomorrow = now().astimezone(zone).date() + timedelta(days=1)
        span = [midnight(day, zone) for day in (tomorrow - timedelta(days=days), tomorrow)]
        with open_to_read(setup.database) as reader:
            row = reader.meter(name)
            began = reader.outline(row.id).began if row else None
            if row is None or began is None:
                return HoursJson(name=name, simulated=view.simulated, days=[])
            found = reader.energy(row.id, boundaries(By.HOUR, max(span[0], began), span[1], zone))
        by_day = groupby(found, key=lambda one: one.start.astimezone(zone).date())
        shown = [_day(day, list(intervals)) for day, intervals in by_day]
        return HoursJson(name=name, simulated=view.simulated, days=shown)


def _day(day: date, hours: list[Interval]) -> DayOfHoursJson:
    return DayOfHoursJson(
        day=day,
        import_wh=[hour.energy.import_mwh // 1000 for hour in hours],
        export_wh=[hour.energy.export_mwh // 1000 for hour in hours],
    )
