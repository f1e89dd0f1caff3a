"""A bill: the energy of one billing period by price and rate, standing charge, feed-in credit, total.

Energy is exact to the milliwatt-hour: lines are differences of the register, and add up to it. Money is Decimal and
rounded once for each line, half up, to the currency's decimals; the total is the sum of the rounded lines.

Energy of which nobody knows when it flowed (a gap, a manual entry) is charged only if the same price and rate held all
the time in which it can have flowed. Otherwise it is listed and not charged, as is energy without a direction, and
energy of a time of which a market's price is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

from wattrail.energy_register import MWH_PER_KWH
from wattrail.ledger.entries import Entry, Totals
from wattrail.ledger.intervals import Untimed
from wattrail.ledger.ledger_slice import LedgerSlice
from wattrail.ledger.obis import EXPORT, import_at_rate
from wattrail.ledger.periods import By, boundaries
from wattrail.ledger.register_at import SeriesPoint, registers_at
from wattrail.ledger.tariff import EXACT, Key, Per, Tariff, Timetable

__all__ = ["Bill", "BillLine", "billing_moments", "bills", "energy_billing_moments", "energy_bills", "rate_registers"]

_MEAN_TO = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """One line: so much of something at a price. ``energy_mwh`` is None for a standing charge; a credit is negative.

    Where the price follows a market, ``price`` is the mean of what was charged, and the amount the exact sum.
    """

    text: str
    quantity: Decimal
    unit: str
    price: Decimal
    amount: Decimal
    obis: str = ""
    energy_mwh: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """The bill of ``[start, end)``. What is uncharged is part of ``energy``; ``complete``: watched from end to end.

    ``unpriced`` are the times in which energy flowed while the market's price is not known.
    """

    start: datetime
    end: datetime
    tariff: str
    currency: str
    lines: tuple[BillLine, ...]
    total: Decimal
    energy: Totals
    uncharged: Totals
    complete: bool
    unpriced: tuple[tuple[datetime, datetime], ...] = ()


def bills(ledger_slice: LedgerSlice, tariff: Tariff, start: datetime, end: datetime, zone: tzinfo) -> tuple[Bill, ...]:
    """The bills of the billing periods that cover ``[start, end)``. Empty for an empty ledger."""
    if ledger_slice.began is None:
        return ()
    periods = boundaries(By.BILLING, start, end, zone, billing_day=tariff.billing_day)
    return _bills(ledger_slice, tariff, ledger_slice.began, periods, zone, has_standing=True)


def energy_bills(
    ledger_slice: LedgerSlice, tariff: Tariff, moments: Sequence[datetime], zone: tzinfo
) -> tuple[Bill, ...]:
    """What energy alone costs between each two moments, which are in order: standing charges belong to months.

    Empty for an empty ledger.
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
        booked = began, ledger_slice.booked_until or began
        billing = _Billing(tariff, zone, inside, booked, has_standing=has_standing)
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
    # Import and export apart: an export may be paid alike at every rate, so the same gap can be paid and not charged.
    return (
        lambda entry: not timetable.one_rate(ledger_slice.earliest(entry), entry.end),
        lambda entry: not timetable.one_price(ledger_slice.earliest(entry), entry.end),
    )


class _Billing:
    """The bill of the time that a row of points spans, one stretch of equal price and rate between each two."""

    def __init__(
        self, tariff: Tariff, zone: tzinfo, points: Sequence[SeriesPoint], booked: tuple[datetime, datetime], *,
        has_standing: bool,
    ) -> None:  # fmt: skip
        self._tariff, self._zone, self._points, self._has_standing = tariff, zone, points, has_standing
        self._booked = booked
        self._imported: dict[Key, int] = {}
        self._exported: dict[Key, int] = {}
        self._unpriced: list[tuple[datetime, datetime]] = []
        charged = [_charged(point, points[0]) for point in points]
        for (begin, end), (before, after) in zip(pairwise(points), pairwise(charged), strict=True):
            key = tariff.key_at(begin.at, zone)
            paid = tariff.export_key(key)
            imported, exported = after[0] - before[0], after[1] - before[1]
            self._imported[key] = self._imported.get(key, 0) + imported
            self._exported[paid] = self._exported.get(paid, 0) + exported
            if self._is_unpriced(key, imported, exported):
                self._note_unpriced(begin.at, end.at)

    def _is_unpriced(self, key: Key, imported: int, exported: int) -> bool:
        market = self._tariff.market
        if market is None or key.market is not None or key.price is None:
            return False
        return bool(imported or (exported and market.export_factor is not None))

    def _note_unpriced(self, start: datetime, end: datetime) -> None:
        start, end = max(start, self._booked[0]), min(end, self._booked[1])  # a span may begin before the account
        if self._unpriced and self._unpriced[-1][1] == start:
            start, _ = self._unpriced.pop()
        self._unpriced.append((start, end))

    def bill(self, *, complete: bool) -> Bill:
        standing = self._standing_lines() if self._has_standing else ()
        lines = (*self._import_lines(), *standing, *self._export_lines())
        first, last = self._points[0].total.rounded_down(), self._points[-1].total.rounded_down()
        energy = last.less(first)
        imported = sum(mwh for key, mwh in self._imported.items() if self._tariff.import_price(key) is not None)
        exported = sum(mwh for key, mwh in self._exported.items() if self._tariff.export_price(key) is not None)
        return Bill(
            start=self._points[0].at, end=self._points[-1].at,
            tariff=self._tariff.name, currency=self._tariff.currency, lines=lines,
            total=sum((line.amount for line in lines), Decimal(0)),
            energy=energy,
            uncharged=Totals(energy.import_mwh - imported, energy.export_mwh - exported, energy.undirected_mwh),
            complete=complete, unpriced=tuple(self._unpriced),
        )  # fmt: skip

    def _import_lines(self) -> Iterator[BillLine]:
        several = len({key.price for key in self._imported}) > 1
        charged = self._by_place_and_rate(self._imported, self._tariff.import_price)
        for place, rate in sorted(charged, key=self._by_date_and_rate):
            code = import_at_rate(self._tariff.rates.index(rate) + 1)
            since = f", from {self._tariff.prices[place].valid_from}" if several else ""
            yield self._energy_line(f"import, {rate}{since}", code, charged[place, rate])

    def _by_place_and_rate(
        self, energy: Mapping[Key, int], price_of: Callable[[Key], Decimal | None]
    ) -> dict[tuple[int, str], dict[Decimal, int]]:
        """Energy by each price that was charged for it, in one group for each price and rate of the tariff."""
        groups: dict[tuple[int, str], dict[Decimal, int]] = {}
        for key, mwh in energy.items():
            price = price_of(key)
            if price is None or key.price is None:
                continue
            group = groups.setdefault((key.price, key.rate), {})
            group[price] = group.get(price, 0) + mwh
        return groups

    def _by_date_and_rate(self, group: tuple[int, str]) -> tuple[str, int]:
        place, rate = group
        return self._tariff.prices[place].valid_from.isoformat(), self._tariff.rates.index(rate)

    def _export_lines(self) -> Iterator[BillLine]:
        several = len({key.price for key in self._exported}) > 1
        for (place, _), charged in sorted(self._by_place_and_rate(self._exported, self._tariff.export_price).items()):
            since = f", from {self._tariff.prices[place].valid_from}" if several else ""
            credit = {EXACT.minus(price): mwh for price, mwh in charged.items()}
            yield self._energy_line(f"feed-in{since}", EXPORT.code, credit)

    def _energy_line(self, text: str, code: str, charged: Mapping[Decimal, int]) -> BillLine:
        mwh = sum(charged.values())
        kwh = EXACT.divide(Decimal(mwh), Decimal(MWH_PER_KWH))
        amount = Decimal(0)
        for price, part in charged.items():
            amount = EXACT.add(amount, EXACT.multiply(EXACT.divide(Decimal(part), Decimal(MWH_PER_KWH)), price))
        price = next(iter(charged))
        if len(charged) > 1:
            text += f", mean of {len(charged)} prices"
            price = EXACT.divide(amount, kwh).quantize(_MEAN_TO, ROUND_HALF_UP, EXACT) if mwh else Decimal(0)
        return BillLine(
            text=text, obis=code, energy_mwh=mwh, quantity=kwh, unit="kWh", price=price, amount=self._rounded(amount)
        )

    def _standing_lines(self) -> Iterator[BillLine]:
        """For the days of the account. Of a charge per month each price gets its share of the period's days."""
        days_of_period = tuple(pairwise(boundaries(By.DAY, self._points[0].at, self._points[-1].at, self._zone)))
        prices = [
            self._tariff.price_on(start.astimezone(self._zone).date()) if self._is_booked(start, end) else None
            for start, end in days_of_period
        ]
        for place in sorted({place for place in prices if place is not None}):
            price, days = self._tariff.prices[place], prices.count(place)
            if not price.standing:
                continue
            if price.standing_per is Per.DAY:
                quantity, unit, amount = Decimal(days), "days", EXACT.multiply(price.standing, Decimal(days))
            elif days == len(prices):
                quantity, unit, amount = Decimal(1), "month", price.standing
            else:
                quantity, unit = Decimal(days), f"of {len(prices)} days"
                amount = EXACT.divide(EXACT.multiply(price.standing, quantity), Decimal(len(prices)))
            text = f"standing charge per {price.standing_per}"
            yield BillLine(text=text, quantity=quantity, unit=unit, price=price.standing, amount=self._rounded(amount))

    def _is_booked(self, start: datetime, end: datetime) -> bool:
        """Whether the account holds some of this time: nothing is charged for days of which it knows nothing."""
        began, until = self._booked
        return start < until and began < end

    def _rounded(self, amount: Decimal) -> Decimal:
        """To the currency's decimals, half up: 0.125 is 0.13, and -0.125 is -0.13."""
        rounded = amount.quantize(Decimal(1).scaleb(-self._tariff.decimals), rounding=ROUND_HALF_UP, context=EXACT)
        return EXACT.add(rounded, Decimal(0))  # no minus before a nought


def rate_registers(
    ledger_slice: LedgerSlice, tariff: Tariff, moments: Sequence[datetime], zone: tzinfo
) -> tuple[dict[str, int], ...]:
    """Milliwatt-hours imported at each rate since the account began, at each of the moments, which come in order.

    Energy that may have flowed at several rates is in none of them, and neither is an opening.
    """
    if ledger_slice.began is None or not moments or moments[-1] <= ledger_slice.began:
        return tuple(dict.fromkeys(tariff.rates, 0) for _ in moments)
    tariff = replace(tariff, market=None)  # whatever the market's price is, the rate is the same
    first = min(ledger_slice.began, moments[0])
    timetable = Timetable(tariff, first, moments[-1], zone)
    marks = sorted({first, *moments, *(span.start for span in timetable.spans)})
    points = registers_at(
        ledger_slice, marks, asides=[lambda entry: not timetable.one_rate(ledger_slice.earliest(entry), entry.end)]
    )
    known = [(point.total.import_ - point.asides[0].import_).__floor__() for point in points]
    sums = dict.fromkeys(tariff.rates, 0)
    at = {first: dict(sums)}
    for (mark, until), (before, after) in zip(pairwise(marks), pairwise(known), strict=True):
        sums[tariff.key_at(mark, zone).rate] += after - before
        at[until] = dict(sums)
    return tuple(at[moment] for moment in moments)


def _charged(point: SeriesPoint, first: SeriesPoint) -> tuple[int, int]:
    """The registers, less what was booked aside since the first point."""
    import_aside = point.asides[0].import_ - first.asides[0].import_
    export_aside = point.asides[1].export - first.asides[1].export
    return (point.total.import_ - import_aside).__floor__(), (point.total.export - export_aside).__floor__()
