"""Files of market prices: the project's own CSV, and what public sources answer, as they answer it.

Prices of the own format are per kilowatt-hour; those of an exchange are per megawatt-hour, and become a thousandth.
Numbers are read as decimals. Sources of the formats: docs/references.md, market prices.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from wattrail.errors import ConfigError, FileError
from wattrail.files import decode_json, read_text
from wattrail.ledger import MarketPrice, Tariff
from wattrail.ledger.market_prices import in_order
from wattrail.sanitize import printable
from wattrail.units import utc_text
from wattrail.whole_file import whole_file

__all__ = ["MAX_PRICE_BYTES", "merge_prices", "parse_prices", "read_prices", "with_prices"]

MAX_PRICE_BYTES: Final = 16 << 20
"""Ten years of quarter hours, a line of 45 bytes each."""

_HOUR: Final = timedelta(hours=1)
_KEPT: Final = 8
"""Files whose prices stay in memory, as long as they do not change: a year of quarter hours takes 0.2 s to read."""

_HEADER: Final = ("start", "end", "price")


def with_prices(tariff: Tariff) -> Tariff:
    """A tariff with the prices in its file; without any where the file is not there yet. Raises ConfigError."""
    if tariff.market is None:
        return tariff
    path = Path(tariff.market.file)
    prices = read_prices(path) if path.exists() else ()
    return replace(tariff, market=replace(tariff.market, prices=prices))


_read: dict[Path, tuple[tuple[int, int], tuple[MarketPrice, ...]]] = {}


def read_prices(path: Path) -> tuple[MarketPrice, ...]:
    """The prices in a file, in order. Raises ConfigError, FileError."""
    try:
        found = path.stat()
    except OSError as error:
        raise FileError(f"{printable(str(path))} cannot be read: {error.strerror}") from error
    state = (found.st_mtime_ns, found.st_size)
    kept = _read.get(path)
    if kept is None or kept[0] != state:
        kept = state, parse_prices(read_text(path, limit=MAX_PRICE_BYTES), printable(str(path)))
        if len(_read) >= _KEPT:
            _read.pop(next(iter(_read)), None)
        _read[path] = kept
    return kept[1]


def merge_prices(path: Path, fresh: Iterable[MarketPrice]) -> tuple[MarketPrice, ...]:
    """Add prices to a file, in the own format and as a whole or not at all; of two for one moment the fresh one holds.

    Raises ConfigError, FileError.
    """
    before = read_prices(path) if path.exists() else ()
    merged = in_order((*before, *fresh))
    if merged == before:
        return merged
    rows = (f"{_moment_text(one.start)},{_moment_text(one.end)},{one.price:f}" for one in merged)
    try:
        with whole_file(path, replace=True) as file:
            file.writelines(f"{row}\n".encode() for row in (",".join(_HEADER), *rows))
    except OSError as error:
        raise FileError(
            f"{printable(str(path))} cannot be written: {error.strerror}",
            hint="name a file in [market] prices that the gateway may write, beside its database",
        ) from error
    return merged


def parse_prices(text: str, name: str) -> tuple[MarketPrice, ...]:
    """The prices in a text of any known format, in order. ``name`` is its name in errors. Raises ConfigError."""
    try:
        found = _from_json(decode_json(text, parse_float=Decimal)) if text.lstrip()[:1] in {"{", "["} else _csv(text)
        return in_order(found)
    except (ValueError, InvalidOperation, KeyError, TypeError, OverflowError, OSError) as error:
        said = str(error) if isinstance(error, ValueError) else f"{type(error).__name__} at {error}"
        raise ConfigError(
            f"{name}: {printable(said, limit=200)}",
            hint="docs/ledger.md, market prices, lists the formats that are read",
        ) from error


def _csv(text: str) -> Iterator[MarketPrice]:
    """``start,price`` or ``start,end,price`` with a header; a price lasts until the next where no end is given."""
    lines = text.splitlines()
    separator = ";" if lines and ";" in lines[0] else ","
    rows = csv.DictReader(lines, delimiter=separator)
    if not {"start", "price"} <= set(rows.fieldnames or ()):
        raise ValueError(f"the first line must name the columns start and price, got {printable(','.join(lines[:1]))}")
    found = []
    for row in rows:
        try:
            end = _moment(row["end"]) if row.get("end") else None
            found.append((_moment(row["start"]), end, _number(row["price"])))
        except ValueError as error:
            raise ValueError(f"line {rows.line_num}: {error}") from error
    return _until_the_next(found)


def _from_json(document: object) -> Iterable[MarketPrice]:
    for matches, read in _JSON_FORMATS:
        if matches(document):
            return read(document)
    raise ValueError("this JSON is none of the formats that are read: aWATTar, Energy-Charts, Nord Pool, Tibber, own")


def _own(rows: Sequence[Mapping[str, Any]]) -> Iterator[MarketPrice]:
    return _until_the_next(
        (_moment(row["start"]), _moment(row["end"]) if row.get("end") else None, _number(row["price"])) for row in rows
    )


def _awattar(document: Mapping[str, Any]) -> Iterator[MarketPrice]:
    for row in document["data"]:
        if str(row.get("unit", "")).lower() != "eur/mwh":
            raise ValueError(f"unit {row.get('unit')!r}, expected Eur/MWh")
        start, end = (_unix(row[field], 1000) for field in ("start_timestamp", "end_timestamp"))
        yield MarketPrice(start, end, _per_kwh(row["marketprice"]))


def _energy_charts(document: Mapping[str, Any]) -> Iterator[MarketPrice]:
    if "".join(str(document["unit"]).split()).lower() != "eur/mwh":
        raise ValueError(f"unit {document['unit']!r}, expected EUR / MWh")
    pairs = zip(document["unix_seconds"], document["price"], strict=True)
    # a price that is not known is null there: it stays in the row so that the one before it ends in time
    return _until_the_next((_unix(at, 1), None, None if price is None else _per_kwh(price)) for at, price in pairs)


def _nord_pool(document: Mapping[str, Any]) -> Iterator[MarketPrice]:
    for row in document["multiAreaEntries"]:
        areas = row["entryPerArea"]
        if len(areas) != 1:
            raise ValueError(f"prices of {len(areas)} areas: ask for one, such as deliveryArea=NL")
        price = next(iter(areas.values()))
        yield MarketPrice(_moment(row["deliveryStart"]), _moment(row["deliveryEnd"]), _per_kwh(price))


def _tibber(document: Mapping[str, Any]) -> Iterator[MarketPrice]:
    """What the customer pays, ``total``, with taxes: leave factor and rates at 1 and 0."""
    viewer = document["data"]["viewer"]
    homes = viewer["homes"] if "homes" in viewer else [viewer["home"]]
    if len(homes) != 1:
        raise ValueError(f"prices of {len(homes)} homes: ask for one")
    info = homes[0]["currentSubscription"]["priceInfo"]
    rows = [row for part in ("today", "tomorrow") for row in info.get(part) or ()]
    return _until_the_next((_moment(row["startsAt"]), None, _number(row["total"])) for row in rows)


def _has(*path: str) -> Callable[[Any], bool]:
    def matches(document: object) -> bool:
        found = document
        for field in path:
            if not isinstance(found, dict) or field not in found:
                return False
            found = found[field]
        return True

    return matches


_JSON_FORMATS: Final[tuple[tuple[Callable[[Any], bool], Callable[[Any], Iterable[MarketPrice]]], ...]] = (
    (_has("unix_seconds"), _energy_charts),
    (_has("multiAreaEntries"), _nord_pool),
    (_has("data", "viewer"), _tibber),
    (_has("data"), _awattar),
    (lambda document: isinstance(document, list), _own),
)
"""What a document looks like, and what reads it."""


def _until_the_next(found: Iterable[tuple[datetime, datetime | None, Decimal | None]]) -> Iterator[MarketPrice]:
    """Each price until the next begins, but not longer than those around it, and never longer than an hour.

    So a price that is missing leaves a hole, and does not go on as the one before it. Hours that become quarter hours
    from some day on are read as both. The first of all has no gap before it: until a whole hour later it is an hour,
    also where that is the last one before quarter hours.
    """
    rows = sorted({row[0]: row for row in found}.values(), key=lambda row: row[0])
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(rows)]
    for place, (start, end, price) in enumerate(rows):
        around = gaps[place - 1 : place + 1] if place else gaps[: 1 if gaps[:1] == [_HOUR] and not start.minute else 2]
        if price is not None:
            yield MarketPrice(start, end or start + min([*around, _HOUR]), price)


def _moment(text: object) -> datetime:
    moment = datetime.fromisoformat(str(text).strip())
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset: write it as 2026-03-29T01:00:00+01:00, or with Z for UTC")
    return moment.astimezone(UTC)


def _unix(value: object, per_second: int) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is not a time in whole numbers")
    return datetime.fromtimestamp(value / per_second, UTC)


def _number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{value!r} is not a price")
    try:
        number = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number such as 0.2875") from None
    if not number.is_finite() or abs(number) > 1_000_000:
        raise ValueError(f"{value!r} is not a price")
    return number.quantize(Decimal("1e-12")).normalize() if number else Decimal(0)


def _per_kwh(value: object) -> Decimal:
    return _number(value).scaleb(-3)


def _moment_text(moment: datetime) -> str:
    return utc_text(moment, timespec="seconds")
