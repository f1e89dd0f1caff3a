"""A meter's connection on one day, and what it points to."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from wattrail.network_meters.link_health import LinkDay, LinkEvents, LinkWatch, advice

MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)
GOOD = LinkDay(day=MONDAY, readings=8640, signal_min=-64, signal_sum=-600.0, signals=10, longest_silence_s=12)


def test_a_day_adds_up_signals_silences_and_restarts() -> None:
    watch = LinkWatch(MONDAY)
    for second, dbm in ((0, -60.0), (10, -70.0), (40, None)):
        watch.take(MONDAY, second, LinkEvents(signal_dbm=dbm))
    watch.take(MONDAY, 50, LinkEvents(signal_dbm=-80.0, is_restart=True, is_power_on=True, reconnects=1))
    day = watch.day
    assert (day.readings, day.signal_min, day.signal_mean) == (4, -80.0, -70.0)
    assert (day.longest_silence_s, day.restarts, day.power_cuts, day.reconnects) == (30, 1, 1, 1)


def test_failures_in_a_row_are_one_dropout() -> None:
    watch = LinkWatch(MONDAY)
    watch.take(MONDAY, 0, LinkEvents())
    for _ in range(5):
        watch.fail(MONDAY, is_broker=False)
    watch.take(MONDAY, 60, LinkEvents())
    watch.fail(MONDAY, is_broker=True)
    assert (watch.day.dropouts, watch.day.broker_dropouts, watch.day.longest_silence_s) == (2, 1, 60)


def test_a_new_day_begins_at_nothing() -> None:
    watch = LinkWatch(MONDAY)
    watch.take(MONDAY, 0, LinkEvents(signal_dbm=-90.0))
    watch.take(TUESDAY, 10, LinkEvents(signal_dbm=-50.0))
    assert watch.day == LinkDay(
        day=TUESDAY, readings=1, signal_min=-50.0, signal_sum=-50.0, signals=1, longest_silence_s=10
    )


def test_what_was_kept_of_a_day_is_added_and_of_another_is_not() -> None:
    watch = LinkWatch(MONDAY)
    watch.take(MONDAY, 0, LinkEvents(signal_dbm=-70.0))
    watch.restore([replace(GOOD, dropouts=2), replace(GOOD, day=TUESDAY, dropouts=50)])
    assert (watch.day.readings, watch.day.dropouts, watch.day.signal_min) == (8641, 2, -70.0)


@pytest.mark.parametrize(
    ("day", "begins"),
    [
        (GOOD, ()),
        (replace(GOOD, dropouts=2, restarts=1), ()),
        (replace(GOOD, signal_sum=-820.0, dropouts=3), ("range: the signal is weak and the meter drops out",)),
        (replace(GOOD, signal_sum=-820.0), ("range: the signal is weak; move",)),
        (replace(GOOD, restarts=3, power_cuts=3), ("power: ",)),
        (replace(GOOD, restarts=3), ("firmware or power: ",)),
        (replace(GOOD, dropouts=4, broker_dropouts=4), ("broker: ",)),
        (replace(GOOD, dropouts=4), ("network: the meter drops out although its signal is good",)),
        (LinkDay(day=MONDAY, dropouts=9), ()),
    ],
)
def test_advice_follows_from_the_numbers_of_a_day(day: LinkDay, begins: tuple[str, ...]) -> None:
    given = advice(day)
    assert len(given) == len(begins)
    assert all(text.startswith(begin) for text, begin in zip(given, begins, strict=True))
