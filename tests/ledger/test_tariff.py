"""When which price holds, and what is wrong with a tariff file, by its field."""

from __future__ import annotations

import tomllib
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.ledger.rig import BERLIN, utc
from wattrail.app.tariff_file import TariffFile, parse_tariff
from wattrail.errors import ConfigError
from wattrail.ledger import Tariff, Timetable
from wattrail.ledger.tariff import Key, Per

TWO_RATES = """
name = "Two rates"
currency = "EUR"
rates = ["day", "night"]

[[window]]
rate = "night"
from = "22:00"
to = "06:00"

[[window]]
rate = "night"
days = ["sat", "sun"]
from = 00:00:00
to = "24:00"

[[price]]
from = 2026-01-01
rates = { day = 0.3214, night = 0.2541 }
export = 0.0786
standing = 12.90

[[price]]
from = 2026-10-15
rates = { day = 0.34, night = "0.26" }
export = 0.07
standing = 0.45
standing_per = "day"
"""


def tariff(text: str = TWO_RATES) -> Tariff:
    return parse_tariff(text, "tariff.toml")


def test_prices_are_decimal_from_the_file_to_the_bill() -> None:
    first, second = tariff().prices
    assert first.rates == {"day": Decimal("0.3214"), "night": Decimal("0.2541")}
    assert (first.export, first.standing, first.standing_per) == (Decimal("0.0786"), Decimal("12.90"), Per.MONTH)
    assert (second.rates["night"], second.standing_per) == (Decimal("0.26"), Per.DAY)


@pytest.mark.parametrize(
    ("moment", "rate"),
    [
        (utc(2026, 6, 19, 19, 59), "day"),  # Friday 21:59 local
        (utc(2026, 6, 19, 20, 0), "night"),  # 22:00
        (utc(2026, 6, 20, 10, 0), "night"),  # Saturday noon
        (utc(2026, 6, 22, 3, 59), "night"),  # Monday 05:59, the window that began on Sunday
        (utc(2026, 6, 22, 4, 0), "day"),  # 06:00
        (utc(2026, 1, 5, 4, 59), "night"),  # winter: 05:59
        (utc(2026, 1, 5, 5, 0), "day"),
    ],
)
def test_a_rate_holds_by_the_clock_on_the_wall(moment: object, rate: str) -> None:
    assert tariff().key_at(moment, BERLIN) == Key(0, rate)  # type: ignore[arg-type]


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    text = TWO_RATES.replace('from = "22:00"', 'days = ["fri"]\nfrom = "22:00"').replace('"sat", "sun"', '"wed"')
    assert tariff(text).key_at(utc(2026, 6, 20, 3), BERLIN).rate == "night"  # Saturday 05:00, began on Friday
    assert tariff(text).key_at(utc(2026, 6, 19, 3), BERLIN).rate == "day"  # Friday 05:00


def test_prices_change_at_local_midnight() -> None:
    assert tariff().key_at(utc(2026, 10, 14, 21, 59), BERLIN).price == 0
    assert tariff().key_at(utc(2026, 10, 14, 22, 0), BERLIN).price == 1
    assert tariff().key_at(utc(2025, 12, 31, 22, 0), BERLIN).price is None


@pytest.mark.parametrize(
    ("day", "night_hours"), [(date(2026, 3, 30), 8), (date(2026, 3, 27), 8), (date(2026, 10, 26), 8)]
)
def test_an_ordinary_working_day_has_eight_hours_of_night(day: date, night_hours: int) -> None:
    assert hours_of_night(day) == timedelta(hours=night_hours)


@pytest.mark.parametrize(("day", "night_hours"), [(date(2026, 3, 29), 7), (date(2026, 10, 25), 9)])
def test_the_night_in_which_clocks_change_is_an_hour_shorter_or_longer(day: date, night_hours: int) -> None:
    text = TWO_RATES.replace('["sat", "sun"]', '["wed"]')
    assert hours_of_night(day, text) == timedelta(hours=night_hours)


def test_a_window_within_the_hour_that_comes_twice_holds_twice() -> None:
    text = TWO_RATES.replace("22:00", "02:15").replace("06:00", "02:45").replace('["sat", "sun"]', '["wed"]')
    assert hours_of_night(date(2026, 10, 25), text) == timedelta(hours=1)
    assert hours_of_night(date(2026, 3, 29), text) == timedelta(0)
    assert hours_of_night(date(2026, 6, 21), text) == timedelta(minutes=30)


def hours_of_night(day: date, text: str = TWO_RATES) -> timedelta:
    from wattrail.ledger import midnight

    table = Timetable(tariff(text), midnight(day, BERLIN), midnight(day + timedelta(days=1), BERLIN), BERLIN)
    return sum((span.end - span.start for span in table.spans if span.key.rate == "night"), timedelta())


def test_a_timetable_knows_whether_one_rate_held_all_the_time() -> None:
    table = Timetable(tariff(), utc(2026, 6, 15), utc(2026, 6, 19), BERLIN)
    assert table.one_rate(utc(2026, 6, 15, 5), utc(2026, 6, 15, 20))
    assert not table.one_rate(utc(2026, 6, 15, 5), utc(2026, 6, 15, 20, 1))
    assert table.one_price(utc(2026, 6, 15, 5), utc(2026, 6, 18))
    assert not table.one_price(utc(2026, 6, 14), utc(2026, 6, 18))
    prices = Timetable(tariff(), utc(2026, 10, 14), utc(2026, 10, 16), BERLIN)
    assert not prices.one_price(utc(2026, 10, 14, 12), utc(2026, 10, 15, 12))


@pytest.mark.parametrize(
    ("wrong", "right", "says"),
    [
        ("currency", "currencies", r"^tariff.toml, line 3: the file has no field 'currencies'; known: name, currency"),
        ('currency = "EUR"', "", r"^tariff.toml, line 1: currency: this field is missing"),
        (
            'rate = "night"\nfrom',
            'rate = "nigt"\nfrom',
            r"line 7: window\[1\]\.rate: unknown rate 'nigt'; known: day, night",
        ),
        ('"22:00"', '"22:00:30"', r'window\[1\]\.from: must be a local time to the minute such as "22:00"'),
        ('"sat", "sun"', '"saturday"', r"window\[2\]\.days: must be of mon, tue, .*, got saturday"),
        (
            "night = 0.2541 }",
            "nigh = 0.2541 }",
            r"line 19: price\[1\]\.rates\.nigh: unknown rate 'nigh'; known: day, night",
        ),
        (", night = 0.2541 }", " }", r"price\[1\]\.rates\.night: this field is missing"),
        ("export = 0.0786", 'export = "eight"', r"price\[1\]\.export: must be an amount of money"),
        ("export = 0.0786", "until = 2025-12-31", r"price\[1\]\.until: 2025-12-31 is not after 2026-01-01"),
        (
            'standing_per = "day"',
            'standing_per = "week"',
            r"line 28: price\[2\]\.standing_per: must be 'day' or 'month', got 'week'",
        ),
        ("from = 2026-10-15", 'from = "soon"', r"price\[2\]\.from: must be a date such as"),
        ('name = "Two rates"', "billing_day = 32", r"billing_day: must be less than or equal to 31, got 32"),
        ('["day", "night"]', '["day", "day"]', r"rates: must be 1 to 9 different names"),
        ("from = 2026-10-15", "from = 2026-01-01", r"price\[2\]\.from: 2026-01-01 is the first day of price\[1\] too"),
        ("export = 0.0786", 'export = "1e400"', r"price\[1\]\.export: must be below 1000000000 .* got '1e400'"),
        ("export = 0.0786", "export = 1e-400", r"price\[1\]\.export: .* 12 decimals at most, got 1E-400"),
        ("export = 0.0786", 'export = "1e999999999999999999999"', r"price\[1\]\.export: must be an amount of money"),
        ("export = 0.0786", f"export = {'9' * 4000}", r"price\[1\]\.export: must be below 1000000000"),
        ("rates = { day = 0.3214, night = 0.2541 }", "rates = 0.3", r"price\[1\]\.rates: must give a price for each"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(wrong: str, right: str, says: str) -> None:
    assert wrong in TWO_RATES
    with pytest.raises(ConfigError, match=says):
        tariff(TWO_RATES.replace(wrong, right, 1))


def test_a_price_that_went_through_a_float_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"price\.0\.rates\.day\n *.*0.3214 came as a float"):
        TariffFile.model_validate(tomllib.loads(TWO_RATES))


def test_a_tariff_with_one_rate_is_three_lines() -> None:
    flat = tariff('currency = "EUR"\n[[price]]\nfrom = 2026-01-01\nrates = 0.30')
    assert (flat.rates, flat.prices[0].rates) == (("standard",), {"standard": Decimal("0.30")})


def test_a_tariff_without_a_price_is_none() -> None:
    with pytest.raises(ConfigError, match="price: there is none"):
        tariff('currency = "EUR"')


def test_the_tariff_in_the_manual_is_one() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")
    shown = tariff(manual.partition("```toml\n")[2].partition("```")[0])
    assert (shown.billing_day, shown.rates, len(shown.windows), len(shown.prices)) == (15, ("day", "night"), 2, 2)
    assert shown.price_on(date(2027, 1, 1)) == 0  # the second has an end, the first has none
