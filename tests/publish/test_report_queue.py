"""Daily and monthly reports: sent after midnight, once, with what the ledger says, also after an outage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.publish.message_rig import alarm, delivering, plan, raise_alarms
from tests.publish.rig import Site
from tests.store.rig import look
from wattrail.app.tariff_file import parse_tariff
from wattrail.clock import Clock, ManualClock
from wattrail.errors import PortOpenError
from wattrail.ledger import By, Ledger
from wattrail.network_meters.link_health import LinkDay
from wattrail.publish import PublisherStatus
from wattrail.publish.delivery import Delivery
from wattrail.publish.message import OutgoingMessage
from wattrail.publish.report import ReportedMeter, energy_report
from wattrail.publish.report_queue import ReportPlan
from wattrail.publish.report_text import as_object, as_text
from wattrail.publish.status import DeliveryFailed
from wattrail.store import open_store, open_to_read

BERLIN = ZoneInfo("Europe/Berlin")
MIDNIGHT = datetime(2026, 6, 20, 22, 0, tzinfo=UTC)  # the 21st begins in Berlin
DAY_S = 86_400
TARIFF = 'currency = "EUR"\n[[price]]\nfrom = 2026-01-01\nrates = 0.30\nstanding = 9.90\n'


@dataclass
class Recorder:
    """Keeps messages; while ``is_away`` it takes none."""

    messages: list[OutgoingMessage] = field(default_factory=list)
    is_away: bool = False
    target: str = "a recorder"

    def send(self, message: OutgoingMessage, clock: Clock) -> None:
        if self.is_away:
            raise DeliveryFailed(PublisherStatus.AWAY, PortOpenError("nobody is there"))
        self.messages.append(message)

    def keys(self) -> list[str]:
        return [message.id.partition("_")[2].partition("_")[2] for message in self.messages]


@dataclass
class Home:
    """A site in Berlin whose meters are read for ten minutes after each midnight: the rest of the day is a gap."""

    site: Site
    clock: ManualClock
    recorder: Recorder = field(default_factory=Recorder)

    def read(self, day: int, name: str = "house", *, seconds: int = 600) -> None:
        """Book readings from the midnight that begins the day with that number; day 0 is the 21st of June."""
        with open_store(self.site.database) as store:
            row = store.meter(name)
            assert row is not None
            ledger = store.ledger(row.id) or Ledger(row.epoch)
            for second in range(day * DAY_S, day * DAY_S + seconds):
                reading, seen = look(second, start=MIDNIGHT, watts=600.0)
                if second == day * DAY_S:
                    seen = replace(seen, elapsed_us=None)
                store.append(row.id, reading, seen, ledger.observe(seen))

    def go_to(self, day: int, hour: float) -> None:
        """Let time pass until that local hour."""
        self.clock.advance((MIDNIGHT + timedelta(days=day, hours=hour) - self.clock.now()).total_seconds())

    @contextmanager
    def running(self, *events: str, **options: Any) -> Iterator[Delivery]:
        made = replace(plan(self.recorder, *(events or ("daily",)), clock=self.clock, name="email"), **options)
        with delivering(self.site, made) as delivery:
            yield delivery


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(Site(tmp_path, zone=BERLIN), ManualClock(MIDNIGHT + timedelta(hours=12)))
    made.read(0)
    return made


def test_a_day_is_reported_once_after_its_midnight(home: Home) -> None:
    with home.running() as delivery:
        home.go_to(1, 0.2)
        home.read(1)
        delivery.step()
        assert home.recorder.messages == [], "a quarter past midnight has not come"
        for hour in (0.26, 0.3, 5, 23):
            home.go_to(1, hour)
            delivery.step()
    with home.running() as delivery:
        delivery.step()
    assert home.recorder.keys() == ["daily-2026-06-21"]
    (message,) = home.recorder.messages
    assert (message.type, message.subject) == ("report.daily", "house: energy of 2026-06-21")
    assert message.at == MIDNIGHT + timedelta(days=1)


def test_a_report_says_what_the_whole_ledger_says(home: Home) -> None:
    with home.running() as delivery:
        for day in range(1, 5):
            home.read(day)
        home.go_to(4, 1)
        delivery.step()
    assert len(home.recorder.messages) == 4
    with open_to_read(home.site.database) as reader:
        whole = reader.ledger_slice(1)
    about = ReportedMeter(name="house", simulated=False, zone=BERLIN)
    for day, message in enumerate(home.recorder.messages):
        first_day = (MIDNIGHT + timedelta(days=day, hours=3)).date()
        expected = energy_report(whole, about, By.DAY, first_day)
        assert message.data["reports"] == [as_object(expected)]
        assert message.text == as_text(expected)
        assert expected.period.energy.import_mwh > 0


def test_a_report_waits_for_the_first_reading_after_an_outage(home: Home) -> None:
    with home.running() as delivery:
        home.go_to(1, 1)
        delivery.step()
        home.clock.advance(60)
        delivery.step()
        assert home.recorder.messages == []
        home.read(1)  # the gap over midnight is booked
        home.clock.advance(60)
        delivery.step()
    (message,) = home.recorder.messages
    assert "gaps          1, with " in message.text


def test_a_meter_that_is_away_delays_a_report_by_a_quarter_of_an_hour(home: Home) -> None:
    with home.running() as delivery:
        home.go_to(1, 1)
        for _ in range(16):
            delivery.step()
            home.clock.advance(60)
    assert home.recorder.keys() == ["daily-2026-06-21"]
    assert "incomplete" in home.recorder.messages[0].text


def test_after_ten_days_off_a_week_is_sent_and_the_rest_is_named(home: Home) -> None:
    with home.running():
        pass
    home.go_to(10, 8)
    home.read(10)
    with home.running() as delivery:
        delivery.step()
        delivery.step()
    assert home.recorder.keys() == [f"daily-2026-06-{day}" for day in range(24, 31)]
    note = (
        "not sent after a long outage: 3 earlier reports, 2026-06-21 to 2026-06-23; wattrail ledger report --day 2026"
    )
    assert note in home.recorder.messages[0].text
    assert not any("not sent" in message.text for message in home.recorder.messages[1:])
    assert home.recorder.messages[0].data["not_sent"] == ["2026-06-21", "2026-06-23"]


def test_a_consumer_that_is_away_gets_its_report_when_it_is_back(home: Home) -> None:
    home.recorder.is_away = True
    with home.running() as delivery:
        home.read(1)
        home.go_to(1, 1)
        delivery.step()
        assert (home.site.state("email").status, home.site.state("email").waiting) == (PublisherStatus.AWAY, 1)
        home.go_to(1, 20)
        home.recorder.is_away = False
        delivery.step()
    assert home.recorder.keys() == ["daily-2026-06-21"]
    assert home.site.state("email").waiting == 0


def test_a_month_costs_what_the_tariff_says(home: Home) -> None:
    tariff = parse_tariff(TARIFF, "tariff.toml")
    with home.running("monthly", reports=ReportPlan(tariff=tariff)) as delivery:
        home.read(10)  # the 1st of July
        home.go_to(10, 1)
        delivery.step()
    (message,) = home.recorder.messages
    assert (message.type, message.subject) == ("report.monthly", "house: energy of 2026-06")
    assert "cost " in message.text
    assert home.recorder.keys() == ["monthly-2026-06"]


def test_one_message_has_every_meter_and_says_of_which_nothing_is_booked(home: Home) -> None:
    home.site.names = ("house", "garage", "shed")
    home.site.open_accounts("garage")
    home.read(0, "garage")
    with home.running() as delivery:
        home.read(1)
        home.read(1, "garage")
        home.go_to(1, 1)
        delivery.step()
    (message,) = home.recorder.messages
    assert message.subject == "energy of 2026-06-21"
    assert "house: energy of 2026-06-21" in message.text
    assert "garage: energy of 2026-06-21" in message.text
    assert message.text.endswith("nothing is booked for shed")
    assert message.html is not None
    assert message.html.count("<table>") == 2


def test_a_day_names_its_alarms_and_what_to_change_about_a_link(home: Home) -> None:
    noon = MIDNIGHT + timedelta(hours=12)
    raise_alarms(
        home.site,
        replace(alarm("house: too high", simulated=True), at=noon),
        replace(alarm("house: fine again", change="cleared"), at=noon),
        replace(alarm("of the day before"), at=MIDNIGHT - timedelta(seconds=1)),
        replace(alarm("a test"), at=noon, rule="test"),
        *(replace(alarm(f"number {number}"), at=noon) for number in range(30)),
    )
    with open_store(home.site.database) as store:
        day = (MIDNIGHT + timedelta(hours=12)).date()
        store.keep_link_days(
            [(1, LinkDay(day=day, readings=90, signal_min=-90, signal_sum=-890, signals=10, dropouts=9))]
        )
    with home.running() as delivery:
        home.read(1)
        home.go_to(1, 1)
        delivery.step()
    (message,) = home.recorder.messages
    assert "alarms raised:\n2026-06-21 12:00+0200 [simulated] warning: house: too high\n" in message.text
    assert "number 18\nand 11 more; wattrail alarm list --events 1000 lists them" in message.text
    for absent in ("fine again", "the day before", "a test"):
        assert absent not in message.text
    assert not message.simulated, "the meter is none, though one of its alarms was"
    assert message.data["alarms"][0]["simulated"]
    assert len(message.data["alarms"]) == 31
    (sentence,) = message.data["advice"]["house"]
    assert f"house: {sentence}" in message.text


def test_a_new_consumer_gets_no_report_of_the_past(home: Home) -> None:
    home.read(1)
    home.go_to(1, 8)
    with home.running("daily", "monthly") as delivery:
        delivery.step()
    assert home.recorder.messages == []


def test_a_clock_that_was_years_ahead_stops_no_report_for_years(home: Home) -> None:
    with home.running():
        pass
    home.clock.step(3650 * DAY_S)
    with home.running() as delivery:
        for _ in range(16):
            delivery.step()
            home.clock.advance(60)
    home.recorder.messages.clear()
    home.clock.step(-3650 * DAY_S)
    with home.running() as delivery:
        delivery.step()
        home.read(1)
        home.go_to(1, 1)
        delivery.step()
    assert home.recorder.keys() == ["daily-2026-06-21"]


def test_a_clock_that_is_behind_at_the_start_sends_nothing_twice(home: Home) -> None:
    with home.running() as delivery:
        home.read(1)
        home.go_to(1, 1)
        delivery.step()
    home.clock.step(-20_000 * DAY_S)
    with home.running() as delivery:
        delivery.step()
        home.clock.step(20_000 * DAY_S)
        home.clock.advance(60)
        delivery.step()
    assert home.recorder.keys() == ["daily-2026-06-21"]
