"""Bills whose price changes from hour to hour, checked by hand: the arithmetic stands beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.rig import BERLIN, forgotten, ledger_slice, utc, watched
from tests.ledger.test_tariff import tariff
from wattrail.errors import ConfigError
from wattrail.ledger import Bill, Entry, LedgerSlice, MarketPrice, Tariff, Timetable, bills, midnight
from wattrail.ledger.bill import rate_registers
from wattrail.ledger.market_prices import in_order

HOUR = timedelta(hours=1)
SPOT = """
currency = "EUR"
[market]
prices = "spot.csv"
import_factor = 1.19
[[price]]
from = 2026-01-01
rates = 0.18
export = 0.08
standing = 10
"""
PAID_BY_MARKET = SPOT.replace("import_factor = 1.19", "import_factor = 1.19\nexport_factor = 0.9")


def house(at: datetime) -> tuple[int, int]:
    """100 W all day (0.1 kWh an hour); 60 W fed in from 12 to 13 o'clock, by the clock of UTC."""
    return 15, 9 if at.hour == 12 else 0


def hours(first: datetime, *prices: str) -> tuple[MarketPrice, ...]:
    return tuple(
        MarketPrice(first + n * HOUR, first + (n + 1) * HOUR, Decimal(price)) for n, price in enumerate(prices)
    )


def priced(text: str, prices: tuple[MarketPrice, ...]) -> Tariff:
    bare = tariff(text)
    assert bare.market is not None
    return replace(bare, market=replace(bare.market, prices=prices))


def bill(account: LedgerSlice, plan: Tariff) -> Bill:
    assert account.began is not None
    assert account.booked_until is not None
    (made,) = bills(account, plan, account.began, account.booked_until, BERLIN)
    return made


@pytest.fixture(scope="module")
def day() -> list[Entry]:
    """The night in March in which clocks go forward: 23 hours, and the whole account."""
    return watched(date(2026, 3, 29), date(2026, 3, 30), house)


def test_every_hour_is_charged_at_its_own_price(day: list[Entry]) -> None:
    first = midnight(date(2026, 3, 29), BERLIN)
    cheap, dear = ["0.05"] * 11, ["0.25"] * 12  # 23 hours in that day
    made = bill(ledger_slice(day), priced(SPOT, hours(first, *cheap, *dear)))
    imported, standing, exported = made.lines
    # 11 x 0.1 x (0.05 x 1.19 + 0.18) + 12 x 0.1 x (0.25 x 1.19 + 0.18) = 0.26345 + 0.573 = 0.83645
    assert (str(imported.amount), imported.text) == ("0.84", "import, standard, mean of 2 prices")
    assert str(imported.price) == "0.363674"  # 0.83645 / 2.3
    assert str(imported.quantity) == "2.3"
    assert (exported.text, str(exported.amount)) == ("feed-in", "0.00")  # 0.06 x 0.08 = 0.0048
    assert made.total == imported.amount + standing.amount
    assert made.unpriced == ()


def test_a_negative_price_is_paid_to_the_customer(day: list[Entry]) -> None:
    first = midnight(date(2026, 3, 29), BERLIN)
    made = bill(ledger_slice(day), priced(SPOT.replace("rates = 0.18", "rates = 0"), hours(first, *["-0.5"] * 23)))
    assert str(made.lines[0].amount) == "-1.37"  # 2.3 x -0.5 x 1.19 = -1.3685


def test_a_missing_price_is_said_and_never_nought(day: list[Entry]) -> None:
    first = midnight(date(2026, 3, 29), BERLIN)
    known = (*hours(first, *["0.10"] * 10), *hours(first + 13 * HOUR, *["0.10"] * 10))
    made = bill(ledger_slice(day), priced(SPOT, known))
    assert made.unpriced == ((first + 10 * HOUR, first + 13 * HOUR),)
    assert made.uncharged.import_mwh == 300_000  # three hours of 0.1 kWh
    assert str(made.lines[0].quantity) == "2"
    assert str(made.lines[0].amount) == "0.60"  # 2 x (0.10 x 1.19 + 0.18) = 0.598
    assert made.uncharged.export_mwh == 0  # the export has a price of its own


def test_without_any_price_nothing_is_charged_and_all_is_said(day: list[Entry]) -> None:
    made = bill(ledger_slice(day), tariff(SPOT))
    assert [line.text for line in made.lines] == ["standing charge per month", "feed-in"]
    assert made.unpriced == ((day[0].start, day[0].start + 23 * HOUR),)
    assert made.uncharged.import_mwh == 2_300_000


def test_what_is_fed_in_can_follow_the_market_too(day: list[Entry]) -> None:
    made = bill(ledger_slice(day), priced(PAID_BY_MARKET, hours(midnight(date(2026, 3, 29), BERLIN), *["10"] * 23)))
    assert str(made.lines[-1].amount) == "-0.54"  # 0.06 x (10 x 0.9 + 0.08) = 0.5448


def test_time_without_a_price_and_without_energy_is_not_said() -> None:
    still = watched(date(2026, 3, 2), date(2026, 3, 3), lambda at: (15 if at.hour < 12 else 0, 0))
    first = midnight(date(2026, 3, 2), BERLIN)
    made = bill(ledger_slice(still), priced(SPOT, hours(first, *["0.1"] * 13)))
    assert made.unpriced == ()


def test_energy_of_a_gap_over_two_prices_is_not_charged(day: list[Entry]) -> None:
    first = midnight(date(2026, 3, 29), BERLIN)
    prices = hours(first, *["0.1", "0.3"] * 11, "0.1")
    gappy = forgotten(day, first + 5 * HOUR, first + 7 * HOUR, directed=True)
    made = bill(ledger_slice(gappy), priced(SPOT, prices))
    assert made.uncharged.import_mwh > 0
    alike = bill(ledger_slice(gappy), priced(SPOT, hours(first, *["0.1"] * 23)))
    assert alike.uncharged.import_mwh == 0  # one price all the time: whenever it flowed


def test_quarter_hours_and_windows_of_the_grid_fee_add_up() -> None:
    account = watched(date(2026, 3, 2), date(2026, 3, 3), house)
    text = SPOT.replace("rates = 0.18", "rates = { low = 0.02, high = 0.2 }").replace(
        'currency = "EUR"', 'currency = "EUR"\nrates = ["low", "high"]'
    )
    text += '[[window]]\nrate = "high"\nfrom = "17:00"\nto = "20:00"\n'
    first = midnight(date(2026, 3, 2), BERLIN)
    quarter = timedelta(minutes=15)
    prices = tuple(MarketPrice(first + n * quarter, first + (n + 1) * quarter, Decimal(n % 4) / 10) for n in range(96))
    made = bill(ledger_slice(account), priced(text, prices))
    low, high = made.lines[:2]
    # an hour of 0.1 kWh at 0, 0.1, 0.2, 0.3: mean 0.15 x 1.19 = 0.1785
    assert (str(low.quantity), str(low.amount)) == ("2.1", "0.42")  # 2.1 x 0.1985 = 0.41685
    assert (str(high.quantity), str(high.amount)) == ("0.3", "0.11")  # 0.3 x 0.3785 = 0.11355


def test_registers_of_rates_do_not_care_for_the_market(day: list[Entry]) -> None:
    account = ledger_slice(day)
    moments = [midnight(date(2026, 3, 30), BERLIN)]
    assert rate_registers(account, tariff(SPOT), moments, BERLIN) == ({"standard": 2_300_000},)


@settings(max_examples=15)
@given(st.lists(st.decimals(-1, 1, places=5), min_size=23, max_size=23), st.sets(st.integers(0, 22)))
def test_charged_and_uncharged_add_up_to_all(day: list[Entry], prices: list[Decimal], missing: set[int]) -> None:
    account = ledger_slice(day)
    first = midnight(date(2026, 3, 29), BERLIN)
    known = tuple(one for n, one in enumerate(hours(first, *map(str, prices))) if n not in missing)
    made = bill(account, priced(SPOT, known))
    charged = sum(line.energy_mwh or 0 for line in made.lines if line.text.startswith("import"))
    assert charged + made.uncharged.import_mwh == made.energy.import_mwh
    exact = sum((Decimal("0.1") * (one.price * Decimal("1.19") + Decimal("0.18")) for one in known), Decimal(0))
    amount = next((line.amount for line in made.lines if line.text.startswith("import")), Decimal(0))
    assert abs(amount - exact) <= Decimal("0.005")
    assert sum((end - start for start, end in made.unpriced), timedelta()) == len(missing) * HOUR


def overlapping() -> Iterator[MarketPrice]:
    yield MarketPrice(utc(2026, 3, 1, 1), utc(2026, 3, 1, 3), Decimal(1))
    yield MarketPrice(utc(2026, 3, 1, 2), utc(2026, 3, 1, 3), Decimal(2))
    yield MarketPrice(utc(2026, 3, 1, 0), utc(2026, 3, 1, 1), Decimal(3))
    yield MarketPrice(utc(2026, 3, 1, 0), utc(2026, 3, 1, 1), Decimal(4))


def test_prices_come_in_order_and_do_not_overlap() -> None:
    assert [(one.start.hour, one.end.hour, int(one.price)) for one in in_order(overlapping())] == [
        (0, 1, 4), (1, 2, 1), (2, 3, 2),
    ]  # fmt: skip


def test_a_timetable_of_a_year_in_quarter_hours_is_quick_enough_to_ask() -> None:
    first, quarter = datetime(2026, 1, 1, tzinfo=UTC), timedelta(minutes=15)
    prices = tuple(MarketPrice(first + n * quarter, first + (n + 1) * quarter, Decimal(n)) for n in range(35_040))
    plan = priced(SPOT, prices)
    timetable = Timetable(plan, first, first + timedelta(days=365), BERLIN)
    assert len(timetable.spans) == 35_040


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('prices = "spot.csv"\nurl = "ftp://example.org"', "must be an address such as https"),
        ('prices = "spot.csv"\nurl = "https://me:secret@example.org/"', "must be an address"),
        ('prices = ""', "must be a text"),
        ('prices = "spot.csv"\nimport_factor = "much"', "must be an amount"),
        ('url = "https://example.org"', "prices"),
    ],
)
def test_a_market_that_makes_no_sense_is_refused_by_field(line: str, complaint: str) -> None:
    text = SPOT.replace('prices = "spot.csv"\nimport_factor = 1.19', line)
    with pytest.raises(ConfigError, match=complaint):
        tariff(text)
