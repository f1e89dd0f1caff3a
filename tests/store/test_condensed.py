"""A ledger of a year in a few hundred entries gives the numbers of the whole one, at every boundary."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.store.rig import START, register
from wattrail.errors import LedgerError
from wattrail.ledger import (
    By,
    EnergyDirection,
    Entry,
    EntryKind,
    Interval,
    LedgerSlice,
    Totals,
    adjustment,
    assignment,
    bills,
    boundaries,
    by_interval,
    opening,
    reversal,
    unassigned,
)
from wattrail.ledger.bill import billing_moments
from wattrail.ledger.tariff import Price, Tariff, Window
from wattrail.store import Store, open_store, open_to_read
from wattrail.store.condensed import condensed_slice

ZONES = ("Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "UTC")
DST_EVE = datetime(2026, 10, 24, 21, 7, 3, 250_000, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@st.composite
def lives(draw: st.DrawFn) -> list[Entry]:
    """The ledger of a meter through everything that makes entries: gaps, restarts, and a clock that is set."""
    at = DST_EVE + timedelta(seconds=draw(st.integers(0, 100_000)))
    made = [Entry(sequence=1, kind=EntryKind.START, start=at, end=at, epoch=1, count=0)]
    for _ in range(draw(st.integers(1, 30))):
        kind = draw(st.sampled_from([EntryKind.COUNTED] * 8 + [EntryKind.GAP, EntryKind.RESTART, EntryKind.CLOCK]))
        start, length = made[-1].end, timedelta(seconds=draw(st.sampled_from([0, 59, 60, 61, 60, 600, 3601, 9000])))
        counts = {side: draw(st.integers(0, 90)) for side in ("positive", "negative")}
        if kind is EntryKind.CLOCK:
            length, counts = timedelta(minutes=draw(st.integers(-300, 90))), {}
        elif kind is not EntryKind.COUNTED:
            length = timedelta(minutes=draw(st.integers(0, 1500)))
            counts = {"undirected": draw(st.integers(0, 500))}
        off = draw(st.sampled_from([0, 0, 0, 4_000_000, 6_000_000])) if kind is EntryKind.COUNTED else 0
        made.append(
            Entry(
                sequence=len(made) + 1,
                kind=kind,
                start=start,
                end=start + length,
                epoch=1,
                count=0,
                elapsed_us=length // MICROSECOND + off,
                **counts,
            )
        )
    return made


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    is_file = request.param == "sqlite"
    path = tmp_path_factory.mktemp("condensed") / "w.sqlite"
    with open_store(path if is_file else request.getfixturevalue("postgres_server").address()) as opened:
        yield opened


def booked(store: Store, entries: Sequence[Entry]) -> int:
    meter_id = register(store, f"m{len(store.meters())}")
    store.book(meter_id, entries)
    return meter_id


def condensed(store: Store, meter_id: int, moments: Sequence[datetime]) -> LedgerSlice:
    with open_to_read(store.path) as reader:
        return reader.condensed_slice(meter_id, moments)


def counted(store: Store, meter_id: int, moments: Sequence[datetime]) -> tuple[Interval, ...]:
    """In whole numbers, as the page has it."""
    with open_to_read(store.path) as reader:
        return reader.energy(meter_id, moments)


def condensed_and_counted(
    store: Store, meter_id: int, moments: Sequence[datetime]
) -> tuple[tuple[Interval, ...], tuple[Interval, ...]]:
    """The energy between moments in both ways, asked at once: a connection to a server takes as long as an answer."""
    with open_to_read(store.path) as reader:
        return by_interval(reader.condensed_slice(meter_id, moments), moments), reader.energy(meter_id, moments)


def alike(some: Sequence[Interval], others: Sequence[Interval]) -> bool:
    """The same energy, registers and completeness; gaps are rounded from where a slice begins, so to a mWh."""
    gaps = [(one.gaps.undirected_mwh, other.gaps.undirected_mwh) for one, other in zip(some, others, strict=True)]
    nothing = Totals(0, 0)
    return all(abs(one - other) <= 1 for one, other in gaps) and [one._replace(gaps=nothing) for one in some] == [
        other._replace(gaps=nothing) for other in others
    ]


STATEMENTS = st.lists(
    st.tuples(st.sampled_from(["adjust", "open", "reverse", "reverse", "import", "export"]), st.integers(0, 60)),
    max_size=10,
)
PROPERTY = settings(max_examples=25, deadline=None, phases=[Phase.generate])


@PROPERTY
@given(entries=lives(), zone=st.sampled_from(ZONES), by=st.sampled_from(list(By)), shift_h=st.integers(-30, 60))
def test_every_period_has_the_energy_of_the_whole_ledger(
    store: Store, entries: list[Entry], zone: str, by: By, shift_h: int
) -> None:
    meter_id = booked(store, entries)
    start = entries[0].end + timedelta(hours=shift_h)
    marks = boundaries(by, start, start + timedelta(hours=40), ZoneInfo(zone))
    whole = by_interval(store.ledger_slice(meter_id), marks)
    few, numbers = condensed_and_counted(store, meter_id, marks)
    assert alike(few, whole)
    assert numbers == few


@PROPERTY
@given(entries=lives(), by=st.sampled_from(list(By)), shift_h=st.integers(-30, 60), said=STATEMENTS)
def test_what_is_stated_and_reversed_is_in_both_the_same(
    store: Store, entries: list[Entry], by: By, shift_h: int, said: list[tuple[str, int]]
) -> None:
    meter_id = booked(store, entries)
    for what, number in said:
        with suppress(LedgerError):  # what cannot be stated is left out
            store.state(meter_id, partial(stated_as, what, number, entries))
    start = entries[0].end + timedelta(hours=shift_h)
    marks = boundaries(by, start, start + timedelta(hours=40), ZoneInfo("Europe/Berlin"))
    few, numbers = condensed_and_counted(store, meter_id, marks)
    assert alike(few, by_interval(store.ledger_slice(meter_id), marks))
    assert numbers == few


def stated_as(what: str, number: int, entries: Sequence[Entry], books: LedgerSlice) -> Entry:
    at = entries[number % len(entries)].end + timedelta(minutes=number)
    match what:
        case "adjust":
            return adjustment(books, import_mwh=number * 777, export_mwh=number, at=at, who="o", reason="r")
        case "open":
            return opening(books, import_mwh=number * 1000, export_mwh=3, at=at, who="o", reason="r")
        case "reverse":
            return reversal(books, number % 8 + 1, at=at, who="o", reason="r")
        case _:
            gap = next(iter(unassigned(books)), 0)
            return assignment(books, gap, EnergyDirection(what), at=at, who="o", reason="r")


@PROPERTY
@given(entries=lives(), zone=st.sampled_from(ZONES))
def test_hours_days_and_the_whole_span_add_up_to_the_same(store: Store, entries: list[Entry], zone: str) -> None:
    meter_id = booked(store, entries)
    start, end = entries[0].end - timedelta(hours=30), max(entry.end for entry in entries) + timedelta(hours=30)
    days = boundaries(By.DAY, start, end, ZoneInfo(zone))
    with open_to_read(store.path) as reader:
        spans = [boundaries(by, days[0], days[-1], ZoneInfo(zone)) for by in (By.QUARTER_HOUR, By.HOUR, By.DAY)]
        answers = [by_interval(reader.condensed_slice(meter_id, marks), marks) for marks in spans]
    names = ("import_mwh", "export_mwh")
    sums = [[sum(getattr(row.energy, name) for row in rows) for name in names] for rows in answers]
    assert sums[0] == sums[1] == sums[2]


@PROPERTY
@given(entries=lives(), minute=st.integers(0, 59))
def test_a_year_is_billed_as_the_whole_ledger_bills_it(store: Store, entries: list[Entry], minute: int) -> None:
    meter_id = booked(store, entries)
    now = max(entry.end for entry in entries)
    store.state(meter_id, lambda books: _adjusted(books, now))
    night = Window(rate="night", begin=datetime(2026, 1, 1, 22, minute).time(), end=datetime(2026, 1, 1, 6).time())  # noqa: DTZ001 a wall-clock time
    price = Price(valid_from=date(2026, 1, 1), rates={"day": Decimal("0.31"), "night": Decimal("0.22")})
    tariff = Tariff(name="t", currency="EUR", rates=("day", "night"), prices=(price,), windows=(night,), billing_day=26)
    zone = ZoneInfo("Europe/Berlin")
    span = entries[0].end - timedelta(days=3), now + timedelta(days=1)
    few = condensed(store, meter_id, billing_moments(tariff, *span, zone))
    assert bills(few, tariff, *span, zone) == bills(store.ledger_slice(meter_id), tariff, *span, zone)


def _adjusted(books: LedgerSlice, now: datetime) -> Entry:
    return adjustment(books, import_mwh=5_000_000, export_mwh=0, at=now, who="owner", reason="the fuse was bypassed")


def test_a_manual_entry_moves_the_bar_of_its_hour_at_once(store: Store) -> None:
    first = Entry(sequence=1, kind=EntryKind.START, start=START, end=START, epoch=1, count=0)
    day = [first]
    for number in range(2, 600):
        last = day[-1]
        day.append(
            replace(
                last,
                sequence=number,
                kind=EntryKind.COUNTED,
                start=last.end,
                end=last.end + timedelta(minutes=1),
                positive=9,
                elapsed_us=60_000_000,
            )
        )
    meter_id = booked(store, day)
    marks = boundaries(By.HOUR, START, day[-1].end, UTC)
    before = by_interval(condensed(store, meter_id, marks), marks)
    store.state(meter_id, lambda books: _adjusted(books, START + timedelta(hours=3)))
    after = by_interval(condensed(store, meter_id, marks), marks)
    moved = [late.energy.import_mwh - early.energy.import_mwh for early, late in zip(before, after, strict=True)]
    assert moved == [0, 0, 0, 5_000_000, *[0] * (len(moved) - 4)]


def test_a_direction_stated_for_an_old_gap_reaches_a_later_year(store: Store) -> None:
    day, gap_end = START, START + timedelta(hours=7)
    entries = [
        Entry(sequence=1, kind=EntryKind.START, start=day, end=day, epoch=1, count=0),
        Entry(sequence=2, kind=EntryKind.GAP, start=day, end=gap_end, epoch=1, count=0, undirected=900),
        Entry(
            sequence=3, kind=EntryKind.COUNTED, start=gap_end, end=gap_end + timedelta(minutes=1), epoch=1, count=0,
            positive=4, elapsed_us=60_000_000,
        ),
    ]  # fmt: skip
    meter_id, later = booked(store, entries), START + timedelta(days=400)
    store.state(meter_id, lambda b: opening(b, import_mwh=7, export_mwh=0, at=later, who="o", reason="old meter"))
    store.state(
        meter_id, lambda b: assignment(b, 2, EnergyDirection.IMPORT, at=later, who="owner", reason="no sun then")
    )
    marks = boundaries(By.DAY, later, later + timedelta(days=1), UTC)
    few = condensed(store, meter_id, marks)
    assert alike(by_interval(few, marks), by_interval(store.ledger_slice(meter_id), marks))
    assert few.earliest(few.stated[1]) == day


def test_a_question_about_a_day_looks_at_few_entries(tmp_path: Path) -> None:
    entries = [Entry(sequence=1, kind=EntryKind.START, start=START, end=START, epoch=1, count=0)]
    for number in range(2, 4000):
        start = entries[-1].end
        entries.append(
            Entry(
                sequence=number,
                kind=EntryKind.COUNTED,
                start=start,
                end=start + timedelta(minutes=1),
                epoch=1,
                count=0,
                positive=9,
                elapsed_us=60_000_000,
            )
        )
    path, steps = tmp_path / "w.sqlite", list[int]()  # SQLite counts its steps
    with open_store(path) as store:
        meter_id = booked(store, entries)
    marks = boundaries(By.HOUR, START + timedelta(hours=24), START + timedelta(hours=30), UTC)
    with closing(sqlite3.connect(path)) as connection:
        connection.set_progress_handler(lambda: steps.append(1), 100)
        condensed_slice(connection.cursor(), meter_id, marks)
    assert 100 * len(steps) < 3 * len(entries)  # going through all of them takes ten steps each


@pytest.mark.parametrize("pieces", [1, 7, 100])
def test_sums_follow_entries_however_they_were_written(store: Store, pieces: int) -> None:
    entries = [Entry(sequence=1, kind=EntryKind.START, start=START, end=START, epoch=1, count=0)]
    for number in range(2, 200):
        back = timedelta(hours=-2) if number in {60, 120} else timedelta()
        start = entries[-1].end + back
        entries.append(
            Entry(
                sequence=number,
                kind=EntryKind.COUNTED,
                start=start,
                end=start + timedelta(minutes=1),
                epoch=1,
                count=0,
                positive=number,
                elapsed_us=60_000_000,
            )
        )
    meter_id = register(store, f"pieces {pieces}")
    for place in range(0, len(entries), pieces):
        store.book(meter_id, entries[place : place + pieces])
    marks = boundaries(By.QUARTER_HOUR, START - timedelta(hours=3), entries[-1].end + timedelta(hours=3), UTC)
    whole = by_interval(store.ledger_slice(meter_id), marks)
    few, numbers = condensed_and_counted(store, meter_id, marks)
    assert alike(few, whole)
    assert numbers == few
