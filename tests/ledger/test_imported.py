"""Energy of the time before a ledger began: joined to its intervals once, divided evenly, never in a register."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.rig import chip_epoch
from wattrail.ledger import (
    By,
    Entry,
    EntryKind,
    ImportedEnergy,
    ImportedPart,
    Interval,
    LedgerSlice,
    boundaries,
    by_interval,
    with_imported,
)

HOUR = timedelta(hours=1)
BEGAN = datetime(2026, 10, 31, 18, 20, tzinfo=UTC)
"""Within an hour, on the last day of a month, a week after the night in which clocks go back in Berlin."""

FULL = BEGAN.replace(minute=0)
ZONES = ("Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")


def counted(hours: int, *, start: datetime = BEGAN) -> list[Entry]:
    """A ledger of one-hour entries, 3600 counts each."""
    begun = Entry(sequence=1, kind=EntryKind.START, start=start, end=start, epoch=1, count=0)
    rest = [
        replace(
            begun, sequence=hour + 2, kind=EntryKind.COUNTED, start=start + hour * HOUR, end=start + (hour + 1) * HOUR,
            positive=3600, elapsed_us=3_600_000_000,
        )
        for hour in range(hours)
    ]  # fmt: skip
    return [begun, *rest]


def ledger_of(entries: Sequence[Entry]) -> LedgerSlice:
    return LedgerSlice(entries=tuple(entries), epochs={1: chip_epoch(1, 800.0)})


def period(first: int, hours: int = 1, *, import_mwh: int | None = 500, export_mwh: int | None = 0) -> ImportedEnergy:
    """A period that begins some full hours from the one in which the ledger begins."""
    start = FULL + first * HOUR
    return ImportedEnergy(
        start=start, end=start + hours * HOUR, import_mwh=import_mwh, export_mwh=export_mwh, origin="tibber"
    )


def joined(entries: Sequence[Entry], periods: Sequence[ImportedEnergy], marks: Sequence[datetime]) -> list[Interval]:
    account = ledger_of(entries)
    return list(with_imported(by_interval(account, marks), periods, account))


def hours_of(first: int, last: int) -> list[datetime]:
    return [FULL + hour * HOUR for hour in range(first, last + 1)]


def test_hours_before_the_ledger_show_what_was_imported() -> None:
    before, at_seam, after = joined(counted(3), [period(-1)], hours_of(-1, 2))
    assert before.imported == ImportedPart(import_mwh=500, export_mwh=0, origins=("tibber",))
    assert (before.energy.import_mwh, before.complete) == (500, True)
    assert (at_seam.imported, at_seam.complete) == (None, False)
    assert (after.imported, after.complete) == (None, True)


def test_registers_do_not_know_of_imported_energy() -> None:
    plain = by_interval(ledger_of(counted(3)), hours_of(-2, 2))
    assert [row.register for row in joined(counted(3), [period(-2, 2)], hours_of(-2, 2))] == [
        row.register for row in plain
    ]


def test_a_period_that_reaches_into_the_ledger_is_left_out_whole() -> None:
    marks = hours_of(-3, 2)
    assert joined(counted(3), [period(-3, 4)], marks) == list(by_interval(ledger_of(counted(3)), marks))


def test_a_clock_set_back_makes_no_time_counted_twice() -> None:
    first = counted(1)
    back = replace(first[0], sequence=3, kind=EntryKind.CLOCK, start=first[-1].end, end=BEGAN - 5 * HOUR)
    again = replace(first[1], sequence=4, start=back.end, end=back.end + HOUR)
    rows = joined([*first, back, again], [period(-2), period(-8)], hours_of(-8, 2))
    assert [row.imported is not None for row in rows] == [True, *[False] * 9]


def test_a_longer_period_is_divided_evenly_and_incomplete() -> None:
    rows = joined(counted(1), [period(-3, 3, import_mwh=1000)], hours_of(-3, 0))
    assert [row.energy.import_mwh for row in rows] == [333, 333, 334]
    assert [row.complete for row in rows] == [False, False, False]
    (whole,) = joined(counted(1), [period(-3, 3, import_mwh=1000)], [FULL - 3 * HOUR, FULL])
    assert (whole.energy.import_mwh, whole.complete) == (1000, True)


def test_a_direction_that_nobody_says_is_unknown() -> None:
    (row,) = joined(counted(1), [period(-2, export_mwh=None), period(-1, export_mwh=None)], [FULL - 2 * HOUR, FULL])
    assert row.imported == ImportedPart(import_mwh=1000, export_mwh=None, origins=("tibber",))
    assert row.complete


def test_a_direction_said_only_for_a_part_is_incomplete() -> None:
    (row,) = joined(counted(1), [period(-2, export_mwh=None), period(-1, export_mwh=7)], [FULL - 2 * HOUR, FULL])
    assert row.imported is not None
    assert (row.imported.export_mwh, row.complete) == (7, False)


@pytest.mark.parametrize(("export_mwh", "complete"), [(0, True), (None, False)])
def test_a_day_is_complete_if_the_ledger_goes_on_where_imports_end(export_mwh: int | None, complete: bool) -> None:
    imported = [period(-2, export_mwh=export_mwh), period(-1, export_mwh=export_mwh)]
    (row,) = joined(counted(3, start=FULL), imported, [FULL - 2 * HOUR, FULL + 2 * HOUR])
    assert row.complete is complete


@st.composite
def imports(draw: st.DrawFn) -> list[ImportedEnergy]:
    """Periods of minutes to days with holes between them, some of which reach into the ledger."""
    found, at = [], BEGAN - timedelta(minutes=draw(st.integers(1, 11_000)))
    for _ in range(draw(st.integers(0, 12))):
        start = at + timedelta(minutes=draw(st.sampled_from([0, 0, 0, 7, 60, 400])))
        at = start + timedelta(minutes=draw(st.sampled_from([1, 15, 60, 60, 61, 1440, 5000])))
        energies = [draw(st.none() | st.integers(0, 10**9)) for _ in range(2)]
        found.append(
            ImportedEnergy(start=start, end=at, import_mwh=energies[0], export_mwh=energies[1], origin="tibber")
        )
    return found


@given(periods=imports(), hours=st.integers(0, 60), zone=st.sampled_from(ZONES))
def test_hours_days_and_months_have_the_same_sum(periods: list[ImportedEnergy], hours: int, zone: str) -> None:
    place = ZoneInfo(zone)
    span = BEGAN - timedelta(days=8), BEGAN + timedelta(days=3)
    energies, parts = set(), set()
    for by in (By.HOUR, By.DAY, By.MONTH):
        rows = joined(counted(hours), periods, boundaries(by, *span, place))
        energies.add((sum(row.energy.import_mwh for row in rows), sum(row.energy.export_mwh for row in rows)))
        known = [row.imported for row in rows if row.imported]
        parts.add((sum(part.import_mwh or 0 for part in known), sum(part.export_mwh or 0 for part in known)))
    kept = [period for period in periods if period.end <= BEGAN]
    assert parts == {(sum(one.import_mwh or 0 for one in kept), sum(one.export_mwh or 0 for one in kept))}
    assert len(energies) == 1
