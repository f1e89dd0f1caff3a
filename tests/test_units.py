"""A moment as files and programs have it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from wattrail.units import utc_text

MOMENT = datetime(2026, 3, 29, 1, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=2)))


def test_a_moment_is_written_in_utc_with_a_z() -> None:
    assert utc_text(MOMENT) == "2026-03-28T23:59:59.999Z"


def test_a_moment_is_cut_to_whole_seconds_and_not_rounded() -> None:
    """A file is never dated after what it tells of."""
    assert utc_text(MOMENT, timespec="seconds") == "2026-03-28T23:59:59Z"
