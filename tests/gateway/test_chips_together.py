"""Chips are read in a thread each, and booked together: one transaction, and nobody pays for another's trouble."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.rig import COUNTS_PER_SECOND, StubMeter
from wattrail.clock import ManualClock
from wattrail.errors import NoAnswer, StoreError, StoreUncertain
from wattrail.gateway import Feed, MeterPlan, MeterState
from wattrail.gateway.bookkeeping import Bookkeeper
from wattrail.gateway.waiting import StoreAvailability
from wattrail.gateway.worker import Worker
from wattrail.store import open_store

NAMES = ("attic", "cellar", "house")


class Chips:
    """Three chips, whose bookkeeping happens when it is asked for."""

    def __init__(self, path: Path) -> None:
        self.clock, self.store = ManualClock(), open_store(path)
        self.feed = Feed(self.clock)
        self.availability = StoreAvailability(self.clock)
        self.bookkeeper = Bookkeeper(self.store, self.feed, availability=self.availability)
        self.meters = {name: StubMeter(url=f"serial:///dev/{name}") for name in NAMES}
        self.workers = {
            name: Worker(
                MeterPlan(name=name, url=meter.url), self.store, self.feed, clock=self.clock, opener=meter.open,
                hand_over=self.bookkeeper.put, availability=self.availability,
            )
            for name, meter in self.meters.items()
        }  # fmt: skip
        self.transactions: list[int] = []
        self.refused_meter: int | None = None
        self._append_all = self.store.append_all
        self.store.append_all = self.append_all  # type: ignore[method-assign]

    def append_all(self, rows: Sequence[Any], *, wait_s: float | None = None) -> None:
        if any(row[0] == self.refused_meter for row in rows):
            raise StoreError("no room for this meter")
        self._append_all(rows, wait_s=wait_s)
        self.transactions.append(len(rows))

    def read_all(self) -> None:
        self.clock.advance(1.0)
        for worker in self.workers.values():
            worker.step()

    def book(self) -> None:
        batch, self.bookkeeper._waiting = self.bookkeeper._waiting, []
        self.bookkeeper._work(batch)
        for work in batch:
            work.done()

    def states(self) -> list[MeterState]:
        return [view.state for view in self.feed.views()]

    def stored(self) -> int:
        until = self.clock.now() + timedelta(seconds=1)
        rows = [row.id for row in self.store.meters()]
        spans = [self.store.series(row, until - timedelta(hours=1), until) for row in rows]
        return sum(bucket.readings for series in spans for bucket in series)


@pytest.fixture
def chips(tmp_path: Path) -> Iterator[Chips]:
    chips = Chips(tmp_path / "w.sqlite")
    yield chips
    chips.store.close()


def test_readings_of_several_chips_are_one_transaction(chips: Chips) -> None:
    chips.read_all()
    assert chips.states() == [MeterState.CONNECTING] * 3, "nothing is shown before it is kept"
    chips.book()
    assert chips.transactions == [3]
    assert chips.states() == [MeterState.LIVE] * 3
    for _ in range(4):
        chips.read_all()
        chips.book()
    assert chips.transactions == [3] * 5
    assert chips.stored() == 15


def test_a_chip_whose_reading_is_refused_fails_alone(chips: Chips) -> None:
    chips.read_all()
    chips.book()
    house = chips.store.meter("house")
    assert house is not None
    chips.refused_meter = house.id
    chips.read_all()
    chips.book()
    assert chips.transactions == [3, 1, 1], "those that were refused together are kept one by one"
    chips.read_all()
    view = chips.feed.view("house")
    assert view is not None
    assert (view.state, view.error) == (MeterState.FAILED, "no room for this meter")
    chips.book()
    assert chips.states() == [MeterState.LIVE, MeterState.LIVE, MeterState.FAILED]

    chips.refused_meter = None
    chips.meters["house"].count += COUNTS_PER_SECOND  # it was not read for a second, and counted on
    chips.read_all()
    chips.book()
    assert chips.states() == [MeterState.LIVE] * 3
    total = chips.feed.view("house").total  # type: ignore[union-attr]
    assert total == chips.feed.view("attic").total, "what was counted meanwhile is booked"  # type: ignore[union-attr]


def test_a_failure_is_shown_after_the_reading_before_it(chips: Chips) -> None:
    chips.read_all()
    chips.book()
    chips.meters["house"].trouble.append(NoAnswer("silence"))
    chips.read_all()
    chips.book()
    assert chips.states() == [MeterState.LIVE, MeterState.LIVE, MeterState.STALE]


def test_a_defect_in_one_chips_view_leaves_the_others_live(chips: Chips, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(chips.workers["cellar"], "show", broken)
    chips.read_all()
    chips.book()
    assert chips.states() == [MeterState.LIVE, MeterState.CONNECTING, MeterState.LIVE]
    chips.read_all()
    assert chips.states() == [MeterState.LIVE, MeterState.FAILED, MeterState.LIVE]


def test_what_may_be_stored_is_read_again_and_not_stored_twice(chips: Chips, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to a COMMIT was lost, as a database server may lose it, and the transaction is there."""
    chips.read_all()
    chips.book()

    def answer_is_lost(rows: Sequence[Any], *, wait_s: float | None = None) -> None:
        chips.append_all(rows, wait_s=wait_s)
        raise StoreUncertain("the connection was lost during COMMIT")

    with monkeypatch.context() as patched:
        patched.setattr(chips.store, "append_all", answer_is_lost)
        chips.read_all()
        chips.book()
    assert chips.stored() == 6
    chips.read_all()  # says why, and drops the account
    for _ in range(3):
        chips.clock.advance(1.0)
        chips.read_all()
        chips.book()
    assert chips.transactions == [3] * 5
    assert chips.states() == [MeterState.LIVE] * 3


def test_chips_wait_together_and_one_refusal_costs_the_others_nothing(
    chips: Chips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wattrail.gateway.bookkeeping.WRITE_WITHIN_S", 0.0)
    chips.read_all()
    chips.book()
    house = chips.store.meter("house")
    assert house is not None
    with closing(sqlite3.connect(chips.store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(5):
            chips.read_all()
            chips.book()
        assert [view.unstored is not None for view in chips.feed.views()] == [True] * 3
        assert chips.states() == [MeterState.LIVE] * 3
        other.execute("ROLLBACK")
    chips.refused_meter = house.id
    for _ in range(2):
        chips.read_all()
        chips.book()
    chips.workers["house"].step()
    assert [view.unstored for view in chips.feed.views()] == [None] * 3
    assert chips.feed.view("house").state is MeterState.FAILED  # type: ignore[union-attr]
    assert chips.stored() == 1 + 2 * 8
