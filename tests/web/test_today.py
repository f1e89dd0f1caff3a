"""Today beside yesterday and the usual, from a ledger whose every hour is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.ledger.test_tariff import tariff
from wattrail.app.demo_past import store_past
from wattrail.app.plan import DEMO_METER
from wattrail.chips import BL0942
from wattrail.front_end import FRONT_ENDS
from wattrail.ledger import Entry, EntryKind
from wattrail.store import open_store, open_to_read
from wattrail.web.today import TodayJson, cost_of_today, today_of

BERLIN = ZoneInfo("Europe/Berlin")
CALIBRATION = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])
COUNTS_PER_HOUR = 1000
HOUR_WH = float(BL0942.energy_register(CALIBRATION).step_mwh) * COUNTS_PER_HOUR / 1000


def evenly(path: Path, began: datetime, hours: int) -> None:
    """A ledger in which every hour imports the same."""
    entries = [Entry(sequence=1, kind=EntryKind.START, start=began, end=began, epoch=1, count=0)]
    for hour in range(hours):
        start = began + timedelta(hours=hour)
        entries.append(
            Entry(
                sequence=hour + 2, kind=EntryKind.COUNTED, start=start, end=start + timedelta(hours=1), epoch=1,
                count=COUNTS_PER_HOUR * (hour + 1), positive=COUNTS_PER_HOUR, elapsed_us=3_600_000_000,
            )
        )  # fmt: skip
    with open_store(path, zone=BERLIN) as store:
        row = store.register_meter("house", "twin://pziot-e01", simulated=True, calibration=CALIBRATION, at=began)
        store.book(row.id, entries)


def asked(path: Path, now: datetime, zone: tzinfo = BERLIN) -> TodayJson:
    with open_to_read(path) as reader:
        return today_of(reader, "house", now, zone, simulated=True)


def test_ten_hours_of_today_stand_beside_ten_of_yesterday(tmp_path: Path) -> None:
    path, began = tmp_path / "a.sqlite", datetime(2026, 11, 1, tzinfo=BERLIN).astimezone(UTC)
    evenly(path, began, hours=20 * 24)
    answer = asked(path, datetime(2026, 11, 20, 10, tzinfo=BERLIN).astimezone(UTC))
    assert answer.today.import_wh == pytest.approx(10 * HOUR_WH, abs=0.01)
    assert answer.yesterday_until_now is not None
    assert answer.yesterday_until_now.import_wh == pytest.approx(10 * HOUR_WH, abs=0.01)
    assert answer.yesterday is not None
    assert answer.yesterday.import_wh == pytest.approx(24 * HOUR_WH, abs=0.01)
    assert answer.usual_until_now is not None
    assert answer.usual_until_now.import_wh == pytest.approx(10 * HOUR_WH, abs=0.01)
    assert answer.usual_days == 14
    assert answer.simulated


def test_a_day_of_25_hours_is_compared_by_the_time_that_passed(tmp_path: Path) -> None:
    path, began = tmp_path / "a.sqlite", datetime(2026, 10, 20, tzinfo=BERLIN).astimezone(UTC)
    evenly(path, began, hours=10 * 24)
    answer = asked(path, datetime(2026, 10, 26, 22, tzinfo=BERLIN).astimezone(UTC))  # the day before had 25 hours
    assert answer.yesterday is not None
    assert answer.yesterday_until_now is not None
    assert answer.yesterday.import_wh == pytest.approx(25 * HOUR_WH, abs=0.01)
    assert answer.yesterday_until_now.import_wh == pytest.approx(22 * HOUR_WH, abs=0.01)


def test_the_first_day_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    path, began = tmp_path / "a.sqlite", datetime(2026, 11, 20, 6, tzinfo=BERLIN).astimezone(UTC)
    evenly(path, began, hours=8)
    answer = asked(path, datetime(2026, 11, 20, 12, tzinfo=BERLIN).astimezone(UTC))
    assert answer.today.import_wh == pytest.approx(6 * HOUR_WH, abs=0.01)
    assert (answer.yesterday, answer.yesterday_until_now, answer.usual_until_now) == (None, None, None)


def test_half_of_yesterday_is_not_compared_with(tmp_path: Path) -> None:
    path, began = tmp_path / "a.sqlite", datetime(2026, 11, 19, 6, tzinfo=BERLIN).astimezone(UTC)
    evenly(path, began, hours=40)
    answer = asked(path, datetime(2026, 11, 20, 12, tzinfo=BERLIN).astimezone(UTC))
    assert answer.yesterday_until_now is None
    assert answer.today.import_wh == pytest.approx(12 * HOUR_WH, abs=0.01)


def test_a_meter_without_a_ledger_has_used_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path / "a.sqlite"):
        pass
    answer = asked(tmp_path / "a.sqlite", datetime(2026, 11, 20, 12, tzinfo=UTC))
    assert answer.today.import_wh == 0
    assert answer.yesterday is None


def test_the_generated_year_answers_too(tmp_path: Path) -> None:
    path, now = tmp_path / "a.sqlite", datetime(2026, 11, 29, 12, 30, tzinfo=UTC)
    with open_store(path, zone=BERLIN) as store:
        store_past(store, DEMO_METER, until=now, zone=BERLIN, days=20)
    with open_to_read(path) as reader:
        answer = today_of(reader, "twin", now, BERLIN, simulated=True)
        series = reader.series("twin", now - timedelta(days=19), now, points=500)
    assert answer.usual_days == 14
    assert 1000 < answer.today.import_wh < 30_000
    assert len(series) > 100
    assert min(bucket.lowest for bucket in series) < -2000
    assert max(bucket.highest for bucket in series) > 3000


def test_today_costs_what_its_energy_costs(tmp_path: Path) -> None:
    path, began = tmp_path / "a.sqlite", datetime(2026, 11, 1, tzinfo=BERLIN).astimezone(UTC)
    evenly(path, began, hours=20 * 24)
    flat = tariff('currency = "EUR"\n[[price]]\nfrom = 2026-01-01\nrates = 0.30\nstanding = 12.90\n')
    with open_to_read(path) as reader:
        now = datetime(2026, 11, 20, 10, tzinfo=BERLIN).astimezone(UTC)
        cost = cost_of_today(reader, "house", now, BERLIN, flat)
    assert cost is not None
    kwh = round(10 * HOUR_WH) / 1000
    assert float(cost.today) == pytest.approx(kwh * 0.30, abs=0.01)  # no share of the standing charge
    assert cost.yesterday_until_now == cost.today
    assert cost.currency == "EUR"
