"""Today so far, beside yesterday by this time and the usual: ``/api/v1/meters/NAME/today``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import pairwise
from typing import Final, NamedTuple, Self

from fastapi import APIRouter
from pydantic import BaseModel

from wattrail.access import Scope
from wattrail.ledger import Tariff, Totals, by_interval, energy_billing_moments, energy_bills, midnight
from wattrail.store import StoreReader, open_to_read
from wattrail.store.price_file import with_prices
from wattrail.web.openapi import may_fail
from wattrail.web.permissions import needs
from wattrail.web.site_meters import SiteMeters

__all__ = ["DayEnergyJson", "TodayJson", "add_today_route"]

_USUAL_DAYS: Final = 14
_ENOUGH_DAYS: Final = 3
"""Fewer whole days say nothing of what is usual."""


class DayEnergyJson(BaseModel):
    """Energy of a day or the beginning of one, in watt-hours; ``undirected_wh`` is energy of unknown direction."""

    import_wh: float = 0
    export_wh: float = 0
    undirected_wh: float = 0

    @classmethod
    def mean_of(cls, days: Sequence[Sequence[Totals]]) -> Self:
        """The mean of days, each given by the energy of its parts."""
        parts = [part for day in days for part in day]
        return cls(**{
            f"{way}_wh": sum(getattr(part, f"{way}_mwh") for part in parts) / len(days) / 1000
            for way in ("import", "export", "undirected")
        })  # fmt: skip


class CostOfTodayJson(BaseModel):
    """What energy costs at the first tariff of the configuration, without standing charges; less what export earns.

    ``unpriced``: for some energy of today no price is known, and its cost is not in ``today``.
    """

    tariff: str
    currency: str
    today: Decimal
    yesterday_until_now: Decimal
    unpriced: bool


class TodayJson(BaseModel):
    """``usual_until_now`` is the mean of the ``usual_days`` whole days of the last two weeks, by this time of the day.

    What the ledger does not reach back to is None.
    """

    name: str
    simulated: bool
    at: datetime
    today: DayEnergyJson
    yesterday_until_now: DayEnergyJson | None
    yesterday: DayEnergyJson | None
    usual_until_now: DayEnergyJson | None
    usual_days: int
    cost: CostOfTodayJson | None


def add_today_route(router: APIRouter, site: SiteMeters) -> None:
    """The route /meters/{name}/today."""

    @router.get("/meters/{name}/today", tags=["energy"], responses=may_fail(404, 503))
    @needs(Scope.READ)
    def today(name: str) -> TodayJson:
        """Energy of today so far, of yesterday, and what is usual by this time of the day."""
        view, now = site.view(name), site.now()
        with open_to_read(site.setup.database) as reader:
            answer = today_of(reader, view.name, now, site.zone, simulated=view.simulated)
            tariff = next(iter(site.setup.tariffs.values()), None)
            if tariff is not None:
                answer.cost = cost_of_today(reader, view.name, now, site.zone, with_prices(tariff))
            return answer


def today_of(reader: StoreReader, name: str, now: datetime, zone: tzinfo, *, simulated: bool) -> TodayJson:
    """The answer for a meter, which may have no ledger yet."""
    today, *earlier = _days(now, zone)
    energy = _energy(reader, name, [today, *earlier])
    beginnings = [(energy[day.start],) for day in earlier if day.start in energy]
    yesterday = earlier[0]
    is_known = yesterday.start in energy
    whole = [energy[part] for part in (yesterday.start, yesterday.now) if part in energy]
    return TodayJson(
        name=name, simulated=simulated, at=now,
        today=DayEnergyJson.mean_of([[energy[today.start]]]) if today.start in energy else DayEnergyJson(),
        yesterday_until_now=DayEnergyJson.mean_of([beginnings[0]]) if is_known else None,
        yesterday=DayEnergyJson.mean_of([whole]) if is_known else None,
        usual_until_now=DayEnergyJson.mean_of(beginnings) if len(beginnings) >= _ENOUGH_DAYS else None,
        usual_days=len(beginnings), cost=None,
    )  # fmt: skip


def cost_of_today(
    reader: StoreReader, name: str, now: datetime, zone: tzinfo, tariff: Tariff
) -> CostOfTodayJson | None:
    """What today costs so far, and yesterday by this time; None for a meter without a ledger."""
    today, yesterday, *_ = _days(now, zone)
    row = reader.meter(name)
    if row is None:
        return None
    moments = [yesterday.start, yesterday.now, today.start, today.now]
    ledger = reader.condensed_slice(row.id, energy_billing_moments(tariff, moments, zone))
    bills = energy_bills(ledger, tariff, moments, zone)
    if not bills:
        return None
    return CostOfTodayJson(
        tariff=tariff.name, currency=tariff.currency, today=bills[2].total, yesterday_until_now=bills[0].total,
        unpriced=bool(bills[2].unpriced),
    )  # fmt: skip


class _Day(NamedTuple):
    """A local day, and the moment in it that is as long after its midnight as it is now after today's."""

    start: datetime
    now: datetime
    end: datetime


def _days(now: datetime, zone: tzinfo) -> list[_Day]:
    """Today and the days before it, newest first."""
    today = now.astimezone(zone).date()
    bounds = [midnight(today - timedelta(days=back), zone).astimezone(UTC) for back in range(-1, _USUAL_DAYS + 1)]
    passed = now - bounds[1]  # on a day of 23 hours it may be longer than the day
    return [_Day(start, min(start + passed, end), end) for end, start in pairwise(bounds)]


def _energy(reader: StoreReader, name: str, days: Sequence[_Day]) -> dict[datetime, Totals]:
    """Energy of both parts of each day, by the start of the part; of earlier days only what the ledger has whole."""
    row = reader.meter(name)
    moments = sorted({moment for day in days for moment in day if moment <= days[0].now})
    ledger = reader.condensed_slice(row.id, moments) if row else None
    if ledger is None or ledger.began is None:
        return {}
    first = ledger.began
    parts = by_interval(ledger, moments)
    return {one.start: one.energy for one in parts if one.start >= first or one.start == days[0].start}
