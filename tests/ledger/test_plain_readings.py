"""What is nearly always so takes a short way through the ledger and its audit, which leads where the long one does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib import import_module

import pytest
from bench.bookkeeping import looks
from bench.histories import live
from bench.simulated_house import SOURCES, Source

from tests.ledger.rig import EPOCHS, MINUTE, NINTHS, ledger_slice, start, watched
from wattrail.ledger import AuditFinding, Entry, EntryKind, Ledger, LedgerSlice, Observation, audit
from wattrail.ledger.watched import WatchedRegisters

AUDIT = import_module("wattrail.ledger.audit")
HOUR = watched(date(2026, 6, 21), date(2026, 6, 22), lambda _: (9, 3))[:61]


def judge_every_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WatchedRegisters, "count_on", lambda *_: None)


@pytest.fixture
def booked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What every ledger gives out from now on, and what it knows after each reading."""
    seen: list[object] = []
    observe = Ledger.observe

    def recorded(ledger: Ledger, observation: Observation) -> tuple[Entry, ...]:
        entries = observe(ledger, observation)
        seen.append((entries, ledger.shown, ledger.held, ledger.now, ledger.energy()))
        return entries

    monkeypatch.setattr(Ledger, "observe", recorded)
    return seen


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name.replace(" ", "-"))
def test_a_reading_is_booked_alike_whether_or_not_it_is_judged(
    source: Source, booked: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    live(source, 77, days=1, haste=6)
    short_way = booked.copy()
    booked.clear()
    judge_every_reading(monkeypatch)
    live(source, 77, days=1, haste=6)
    assert short_way == booked


def spoiled(observations: list[Observation]) -> list[Observation]:
    """Readings of a chip, with one of each kind that is not plain."""
    observations[300] = replace(observations[300], restarted=True)
    observations[500] = replace(observations[500], count=observations[500].count - 2)
    observations[700:760] = []
    observations[900] = replace(observations[900], elapsed_us=None)
    ahead = [replace(one, at=one.at + timedelta(hours=1)) for one in observations[1500:2000]]
    return [*observations[:1500], *ahead, *observations[2000:]]


def test_a_chip_is_booked_alike_through_restarts_gaps_and_jumping_clocks(
    booked: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = spoiled(looks(2500))
    for is_judged in (False, True):
        if is_judged:
            judge_every_reading(monkeypatch)
        ledger = Ledger(NINTHS)
        for reading in readings:
            ledger.observe(reading)
    middle = len(booked) // 2
    assert booked[:middle] == booked[middle:]
    kinds = {entry.kind for entries, *_ in booked for entry in entries}  # type: ignore[misc]
    assert {EntryKind.START, EntryKind.COUNTED, EntryKind.GAP, EntryKind.CLOCK} <= kinds


FORGERIES: list[Callable[[Entry], Entry]] = [
    lambda one: replace(one, sequence=99),
    lambda one: replace(one, kind=EntryKind.RESTART),
    lambda one: replace(one, kind=EntryKind.ADJUSTED),
    lambda one: replace(one, start=one.start - MINUTE),
    lambda one: replace(one, end=one.start - MINUTE),
    lambda one: replace(one, epoch=2),
    lambda one: replace(one, epoch=7),
    lambda one: replace(one, count=one.count + 1),
    lambda one: replace(one, count=one.count + (1 << 24)),
    lambda one: replace(one, positive=one.positive + 1),
    lambda one: replace(one, positive=-3, negative=15),
    lambda one: replace(one, undirected=-1, positive=10),
    lambda one: replace(one, elapsed_us=1000, readings=0),
    lambda one: replace(one, import_mwh=5),
    lambda one: replace(one, export_mwh=-5),
]


@pytest.mark.parametrize("forge", FORGERIES)
def test_no_forgery_passes_for_an_entry_that_only_counts(
    forge: Callable[[Entry], Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [*HOUR[:30], forge(HOUR[30]), *HOUR[31:]]
    assert audit(ledger_slice(HOUR)).findings == ()
    found = audit(ledger_slice(entries)).findings
    assert found
    assert found == checked_in_full(entries, monkeypatch)


def checked_in_full(entries: list[Entry], monkeypatch: pytest.MonkeyPatch) -> tuple[AuditFinding, ...]:
    monkeypatch.setattr(AUDIT, "_only_counts", lambda *_: False)
    return audit(ledger_slice(entries)).findings


def test_entries_are_followed_alike_one_by_one_and_all_at_once() -> None:
    readings = spoiled(looks(2500))
    ledger, entries = Ledger(NINTHS), list[Entry]()
    for reading in readings:
        entries += ledger.observe(reading)
    entries += ledger.close()
    at_once, one_by_one = Ledger.replay(entries, EPOCHS), Ledger(NINTHS)
    whole = LedgerSlice.of(entries, EPOCHS)
    for entry in entries:
        one_by_one.replay_entries([entry], whole)
    for later in looks(2600)[2500:]:
        assert at_once.observe(later) == one_by_one.observe(later)
        assert (at_once.energy(), at_once.now) == (one_by_one.energy(), one_by_one.now)


def test_a_ledger_may_stand_in_the_last_minute_of_all_time() -> None:
    end = datetime.max.replace(tzinfo=UTC)
    assert Ledger.replay([start(end)], EPOCHS).booked_until == end
