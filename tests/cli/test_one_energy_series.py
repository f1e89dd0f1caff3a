"""The energy of a day is one number: on the page, in the API, in ``ledger show`` and in the entries it follows from."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.gateway.rig import CALIBRATION, Household, StubMeter
from tests.ledger.rig import chip_epoch
from tests.web.test_api import ask
from wattrail.ledger import Totals
from wattrail.web import Setup, WebProcess, bind
from wattrail.web.api import MeterJson

EVENING = datetime(2026, 6, 21, 17, 58, tzinfo=UTC)
MWH_PER_COUNT: Fraction = chip_epoch(1, CALIBRATION.counts_per_watt).milliwatt_hours(1)

pytestmark = pytest.mark.usefixtures("manual_clock")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Household]:
    house = Household(tmp_path, StubMeter(), start=EVENING)
    with house.store:
        yield house


def on_the_page(house: Household) -> int:
    """Milliwatt-hours imported today, as the API gives them and the page shows them."""
    today = MeterJson.of(house.view).today
    assert today is not None
    return round(today.import_wh * 1000)


def day_in_the_ledger(wattrail: Type, house: Household, day: str) -> dict[str, int]:
    said = wattrail("ledger", "show", "--by", "day", "--from", day, "--json", "--database", str(house.path))
    row: dict[str, int] = json.loads(said.out)["intervals"][0]
    return row


def day_of_the_interface(house: Household, day: str) -> int:
    """What the page's own process answers for a period of the chart."""
    ready, following = threading.Event(), date.fromisoformat(day) + timedelta(days=1)
    with bind(port=0) as listener:
        page = WebProcess(house.feed, Setup(database=house.path), listener, on_ready=lambda _: ready.set())
        try:
            assert ready.wait(60)
            _, answer = ask(page.address, f"/api/v1/meters/house/energy?by=day&from={day}&to={following}")
            period = answer["periods"][0]
            assert period["label"] == day
            return round(period["import_wh"] * 1000)
        finally:
            page.stop()


def day_in_a_bill(wattrail: Type, house: Household, day: str) -> int:
    """A price of one euro a kilowatt-hour, in a billing period that begins with the day."""
    Path("tariff.toml").write_text('currency = "EUR"\nrates = ["all"]\n[[price]]\nfrom = 2026-01-01\nrates = 1\n')
    said = wattrail(
        "ledger", "show", "--tariff", "tariff.toml", "--from", day, "--billing-day", day[-2:], "--json",
        "--database", str(house.path),
    )  # fmt: skip
    bill = json.loads(said.out)["bills"][-1]
    assert bill["start"].startswith(day)
    return int(sum(line["energy_mwh"] for line in bill["lines"] if line["obis"]))


def away(house: Household, until: datetime, *, counts: int) -> None:
    """The gateway stops, the meter counts on, and the gateway is started again."""
    house.worker.close()
    house.clock.advance((until - house.clock.now()).total_seconds())
    house.meter.count += counts
    house.start_worker()


def test_a_gap_over_midnight_is_in_the_day_that_the_ledger_says(wattrail: Type, house: Household) -> None:
    house.run(5 * 60)
    before = house.meter.count - 1004  # counted since the first look
    away(house, datetime(2026, 6, 22, 1, tzinfo=UTC), counts=41_200)
    house.run(90)
    house.worker.close()
    # By hand: what has no shape is booked where it ends, so the day has every count since the reading before it.
    after = house.meter.count - 1004
    by_hand = (after * MWH_PER_COUNT).__floor__() - (before * MWH_PER_COUNT).__floor__()
    assert by_hand > 13_999_000
    assert on_the_page(house) == by_hand
    assert day_in_the_ledger(wattrail, house, "2026-06-22")["import_mwh"] == by_hand
    assert day_of_the_interface(house, "2026-06-22") == by_hand
    assert day_in_a_bill(wattrail, house, "2026-06-22") == by_hand


def test_an_opening_beside_a_running_gateway_is_in_no_day(wattrail: Type, house: Household) -> None:
    house.run(90)
    said = wattrail(
        "ledger", "adjust", "--opening", "--import-kwh", "12347", "--reason", "old meter", "--database", str(house.path)
    )
    assert said.code == 0
    house.run(90)
    counted = house.meter.count - 1004
    assert house.view.total == Totals(12_347_000_000 + (counted * MWH_PER_COUNT).__floor__(), 0)
    assert on_the_page(house) == (counted * MWH_PER_COUNT).__floor__()
    house.worker.close()
    assert day_in_the_ledger(wattrail, house, "2026-06-21")["import_mwh"] == on_the_page(house)


def test_an_adjustment_is_in_the_day_on_which_it_is_made(wattrail: Type, house: Household) -> None:
    house.run(90)
    said = wattrail("ledger", "adjust", "--import-kwh", "5", "--reason", "fuse", "--database", str(house.path))
    assert said.code == 0
    house.run(90)
    house.worker.close()
    assert day_in_the_ledger(wattrail, house, "2026-06-21")["stated"] == {  # made by the clock of the command, at noon
        "import_mwh": 5_000_000, "export_mwh": 0, "undirected_mwh": 0,
    }  # fmt: skip
    assert on_the_page(house) == day_in_the_ledger(wattrail, house, "2026-06-21")["import_mwh"] > 5_000_000


def test_a_minute_over_midnight_is_divided_as_the_ledger_divides_it(wattrail: Type, house: Household) -> None:
    house.run(60)
    away(house, datetime(2026, 6, 21, 23, 59, 30, 500_000, tzinfo=UTC), counts=0)
    house.run(75)
    house.worker.close()
    assert on_the_page(house) == day_in_the_ledger(wattrail, house, "2026-06-22")["import_mwh"] > 0


@pytest.mark.parametrize(
    ("first", "hours"), [("2026-03-28", 23), ("2026-10-24", 25)], ids=["clocks go forward", "clocks go back"]
)
def test_the_day_of_the_machines_zone_is_the_one_of_the_ledger(
    wattrail: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, hours: int
) -> None:
    # The night between that day and the next has 23 or 25 hours between its noons; its day begins before clocks change.
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    start = datetime.fromisoformat(first).astimezone() + timedelta(hours=23, minutes=58)
    house = Household(tmp_path, StubMeter(), start=start.astimezone(UTC))
    with house.store:
        house.run(150)
        away(house, start.astimezone(UTC) + timedelta(hours=11), counts=100)  # past the hour that is skipped or doubled
        house.run(90)
        house.worker.close()
        row = day_in_the_ledger(wattrail, house, str(start.date() + timedelta(days=1)))
        begins, ends = (datetime.fromisoformat(str(row[name])) for name in ("start", "end"))
        assert ends - begins == timedelta(hours=hours), os.environ["TZ"]
        assert on_the_page(house) == row["import_mwh"] > 0
