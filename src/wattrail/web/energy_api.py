"""The past of a meter in the REST interface: energy by period, series, events, registers and costs.

Every number comes from the ledger through the functions that ``wattrail ledger`` uses, so a page and a bill agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Annotated, Final, Literal, Self

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel
from pydantic_core import to_json

from wattrail.access import Scope
from wattrail.ledger import (
    BEGINNING,
    Bill,
    By,
    Entry,
    EntryKind,
    EstimatedTimes,
    ImportedPart,
    Interval,
    LedgerSlice,
    Tariff,
    Totals,
    billing_moments,
    bills,
    energy_of_entry,
    registers_at,
)
from wattrail.sanitize import printable
from wattrail.store.price_file import with_prices
from wattrail.store.tiers import zone_name
from wattrail.web.openapi import may_fail
from wattrail.web.permissions import needs
from wattrail.web.site_meters import SiteMeters
from wattrail.web.spans import First, Until, asked_zone, moment_of, period_label, periods_of, span_of

__all__ = ["MEANING", "EnergyByPeriodJson", "EnergyJson", "add_energy_routes", "energy_json"]

_USUAL: Final = {
    By.HOUR: timedelta(days=1), By.DAY: timedelta(days=31), By.WEEK: timedelta(weeks=26), By.MONTH: timedelta(days=366),
    By.YEAR: timedelta(days=3660),
}  # fmt: skip
"""How far periods reach back where ``from`` is not given."""

_MAX_EVENTS: Final = 1000

MEANING: Final = {
    EntryKind.START: "counting began",
    EntryKind.GAP: "nothing was read",
    EntryKind.RESTART: "the register began again",
    EntryKind.EPOCH: "another calibration or definition holds",
    EntryKind.CLOCK: "the wall clock was set",
    EntryKind.COUNTED: "counted while the wall clock was set",
    EntryKind.OPENING: "stated: what an older meter showed",
    EntryKind.ADJUSTED: "stated: energy that was never counted",
    EntryKind.ASSIGNED: "stated: the direction of a gap",
    EntryKind.REVERSED: "stated: another manual entry was wrong",
}


class EnergyJson(BaseModel):
    """Energy in watt-hours; ``undirected`` is of unknown direction."""

    import_wh: float
    export_wh: float
    undirected_wh: float

    @classmethod
    def of(cls, totals: Totals) -> Self:
        """Energy of the ledger."""
        return cls(
            import_wh=totals.import_mwh / 1000, export_wh=totals.export_mwh / 1000,
            undirected_wh=totals.undirected_mwh / 1000,
        )  # fmt: skip


class ImportedJson(BaseModel):
    """Energy that other programs counted before the ledger began, in watt-hours; null for an unknown direction."""

    import_wh: float | None
    export_wh: float | None
    origins: list[str]


class PeriodJson(EnergyJson):
    """Energy of ``[start, end)``; ``label`` is its local name.

    ``gaps`` and ``stated`` are parts of it: what flowed while nothing was read, and what a person stated. So is
    ``imported``, which is null where there is none. ``complete``: it was watched from end to end. A period that goes on
    is not. ``estimated``: some of it is power that was added up, for the meter counted no energy.
    """

    start: datetime
    end: datetime
    label: str
    complete: bool
    estimated: bool
    gaps: EnergyJson
    stated: EnergyJson
    imported: ImportedJson | None


class EnergyByPeriodJson(BaseModel):
    """Energy of a meter by periods of local time; ``zone`` is null for that of the machine."""

    name: str
    simulated: bool
    by: By
    zone: str | None
    periods: list[PeriodJson]


def energy_json(
    intervals: Iterable[Interval], estimated: EstimatedTimes, *, name: str, simulated: bool, by: By, zone: tzinfo
) -> bytes:
    """An ``EnergyByPeriodJson`` as its text: a model of each hour of a year takes as long as all the rest."""
    periods = [
        {
            "import_wh": energy.import_mwh / 1000, "export_wh": energy.export_mwh / 1000,
            "undirected_wh": energy.undirected_mwh / 1000, "start": start, "end": end,
            "label": period_label(by, start, zone), "complete": complete,
            "estimated": estimated.touches(start, end), "gaps": _energy_json(gaps), "stated": _energy_json(stated),
            "imported": imported and _imported_json(imported),
        }
        for start, end, energy, gaps, stated, _, complete, imported in intervals
    ]  # fmt: skip
    found = {"name": name, "simulated": simulated, "by": by, "zone": zone_name(zone) or None, "periods": periods}
    return to_json(found)


_NO_ENERGY: Final = {"import_wh": 0.0, "export_wh": 0.0, "undirected_wh": 0.0}


def _energy_json(totals: Totals) -> dict[str, float]:
    """Most periods have no gap and nothing stated: these share one."""
    if not (totals.import_mwh or totals.export_mwh or totals.undirected_mwh):
        return _NO_ENERGY
    return {
        "import_wh": totals.import_mwh / 1000, "export_wh": totals.export_mwh / 1000,
        "undirected_wh": totals.undirected_mwh / 1000,
    }  # fmt: skip


def _imported_json(part: ImportedPart) -> dict[str, object]:
    return {
        "import_wh": None if part.import_mwh is None else part.import_mwh / 1000,
        "export_wh": None if part.export_mwh is None else part.export_mwh / 1000, "origins": part.origins,
    }  # fmt: skip


class RegistersJson(EnergyJson):
    """The energy registers at a moment; ``at`` is that moment, or the end of the last entry.

    ``estimated``: they include energy that is estimated by power.
    """

    name: str
    simulated: bool
    estimated: bool
    at: datetime | None
    began: datetime | None
    entries: int
    manual_entries: int


class MeterEventJson(EnergyJson):
    """A line of the ledger other than counted energy: a gap, a restart, a calibration, a manual entry.

    ``number`` is that of the entry; those that are ``manual`` have numbers of their own.
    """

    number: int
    manual: bool
    kind: EntryKind
    meaning: str
    start: datetime
    end: datetime
    note: str
    who: str | None
    simulated: bool

    @classmethod
    def of_entry(cls, entry: Entry, ledger_slice: LedgerSlice, *, simulated: bool) -> Self:
        """A line of the ledger."""
        energy = energy_of_entry(entry, ledger_slice.epochs).rounded_down()
        is_manual = entry.stated_at is not None
        return cls(
            **EnergyJson.of(energy).model_dump(), number=entry.sequence, manual=is_manual, kind=entry.kind,
            meaning="stated: the register was reset" if entry.is_reset else MEANING[entry.kind],
            start=entry.end if entry.is_opening else entry.start, end=entry.end, note=entry.note,
            who=entry.who if is_manual else None, simulated=simulated,
        )  # fmt: skip


class CostLineJson(BaseModel):
    """One line of a bill; money is text, so that it stays decimal."""

    text: str
    obis: str
    energy_wh: float | None
    quantity: Decimal
    unit: str
    price: Decimal
    amount: Decimal


class SpanJson(BaseModel):
    """A time ``[start, end)``."""

    start: datetime
    end: datetime


class CostsJson(EnergyJson):
    """The bill of one billing period. What is ``uncharged`` flowed while nobody knows at which price.

    ``unpriced`` are the times in which energy flowed while the market's price is not known. ``estimated``: some of the
    energy is estimated by power.
    """

    start: datetime
    end: datetime
    estimated: bool
    lines: list[CostLineJson]
    total: Decimal
    uncharged: EnergyJson
    complete: bool
    unpriced: list[SpanJson]

    @classmethod
    def of_bill(cls, bill: Bill, estimated: EstimatedTimes) -> Self:
        """A bill of the ledger."""
        lines = [
            CostLineJson(
                text=line.text, obis=line.obis, quantity=line.quantity, unit=line.unit, price=line.price,
                amount=line.amount, energy_wh=None if line.energy_mwh is None else line.energy_mwh / 1000,
            )
            for line in bill.lines
        ]  # fmt: skip
        return cls(
            **EnergyJson.of(bill.energy).model_dump(), start=bill.start, end=bill.end, lines=lines, total=bill.total,
            estimated=estimated.touches(bill.start, bill.end),
            uncharged=EnergyJson.of(bill.uncharged), complete=bill.complete,
            unpriced=[SpanJson(start=start, end=end) for start, end in bill.unpriced],
        )  # fmt: skip


class AllCostsJson(BaseModel):
    """What the energy of a meter costs at a tariff, by billing periods.

    For a tariff that follows a market, ``prices_until`` is where its last price ends; ``stale``: that is in the past.
    """

    name: str
    simulated: bool
    tariff: str
    currency: str
    bills: list[CostsJson]
    follows_market: bool
    prices_until: datetime | None
    stale: bool


def add_energy_routes(router: APIRouter, site: SiteMeters) -> None:
    """The routes below /meters/{name} that read the ledger."""

    @router.get(
        "/meters/{name}/energy", tags=["energy"], response_model=EnergyByPeriodJson, responses=may_fail(404, 503)
    )
    @needs(Scope.READ)
    def energy(
        name: str, first: First = None, until: Until = None,
        by: Literal["hour", "day", "week", "month", "year"] = "day", zone: str | None = None,
    ) -> Response:  # fmt: skip
        """Energy by periods of local time that cover the span; of the time before the ledger, what was imported."""
        periods, place = By(by), asked_zone(zone, site.zone)
        span = span_of(first, until, place, now=site.now(), usual=_USUAL[periods])
        marks = periods_of(periods, *span, place)
        with site.account(name) as (reader, row):
            found, times = reader.energy(row.id, marks), reader.estimated_times(row.id)
        content = energy_json(found, times, name=name, simulated=row.simulated, by=periods, zone=place)
        return Response(content, media_type="application/json")

    @router.get("/meters/{name}/registers", tags=["energy"], responses=may_fail(404, 503))
    @needs(Scope.READ)
    def registers(name: str, at: str | None = None) -> RegistersJson:
        """The energy registers as they are now, or as they were at a local day or time."""
        moment = None if at is None else moment_of("at", at, site.zone)
        with site.account(name) as (reader, row):
            outline = reader.outline(row.id)
            moment = moment or outline.booked_until
            if moment is None:
                raise HTTPException(503, f"nothing is booked for {name} yet")
            (point,) = registers_at(reader.condensed_slice(row.id, [moment]), [moment])
            estimated = reader.estimated_times(row.id).touches(BEGINNING, moment)
        return RegistersJson(
            **EnergyJson.of(point.register.rounded_down()).model_dump(), name=name, simulated=row.simulated, at=moment,
            estimated=estimated, began=outline.began, entries=outline.entries[-1].sequence,
            manual_entries=len(outline.stated),
        )  # fmt: skip

    @router.get("/meters/{name}/events", tags=["energy"], responses=may_fail(404, 503))
    @needs(Scope.READ)
    def ledger_events(
        name: str, first: First = None, until: Until = None, limit: Annotated[int, Query(ge=1, le=_MAX_EVENTS)] = 200
    ) -> list[MeterEventJson]:
        """Gaps, restarts, calibrations, clocks that were set and manual entries, newest first."""
        start, end = span_of(first, until, site.zone, now=site.now(), usual=timedelta(days=31))
        with site.account(name) as (reader, row):
            ledger_slice = reader.remarkable_entries(row.id, start, end, limit=limit)
        ordered = sorted((*ledger_slice.entries, *ledger_slice.stated), key=lambda entry: entry.end, reverse=True)
        return [MeterEventJson.of_entry(entry, ledger_slice, simulated=row.simulated) for entry in ordered[:limit]]

    @router.get("/meters/{name}/costs", tags=["energy"], responses=may_fail(404, 503))
    @needs(Scope.READ)
    def costs(name: str, first: First = None, until: Until = None, tariff: str | None = None) -> AllCostsJson:
        """What the billing periods that cover the span cost at a tariff of the configuration."""
        chosen = with_prices(_tariff(site.setup.tariffs, tariff))
        span = span_of(first, until, site.zone, now=site.now(), usual=timedelta(days=31))
        periods_of(By.BILLING, *span, site.zone, limit=1200)  # refuses a span of too many
        with site.account(name) as (reader, row):
            ledger_slice = reader.condensed_slice(row.id, billing_moments(chosen, *span, site.zone))
            made, times = bills(ledger_slice, chosen, *span, site.zone), reader.estimated_times(row.id)
        shown = [CostsJson.of_bill(bill, times) for bill in made]
        known = chosen.market.known_until if chosen.market else None
        return AllCostsJson(
            name=name, simulated=row.simulated, tariff=chosen.name, currency=chosen.currency, bills=shown,
            follows_market=chosen.market is not None, prices_until=known,
            stale=chosen.market is not None and (known is None or known <= site.now()),
        )  # fmt: skip


def _tariff(tariffs: dict[str, Tariff], name: str | None) -> Tariff:
    if not tariffs:
        raise HTTPException(
            404, 'no tariff is configured: [site] tariffs = ["tariff.toml"] in wattrail.toml names them'
        )
    if name is None and len(tariffs) == 1:
        return next(iter(tariffs.values()))
    if name not in tariffs:
        asked = "say which tariff" if name is None else f"there is no tariff {printable(name, limit=64)!r}"
        raise HTTPException(422 if name is None else 404, f"tariff: {asked}; known: {', '.join(tariffs)}")
    return tariffs[name]
