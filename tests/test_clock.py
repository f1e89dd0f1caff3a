"""Time as an argument."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from wattrail.clock import MACHINE_ZONE, Deadline, ManualClock, SystemClock


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in Berlin: two nights a year have a local hour that is skipped, or comes twice."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def test_a_manual_clock_moves_only_when_advanced() -> None:
    clock = ManualClock()
    before = clock.now()
    clock.advance(90)
    assert clock.monotonic() == 90
    assert clock.now() - before == timedelta(seconds=90)


def test_sleeping_on_a_manual_clock_takes_no_time() -> None:
    clock = ManualClock()
    clock.sleep(86_400)
    assert clock.monotonic() == 86_400


def test_a_step_of_the_wall_clock_leaves_durations_alone() -> None:
    clock = ManualClock()
    before = clock.now()
    clock.step(-3600)
    assert clock.monotonic() == 0
    assert clock.now() - before == timedelta(hours=-1)


def test_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="does not run backwards"):
        ManualClock().advance(-1)


def test_a_naive_start_is_refused() -> None:
    with pytest.raises(ValueError, match="must be aware"):
        ManualClock(datetime(2026, 1, 1))  # noqa: DTZ001  # the naive time is what is tested


def test_a_deadline_passes() -> None:
    clock = ManualClock()
    deadline = Deadline.after(2, clock)
    assert (deadline.remaining, deadline.passed) == (2, False)
    clock.advance(3)
    assert (deadline.remaining, deadline.passed) == (0, True)


def test_the_system_clock_is_aware() -> None:
    assert SystemClock().now().tzinfo is UTC


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        ("2026-03-29T00:59", "2026-03-29T01:59:00+01:00"),
        ("2026-03-29T01:00", "2026-03-29T03:00:00+02:00"),
        ("2026-10-25T00:30", "2026-10-25T02:30:00+02:00"),
        ("2026-10-25T01:30", "2026-10-25T02:30:00+01:00"),
    ],
)
def test_the_machines_zone_shows_the_hour_that_comes_twice_as_both(moment: str, shown: str) -> None:
    at = datetime.fromisoformat(f"{moment}+00:00")
    local = at.astimezone(MACHINE_ZONE)
    assert local.isoformat() == shown
    assert local.astimezone(UTC) == at
