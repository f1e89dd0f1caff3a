"""A tariff from what a TOML file holds; what is wrong is told by its field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Final

from wattrail.errors import ConfigError
from wattrail.ledger.tariff import Per, Price, Tariff, Window
from wattrail.sanitize import printable

__all__ = ["parse_tariff"]

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PRICE_FIELDS = ("from", "until", "rates", "export", "standing", "standing_per")
_MOST_RATES = 9
"""OBIS gives a register to rates 1 to 9 in one digit."""

_MAX_MONEY: Final = 1_000_000_000
"""No kilowatt-hour and no month costs as much, in any currency; products stay exact below it."""

_MAX_DECIMALS: Final = 12
"""Far more than any price list prints."""

_MAX_SHOWN: Final = 60
"""Characters of a value of the file in a message."""


def parse_tariff(document: Mapping[str, object]) -> Tariff:
    """The tariff in a mapping, as a TOML parser gives it (with Decimal for its floats). Raises ConfigError by field."""
    top = _Table(document, "", ("name", "currency", "rates", "billing_day", "decimals", "window", "price"))
    rates = tuple(top.texts("rates", ("standard",)))
    if not 1 <= len(rates) <= _MOST_RATES or len(set(rates)) != len(rates):
        raise ConfigError(f"rates: must be 1 to {_MOST_RATES} different names, got {', '.join(rates) or 'none'}")
    prices = tuple(_price(table, rates) for table in top.tables("price", _PRICE_FIELDS))
    if not prices:
        raise ConfigError("price: there is none", hint="a tariff has at least one [[price]] with from and rates")
    _refuse_same_day(prices)
    return Tariff(
        name=top.text("name", "tariff"),
        currency=top.text("currency"),
        rates=rates,
        prices=prices,
        windows=tuple(_window(table, rates) for table in top.tables("window", ("rate", "from", "to", "days"))),
        billing_day=top.whole("billing_day", 1, least=1, most=31),
        decimals=top.whole("decimals", 2, least=0, most=4),
    )


def _refuse_same_day(prices: Sequence[Price]) -> None:
    first: dict[date, int] = {}
    for number, price in enumerate(prices, start=1):
        other = first.setdefault(price.valid_from, number)
        if other != number:
            raise ConfigError(
                f"price[{other}].from and price[{number}].from are both {price.valid_from}: which of the two holds?",
                hint="give each [[price]] a day of its own, or delete one of the two",
            )


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the file, its place in words, and the fields it may have."""

    fields: Mapping[str, object]
    where: str
    known: tuple[str, ...]

    def __post_init__(self) -> None:
        for field in self.fields:
            if field not in self.known:
                close = get_close_matches(field, self.known, n=1)
                raise ConfigError(
                    f"{self.name(field)}: no such field; known: {', '.join(self.known)}",
                    hint=f"did you mean {close[0]}?" if close else None,
                )

    def name(self, field: str) -> str:
        return f"{self.where}{printable(field, limit=_MAX_SHOWN)}"

    def get(self, field: str) -> object:
        if field not in self.fields:
            raise ConfigError(f"{self.name(field)}: this field is missing")
        return self.fields[field]

    def text(self, field: str, default: str | None = None) -> str:
        value = self.get(field) if default is None else self.fields.get(field, default)
        if not isinstance(value, str) or not value.strip():
            raise ConfigError(f"{self.name(field)}: must be a text, got {_shown(value)}")
        return value

    def texts(self, field: str, default: Sequence[str]) -> Sequence[str]:
        value = self.fields.get(field, default)
        if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(one, str) for one in value):
            raise ConfigError(f"{self.name(field)}: must be a list of texts, got {_shown(value)}")
        return value

    def tables(self, field: str, known: tuple[str, ...]) -> list[_Table]:
        value = self.fields.get(field, [])
        if not isinstance(value, Sequence) or not all(isinstance(one, Mapping) for one in value):
            raise ConfigError(f"{self.name(field)}: must be written as [[{field}]]")
        return [_Table(one, f"{field}[{number}].", known) for number, one in enumerate(value, start=1)]

    def whole(self, field: str, default: int, *, least: int, most: int) -> int:
        value = self.fields.get(field, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ConfigError(f"{self.name(field)}: must be a whole number from {least} to {most}, got {_shown(value)}")
        return value

    def money(self, field: str, default: Decimal | None = None) -> Decimal:
        value = self.get(field) if default is None else self.fields.get(field, default)
        return _money(value, self.name(field))

    def day(self, field: str) -> date:
        value = self.get(field)
        try:
            if isinstance(value, str):
                return date.fromisoformat(value)
        except ValueError:
            pass
        if not isinstance(value, date) or isinstance(value, datetime):
            raise ConfigError(f"{self.name(field)}: must be a date such as 2026-03-01, got {_shown(value)}")
        return value

    def moment(self, field: str) -> time:
        value = self.get(field)
        if isinstance(value, str):
            try:
                value = time.fromisoformat("00:00" if value == "24:00" else value)
            except ValueError:
                value = None
        if not isinstance(value, time) or value.tzinfo or value.second or value.microsecond:
            given = self.fields[field]
            raise ConfigError(
                f'{self.name(field)}: must be a local time to the minute such as "22:00", got {_shown(given)}'
            )
        return value


def _window(table: _Table, rates: tuple[str, ...]) -> Window:
    rate = table.text("rate")
    if rate not in rates:
        raise ConfigError(f"{table.name('rate')}: unknown rate {rate!r}; known: {', '.join(rates)}")
    days = table.texts("days", _WEEKDAYS)
    unknown = [day for day in days if day not in _WEEKDAYS]
    if unknown or not days:
        raise ConfigError(f"{table.name('days')}: must be of {', '.join(_WEEKDAYS)}, got {', '.join(days) or 'none'}")
    numbers = frozenset(_WEEKDAYS.index(day) for day in days)
    return Window(rate=rate, begin=table.moment("from"), end=table.moment("to"), days=numbers)


def _price(table: _Table, rates: tuple[str, ...]) -> Price:
    valid_from = table.day("from")
    until = table.day("until") if "until" in table.fields else None
    if until is not None and until <= valid_from:
        raise ConfigError(f"{table.name('until')}: {until} is not after {valid_from}")
    per = table.text("standing_per", Per.MONTH)
    if per not in tuple(Per):
        raise ConfigError(f"{table.name('standing_per')}: must be day or month, got {per!r}")
    return Price(
        valid_from=valid_from,
        valid_until=until,
        rates=_rates(table, rates),
        export=table.money("export") if "export" in table.fields else None,
        standing=table.money("standing", Decimal(0)),
        standing_per=Per(per),
    )


def _rates(table: _Table, rates: tuple[str, ...]) -> dict[str, Decimal]:
    """One price for each rate; a bare number where there is but one rate."""
    value = table.get("rates")
    name = table.name("rates")
    if not isinstance(value, Mapping):
        if len(rates) != 1:
            raise ConfigError(f"{name}: must give a price for each of {', '.join(rates)}")
        return {rates[0]: _money(value, name)}
    prices = _Table(value, f"{name}.", rates)
    return {rate: prices.money(rate) for rate in rates}


def _money(value: object, name: str) -> Decimal:
    if isinstance(value, float):
        raise ConfigError(
            f"{name}: {value!r} came as a float", hint="have TOML parsed with Decimal, or write it as text"
        )
    try:
        amount = Decimal(value) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else None
    except (InvalidOperation, ValueError):
        amount = None
    if amount is None or not amount.is_finite():
        raise ConfigError(f"{name}: must be an amount of money such as 0.3214, got {_shown(value)}")
    decimals = amount.as_tuple().exponent
    assert isinstance(decimals, int)
    if abs(amount) >= _MAX_MONEY or -decimals > _MAX_DECIMALS:
        raise ConfigError(
            f"{name}: must be below {_MAX_MONEY} and have {_MAX_DECIMALS} decimals at most, got {_shown(value)}"
        )
    return amount


def _shown(value: object) -> str:
    return printable(str(value) if isinstance(value, Decimal) else repr(value), limit=_MAX_SHOWN)
