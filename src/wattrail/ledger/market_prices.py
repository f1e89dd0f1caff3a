"""Prices per kilowatt-hour that change every hour or quarter hour, as an exchange sets them or a supplier passes on."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple

__all__ = ["MarketPrice", "MarketTerms", "in_order"]

_START = attrgetter("start")


class MarketPrice(NamedTuple):
    """The price of a kilowatt-hour during ``[start, end)``, in the currency of the tariff; it may be negative."""

    start: datetime
    end: datetime
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketTerms:
    """How a tariff follows a market: its price times a factor, plus what the tariff's own rate says.

    ``prices`` are in order and do not overlap; a time that none covers has no price, which is not a price of 0. They
    come out of ``file``, which ``url`` keeps filled. Without ``export_factor`` an export is paid by the tariff alone.
    """

    file: str
    url: str | None = None
    import_factor: Decimal = Decimal(1)
    export_factor: Decimal | None = None
    prices: tuple[MarketPrice, ...] = ()

    @property
    def known_until(self) -> datetime | None:
        """Where the last price ends."""
        return self.prices[-1].end if self.prices else None

    def price_at(self, moment: datetime) -> Decimal | None:
        """The market's price at a moment; None where none is known."""
        place = bisect_right(self.prices, moment, key=_START) - 1
        return self.prices[place].price if place >= 0 and moment < self.prices[place].end else None

    def marks(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """The moments inside a span at which the price may change, or is no longer known."""
        place = max(0, bisect_right(self.prices, start, key=_START) - 1)
        while place < len(self.prices) and self.prices[place].start < end:
            yield self.prices[place].start
            yield self.prices[place].end
            place += 1


def in_order(prices: Iterable[MarketPrice]) -> tuple[MarketPrice, ...]:
    """Prices by time and without overlap: of two from one moment the later given holds, and one ends the other."""
    by_start = {one.start: one for one in prices if one.start < one.end}
    found = [by_start[start] for start in sorted(by_start)]
    ends = [one.start for one in found[1:]] + [found[-1].end] if found else []
    return tuple(one._replace(end=min(one.end, end)) for one, end in zip(found, ends, strict=True))
