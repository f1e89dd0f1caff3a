"""Tariffs as TOML files, validated by pydantic: the format of docs/ledger.md becomes the ledger's ``Tariff``."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, model_validator

from wattrail.errors import ConfigError
from wattrail.ledger.market_prices import MarketTerms
from wattrail.ledger.tariff import Per, Price, Tariff, Window
from wattrail.sanitize import printable
from wattrail.toml_schema import field_error, read_model
from wattrail.toml_schema.section import Section

__all__ = ["TariffFile", "parse_tariff"]

_MAX_RATES: Final = 9
"""OBIS gives a register to rates 1 to 9 in one digit."""

_MAX_MONEY: Final = 1_000_000_000
"""No kilowatt-hour and no month costs as much, in any currency; products stay exact below it."""

_MAX_DECIMALS: Final = 12
"""Far more than any price list prints."""

_MAX_SHOWN: Final = 60
"""Characters of a value of the file in a message."""

_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def parse_tariff(text: str, name: str, *, folder: Path | None = None) -> Tariff:
    """The tariff in a TOML text; ``name`` is the file's in errors. Raises ConfigError by file, line and field.

    The file of market prices that it names is relative to ``folder``; its prices are read by ``with_prices``.
    """
    # Decimals: a price is money, and taken exactly as it was written.
    return read_model(TariffFile, text, name, parse_float=Decimal).tariff(folder or Path())


def _shown(value: object) -> str:
    return printable(str(value) if isinstance(value, Decimal) else repr(value), limit=_MAX_SHOWN)


def _money(value: object) -> Decimal:
    """An amount exactly as written: a float would have lost its decimals before."""
    # A float is no longer the amount that somebody wrote.
    if isinstance(value, float):
        raise ConfigError(f"{value!r} came as a float", hint="parse TOML with Decimal, or write the amount as text")
    try:
        # True is a number to Python, and not an amount.
        amount = Decimal(value) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else None
    except (InvalidOperation, ValueError):
        amount = None
    if amount is None or not amount.is_finite():
        raise ValueError(f"must be an amount of money such as 0.3214, got {_shown(value)}")
    decimals = amount.as_tuple().exponent
    assert isinstance(decimals, int)
    if abs(amount) >= _MAX_MONEY or -decimals > _MAX_DECIMALS:
        raise ValueError(f"must be below {_MAX_MONEY} and have {_MAX_DECIMALS} decimals at most, got {_shown(value)}")
    return amount


def _prices(value: object) -> dict[str, Decimal] | Decimal:
    """One price for each rate, or a bare number."""
    if not isinstance(value, Mapping):
        return _money(value)
    prices = {}
    for rate, amount in value.items():
        try:
            prices[rate] = _money(amount)
        except ValueError as error:
            raise field_error((rate,), str(error), hint=getattr(error, "hint", None)) from error
    return prices


def _day(value: object) -> date:
    if isinstance(value, str):
        with suppress(ValueError):
            return date.fromisoformat(value)
    # A date with a time is a date to Python as well.
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError(f"must be a date such as 2026-03-01, got {_shown(value)}")
    return value


def _local_time(value: object) -> time:
    given = value
    if isinstance(value, str):
        try:
            # 24:00 is how a tariff names the end of a day; the type has only 00:00 for it.
            value = time.fromisoformat("00:00" if value == "24:00" else value)
        except ValueError:
            value = None
    if not isinstance(value, time) or value.tzinfo or value.second or value.microsecond:
        raise ValueError(f'must be a local time to the minute such as "22:00", got {_shown(given)}')
    return value


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError(f"must be a text, got {_shown(value)}")
    return value


def _weekdays(days: list[str]) -> list[str]:
    if not days or not set(days) <= set(_WEEKDAYS):
        raise ValueError(f"must be of {', '.join(_WEEKDAYS)}, got {', '.join(days) or 'none'}")
    return days


def _rate_names(names: list[str]) -> list[str]:
    if not 1 <= len(names) <= _MAX_RATES or len(set(names)) != len(names):
        raise ValueError(f"must be 1 to {_MAX_RATES} different names, got {', '.join(names) or 'none'}")
    return names


def _price_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise ValueError(f"must be an address such as https://api.awattar.de/v1/marketdata, got {_shown(url)}")
    return url


Money = Annotated[Decimal, BeforeValidator(_money)]
Day = Annotated[date, BeforeValidator(_day)]
LocalTime = Annotated[time, BeforeValidator(_local_time)]
Text = Annotated[str, AfterValidator(_text)]


class WindowSection(Section):
    """One ``[[window]]``: hours of certain weekdays in which a rate holds."""

    rate: Text
    begin: LocalTime = Field(alias="from")
    end: LocalTime = Field(alias="to")
    days: Annotated[list[str], AfterValidator(_weekdays)] = Field(default_factory=lambda: list(_WEEKDAYS))

    def window(self) -> Window:
        """The window of the ledger."""
        return Window(rate=self.rate, begin=self.begin, end=self.end, days=frozenset(map(_WEEKDAYS.index, self.days)))


class PriceSection(Section):
    """One ``[[price]]``: prices from a day on; a bare number where the tariff has one rate."""

    valid_from: Day = Field(alias="from")
    until: Day | None = None
    rates: Annotated[dict[str, Decimal] | Decimal, PlainValidator(_prices)]
    export: Money | None = None
    standing: Money = Decimal(0)
    standing_per: Literal["day", "month"] = "month"

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.until is not None and self.until <= self.valid_from:
            raise field_error(("until",), f"{self.until} is not after {self.valid_from}")
        return self

    def price(self, names: list[str]) -> Price:
        """The price of the ledger; ``names`` are the rates of the tariff."""
        return Price(
            valid_from=self.valid_from,
            valid_until=self.until,
            rates={names[0]: self.rates} if isinstance(self.rates, Decimal) else self.rates,
            export=self.export,
            standing=self.standing,
            standing_per=Per(self.standing_per),
        )


class MarketSection(Section):
    """``[market]``: prices that change every hour or quarter hour, to which the price of the rate is added."""

    prices: Text
    url: Annotated[str, AfterValidator(_price_url)] | None = None
    import_factor: Money = Decimal(1)
    export_factor: Money | None = None

    def terms(self, folder: Path) -> MarketTerms:
        """The terms of the ledger, without prices yet."""
        return MarketTerms(
            file=str(folder / self.prices), url=self.url, import_factor=self.import_factor,
            export_factor=self.export_factor,
        )  # fmt: skip


class TariffFile(Section):
    """The whole file."""

    name: Text = "tariff"
    currency: Text
    rates: Annotated[list[str], AfterValidator(_rate_names)] = Field(default_factory=lambda: ["standard"])
    billing_day: Annotated[int, Field(ge=1, le=31)] = 1
    decimals: Annotated[int, Field(ge=0, le=4)] = 2
    window: list[WindowSection] = Field(default_factory=list)
    price: list[PriceSection] = Field(default_factory=list)
    market: MarketSection | None = None

    @model_validator(mode="after")
    def _rates_are_known(self) -> Self:
        for number, window in enumerate(self.window):
            if window.rate not in self.rates:
                complaint = f"unknown rate {_shown(window.rate)}; known: {', '.join(self.rates)}"
                raise field_error(("window", number, "rate"), complaint)
        for number, price in enumerate(self.price):
            _check_rates(number, price.rates, self.rates)
        return self

    @model_validator(mode="after")
    def _one_price_a_day(self) -> Self:
        if not self.price:
            raise field_error(
                ("price",), "there is none", hint="add a [[price]] with from and rates; docs/ledger.md has an example"
            )
        first: dict[date, int] = {}
        for number, price in enumerate(self.price):
            other = first.setdefault(price.valid_from, number)
            if other != number:
                raise field_error(
                    ("price", number, "from"),
                    f"{price.valid_from} is the first day of price[{other + 1}] too",
                    hint="give each [[price]] a day of its own, or delete one of the two",
                )
        return self

    def tariff(self, folder: Path) -> Tariff:
        """The tariff of the ledger."""
        return Tariff(
            name=self.name,
            currency=self.currency,
            rates=tuple(self.rates),
            prices=tuple(price.price(self.rates) for price in self.price),
            windows=tuple(window.window() for window in self.window),
            billing_day=self.billing_day,
            decimals=self.decimals,
            market=self.market.terms(folder) if self.market else None,
        )


def _check_rates(number: int, prices: Mapping[str, Decimal] | Decimal, names: list[str]) -> None:
    """Raises a ValidationError unless there is one price for each rate, by its name or as a bare number."""
    place = ("price", number, "rates")
    if isinstance(prices, Decimal):
        if len(names) != 1:
            raise field_error(place, f"must give a price for each of {', '.join(names)}")
        return
    for rate in prices:
        if rate not in names:
            raise field_error((*place, rate), f"unknown rate {_shown(rate)}; known: {', '.join(names)}")
    for rate in names:
        if rate not in prices:
            raise field_error((*place, rate), "this field is missing")
