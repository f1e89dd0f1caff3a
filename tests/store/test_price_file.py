"""Market prices out of files: as public services answer, and in our own format."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.errors import ConfigError, FileError
from wattrail.ledger import MarketPrice
from wattrail.store.price_file import merge_prices, parse_prices, read_prices

PRICES = Path(__file__).with_name("prices")
HOUR = timedelta(hours=1)


def read(name: str) -> tuple[MarketPrice, ...]:
    return read_prices(PRICES / name)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


def test_awattar_has_hours_that_cost_nothing_and_less() -> None:
    prices = read("awattar.json")
    assert prices[0] == MarketPrice(utc(2024, 6, 13, 22), utc(2024, 6, 13, 23), Decimal("0.08313"))
    by_start = {one.start: one.price for one in prices}
    assert by_start[utc(2024, 6, 15, 6)] == 0  # the answer has a price of 0: that is a price
    assert by_start[utc(2024, 6, 15, 12)] == Decimal("-0.08001")
    assert utc(2024, 6, 14, 12) not in by_start


def test_nord_pool_is_read_by_delivery_and_area() -> None:
    prices = read("nord_pool.json")
    assert len(prices) == 24
    assert prices[17] == MarketPrice(utc(2024, 11, 5, 16), utc(2024, 11, 5, 17), Decimal("0.47299"))


def test_tibber_in_quarter_hours_with_offsets_of_both_kinds() -> None:
    prices = read("tibber.json")
    assert prices[0] == MarketPrice(utc(2025, 5, 17, 22), utc(2025, 5, 17, 22, 15), Decimal("0.3136"))
    assert prices[3].end == utc(2025, 5, 17, 23)  # and not until the next day's first, which is a day later
    assert prices[4].price == Decimal("0.3009")


def test_energy_charts_says_null_where_it_knows_none() -> None:
    # the layout of api.energy-charts.info/price, as openHAB's EnergyChartsApiTest has it, with a null
    text = '{"unix_seconds":[1718400000,1718400900,1718401800],"price":[100.0,null,-3.5],"unit":"EUR / MWh"}'
    assert [(one.price, one.end - one.start) for one in parse_prices(text, "charts")] == [
        (Decimal("0.1"), timedelta(minutes=15)), (Decimal("-0.0035"), timedelta(minutes=15)),
    ]  # fmt: skip


def test_an_hour_that_is_missing_is_a_hole_not_the_price_before() -> None:
    text = "start,price\n2026-03-01T00:00Z,0.1\n2026-03-01T01:00Z,0.2\n2026-03-01T03:00Z,0.3\n"
    prices = parse_prices(text, "spot.csv")
    assert [one.end for one in prices] == [utc(2026, 3, 1, hour) for hour in (1, 2, 4)]


def test_three_missing_quarters_are_not_taken_for_an_hour() -> None:
    starts = ("00:00", "00:15", "00:30", "01:30", "01:45")
    text = "start;price\n" + "".join(f"2026-03-01T{start}Z;0.1\n" for start in starts)
    assert [one.end - one.start for one in parse_prices(text, "x")] == [timedelta(minutes=15)] * 5


def test_hours_become_quarter_hours_from_a_day_on() -> None:
    starts = ("22:00", "23:00")
    text = "start,price\n" + "".join(f"2025-09-30T{start}Z,0.1\n" for start in starts)
    text += "".join(f"2025-10-01T00:{minute:02d}Z,0.2\n" for minute in (0, 15, 30))
    lengths = [(one.end - one.start) // timedelta(minutes=1) for one in parse_prices(text, "x")]
    assert lengths == [60, 60, 15, 15, 15]


def test_a_single_hour_before_quarter_hours_is_an_hour() -> None:
    starts = ("2025-09-30T23:00Z", "2025-10-01T00:00Z", "2025-10-01T00:15Z", "2025-10-01T00:30Z")
    text = "start,price\n" + "".join(f"{start},0.1\n" for start in starts)
    assert [one.end for one in parse_prices(text, "x")] == [
        utc(2025, 10, 1), utc(2025, 10, 1, 0, 15), utc(2025, 10, 1, 0, 30), utc(2025, 10, 1, 0, 45),
    ]  # fmt: skip
    quarters = "start,price\n" + "".join(f"2025-10-01T{start}Z,0.1\n" for start in ("00:15", "01:15", "01:30"))
    assert parse_prices(quarters, "x")[0].end == utc(2025, 10, 1, 0, 30)  # no hour begins at a quarter


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("time,value\n", "must name the columns start and price"),
        ("start,price\n2026-03-29T02:30:00,0.1\n", "line 2: 2026-03-29T02:30:00 has no offset"),
        ("start,price\n2026-03-01T00:00Z,cheap\n", "line 2: 'cheap' is not a number"),
        ("start,price\n2026-03-01T00:00Z,\n", "line 2: '' is not a number"),
        ("start,price\n2026-03-01T00:00Z,nan\n", "is not a price"),
        ("start,price\n2026-03-01T00:00Z\n", "is not a price"),
        ('{"hours": []}', "none of the formats that are read"),
        ('{"data": [{"unit": "GBP/MWh"}]}', "unit 'GBP/MWh', expected Eur/MWh"),
        ('{"data": null}', "TypeError"),
        ('{"data": {"viewer": {"homes": []}}}', "prices of 0 homes"),
        ('{"unix_seconds": [1], "price": [], "unit": "EUR/MWh"}', "shorter"),
        ("[1]", "TypeError"),
        ("{", "expecting property name"),
    ],
)
def test_what_is_not_a_price_list_says_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        parse_prices(text, "spot")
    assert "docs/ledger.md" in str(caught.value.hint)


@given(st.text(max_size=200) | st.text(max_size=100).map(lambda text: f"start,price\n{text}"))
def test_no_text_is_anything_but_prices_or_an_error(text: str) -> None:
    with suppress(ConfigError):
        assert isinstance(parse_prices(text, "fuzz"), tuple)


def test_fetched_prices_are_added_and_the_old_ones_stay(tmp_path: Path) -> None:
    file = tmp_path / "spot.csv"
    hours = [MarketPrice(utc(2026, 3, 1, hour), utc(2026, 3, 1, hour + 1), Decimal(hour) / 10) for hour in range(4)]
    merge_prices(file, hours[:3])
    merged = merge_prices(file, [hours[3], hours[2]._replace(price=Decimal("-0.01"))])
    assert [one.price for one in merged] == [Decimal("0.0"), Decimal("0.1"), Decimal("-0.01"), Decimal("0.3")]
    assert read_prices(file) == merged
    assert file.read_text().splitlines()[:2] == ["start,end,price", "2026-03-01T00:00:00Z,2026-03-01T01:00:00Z,0"]
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_cannot_be_written_keeps_what_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "spot.csv"
    price = MarketPrice(utc(2026, 3, 1), utc(2026, 3, 1, 1), Decimal("0.1"))
    merge_prices(file, [price])
    monkeypatch.setattr(os, "fsync", _full_disk)
    with pytest.raises(FileError, match=r"cannot be written: No space left"):
        merge_prices(file, [price._replace(price=Decimal("0.2"))])
    assert read_prices(file) == (price,)


def _full_disk(_: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
