"""Reports of a day and of a month, from the ledger of a household."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from tests.store.rig import ENERGY, look
from wattrail.app.tariff_file import parse_tariff
from wattrail.errors import LedgerError
from wattrail.ledger import By, Epoch, Ledger, LedgerSlice, by_interval, midnight
from wattrail.publish.report import EnergyReport, PeakPower, ReportedMeter, energy_report
from wattrail.publish.report_text import as_html, as_object, as_text, title

BERLIN = ZoneInfo("Europe/Berlin")
HOUSE = ReportedMeter(name="house", simulated=False, zone=BERLIN)
EVENING = datetime(2026, 6, 20, 21, 0, tzinfo=UTC)  # 23:00 in Berlin
SUNDAY = date(2026, 6, 21)
TARIFF = 'currency = "EUR"\nbilling_day = 15\n[[price]]\nfrom = 2026-01-01\nrates = 0.30\nstanding = 9.90\n'


def household(seconds: range, *, start: datetime = EVENING, pause: int = 0) -> LedgerSlice:
    """Seconds of importing 600 W; after half of them, nobody reads the meter for ``pause`` seconds."""
    ledger = Ledger(Epoch(number=1, registers=(ENERGY,)))
    entries = []
    for second in seconds:
        late = pause if second >= len(seconds) // 2 else 0
        seen = look(second + late, start=start, watts=600.0)[1]
        elapsed = 1_000_000 * (pause + 1 if second == len(seconds) // 2 else 1)
        entries += ledger.observe(replace(seen, elapsed_us=elapsed if second else None))
    entries += ledger.close()
    return LedgerSlice(entries=tuple(entries), epochs={1: ledger.epoch})


def report_of(ledger_slice: LedgerSlice, by: By = By.DAY, tariff: str | None = None) -> EnergyReport:
    known = parse_tariff(tariff, "tariff.toml") if tariff else None
    return energy_report(ledger_slice, HOUSE, by, SUNDAY, tariff=known)


def test_a_day_and_the_day_before_add_up_to_the_register() -> None:
    books = household(range(7200))
    made = report_of(books)
    (whole,) = by_interval(books, (EVENING, midnight(date(2026, 6, 22), BERLIN)))
    assert made.period.start == datetime(2026, 6, 20, 22, 0, tzinfo=UTC)
    assert made.before is not None
    assert made.before.energy.import_mwh + made.period.energy.import_mwh == whole.energy.import_mwh > 0
    assert "(day before: " in as_text(made)


def test_nothing_booked_the_day_before_is_unknown_not_zero() -> None:
    made = report_of(household(range(1800), start=EVENING + timedelta(hours=2)))
    assert made.before is None
    assert as_object(made)["before"] is None
    assert "before" not in as_text(made)


def test_the_peak_is_the_mean_power_of_a_watched_quarter_hour() -> None:
    made = report_of(household(range(7200)))
    counts = 4 * 900  # four counts a second
    expected = Decimal(int(counts * ENERGY.step_mwh) * 4) / 1000
    assert isinstance(made.peak, PeakPower)
    assert abs(made.peak.watts - expected) <= Decimal("0.01")


def test_the_energy_of_a_gap_is_reported_and_makes_no_peak() -> None:
    made = report_of(household(range(600), start=EVENING + timedelta(hours=2), pause=1800))
    assert made.gaps == 1
    assert made.period.gaps.import_mwh > 0
    assert made.peak is None
    assert "unknown: no quarter hour" in as_text(made)
    assert "incomplete" in as_text(made)


def test_a_month_costs_the_calendar_month_on_any_billing_day() -> None:
    made = report_of(household(range(7200)), By.MONTH, TARIFF)
    assert made.bill is not None
    assert (made.bill.start, made.bill.end) == (made.period.start, made.period.end)
    assert made.bill.energy == made.period.energy
    assert f"{made.bill.total} EUR" in as_text(made)


def test_a_day_in_which_clocks_go_forward_has_23_hours() -> None:
    books = household(range(600), start=datetime(2026, 3, 29, 8, 0, tzinfo=UTC))
    made = energy_report(books, HOUSE, By.DAY, date(2026, 3, 29))
    assert made.period.end - made.period.start == timedelta(hours=23)


def test_a_day_outside_the_account_is_refused_by_name() -> None:
    with pytest.raises(LedgerError, match="nothing is booked for 'house' in the day of 2026-07-01"):
        energy_report(household(range(60)), HOUSE, By.DAY, date(2026, 7, 1))


def test_simulated_energy_says_so_in_every_form() -> None:
    made = replace(report_of(household(range(7200))), meter=replace(HOUSE, simulated=True))
    assert title(made) == "[simulated] house: energy of 2026-06-21"
    assert "[simulated]" in as_text(made).splitlines()[0]
    assert as_html(made).count("[simulated]") == 2
    assert json.loads(json.dumps(as_object(made)))["simulated"] is True


def test_a_name_with_markup_stays_text_on_the_page() -> None:
    heard: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            heard.append(tag)

    Reader().feed(as_html(replace(report_of(household(range(7200))), meter=replace(HOUSE, name="<script>x"))))
    assert "script" not in heard
    assert heard[-2:] == ["th", "td"]
