"""Alarms at the command line: what is raised, that it was seen, and a test of the delivery."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from wattrail.alarms import StoredAlarmEvent
from wattrail.app.config import data_dir
from wattrail.store import open_store
from wattrail.store.alarm_events import AlarmEvents

pytestmark = pytest.mark.usefixtures("manual_clock")

VOLTAGE = StoredAlarmEvent(
    at=datetime(2026, 6, 21, 11, 30, tzinfo=UTC), rule="over-voltage", meter="house", change="raised",
    severity="warning", value=256.5, limit=253.0, unit="V", text="house: voltage 256.5 V, above 253 V", simulated=True,
)  # fmt: skip
FREEZER = replace(VOLTAGE, rule="freezer", text="house: power below 20 W for 4 h, now 2 W", simulated=False)


@pytest.fixture
def database(home: Path) -> Path:
    path = data_dir() / "wattrail.sqlite"
    open_store(path).close()
    with AlarmEvents(path) as stored:
        stored.append([VOLTAGE, FREEZER])
    return path


def test_raised_alarms_are_listed_and_marked_where_simulated(wattrail: Type, database: Path) -> None:
    said = wattrail("alarm", "list")
    assert said.out == (
        "     1  2026-06-21 11:30+0000  warning   raised        house: voltage 256.5 V, above 253 V  SIMULATED\n"
        "     2  2026-06-21 11:30+0000  warning   raised        house: power below 20 W for 4 h, now 2 W\n"
    )
    (voltage, _) = json.loads(wattrail("alarm", "list", "--json").out)
    assert (voltage["rule"], voltage["acknowledged"], voltage["simulated"]) == ("over-voltage", False, True)


def test_an_acknowledged_alarm_stays_in_the_list(wattrail: Type, database: Path) -> None:
    said = wattrail("alarm", "acknowledge", "2")
    assert said.out == "acknowledged: house: power below 20 W for 4 h, now 2 W\n"
    assert wattrail("alarm", "acknowledge", "2").out == "nothing changed: acknowledged before\n"
    assert "acknowledged" in wattrail("alarm", "list").out.splitlines()[1]
    (event,) = json.loads(wattrail("alarm", "list", "--events", "1", "--json").out)
    assert (event["rule"], event["change"], event["at"]) == ("freezer", "acknowledged", "2026-06-21T12:00:00+00:00")


def test_all_alarms_can_be_acknowledged_at_once(wattrail: Type, database: Path) -> None:
    seen = json.loads(wattrail("alarm", "acknowledge", "--all", "--json").out)
    assert [event["rule"] for event in seen] == ["over-voltage", "freezer"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "which alarms?"),
        (("1", "--all"), "which alarms?"),
        (("7",), "no raised alarm has the number 7; raised: 1 (over-voltage), 2 (freezer)"),
    ],
)
def test_an_alarm_that_is_not_there_is_not_acknowledged(
    wattrail: Type, database: Path, words: tuple[str, ...], complaint: str
) -> None:
    said = wattrail("alarm", "acknowledge", *words)
    assert said.code == 2
    assert complaint in said.err
    with AlarmEvents(database) as stored:
        assert len(stored.newest(9)) == 2


def test_a_test_event_is_stored_and_leaves_nothing_raised(wattrail: Type, database: Path) -> None:
    assert "a test event is stored" in wattrail("alarm", "test").out
    with AlarmEvents(database) as stored:
        cleared, raised, *_ = stored.newest(9)
        assert (raised.rule, raised.meter, raised.change, cleared.change) == ("test", None, "raised", "cleared")
        assert len(stored.standing_alarms()) == 2
    assert len(json.loads(wattrail("alarm", "test", "--severity", "critical", "--json").out)) == 2


def test_without_a_database_the_verbs_say_what_makes_one(wattrail: Type) -> None:
    for verb in (("list",), ("test",), ("acknowledge", "1")):
        said = wattrail("alarm", *verb)
        assert said.code == 2
        assert "found no database" in said.err
        assert "wattrail run makes one" in said.err


def test_without_alarms_that_is_said(wattrail: Type, home: Path) -> None:
    open_store(data_dir() / "wattrail.sqlite").close()
    assert wattrail("alarm", "list").out == "no alarm is raised\n"
    assert "no alarm was ever raised in" in wattrail("alarm", "list", "--events", "5").out
    assert wattrail("alarm", "acknowledge", "--all").out == "no alarm is raised\n"
