"""Where periods begin, on every kind of day a calendar has."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.rig import BERLIN, utc
from wattrail.clock import MACHINE_ZONE
from wattrail.ledger import By, boundaries, local_day, midnight
from wattrail.ledger.periods import period_start


def starts(by: By, first: datetime, last: datetime, *, billing_day: int = 1) -> list[str]:
    marks = boundaries(by, first, last, BERLIN, billing_day=billing_day)
    return [f"{mark.astimezone(BERLIN):%Y-%m-%d %H:%M%z}" for mark in marks]


def test_a_day_begins_at_local_midnight() -> None:
    assert starts(By.DAY, utc(2026, 3, 28, 12), utc(2026, 3, 30, 12)) == [
        "2026-03-28 00:00+0100", "2026-03-29 00:00+0100", "2026-03-30 00:00+0200", "2026-03-31 00:00+0200",
    ]  # fmt: skip


def test_in_the_night_clocks_go_back_an_hour_comes_twice() -> None:
    assert starts(By.HOUR, utc(2026, 10, 24, 23), utc(2026, 10, 25, 3)) == [
        "2026-10-25 01:00+0200", "2026-10-25 02:00+0200", "2026-10-25 02:00+0100", "2026-10-25 03:00+0100",
        "2026-10-25 04:00+0100",
    ]  # fmt: skip


def test_in_the_night_clocks_go_forward_an_hour_is_missing() -> None:
    assert starts(By.HOUR, utc(2026, 3, 29, 0), utc(2026, 3, 29, 2)) == [
        "2026-03-29 01:00+0100", "2026-03-29 03:00+0200", "2026-03-29 04:00+0200",
    ]  # fmt: skip


def test_a_period_from_the_31st_begins_on_the_last_day_of_shorter_months() -> None:
    assert starts(By.BILLING, utc(2026, 2, 1), utc(2026, 5, 1), billing_day=31) == [
        "2026-01-31 00:00+0100", "2026-02-28 00:00+0100", "2026-03-31 00:00+0200", "2026-04-30 00:00+0200",
        "2026-05-31 00:00+0200",
    ]  # fmt: skip


def test_a_billing_period_begins_on_its_own_first_day() -> None:
    assert period_start(date(2026, 3, 15), 15) == date(2026, 3, 15)
    assert period_start(date(2026, 3, 14), 15) == date(2026, 2, 15)
    assert period_start(date(2026, 3, 1)) == date(2026, 3, 1)  # the first, where no day is given
    assert boundaries(By.BILLING, utc(2026, 3, 1), utc(2026, 3, 2), UTC) == (utc(2026, 3, 1), utc(2026, 4, 1))


def test_boundaries_are_in_utc_whatever_the_zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        for by in By:
            assert {mark.tzinfo for mark in boundaries(by, utc(2026, 3, 1), utc(2026, 3, 2), BERLIN)} == {UTC}
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_29th_of_february_is_kept_in_a_leap_year() -> None:
    assert period_start(date(2028, 3, 1), 30) == date(2028, 2, 29)
    assert period_start(date(2028, 2, 28), 30) == date(2028, 1, 30)


def test_where_clocks_skip_midnight_the_day_begins_when_they_do() -> None:
    cairo = ZoneInfo("Africa/Cairo")  # on 2026-04-24 clocks go from 00:00 to 01:00
    assert midnight(date(2026, 4, 24), cairo) == utc(2026, 4, 23, 22)


def test_a_day_that_a_country_skipped_has_no_length() -> None:
    apia = ZoneInfo("Pacific/Apia")  # there was no 2011-12-30
    days = boundaries(By.DAY, utc(2011, 12, 29, 12), utc(2012, 1, 1), apia)
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))


def test_no_month_has_a_32nd() -> None:
    with pytest.raises(ValueError, match="from 1 to 31, not on 32"):
        boundaries(By.BILLING, utc(2026, 1, 1), utc(2026, 2, 1), BERLIN, billing_day=32)


def test_a_span_that_ends_before_it_begins_is_none() -> None:
    with pytest.raises(ValueError, match="no span of time"):
        boundaries(By.DAY, utc(2026, 1, 2), utc(2026, 1, 1), BERLIN)


@given(
    st.sampled_from(list(By)),
    st.integers(0, 300_000_000),
    st.integers(1, 200_000),
    st.sampled_from(["Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
    st.integers(1, 31),
)
def test_periods_cover_the_span_and_join_without_seams(
    by: By, first: int, seconds: int, zone: str, billing_day: int
) -> None:
    begin = utc(2020, 1, 1) + timedelta(seconds=first)
    end = begin + timedelta(seconds=seconds)
    marks = boundaries(by, begin, end, ZoneInfo(zone), billing_day=billing_day)
    assert marks[0] <= begin < marks[1]
    assert marks[-2] < end <= marks[-1]
    assert list(marks) == sorted(set(marks))


@pytest.mark.parametrize(
    ("now", "first", "hours"),
    [
        ("2026-03-29T12:00+02:00", "2026-03-28T23:00", 23),  # after the night without a third hour
        ("2026-10-25T12:00+01:00", "2026-10-24T22:00", 25),  # after the night with two
        ("2026-06-21T00:00+02:00", "2026-06-20T22:00", 24),  # a day holds the moment at which it begins
    ],
)
def test_a_moment_lies_in_a_day_also_when_clocks_change(now: str, first: str, hours: int) -> None:
    start, end = local_day(datetime.fromisoformat(now), ZoneInfo("Europe/Berlin"))
    assert start == datetime.fromisoformat(first).replace(tzinfo=UTC)
    assert end - start == timedelta(hours=hours)


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
        ("2026-10-25T01:30", "2026-10-24T22:00", "2026-10-25T23:00"),  # in the hour that comes a second time
    ],
)
def test_without_a_zone_the_day_is_that_of_this_machine(now: str, midnight: str, next_midnight: str) -> None:
    moment, begin, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (now, midnight, next_midnight))
    assert local_day(moment, MACHINE_ZONE) == (begin, end)
