"""Quiet hours: what is raised in them is sent later, not never, and nothing critical waits."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from tests.alarms.rig import BERLIN, Watched, rule
from wattrail.alarms import AlarmKind, QuietHours, Severity

NIGHT = QuietHours(time(22), time(7))


@pytest.mark.parametrize(
    ("at", "until"),
    [
        (datetime(2026, 6, 21, 19, 59, tzinfo=UTC), None),
        (datetime(2026, 6, 21, 20, 0, tzinfo=UTC), datetime(2026, 6, 22, 5, tzinfo=UTC)),
        (datetime(2026, 6, 22, 4, 59, tzinfo=UTC), datetime(2026, 6, 22, 5, tzinfo=UTC)),
        (datetime(2026, 6, 22, 5, 0, tzinfo=UTC), None),
        (datetime(2026, 3, 28, 22, 0, tzinfo=UTC), datetime(2026, 3, 29, 5, tzinfo=UTC)),  # clocks skip an hour
        (datetime(2026, 10, 24, 22, 0, tzinfo=UTC), datetime(2026, 10, 25, 6, tzinfo=UTC)),  # they repeat one
    ],
)
def test_quiet_hours_end_by_the_local_clock(at: datetime, until: datetime | None) -> None:
    assert NIGHT.until(at, BERLIN) == until


def test_quiet_hours_within_a_day_end_on_it() -> None:
    nap = QuietHours(time(13), time(15))
    assert nap.until(datetime(2026, 6, 21, 12, tzinfo=UTC), BERLIN) == datetime(2026, 6, 21, 13, tzinfo=UTC)
    assert nap.until(datetime(2026, 6, 21, 14, tzinfo=UTC), BERLIN) is None


def test_only_what_is_critical_is_sent_at_night() -> None:
    at = datetime(2026, 6, 21, 23, tzinfo=UTC)
    house = Watched(
        rule(AlarmKind.OVER_VOLTAGE, for_s=0, quiet=NIGHT),
        rule(AlarmKind.OVER_CURRENT, for_s=0, limit=16, quiet=NIGHT, severity=Severity.CRITICAL),
        at=at,
    )
    assert house.see(volts=260, amps=20) == ["raised", "raised"]
    assert [event.deliver_at for event in house.events] == [datetime(2026, 6, 22, 5, tzinfo=UTC), None]
