"""Wall clocks that are wrong: ahead, behind, set while the gateway runs, or missing as on a Pi without a battery.

The truth is the chip's: it counts four a second whatever a wall clock says, and goes on while the host is away.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest

from tests.gateway.rig import CALIBRATION, COUNTS_PER_SECOND, Household, StubMeter
from tests.ledger.rig import chip_epoch
from tests.store.rig import open_as_gateway
from wattrail.clock import MACHINE_ZONE
from wattrail.ledger import EntryKind, LedgerSlice, Totals, audit, by_interval, local_day, registers_at
from wattrail.store import Retention, open_to_read
from wattrail.store.reading_journal import journal_path
from wattrail.units import Reading

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
EPOCH = chip_epoch(1, CALIBRATION.counts_per_watt)
YEAR, MONTH, DAY, HOUR, MINUTE = 365 * 86400, 30 * 86400, 86400, 3600, 60


class SteadyMeter(StubMeter):
    """Two kilowatts or so, whoever looks: the counter follows the time that really passes."""

    def read(self) -> Reading:
        assert self.clock is not None
        self.count = int(self.clock.monotonic() * COUNTS_PER_SECOND) - COUNTS_PER_SECOND
        return super().read()


class Host(Household):
    """A host whose wall clock can be wrong, and which can lose power or be stopped."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, SteadyMeter(), start=NOON)
        self.off = 0.0

    def set_wrong(self, seconds: float) -> None:
        """Have the wall clock be so far from the truth."""
        self.clock.step(seconds - self.off)
        self.off = seconds

    def away(self, seconds: float, how: Literal["killed", "stopped"]) -> None:
        if how == "stopped":
            self.worker.close()
        self.clock.advance(seconds)
        self.start_worker()

    @property
    def truth(self) -> datetime:
        return NOON + timedelta(seconds=self.clock.monotonic())

    def ledger_slice(self) -> LedgerSlice:
        row = self.store.meter("house")
        assert row is not None
        return LedgerSlice(entries=self.store.entries(row.id), epochs={1: EPOCH})

    def counted(self) -> int:
        """What the chip counted since the first look."""
        return self.meter.count - self.ledger_slice().entries[0].count

    def energy(self, start: datetime, end: datetime) -> float:
        before, after = registers_at(self.ledger_slice(), [start, end])
        return float(after.total.import_ - before.total.import_)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def whole(host: Host) -> None:
    """Everything the chip counted is booked, once, in entries that follow each other."""
    total = host.view.total
    assert total == Totals(EPOCH.milliwatt_hours(host.counted()).__floor__(), 0)
    ledger_slice = host.ledger_slice()
    assert audit(ledger_slice).findings == ()
    assert all(entry.start <= entry.end for entry in ledger_slice.entries)


def today_is_the_day_of_the_ledger(host: Host, folder: Path) -> None:
    """What the page shows of today is what the ledger gives for that day, were the gateway killed and stopped now."""
    account = host.worker._account
    assert account is not None
    assert account.now is not None
    copy = folder / "copy.sqlite"
    with closing(sqlite3.connect(host.path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    shutil.copy(journal_path(host.path), journal_path(copy))  # a kill leaves both
    with open_as_gateway(copy) as store:
        ledger = store.ledger(1)
        assert ledger is not None
        store.book(1, ledger.close())
        ledger_slice = LedgerSlice(entries=store.entries(1), epochs={1: EPOCH})
    (day,) = by_interval(ledger_slice, local_day(account.now, MACHINE_ZONE))
    assert host.view.today == day.energy


def mwh(seconds: float) -> float:
    return float(EPOCH.milliwatt_hours(COUNTS_PER_SECOND)) * seconds


def kinds(ledger_slice: LedgerSlice) -> list[EntryKind]:
    return [entry.kind for entry in ledger_slice.entries if entry.kind is not EntryKind.COUNTED]


def test_a_clock_a_year_ahead_for_a_minute_leaves_no_trace_in_any_entry(host: Host) -> None:
    host.run(10 * MINUTE)
    host.set_wrong(YEAR)
    host.run(61)
    assert host.view.notice is not None
    assert "365 days" in host.view.notice
    host.set_wrong(0)
    host.run(10 * MINUTE)
    assert host.view.notice is None
    assert kinds(host.ledger_slice()) == [EntryKind.START]
    assert host.ledger_slice().entries[-1].end > host.truth - timedelta(seconds=70)
    assert host.view.today == host.view.total
    whole(host)


def test_a_clock_wrong_at_boot_is_followed_once_it_has_kept_its_time(host: Host) -> None:
    host.set_wrong(YEAR)
    host.run(2 * MINUTE)
    host.set_wrong(0)
    host.run(30 * MINUTE)
    ledger_slice = host.ledger_slice()
    assert kinds(ledger_slice) == [EntryKind.START, EntryKind.CLOCK]
    now = host.truth
    assert host.energy(now - timedelta(minutes=20), now - timedelta(minutes=5)) == pytest.approx(
        mwh(15 * MINUTE), abs=mwh(2)
    )
    # Today has all but the seven minutes that were booked a year ahead, before the clock was sure.
    assert host.view.today is not None
    assert host.view.total is not None
    assert host.view.total.import_mwh - host.view.today.import_mwh == pytest.approx(mwh(7 * MINUTE), abs=mwh(5))
    whole(host)


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_pi_that_boots_in_the_past_books_its_pause_where_it_was(
    host: Host, how: Literal["stopped", "killed"]
) -> None:
    # fake-hwclock keeps the time once an hour: power fails at 13:00, comes back at 14:30, and the Pi believes 12:17.
    host.run(HOUR)
    host.away(90 * MINUTE, how)
    host.set_wrong(-133 * MINUTE)
    host.run(40)
    host.set_wrong(0)  # a time server answers
    host.run(20 * MINUTE)
    (gap,) = (entry for entry in host.ledger_slice().entries if entry.kind is EntryKind.GAP)
    assert gap.start == pytest.approx(NOON + timedelta(hours=1), abs=timedelta(minutes=1))
    assert gap.end - (NOON + timedelta(minutes=150)) <= timedelta(seconds=2)
    assert kinds(host.ledger_slice()) == [EntryKind.START, EntryKind.GAP]
    whole(host)


def test_a_pi_without_the_time_books_all_and_says_its_clock_is_wrong(host: Host) -> None:
    host.run(10 * MINUTE)
    host.away(30 * MINUTE, "stopped")
    host.set_wrong(-DAY)
    host.run(20 * MINUTE)
    host.worker.close()
    assert kinds(host.ledger_slice()) == [EntryKind.START, EntryKind.GAP, EntryKind.CLOCK]
    gap = next(entry for entry in host.ledger_slice().entries if entry.kind is EntryKind.GAP)
    assert "the clock was not right" in gap.note
    assert gap.positive == pytest.approx(COUNTS_PER_SECOND * 30 * MINUTE, abs=8 * COUNTS_PER_SECOND)
    whole(host)


def test_under_a_wrong_clock_a_stop_and_a_crash_keep_the_same_energy(tmp_path: Path) -> None:
    totals = []
    for how in ("stopped", "killed"):
        (folder := tmp_path / how).mkdir()
        host = Host(folder)
        host.set_wrong(YEAR)
        host.run(2 * MINUTE)
        host.set_wrong(0)
        host.run(HOUR)
        host.away(HOUR, how)  # type: ignore[arg-type]
        host.run(10 * MINUTE)
        whole(host)
        totals.append(host.view.total)
    assert totals[0] == totals[1]


def test_four_seconds_a_month_ahead_at_start_forget_no_reading(host: Host) -> None:
    host.run(100)
    host.away(10, "stopped")
    host.set_wrong(MONTH)
    host.run(4)
    assert host.store.purge() == 0
    host.set_wrong(0)
    host.run(10 * MINUTE)
    assert host.store.purge() == 0
    assert host.ledger_slice().entries[-1].end < host.truth
    whole(host)


def test_readings_expire_by_time_watched_even_under_a_wrong_clock(host: Host) -> None:
    host.set_wrong(-20 * YEAR)
    host.run(20 * MINUTE)
    assert host.store.purge(Retention(readings=timedelta(minutes=10))) == pytest.approx(600, abs=60)


def test_the_chart_of_the_last_hour_goes_on_after_a_clock_that_was_ahead(host: Host) -> None:
    host.run(MINUTE)
    host.set_wrong(YEAR)
    host.run(MINUTE)
    host.set_wrong(0)
    host.run(5 * MINUTE)
    points = host.store.series(1, host.truth - timedelta(hours=1), host.truth)
    assert all(point.start <= host.truth for point in points)
    assert len(points) > 60


@pytest.mark.parametrize("seconds_before", range(299, 302))
def test_a_clock_set_back_in_the_second_of_midnight_leaves_today_right(
    host: Host, tmp_path: Path, seconds_before: int
) -> None:
    # A jump is followed after 300 s: one reading ends an entry after midnight, and puts the clock back to the evening.
    host.clock.advance(12 * HOUR - seconds_before - 60)
    host.run(60)
    host.set_wrong(-10 * MINUTE)
    host.run(290)
    for _ in range(20):
        host.run(1)
        today_is_the_day_of_the_ledger(host, tmp_path)
    assert EntryKind.CLOCK in kinds(host.ledger_slice())


def wrong_by(chance: random.Random) -> float:
    """Seconds to years, either way."""
    return chance.choice([-1, 1]) * 10 ** chance.uniform(0, 8)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_clocks_do_all_energy_is_booked_and_later_times_right(host: Host, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    if chance.randrange(2):
        host.set_wrong(wrong_by(chance))
    for _ in range(12):
        match chance.choice(["step", "step", "right", "killed", "stopped", "stepped while away"]):
            case "step":
                host.set_wrong(wrong_by(chance))
            case "right":
                host.set_wrong(0)
            case "killed" | "stopped" as how:
                host.away(chance.uniform(2, 7200), how)
            case _:
                host.set_wrong(wrong_by(chance))
                host.away(chance.uniform(2, 7200), chance.choice(["killed", "stopped"]))
        host.run(chance.choice([3, 61, 200, 500]))
        whole(host)
        today_is_the_day_of_the_ledger(host, tmp_path)
        assert host.store.purge() == 0
    host.set_wrong(0)
    host.run(16 * MINUTE)
    now = host.truth
    flowed = host.energy(now - timedelta(minutes=9), now - timedelta(minutes=2))
    assert flowed == pytest.approx(mwh(7 * MINUTE), abs=mwh(2))
    whole(host)
    with open_to_read(host.path) as reader:  # books read from a moment on add up the others, wherever they lie in time
        (row,) = reader.meters()
        marks = [now - timedelta(minutes=9), now - timedelta(minutes=2), now]
        some, every = (registers_at(reader.ledger_slice(row.id, since=since), marks) for since in (marks[0], None))
        assert [point.total for point in some] == [point.total for point in every]
    host.worker.close()
    assert host.store.purge(Retention(readings=timedelta())) > 0
