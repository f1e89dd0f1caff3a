"""The live feed: what is known now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.gateway.rig import Household, StubMeter
from wattrail.clock import ManualClock
from wattrail.errors import ConfigError, PortLost
from wattrail.gateway import Feed, GatewayPlan, MeterPlan, MeterView, State
from wattrail.gateway.timing import Schedule, day_end, day_start


def test_every_change_moves_the_version_and_is_told(house: Household) -> None:
    told: list[MeterView] = []
    unsubscribe = house.feed.subscribe(told.append)
    version = house.feed.version
    house.step(2)
    assert house.feed.version == version + 2
    assert [view.state for view in told] == [State.LIVE, State.LIVE]
    unsubscribe()
    unsubscribe()
    house.step()
    assert len(told) == 2


def test_a_listener_that_fails_does_not_stop_the_meter(house: Household, caplog: pytest.LogCaptureFixture) -> None:
    def fail(view: MeterView) -> None:
        raise RuntimeError("the broker has no memory left")

    house.feed.subscribe(fail)
    house.step(2)
    assert house.view.state is State.LIVE
    assert "no memory left" in caplog.text


def test_a_thread_that_never_comes_back_shows_as_stale(house: Household) -> None:
    house.step(2)
    assert house.view.state is State.LIVE
    house.clock.advance(60)
    assert house.view.state is State.STALE
    assert "no reading for 60 s" in str(house.view.error)
    assert house.feed.views()[0].state is State.STALE


def test_a_meter_nobody_planned_is_not_there() -> None:
    assert Feed(ManualClock()).view("attic") is None


@pytest.mark.parametrize(
    ("now", "midnight"),
    [
        ("2026-03-29T12:00+02:00", "2026-03-28T23:00"),  # the night without a third hour
        ("2026-10-25T12:00+01:00", "2026-10-24T22:00"),  # the night with two
        ("2026-06-21T00:00+02:00", "2026-06-20T22:00"),
    ],
)
def test_a_day_begins_at_midnight_also_when_clocks_change(now: str, midnight: str) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert day_start(datetime.fromisoformat(now), berlin) == datetime.fromisoformat(midnight).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "hours"), [("2026-03-29T12:00+02:00", 23), ("2026-10-25T12:00+01:00", 25), ("2026-06-21T00:00+02:00", 24)]
)
def test_a_day_ends_at_the_next_midnight_also_when_clocks_change(now: str, hours: int) -> None:
    moment, berlin = datetime.fromisoformat(now), ZoneInfo("Europe/Berlin")
    assert day_end(moment, berlin) - day_start(moment, berlin) == timedelta(hours=hours)


@pytest.fixture
def machine_in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("machine_in_berlin")
@pytest.mark.parametrize(
    ("now", "midnight", "next_midnight"),
    [
        ("2026-06-21T10:00", "2026-06-20T22:00", "2026-06-21T22:00"),
        ("2026-03-29T10:00", "2026-03-28T23:00", "2026-03-29T22:00"),  # 23 hours
        ("2026-10-25T10:00", "2026-10-24T22:00", "2026-10-25T23:00"),  # 25 hours
        ("2026-10-25T01:30:59.5", "2026-10-24T22:00", "2026-10-25T23:00"),  # in the hour that comes a second time
    ],
)
def test_without_a_zone_the_day_is_that_of_this_machine(now: str, midnight: str, next_midnight: str) -> None:
    moment, begin, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (now, midnight, next_midnight))
    assert (day_start(moment, None), day_end(moment, None)) == (begin, end)


@pytest.mark.parametrize("period", [0.2, 0.5, 1.0, 2.5])
def test_looks_keep_their_period_whatever_it_is(period: float) -> None:
    schedule = Schedule(period)
    now = begin = 100.0
    for look in range(1, 20):
        now += schedule.wait_s(now)
        assert now == pytest.approx(begin + look * period)
        now += 0.7 * period  # the look itself takes most of it
    assert schedule.wait_s(now + 3 * period) == pytest.approx(0.3 * period), "three are missed, and not caught up with"


@pytest.mark.parametrize("name", ["", "a b", "über", "-x", "x" * 65, "a/b"])
def test_a_name_that_could_not_stand_in_an_address_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name"):
        MeterPlan(name=name, url="twin://pziot-e01")


def test_a_plan_that_cannot_work_says_which_part() -> None:
    house = MeterPlan(name="house", url="twin://pziot-e01")
    with pytest.raises(ConfigError, match="two meters are named 'house'"):
        GatewayPlan(meters=(house, house))
    with pytest.raises(ConfigError, match="unknown time zone 'Europe/Bielefeld'"):
        GatewayPlan(zone="Europe/Bielefeld")
    with pytest.raises(ConfigError, match="poll_s = 60"):
        MeterPlan(name="house", url="twin://pziot-e01", poll_s=60)


def test_a_stub_is_a_meter(meter: StubMeter) -> None:
    assert meter.open(MeterPlan(name="house", url=meter.url), ManualClock()) is meter


def test_the_password_of_a_meter_shows_in_no_error_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # A library that fails to log in may name the password alone, without the URL that it came from.
    meter = StubMeter(
        url="tcp://me:s3cret@10.0.0.1:8888", no_connection=PortLost("login as me with s3cret refused\x1b[2J")
    )
    house = Household(tmp_path, meter)
    house.step()
    assert house.view.error == r"login as me with *** refused\x1b[2J"
    assert "s3cret" not in house.view.url
    assert "s3cret" not in caplog.text
    house.store.close()
