"""A bill: the energy of one billing period by price and rate, standing charge, feed-in credit, total.

Energy is exact to the milliwatt-hour: lines are differences of the register, and add up to it. Money is Decimal and
rounded once for each line, half up, to the currency's decimals; the total is the sum of the rounded lines.

Energy of which nobody knows when it flowed (a gap, a manual entry) is charged only if the same price and rate held all
the time in which it can have flowed. Otherwise it is listed and not charged, as is energy without a direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import ROUND_HALF_UP, Context, Decimal
from itertools import pairwise

from wattrail.ledger.entries import Entry, Totals
from wattrail.ledger.intervals import Untimed
from wattrail.ledger.ledger_slice import LedgerSlice
from wattrail.ledger.obis import EXPORT, import_at_rate
from wattrail.ledger.periods import By, boundaries
from wattrail.ledger.register_at import SeriesPoint, registers_at
from wattrail.ledger.tariff import Key, Per, Tariff, Timetable

__all__ = ["Bill", "BillLine", "billing_moments", "bills", "energy_billing_moments", "energy_bills"]

_EXACT = Context(prec=60)
"""Far more digits than a price times an energy has: products are exact."""

_MWH_PER_KWH = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """One line: so much of something at a price. ``energy_mwh`` is None for a standing charge; a credit is negative."""

    text: str
    quantity: Decimal
    unit: str
    price: Decimal
    amount: Decimal
    obis: str = ""
    energy_mwh: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """The bill of ``[start, end)``. What is uncharged is part of ``energy``; ``complete``: watched from end to end."""

    start: datetime
    end: datetime
    tariff: str
    currency: str
    lines: tuple[BillLine, ...]
    total: Decimal
    energy: Totals
    uncharged: Totals
    complete: bool


def bills(ledger_slice: LedgerSlice, tariff: Tariff, start: datetime, end: datetime, zone: tzinfo) -> tuple[Bill, ...]:
    """The bills of the billing periods that cover ``[start, end)``. Empty for empty books."""
    if ledger_slice.began is None:
        return ()
    periods = boundaries(By.BILLING, start, end, zone, billing_day=tariff.billing_day)
    return _bills(ledger_slice, tariff, ledger_slice.began, periods, zone, has_standing=True)


def energy_bills(
    ledger_slice: LedgerSlice, tariff: Tariff, moments: Sequence[datetime], zone: tzinfo
) -> tuple[Bill, ...]:
    """What energy alone costs between each two moments, which are in order: standing charges belong to months.

    Empty for empty books.
    """
    if ledger_slice.began is None:
        return ()
    return _bills(ledger_slice, tariff, ledger_slice.began, moments, zone, has_standing=False)


def _bills(
    ledger_slice: LedgerSlice, tariff: Tariff, began: datetime, periods: Sequence[datetime], zone: tzinfo, *,
    has_standing: bool,
) -> tuple[Bill, ...]:  # fmt: skip
    timetable = Timetable(tariff, min(began, periods[0]), periods[-1], zone)
    marks = _moments(periods, timetable)
    points = registers_at(ledger_slice, marks, asides=_asides(ledger_slice, timetable))
    untimed = Untimed(ledger_slice)
    made = []
    for first, last in pairwise(periods):
        inside = points[marks.index(first) : marks.index(last) + 1]
        billing = _Billing(tariff, zone, inside, has_standing=has_standing)
        made.append(billing.bill(complete=not untimed.touches(first, last)))
    return tuple(made)


def billing_moments(tariff: Tariff, start: datetime, end: datetime, zone: tzinfo) -> tuple[datetime, ...]:
    """The moments at which ``bills`` asks a ledger for its registers: where periods, prices and rates begin."""
    periods = boundaries(By.BILLING, start, end, zone, billing_day=tariff.billing_day)
    return energy_billing_moments(tariff, periods, zone)


def energy_billing_moments(tariff: Tariff, moments: Sequence[datetime], zone: tzinfo) -> tuple[datetime, ...]:
    """The moments at which ``energy_bills`` asks a ledger for its registers."""
    return _moments(moments, Timetable(tariff, moments[0], moments[-1], zone))


def _moments(periods: Sequence[datetime], timetable: Timetable) -> tuple[datetime, ...]:
    return tuple(sorted({*periods, *(span.start for span in timetable.spans if span.start > periods[0])}))


def _asides(ledger_slice: LedgerSlice, timetable: Timetable) -> tuple[Callable[[Entry], bool], Callable[[Entry], bool]]:
    """Which entries without a shape cannot be charged for their import, and which for their export."""
    return (
        lambda entry: not timetable.one_rate(ledger_slice.earliest(entry), entry.end),
        lambda entry: not timetable.one_price(ledger_slice.earliest(entry), entry.end),
    )


class _Billing:
    """The bill of the time that a row of points spans, one stretch of equal price and rate between each two."""

    def __init__(self, tariff: Tariff, zone: tzinfo, points: Sequence[SeriesPoint], *, has_standing: bool) -> None:
        self._tariff, self._zone, self._points, self._has_standing = tariff, zone, points, has_standing
        self._imported: dict[Key, int] = {}
        self._exported: dict[int | None, int] = {}
        charged = [_charged(point, points[0]) for point in points]
        for (before, after), point in zip(pairwise(charged), points, strict=False):
            key = tariff.key_at(point.at, zone)
            self._imported[key] = self._imported.get(key, 0) + after[0] - before[0]
            self._exported[key.price] = self._exported.get(key.price, 0) + after[1] - before[1]

    def bill(self, *, complete: bool) -> Bill:
        standing = self._standing_lines() if self._has_standing else ()
        lines = (*self._import_lines(), *standing, *self._export_lines())
        first, last = self._points[0].total.rounded_down(), self._points[-1].total.rounded_down()
        energy = last.less(first)
        imported = sum(mwh for key, mwh in self._imported.items() if key.price is not None)
        exported = sum(mwh for place, mwh in self._exported.items() if self._pays(place))
        return Bill(
            start=self._points[0].at, end=self._points[-1].at,
            tariff=self._tariff.name, currency=self._tariff.currency, lines=lines,
            total=sum((line.amount for line in lines), Decimal(0)),
            energy=energy,
            uncharged=Totals(energy.import_mwh - imported, energy.export_mwh - exported, energy.undirected_mwh),
            complete=complete,
        )  # fmt: skip

    def _import_lines(self) -> Iterator[BillLine]:
        several = len({key.price for key in self._imported}) > 1
        order = sorted((key for key in self._imported if key.price is not None), key=self._by_date_and_rate)
        for key in order:
            assert key.price is not None
            price = self._tariff.prices[key.price]
            code = import_at_rate(self._tariff.rates.index(key.rate) + 1)
            since = f", from {price.valid_from}" if several else ""
            yield self._energy_line(f"import, {key.rate}{since}", code, self._imported[key], price.rates[key.rate])

    def _by_date_and_rate(self, key: Key) -> tuple[str, int]:
        assert key.price is not None
        return self._tariff.prices[key.price].valid_from.isoformat(), self._tariff.rates.index(key.rate)

    def _export_lines(self) -> Iterator[BillLine]:
        for place, mwh in sorted(self._exported.items(), key=lambda item: -1 if item[0] is None else item[0]):
            if place is None:
                continue
            price = self._tariff.prices[place]
            if price.export is not None:
                since = f", from {price.valid_from}" if len(self._exported) > 1 else ""
                yield self._energy_line(f"feed-in{since}", EXPORT.code, mwh, -price.export)

    def _pays(self, place: int | None) -> bool:
        return place is not None and self._tariff.prices[place].export is not None

    def _energy_line(self, text: str, code: str, mwh: int, price: Decimal) -> BillLine:
        kwh = _EXACT.divide(Decimal(mwh), Decimal(_MWH_PER_KWH))
        return BillLine(
            text=text, obis=code, energy_mwh=mwh, quantity=kwh, unit="kWh", price=price,
            amount=self._rounded(_EXACT.multiply(kwh, price)),
        )  # fmt: skip

    def _standing_lines(self) -> Iterator[BillLine]:
        """A charge per month covers the whole period; where prices change in it, each gets its share of the days."""
        marks = boundaries(By.DAY, self._points[0].at, self._points[-1].at, self._zone)[:-1]
        prices = [self._tariff.price_on(mark.astimezone(self._zone).date()) for mark in marks]
        for place in sorted({place for place in prices if place is not None}):
            price, days = self._tariff.prices[place], prices.count(place)
            if not price.standing:
                continue
            if price.standing_per is Per.DAY:
                quantity, unit, amount = Decimal(days), "days", _EXACT.multiply(price.standing, Decimal(days))
            elif days == len(prices):
                quantity, unit, amount = Decimal(1), "month", price.standing
            else:
                quantity, unit = Decimal(days), f"of {len(prices)} days"
                amount = _EXACT.divide(_EXACT.multiply(price.standing, quantity), Decimal(len(prices)))
            text = f"standing charge per {price.standing_per}"
            yield BillLine(text=text, quantity=quantity, unit=unit, price=price.standing, amount=self._rounded(amount))

    def _rounded(self, amount: Decimal) -> Decimal:
        """To the currency's decimals, half up: 0.125 is 0.13, and -0.125 is -0.13."""
        rounded = amount.quantize(Decimal(1).scaleb(-self._tariff.decimals), rounding=ROUND_HALF_UP, context=_EXACT)
        return _EXACT.add(rounded, Decimal(0))  # no minus before a nought


def _charged(point: SeriesPoint, first: SeriesPoint) -> tuple[int, int]:
    """The registers, less what was booked aside since the first point."""
    import_aside = point.asides[0].import_ - first.asides[0].import_
    export_aside = point.asides[1].export - first.asides[1].export
    return (point.total.import_ - import_aside).__floor__(), (point.total.export - export_aside).__floor__()
