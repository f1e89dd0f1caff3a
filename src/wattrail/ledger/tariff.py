"""What energy costs, and when: rates by time of use, prices by date of validity, feed-in, standing charge.

A window is wall-clock time: one from 22:00 to 06:00 has seven hours in the night in which clocks go forward, and nine
in the night in which they go back. It belongs to the weekday on which it begins.

A tariff that follows a market adds the price of its rate to the market's price of the hour or quarter hour.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Context, Decimal
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from wattrail.ledger.market_prices import MarketTerms
from wattrail.ledger.periods import midnight

__all__ = ["EXACT", "Key", "Per", "Price", "RateSpan", "Tariff", "Timetable", "Window"]

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
EXACT = Context(prec=60)
"""Far more digits than a price times an energy has: sums and products are exact."""


class Per(StrEnum):
    """What a standing charge is for."""

    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Hours of certain weekdays (0 is Monday) in which a rate holds; over midnight if it ends before it begins."""

    rate: str
    begin: time
    end: time
    days: frozenset[int] = frozenset(range(7))

    def holds(self, weekday: int, moment: time) -> bool:
        """Whether a local time lies in it."""
        if self.begin < self.end:
            return weekday in self.days and self.begin <= moment < self.end
        yesterday = (weekday - 1) % 7
        return (weekday in self.days and moment >= self.begin) or (yesterday in self.days and moment < self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Prices per kWh from a local day on, until the next ones or until a day (not included).

    ``export`` is what is paid for a kilowatt-hour exported, None if nothing is agreed.
    """

    valid_from: date
    rates: Mapping[str, Decimal]
    valid_until: date | None = None
    export: Decimal | None = None
    standing: Decimal = Decimal(0)
    standing_per: Per = Per.MONTH

    def holds(self, day: date) -> bool:
        """Whether it is valid on a local day."""
        return self.valid_from <= day and (self.valid_until is None or day < self.valid_until)


class Key(NamedTuple):
    """What energy of a moment is charged by: the place of the price among the tariff's (None: none holds), the rate.

    ``market`` is the market's price, None where it is not known or the tariff follows none.
    """

    price: int | None
    rate: str
    market: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """A schedule of prices. The first rate holds outside all windows; rate number n is OBIS register 1.8.n.

    With ``market`` the price of a rate is what comes on top of the market's.
    """

    name: str
    currency: str
    rates: tuple[str, ...]
    prices: tuple[Price, ...]
    windows: tuple[Window, ...] = ()
    billing_day: int = 1
    decimals: int = 2
    market: MarketTerms | None = None

    def price_on(self, day: date) -> int | None:
        """The place of the price that holds on a local day; the one that began last, if several do."""
        valid = [place for place, price in enumerate(self.prices) if price.holds(day)]
        return max(valid, key=lambda place: self.prices[place].valid_from, default=None)

    def key_at(self, moment: datetime, zone: tzinfo) -> Key:
        """Price and rate at a moment: the first window that holds, else the first rate."""
        local = moment.astimezone(zone)
        wall, weekday = local.time(), local.weekday()
        held = (window.rate for window in self.windows if window.holds(weekday, wall))
        market = self.market.price_at(moment) if self.market else None
        return Key(self.price_on(local.date()), next(held, self.rates[0]), market)

    def import_price(self, key: Key) -> Decimal | None:
        """What a kilowatt-hour imported costs; None where nobody knows."""
        if key.price is None:
            return None
        rate = self.prices[key.price].rates[key.rate]
        if self.market is None:
            return rate
        return None if key.market is None else EXACT.add(EXACT.multiply(key.market, self.market.import_factor), rate)

    def export_price(self, key: Key) -> Decimal | None:
        """What is paid for a kilowatt-hour exported; None where nothing is agreed, or nobody knows."""
        if key.price is None:
            return None
        agreed = self.prices[key.price].export
        if self.market is None or self.market.export_factor is None:
            return agreed
        if key.market is None:
            return None
        return EXACT.add(EXACT.multiply(key.market, self.market.export_factor), agreed or Decimal(0))

    def export_key(self, key: Key) -> Key:
        """The same for an export: whatever the rate, and without the market where that does not pay for it."""
        follows = self.market is not None and self.market.export_factor is not None
        return Key(key.price, "", key.market if follows else None)


class RateSpan(NamedTuple):
    """A time ``[start, end)`` throughout which one price and one rate hold."""

    start: datetime
    end: datetime
    key: Key


class Timetable:
    """The spans of a tariff from one moment to another, in UTC: neighbours differ in price or rate."""

    def __init__(self, tariff: Tariff, start: datetime, end: datetime, zone: tzinfo) -> None:
        self._tariff = tariff
        marks = sorted({start, end, *(mark for mark in _marks(tariff, start, end, zone) if start < mark < end)})
        spans: list[RateSpan] = []
        for mark, until in pairwise(marks):
            key = tariff.key_at(mark, zone)
            if spans and spans[-1].key == key:
                spans[-1] = spans[-1]._replace(end=until)
            else:
                spans.append(RateSpan(mark, until, key))
        self.spans = tuple(spans)
        self._starts = [span.start for span in spans]

    def one_rate(self, start: datetime, end: datetime) -> bool:
        """Whether one price and one rate hold throughout ``[start, end]``."""
        span = self._around(start)
        return span is not None and self._tariff.import_price(span.key) is not None and end <= span.end

    def one_price(self, start: datetime, end: datetime) -> bool:
        """Whether an export is paid alike throughout, at whatever rate."""
        first = self._around(start)
        if first is None or first.key.price is None or end > self.spans[-1].end:
            return False
        paid = self._tariff.export_key(first.key)
        place = bisect_right(self._starts, start) - 1
        while place < len(self.spans) and self.spans[place].start < max(end, first.end):
            if self._tariff.export_key(self.spans[place].key) != paid:
                return False
            place += 1
        return True

    def _around(self, moment: datetime) -> RateSpan | None:
        place = bisect_right(self._starts, moment) - 1
        return self.spans[place] if place >= 0 and moment < self.spans[place].end else None


def _marks(tariff: Tariff, start: datetime, end: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Moments at which price or rate may change."""
    if tariff.market is not None:
        yield from tariff.market.marks(start, end)
    walls = {wall for window in tariff.windows for wall in (window.begin, window.end)}
    day = start.astimezone(zone).date()
    while (begin := midnight(day, zone)) < end:
        until = midnight(day + _DAY, zone)
        yield begin
        if until - begin == _DAY:
            yield from (datetime.combine(day, wall, tzinfo=zone).astimezone(UTC) for wall in walls)
        else:  # clocks change: wall-clock times may come twice or not at all, so look at every minute
            minutes = (until - begin) // _MINUTE
            yield from (begin + minute * _MINUTE for minute in range(minutes))
        day += _DAY
