"""What raises an alarm and what clears it: each kind as a story, and the one property of them all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.alarms.rig import NOON, Watched, rule
from wattrail.alarms import KINDS, AlarmKind
from wattrail.alarms.watch import AlarmState


def test_voltage_that_stays_high_raises_an_alarm_and_clears_it() -> None:
    house = Watched(rule(AlarmKind.OVER_VOLTAGE))
    assert house.see(times=10, volts=254.2) == []
    assert house.see(volts=254.2) == ["raised"]
    assert house.see(times=5, volts=252.0) == []  # back below the limit, but not by the hysteresis
    assert house.see(volts=250.0) == ["cleared"]
    assert house.texts == [
        "house: voltage 254.2 V, above 253 V",
        "house: voltage 250.0 V, no longer above 253 V",
    ]
    assert [(one.value, one.limit, one.unit, one.simulated) for one in house.events] == [
        (254.2, 253.0, "V", True),
        (250.0, 253.0, "V", True),
    ]


def test_hysteresis_keeps_an_alarm_from_flapping() -> None:
    house = Watched(rule(AlarmKind.OVER_VOLTAGE, for_s=0))
    changes = [house.see(volts=volts) for _ in range(50) for volts in (253.1, 252.9)]
    assert sum(map(len, changes)) == 1


def test_a_short_peak_raises_no_alarm() -> None:
    house = Watched(rule(AlarmKind.OVER_POWER, limit=3000))
    for _ in range(5):
        assert house.see(times=59, watts=3200) == []
        assert house.see(watts=2900) == []


def test_under_voltage_is_the_other_side_of_the_limit() -> None:
    house = Watched(rule(AlarmKind.UNDER_VOLTAGE, for_s=0))
    assert house.see(volts=206.9) == ["raised"]
    assert house.see(volts=208.0) == []
    assert house.see(volts=209.1) == ["cleared"]
    assert house.texts[0] == "house: voltage 206.9 V, below 207 V"


def test_export_that_should_not_be_raises_an_alarm() -> None:
    house = Watched(rule(AlarmKind.EXPORT, for_s=0, message="the plug-in solar must not feed in"))
    assert house.see(watts=-15) == []
    assert house.see(watts=-300) == ["raised"]
    assert house.see(watts=100) == ["cleared"]
    assert house.texts[0] == "the plug-in solar must not feed in: house: export 300 W, above 20 W"


def test_a_freezer_that_stopped_is_told_apart_from_one_between_two_runs() -> None:
    freezer = Watched(rule(AlarmKind.LOAD_STOPPED, limit=20))
    for _ in range(3):
        assert freezer.see(60, 180, watts=2.0) == []  # three hours between two runs
        assert freezer.see(60, 30, watts=80.0) == []
    assert freezer.see(60, 240, watts=2.0) == []
    assert freezer.see(60, watts=2.0) == ["raised"]
    assert freezer.texts == ["house: power below 20 W for 4 h, now 2 W"]
    assert freezer.see(60, watts=80.0) == ["cleared"]


def test_while_a_freezer_is_not_read_nobody_says_that_it_stopped() -> None:
    freezer = Watched(rule(AlarmKind.LOAD_STOPPED, limit=20))
    freezer.see(60, 120, watts=2.0)
    assert freezer.see(60, 600, is_silent=True) == []
    assert freezer.see(60, 120, watts=2.0) == []
    assert freezer.see(60, 3, watts=2.0) == ["raised"]


def test_the_projection_warns_before_the_quarter_hour_is_over() -> None:
    house = Watched(rule(AlarmKind.DEMAND, limit=5000))
    assert house.watch.quarters["house"].begins(NOON) == NOON
    register, raised_after = 1_000_000, None
    for second in range(900):
        register += round(8000 / 3.6)
        if house.see(watts=8000, import_mwh=register):
            raised_after = second
            break
    assert raised_after == 60
    raised = house.events[0]
    assert raised.value == pytest.approx(8000, rel=0.01)
    assert house.see(times=60, watts=100, import_mwh=register) == ["cleared"]


def test_a_demand_above_the_limit_is_certain_and_does_not_wait() -> None:
    house = Watched(rule(AlarmKind.DEMAND, limit=1000, for_s=1800))
    house.watch.quarters["house"].register_at_start(NOON, 0)
    assert house.see(watts=10, import_mwh=249_000) == []
    assert house.see(watts=10, import_mwh=251_000) == ["raised"]


def test_a_quarter_hour_divides_the_reading_at_its_beginning() -> None:
    quarter = Watched(rule(AlarmKind.DEMAND, limit=1)).watch.quarters["house"]
    assert quarter.note(datetime(2026, 6, 21, 10, 14, 55, tzinfo=UTC), 1000) == (0, 5.0)
    assert quarter.note(datetime(2026, 6, 21, 10, 15, 5, tzinfo=UTC), 2000) == (500, 895.0)


def test_a_day_budget_is_exceeded_once_and_clears_at_midnight() -> None:
    house = Watched(rule(AlarmKind.DAY_BUDGET, limit=10))
    assert house.see(today_import_mwh=9_999_000) == []
    assert house.see(today_import_mwh=10_001_000) == ["raised"]
    assert house.see(times=20, today_import_mwh=10_500_000) == []
    assert house.see(today_import_mwh=0) == ["cleared"]
    assert house.texts[0] == "house: import of the day 10.00 kWh, above 10 kWh"


def test_a_silent_meter_is_an_event_and_its_return_too() -> None:
    house = Watched(rule(AlarmKind.METER_SILENT))
    house.see(volts=230)
    assert house.see(times=60, is_silent=True, silent_s=40) == []
    assert house.see(is_silent=True, silent_s=66) == ["raised"]
    assert house.see(volts=230) == ["cleared"]
    assert house.texts == ["house: no reading for 66 s", "house: it is read again"]


def test_registers_that_are_held_say_why() -> None:
    house = Watched(rule(AlarmKind.REGISTER_HELD))
    assert house.see(held=None) == []
    assert house.see(held="the registers fell") == ["raised"]
    assert house.see(held=None) == []  # unknown, after a restart of the publishers
    assert house.see(held="") == ["cleared"]
    assert house.texts[0] == "house: its registers are not passed on: the registers fell"


def test_an_acknowledged_alarm_stays_until_it_clears() -> None:
    house = Watched(rule(AlarmKind.OVER_VOLTAGE, for_s=0))
    assert not house.watch.acknowledge("over-voltage", "house")
    house.see(volts=260)
    assert house.watch.acknowledge("over-voltage", "house")
    assert not house.watch.acknowledge("over-voltage", "house")
    assert house.watch.state("over-voltage", "house") is AlarmState.ACKNOWLEDGED
    assert house.see(volts=260) == []
    assert house.see(volts=230) == ["cleared"]


def test_a_restart_keeps_raised_alarms_and_raises_none_twice() -> None:
    before = Watched(rule(AlarmKind.OVER_VOLTAGE, for_s=0))
    before.see(volts=260)
    after = Watched(rule(AlarmKind.OVER_VOLTAGE, for_s=0))
    assert after.watch.restore(before.events, NOON) == ()
    assert after.see(volts=260) == []
    assert after.see(volts=230) == ["cleared"]


def test_an_alarm_without_its_rule_is_cleared_at_the_restart() -> None:
    before = Watched(rule(AlarmKind.OVER_VOLTAGE, for_s=0))
    before.see(volts=260)
    (cleared,) = Watched().watch.restore(before.events, NOON)
    assert (cleared.change, cleared.text) == ("cleared", "house: the alarm over-voltage is not configured any more")


@given(
    kind=st.sampled_from([kind for kind in AlarmKind]),
    seen=st.lists(
        st.tuples(
            st.floats(0, 400),
            st.floats(-9000, 9000),
            st.booleans(),
            st.integers(0, 10**9),
            st.sampled_from(["", "why"]),
        ),
        max_size=60,
    ),
    for_s=st.sampled_from([0.0, 1.0, 3.0]),
)
def test_no_alarm_is_raised_twice_without_being_cleared(
    kind: AlarmKind, seen: list[tuple[float, float, bool, int, str]], for_s: float
) -> None:
    house = Watched(rule(kind, limit=KINDS[kind].limit or 100.0, for_s=for_s))
    for volts, watts, is_silent, energy, held in seen:
        house.see(
            volts=volts, amps=volts, watts=watts, is_silent=is_silent, silent_s=1.0, today_import_mwh=energy,
            import_mwh=energy, held=held,
        )  # fmt: skip
    changes = [event.change for event in house.events]
    assert changes == [("raised", "cleared")[number % 2] for number in range(len(changes))]
