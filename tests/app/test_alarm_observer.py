"""From a reading to a stored and announced alarm: meters on a manual clock, and twins in a whole service."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.gateway.rig import Household, StubMeter
from tests.publish.broker import subscriber
from tests.sources.conftest import NEEDS_BROKER, Mosquitto
from wattrail.alarms import TEST_RULE, AlarmKind, AlarmRule, AlarmWatch, StoredAlarmEvent
from wattrail.app import load_config, open_service, plan_service
from wattrail.app.alarm_observer import AlarmObserver
from wattrail.errors import PortLost
from wattrail.gateway import AlarmChanged, Subscription
from wattrail.gateway.worker import Worker
from wattrail.publish import PublisherBoard
from wattrail.store.alarm_events import AlarmEvents

DEADLINE_S = 60
BERLIN = ZoneInfo("Europe/Berlin")


def rule(kind: AlarmKind, **fields: Any) -> AlarmRule:
    return AlarmRule(name=str(kind), kind=kind, **fields)


class Guarded(Household):
    """A household whose meter is watched: each step of the meter is seen, and each second there is a tick."""

    def guard(self, *rules: AlarmRule) -> Guarded:
        self.stored = AlarmEvents(self.path)
        self.board = PublisherBoard()
        self.announced: Subscription = self.feed.subscribe("test")
        watch = AlarmWatch(rules, ("house",), BERLIN)
        self.observer = AlarmObserver(watch, self.feed, self.stored, board=self.board, clock=self.clock)
        self.observer.start(self.path)
        return self

    def watch(self, seconds: int) -> list[str]:
        """Read and look each second; gives what was announced, as changes."""
        for _ in range(seconds):
            self.run(1)
            self.observer.tick()
        return [event.event.change for event in self.announced.take() if isinstance(event, AlarmChanged)]

    def close(self) -> None:
        self.stored.close()
        self.store.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Guarded]:
    made = Guarded(tmp_path, StubMeter())
    yield made
    made.close()


def test_power_above_a_limit_for_a_time_is_stored_and_announced(house: Guarded) -> None:
    house.guard(rule(AlarmKind.OVER_POWER, limit=3000, for_s=30))
    house.meter.watts = 3500
    assert house.watch(25) == []
    assert house.watch(10) == ["raised"]
    house.meter.watts = 200
    assert house.watch(2) == ["cleared"]
    assert [event.text for event in house.stored.after(0, 9)] == [
        "house: power 3500 W, above 3000 W",
        "house: power 200 W, no longer above 3000 W",
    ]


def test_a_meter_whose_cable_is_pulled_is_an_alarm_until_it_is_back(house: Guarded) -> None:
    house.guard(rule(AlarmKind.METER_SILENT, for_s=60))
    house.watch(3)
    house.meter.trouble.extend([PortLost("the adapter went away")] * 500)
    assert house.watch(120) == ["raised"]
    house.meter.trouble.clear()
    assert house.watch(60) == ["cleared"]


def test_a_thread_that_hangs_is_silence_too(house: Guarded) -> None:
    house.guard(rule(AlarmKind.METER_SILENT, for_s=60))
    house.watch(3)
    for _ in range(70):
        house.clock.advance(1)
        house.observer.tick()
    assert [event.change for event in house.stored.after(0, 9)] == ["raised"]


def test_registers_that_a_publisher_holds_raise_an_alarm(house: Guarded) -> None:
    house.guard(rule(AlarmKind.REGISTER_HELD))
    house.board.add("influxdb", "http://127.0.0.1:8086")
    assert house.watch(2) == []
    house.board.sent("influxdb", waiting=0, held={"house": "the registers fell"})
    assert house.watch(1) == ["raised"]
    house.board.sent("influxdb", waiting=0, held={})
    assert house.watch(1) == ["cleared"]
    assert "the registers fell (influxdb)" in house.stored.after(0, 1)[0].text


def test_a_day_of_25_hours_has_one_budget(tmp_path: Path) -> None:
    house = Guarded(tmp_path, StubMeter(), start=datetime(2026, 10, 24, 21, 50, tzinfo=UTC))
    house.worker = Worker(
        house.worker.plan, house.store, house.feed, clock=house.clock, opener=house.meter.open, zone=BERLIN
    )
    house.guard(rule(AlarmKind.DAY_BUDGET, limit=0.01))
    for _ in range(26 * 12):  # every five minutes
        house.run(1)
        house.observer.tick()
        house.clock.advance(300)
    raised, cleared, *_ = house.stored.after(0, 9)
    assert (raised.change, cleared.change) == ("raised", "cleared")
    midnight = datetime(2026, 10, 25, 23, 0, tzinfo=UTC)  # 25 hours after the one before
    assert midnight <= cleared.at < midnight + timedelta(minutes=6)
    house.close()


def test_a_gateway_that_starts_within_a_quarter_hour_knows_its_beginning(tmp_path: Path) -> None:
    start = datetime(2026, 6, 21, 10, 0, tzinfo=UTC)
    house = Guarded(tmp_path, StubMeter(watts=3000.0), start=start)
    house.run(300)
    register = house.view.total
    assert register is not None
    house.guard(rule(AlarmKind.DEMAND, limit=1e6))
    energy_mwh, left_s = house.observer._watch.quarters["house"].note(house.clock.now(), register.import_mwh)
    assert energy_mwh == pytest.approx(register.import_mwh, rel=0.05)
    assert left_s == pytest.approx(600, abs=3)
    house.close()


def test_a_restart_keeps_an_alarm_raised_and_acknowledged(house: Guarded) -> None:
    over = rule(AlarmKind.OVER_POWER, limit=3000, for_s=0)
    house.guard(over)
    house.meter.watts = 3500
    assert house.watch(2) == ["raised"]
    (raised,) = house.stored.after(0, 9)
    house.stored.append([acknowledged(raised)])
    assert house.watch(1) == ["acknowledged"]
    house.stored.close()
    house.guard(over)
    assert house.watch(5) == ["raised", "acknowledged"]  # repeated for the page, not stored again
    assert len(house.stored.after(0, 9)) == 2
    house.meter.watts = 200
    assert house.watch(2) == ["cleared"]


def acknowledged(raised: StoredAlarmEvent) -> StoredAlarmEvent:
    return replace(raised, change="acknowledged", id=0)


def test_a_test_event_goes_through_without_a_rule(house: Guarded) -> None:
    house.guard()
    house.stored.append(
        [
            StoredAlarmEvent(
                at=house.clock.now(), rule=TEST_RULE, meter=None, change="raised", severity="info", value=None,
                limit=None, unit="", text="a test", simulated=False,
            )
        ]
    )  # fmt: skip
    assert house.watch(1) == ["raised"]


def test_a_twin_in_a_service_raises_an_alarm(tmp_path: Path) -> None:
    file = tmp_path / "wattrail.toml"
    file.write_text(
        '[[meter]]\nname = "house"\nurl = "twin://pziot-e01?watts=3500&volts=230&seed=7"\n'
        f'[store]\npath = "{tmp_path}/m.sqlite"\n'
        '[[alarm]]\nkind = "over-power"\nlimit = 3000\nfor_s = 0\n'
    )
    seen: list[StoredAlarmEvent] = []

    async def story() -> None:
        raised = asyncio.Event()
        loop = asyncio.get_running_loop()

        def listen(events: Subscription) -> None:
            for event in events:
                if isinstance(event, AlarmChanged):
                    seen.append(event.event)
                    loop.call_soon_threadsafe(raised.set)

        plan = replace(plan_service(load_config(file), web=False), publishers={"listener": listen})
        async with open_service(plan):
            await asyncio.wait_for(raised.wait(), DEADLINE_S)

    asyncio.run(story())
    assert (seen[0].rule, seen[0].change, seen[0].simulated) == ("over-power", "raised", True)
    with AlarmEvents(tmp_path / "m.sqlite", read_only=True) as stored:
        assert stored.standing_alarms()[0].raised.id == seen[0].id


@NEEDS_BROKER
def test_brokers_are_given_the_alarms_of_a_twin_also_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTRAIL_SECRETS", str(tmp_path / "secrets.toml"))
    mosquitto = Mosquitto(tmp_path)
    mosquitto.start()
    broker = f'broker = "mqtt://127.0.0.1:{mosquitto.port}"\n'
    file = tmp_path / "wattrail.toml"
    text = (
        '[[meter]]\nname = "house"\nurl = "twin://pziot-e01?watts=3500&volts=230&seed=7"\n'
        f'[store]\npath = "{tmp_path}/m.sqlite"\n'
        f"[publish.home_assistant]\n{broker}[publish.mqtt]\n{broker}"
    )
    rules = '[[alarm]]\nkind = "over-power"\nlimit = 3000\nfor_s = 0\n'

    async def run_until(payload_has: str) -> list[str]:
        """Run the service until the topic of the alarms has such a payload; all that it had since the start."""
        seen: list[str] = []
        async with subscriber(mosquitto) as heard, open_service(plan_service(load_config(file), web=False)):

            def is_there() -> bool:
                seen[:] = [payload for topic, payload in heard.messages if topic == "meters/house/alarm"]
                if not seen or heard.newest("meters/state") != "online":  # what is retained from before comes first
                    return False
                return payload_has in seen[-1] if payload_has else not seen[-1]

            await asyncio.wait_for(heard.until(is_there), DEADLINE_S)
        return seen

    try:
        file.write_text(text + rules)
        assert '"simulated":true' in asyncio.run(run_until('"state":"ON"'))[-1]
        assert not any("OFF" in payload for payload in asyncio.run(run_until('"state":"ON"')))
        file.write_text(text)
        asyncio.run(run_until(""))
    finally:
        mosquitto.stop()
