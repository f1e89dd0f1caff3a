"""Which reports are due after midnight, after an outage, and while the clock is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from wattrail.ledger import By
from wattrail.publish.report_schedule import DueReports, due_reports, is_ahead, last_ended

BERLIN = ZoneInfo("Europe/Berlin")
AT = time(0, 15)


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("by", "now", "expected"),
    [
        (By.DAY, "2026-06-22T00:14:59", "2026-06-20"),
        (By.DAY, "2026-06-22T00:15:00", "2026-06-21"),
        (By.DAY, "2027-01-01T00:15:00", "2026-12-31"),
        (By.DAY, "2026-03-29T03:00:00", "2026-03-28"),
        (By.MONTH, "2026-07-01T00:14:59", "2026-05-01"),
        (By.MONTH, "2026-07-01T00:15:00", "2026-06-01"),
        (By.MONTH, "2027-01-31T23:59:59", "2026-12-01"),
    ],
)
def test_the_last_period_that_ended_is_due_at_its_time_of_day(by: By, now: str, expected: str) -> None:
    assert last_ended(by, datetime.fromisoformat(now).replace(tzinfo=BERLIN), AT) == day(expected)


@pytest.mark.parametrize("night", ["2026-03-29", "2026-10-25"])
def test_each_report_is_due_once_in_a_night_of_a_changed_clock(night: str) -> None:
    at, last, sent = time(2, 30), day(night) - timedelta(days=2), []
    moment = datetime.fromisoformat(f"{night}T00:00:00").replace(tzinfo=BERLIN).astimezone(UTC)
    for minutes in range(0, 25 * 60, 5):
        local = (moment + timedelta(minutes=minutes)).astimezone(BERLIN)
        for first_day in due_reports(By.DAY, last, local, at).first_days:
            sent.append(first_day)
            last = first_day
    assert sent == [day(night) - timedelta(days=1)]


def test_after_an_outage_a_week_of_days_is_due_and_the_rest_is_named() -> None:
    now = datetime(2026, 6, 22, 8, tzinfo=BERLIN)
    assert due_reports(By.DAY, day("2026-06-18"), now, AT).first_days == tuple(
        day(text) for text in ("2026-06-19", "2026-06-20", "2026-06-21")
    )
    due = due_reports(By.DAY, day("2026-06-01"), now, AT)
    assert (due.first_days[0], len(due.first_days)) == (day("2026-06-15"), 7)
    assert (due.not_sent[0], due.not_sent[-1]) == (day("2026-06-02"), day("2026-06-14"))
    months = due_reports(By.MONTH, day("2025-12-01"), now, AT)
    assert [str(month) for month in months.first_days] == ["2026-03-01", "2026-04-01", "2026-05-01"]


def test_what_was_sent_is_not_due_again_when_the_clock_steps_back() -> None:
    now = datetime(2026, 6, 21, 23, 59, tzinfo=BERLIN)
    assert due_reports(By.DAY, day("2026-06-21"), now, AT) == DueReports()
    assert not is_ahead(By.DAY, day("2026-06-21"), now, AT)
    assert is_ahead(By.DAY, day("2036-01-01"), now, AT)
