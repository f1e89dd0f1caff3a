"""The live feed: what is known now."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.rig import Household, StubMeter
from wattrail.clock import ManualClock
from wattrail.errors import ConfigError, PortLost
from wattrail.gateway import Feed, GatewayPlan, MeterChanged, MeterPlan, MeterState
from wattrail.gateway.timing import PollSchedule


def test_every_change_moves_the_version_and_is_an_event(house: Household) -> None:
    # This story subscribed a callback, which is gone: a reader's code no longer runs in the meter's thread.
    events = house.feed.subscribe("test")
    events.take()
    version, told = house.feed.version, []
    for _ in range(2):
        house.step()
        told += [event.view.state for event in events.take() if isinstance(event, MeterChanged)]
    assert house.feed.version == version + 2
    assert told == [MeterState.LIVE, MeterState.LIVE]
    events.close()
    events.close()
    house.step()
    assert events.take() == ()


def test_a_reader_that_takes_nothing_does_not_stop_the_meter(house: Household) -> None:
    # It stood here for a callback that raises; what a reader can still do wrong is to take nothing.
    events = house.feed.subscribe("a broker without memory", max_waiting=1)
    house.run(600)
    assert house.view.state is MeterState.LIVE
    assert events.lost > 5
    assert len(events.take()) == 3  # what was lost, the newest entry, the newest view


def test_a_thread_that_never_comes_back_shows_as_stale(house: Household) -> None:
    house.step(2)
    assert house.view.state is MeterState.LIVE
    house.clock.advance(60)
    assert house.view.state is MeterState.STALE
    assert str(house.view.error).startswith("no reading for 60 s: the port does not answer")
    assert house.feed.views()[0].state is MeterState.STALE


def test_a_meter_nobody_planned_is_not_there() -> None:
    assert Feed(ManualClock()).view("attic") is None


@pytest.mark.parametrize("period", [0.2, 0.5, 1.0, 2.5])
def test_looks_keep_their_period_whatever_it_is(period: float) -> None:
    schedule = PollSchedule(period)
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
    with pytest.raises(ConfigError, match="unknown time zone 'Europe/Bielefeld'") as refused:
        GatewayPlan(zone="Europe/Bielefeld")
    assert refused.value.hint == "for example Europe/Berlin"
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
