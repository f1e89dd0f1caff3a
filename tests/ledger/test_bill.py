"""Bills, checked by hand: the arithmetic stands beside them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.rig import BERLIN, entry, forgotten, ledger_slice, start, utc, watched
from tests.ledger.test_ledger import EPOCH, lived_through, steps
from tests.ledger.test_stated import also, stated
from tests.ledger.test_tariff import tariff
from wattrail.ledger import (
    Bill,
    EnergyDirection,
    Entry,
    Ledger,
    LedgerSlice,
    adjustment,
    assignment,
    bills,
    energy_bills,
    midnight,
    opening,
)
from wattrail.ledger.bill import rate_registers

EVERY_NIGHT = """
name = "Two rates"
currency = "EUR"
rates = ["day", "night"]
[[window]]
rate = "night"
from = "22:00"
to = "06:00"
[[price]]
from = 2026-01-01
rates = { day = 0.3214, night = 0.2541 }
export = 0.0786
standing = 12.90
"""
NEW_PRICE = """
[[price]]
from = 2026-10-15
rates = { day = 0.34, night = 0.26 }
export = 0.07
standing = 13.95
"""
FLAT = 'currency = "EUR"\n[[price]]\nfrom = 2026-01-01\nrates = 0.30\nexport = 0.08\n'


def house(at: datetime) -> tuple[int, int]:
    """100 W all day (15 counts a minute are 900 an hour are 0.1 kWh); 60 W fed in from 12 to 13 o'clock."""
    return 15, 9 if at.hour == 12 else 0


@pytest.fixture(scope="module")
def march() -> list[Entry]:
    return watched(date(2026, 3, 1), date(2026, 4, 1), house)


@pytest.fixture(scope="module")
def october() -> list[Entry]:
    return watched(date(2026, 10, 1), date(2026, 11, 1), house)


def bill(account: LedgerSlice, text: str = EVERY_NIGHT) -> Bill:
    assert account.began is not None
    assert account.booked_until is not None
    (made,) = bills(account, tariff(text), account.began, account.booked_until, BERLIN)
    return made


def amounts(made: Bill) -> list[tuple[str, str, str, str]]:
    return [(line.text, line.obis, str(line.quantity), str(line.amount)) for line in made.lines]


def test_march_with_its_short_night(march: list[Entry]) -> None:
    # March has 31 * 24 - 1 = 743 hours, 74.3 kWh. Days, 6 to 22: 31 * 16 = 496 h, 49.6 kWh.
    # Nights: 31 * 8 - 1 = 247 h, 24.7 kWh. Fed in: 31 * 0.06 = 1.86 kWh.
    # 49.6 * 0.3214 = 15.94144; 24.7 * 0.2541 = 6.27627; 1.86 * 0.0786 = 0.146196.
    # 15.94 + 6.28 + 12.90 - 0.15 = 34.97.
    made = bill(ledger_slice(march))
    assert amounts(made) == [
        ("import, day", "1-0:1.8.1", "49.6", "15.94"),
        ("import, night", "1-0:1.8.2", "24.7", "6.28"),
        ("standing charge per month", "", "1", "12.90"),
        ("feed-in", "1-0:2.8.0", "1.86", "-0.15"),
    ]
    assert made.total == Decimal("34.97")
    assert (made.energy.import_mwh, made.energy.export_mwh) == (74_300_000, 1_860_000)
    assert (made.uncharged.import_mwh, made.uncharged.export_mwh, made.complete) == (0, 0, True)


def test_october_with_its_long_night_and_a_new_price_on_the_15th(october: list[Entry]) -> None:
    # 745 hours. 1 to 14 October: days 14 * 16 = 224 h, 22.4 kWh; nights 14 * 8 = 112 h, 11.2 kWh.
    # 15 to 31: days 17 * 16 = 272 h, 27.2 kWh; nights 17 * 8 + 1 = 137 h, 13.7 kWh. Together 74.5 kWh.
    # 22.4 * 0.3214 = 7.19936; 11.2 * 0.2541 = 2.84592; 27.2 * 0.34 = 9.248; 13.7 * 0.26 = 3.562.
    # Standing: 12.90 * 14 / 31 = 5.8258; 13.95 * 17 / 31 = 7.65.
    # Fed in: 14 * 0.06 = 0.84 at 0.0786 = 0.066024; 17 * 0.06 = 1.02 at 0.07 = 0.0714.
    # 7.20 + 2.85 + 9.25 + 3.56 + 5.83 + 7.65 - 0.07 - 0.07 = 36.20.
    made = bill(ledger_slice(october), EVERY_NIGHT + NEW_PRICE)
    assert amounts(made) == [
        ("import, day, from 2026-01-01", "1-0:1.8.1", "22.4", "7.20"),
        ("import, night, from 2026-01-01", "1-0:1.8.2", "11.2", "2.85"),
        ("import, day, from 2026-10-15", "1-0:1.8.1", "27.2", "9.25"),
        ("import, night, from 2026-10-15", "1-0:1.8.2", "13.7", "3.56"),
        ("standing charge per month", "", "14", "5.83"),
        ("standing charge per month", "", "17", "7.65"),
        ("feed-in, from 2026-01-01", "1-0:2.8.0", "0.84", "-0.07"),
        ("feed-in, from 2026-10-15", "1-0:2.8.0", "1.02", "-0.07"),
    ]
    assert made.total == Decimal("36.20")


def test_half_a_cent_is_rounded_up_once_a_line(march: list[Entry]) -> None:
    # 49.6 * 0.0625 = 3.1 exactly; 24.7 * 0.05 = 1.235, which is 1.24; 1.86 * 0.0025 = 0.00465, which is 0.00.
    text = EVERY_NIGHT.replace("0.3214", "0.0625").replace("0.2541", "0.05").replace("0.0786", "0.0025")
    assert [amount for *_, amount in amounts(bill(ledger_slice(march), text))] == ["3.10", "1.24", "12.90", "0.00"]


def test_a_standing_charge_by_the_day_counts_local_days(march: list[Entry]) -> None:
    line = bill(
        ledger_slice(march), EVERY_NIGHT.replace("standing = 12.90", 'standing = 0.41\nstanding_per = "day"')
    ).lines[2]
    assert (line.quantity, line.unit, line.amount) == (31, "days", Decimal("12.71"))  # 31 * 0.41


def test_a_gap_within_one_rate_is_charged_at_it(march: list[Entry]) -> None:
    gap = forgotten(march, utc(2026, 3, 3, 9), utc(2026, 3, 3, 10), directed=True)
    made = bill(ledger_slice(gap))
    assert amounts(made)[0] == ("import, day", "1-0:1.8.1", "49.6", "15.94")
    assert not made.complete


def test_a_gap_over_two_rates_is_listed_and_not_charged(march: list[Entry]) -> None:
    # Local 20:00 to 24:00: 0.2 kWh of the day and 0.2 kWh of the night are 0.4 kWh that no one price is known for.
    made = bill(ledger_slice(forgotten(march, utc(2026, 3, 3, 19), utc(2026, 3, 3, 23), directed=True)))
    assert [line.energy_mwh for line in made.lines[:2]] == [49_400_000, 24_500_000]
    assert (made.uncharged.import_mwh, made.energy.import_mwh) == (400_000, 74_300_000)


def test_energy_without_a_direction_is_listed_and_not_charged(march: list[Entry]) -> None:
    made = bill(ledger_slice(forgotten(march, utc(2026, 3, 3, 9), utc(2026, 3, 3, 10))), FLAT)
    assert [line.energy_mwh for line in made.lines] == [74_200_000, 1_860_000]
    assert made.uncharged.undirected_mwh == 100_000


def test_with_one_price_it_does_not_matter_when_energy_flowed(march: list[Entry]) -> None:
    account = ledger_slice(forgotten(march, utc(2026, 3, 3, 19), utc(2026, 3, 3, 23)))
    said = {"at": utc(2026, 3, 20), "who": "ada", "reason": "the panels were dark"}
    (number,) = (one.sequence for one in account.entries if one.undirected)
    account = ledger_slice(account.entries, [assignment(account, number, EnergyDirection.IMPORT, **said)])  # type: ignore[arg-type]
    account = ledger_slice(
        account.entries, [*account.stated, adjustment(account, import_mwh=700_000, export_mwh=0, **said)]
    )  # type: ignore[arg-type]
    made = bill(account, FLAT)
    assert made.lines[0].energy_mwh == 75_000_000  # all 74.3 kWh, and 0.7 that were stated
    assert (made.uncharged.import_mwh, made.uncharged.undirected_mwh) == (0, 0)
    made = bill(account)
    assert made.uncharged.import_mwh == 1_100_000


def test_an_opening_is_never_charged(march: list[Entry]) -> None:
    account = ledger_slice(march)
    opened = opening(account, import_mwh=10**10, export_mwh=0, at=utc(2026, 3, 9), who="ada", reason="old meter")
    assert bill(ledger_slice(march, [opened])) == bill(account)


def test_what_no_price_covers_is_listed(march: list[Entry]) -> None:
    made = bill(ledger_slice(march), FLAT.replace("2026-01-01", "2026-03-31"))
    assert made.lines[0].energy_mwh == 2_400_000
    assert made.uncharged.import_mwh == 71_900_000


def test_export_that_nobody_pays_for_is_listed(march: list[Entry]) -> None:
    made = bill(ledger_slice(march), FLAT.replace("export = 0.08", ""))
    assert made.uncharged.export_mwh == 1_860_000


def test_billing_periods_begin_on_their_day_and_their_energy_adds_up(march: list[Entry]) -> None:
    account = ledger_slice(march)
    made = bills(account, tariff("billing_day = 15\n" + EVERY_NIGHT), utc(2026, 3, 1), utc(2026, 3, 31, 12), BERLIN)
    assert [each.start for each in made] == [midnight(date(2026, m, 15), BERLIN) for m in (2, 3)]
    assert sum(each.energy.import_mwh for each in made) == 74_300_000
    assert [each.complete for each in made] == [False, False]


def test_the_register_of_each_rate_goes_on_from_row_to_row(march: list[Entry]) -> None:
    moments = [utc(2026, 3, 1, 5), utc(2026, 3, 1, 21), midnight(date(2026, 4, 1), BERLIN)]
    rows = rate_registers(ledger_slice(march), tariff(EVERY_NIGHT), moments, BERLIN)
    assert rows == (
        {"day": 0, "night": 600_000},
        {"day": 1_600_000, "night": 600_000},
        {"day": 49_600_000, "night": 24_700_000},
    )
    assert rate_registers(ledger_slice([]), tariff(EVERY_NIGHT), moments[:1], BERLIN) == ({"day": 0, "night": 0},)


BUSY = (
    EVERY_NIGHT.replace("22:00", "14:03").replace("06:00", "14:11")
    + """
[[window]]
rate = "night"
from = "14:31"
to = "15:07"
"""
)
moves = st.lists(st.tuples(st.sampled_from(["open", "adjust", "assign"]), st.integers(1, 10**6)), max_size=4)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 23), steps, moves)
def test_lines_and_what_is_not_charged_always_add_up_to_the_register(
    begin: int, story: list[tuple[str, int, int]], told: list[tuple[str, int]]
) -> None:
    ledger = Ledger(EPOCH)
    entries = [one for seen in lived_through(begin, story) for one in ledger.observe(seen)]
    account = LedgerSlice(entries=(*entries, *ledger.close()), epochs={1: EPOCH})
    for kind, mwh in told:
        if (made := stated(account, kind, mwh)) is not None:
            account = also(account, made)
    for text in (BUSY, FLAT):
        for each in bills(account, tariff(text), utc(2026, 6, 1), utc(2026, 7, 15), BERLIN):
            imported = sum(line.energy_mwh or 0 for line in each.lines if line.text.startswith("import"))
            exported = sum(line.energy_mwh or 0 for line in each.lines if line.text.startswith("feed-in"))
            assert imported + each.uncharged.import_mwh == each.energy.import_mwh
            assert exported + each.uncharged.export_mwh == each.energy.export_mwh
            assert min(each.uncharged.import_mwh, each.uncharged.export_mwh) >= 0
            assert all((line.energy_mwh or 0) >= 0 for line in each.lines)
            if text == FLAT:
                assert each.uncharged.import_mwh == each.uncharged.export_mwh == 0


def test_a_standing_charge_is_for_the_days_of_the_account() -> None:
    # From noon of 20 October to noon of 11 November: 12 of the 31 days of October, 11 of the 30 of November.
    # 12.90 * 12 / 31 = 4.9935; 12.90 * 11 / 30 = 4.73. Of September and December the account knows nothing.
    began, until = utc(2026, 10, 20, 12), utc(2026, 11, 11, 12)
    account = ledger_slice([start(began), entry(start(began), until, positive=900)])
    text = FLAT.replace("export = 0.08", "standing = 12.90")
    found = [
        [(line.quantity, line.unit, line.amount) for line in made.lines if line.energy_mwh is None]
        for made in bills(account, tariff(text), utc(2026, 9, 5), utc(2026, 12, 5), BERLIN)
    ]
    assert found == [
        [],
        [(12, "of 31 days", Decimal("4.99"))],
        [(11, "of 30 days", Decimal("4.73"))],
        [],
    ]


def test_a_standing_charge_by_the_day_is_for_the_days_of_the_account() -> None:
    # 20 to 31 October, 1 to 11 November: 12 * 0.41 = 4.92, 11 * 0.41 = 4.51.
    began, until = utc(2026, 10, 20, 12), utc(2026, 11, 11, 12)
    account = ledger_slice([start(began), entry(start(began), until, positive=900)])
    text = FLAT.replace("export = 0.08", 'standing = 0.41\nstanding_per = "day"')
    made = bills(account, tariff(text), utc(2026, 9, 5), utc(2026, 12, 5), BERLIN)
    assert [line.amount for one in made for line in one.lines if line.energy_mwh is None] == [
        Decimal("4.92"), Decimal("4.51")
    ]  # fmt: skip
    assert [one.complete for one in made] == [False] * 4


def test_a_day_costs_its_energy_and_no_standing_charge(march: list[Entry]) -> None:
    # 16 h of day and 8 h of night at 0.1 kWh an hour: 1.6 * 0.3214 = 0.51424, 0.8 * 0.2541 = 0.20328.
    # Fed in 0.06 kWh: 0.06 * 0.0786 = 0.004716. 0.51 + 0.20 - 0.00 = 0.71.
    days = [midnight(date(2026, 3, day), BERLIN) for day in (10, 11)]
    (made,) = energy_bills(ledger_slice(march), tariff(EVERY_NIGHT), days, BERLIN)
    assert amounts(made) == [
        ("import, day", "1-0:1.8.1", "1.6", "0.51"),
        ("import, night", "1-0:1.8.2", "0.8", "0.20"),
        ("feed-in", "1-0:2.8.0", "0.06", "0.00"),
    ]
    assert made.total == Decimal("0.71")


def test_days_cost_together_what_the_month_costs_without_its_charge(march: list[Entry]) -> None:
    days = [midnight(date(2026, 3, 1), BERLIN), *(
        midnight(date(2026, 3, day), BERLIN) for day in range(2, 32)
    ), midnight(date(2026, 4, 1), BERLIN)]  # fmt: skip
    by_day = energy_bills(ledger_slice(march), tariff(EVERY_NIGHT), days, BERLIN)
    whole = bill(ledger_slice(march))
    assert sum(one.energy.import_mwh for one in by_day) == whole.energy.import_mwh
    assert abs(sum(one.total for one in by_day) - (whole.total - Decimal("12.90"))) < Decimal("0.31")  # a cent a day


def test_empty_books_cost_nothing() -> None:
    empty = ledger_slice([])
    assert energy_bills(empty, tariff(FLAT), [utc(2026, 3, 1), utc(2026, 3, 2)], BERLIN) == ()
