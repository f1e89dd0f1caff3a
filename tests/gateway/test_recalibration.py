"""A calibration that is kept while the meter is read: the next reading has it, and the ledger loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.gateway.rig import Household, StubMeter
from wattrail.calibration import Calibration
from wattrail.clock import Clock
from wattrail.errors import PortLost, StoreUnavailable
from wattrail.gateway import MeterPlan, MeterState
from wattrail.gateway.source import MeterReader, open_planned
from wattrail.gateway.worker import Worker
from wattrail.ledger import Entry, EntryKind
from wattrail.store import open_to_read
from wattrail.units import Reading

STEADY = "twin://pziot-e01?volts=230&amps=10&seed=1"
WATTS = 2300.0


class Bench(Household):
    """A twin under a load of 2300 W, the worker that reads it, and every time it was opened."""

    def __init__(self, folder: Path) -> None:
        self.opened: list[MeterReader] = []
        super().__init__(folder, StubMeter(url=STEADY))

    def start_worker(self, name: str = "house", *, poll_s: float = 1.0, given: Calibration | None = None) -> None:
        super().start_worker(name, poll_s=poll_s)
        plan = MeterPlan(name=name, url=STEADY, poll_s=poll_s, calibration=given)
        self.worker = Worker(plan, self.store, self.feed, clock=self.clock, opener=self.open)

    def open(self, plan: MeterPlan, clock: Clock) -> MeterReader:
        self.opened.append(open_planned(plan, clock))
        return self.opened[-1]

    @property
    def reading(self) -> Reading:
        assert self.view.reading is not None
        return self.view.reading

    @property
    def calibration(self) -> Calibration:
        assert self.reading.calibration is not None
        return self.reading.calibration

    def keep(self, calibration: Calibration) -> None:
        self.store.keep_calibration(
            "house", calibration, simulated=True, origin="measured", by="ada", at=self.clock.now()
        )

    def entries(self) -> tuple[Entry, ...]:
        row = self.store.meter("house")
        assert row is not None
        return self.store.entries(row.id)

    def kinds(self) -> list[EntryKind]:
        return [entry.kind for entry in self.entries()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.worker.close()
    made.store.close()


def scaled(calibration: Calibration, factor: float, *what: str) -> Calibration:
    """As it comes back from a database. More counts for a watt: the same counts are less power."""
    names = ("counts_per_volt", "counts_per_amp", "counts_per_watt")
    changed = what or ("counts_per_watt",)
    return replace(
        calibration,
        **{name: round(getattr(calibration, name) * (factor if name in changed else 1), 6) for name in names},
    )


def test_the_next_reading_has_the_new_scale_and_both_energies_are_right(bench: Bench) -> None:
    bench.run(90)
    first, before, total = bench.calibration, bench.reading, bench.view.total
    assert total is not None
    assert before.watts == pytest.approx(WATTS, rel=2e-3)
    bench.keep(scaled(first, 1.25))
    assert bench.worker.scale.look_again()
    bench.step()
    assert bench.reading.watts == pytest.approx(WATTS / 1.25, rel=2e-3)
    assert bench.view.scale == "calibrated constants"
    bench.run(600)
    after = bench.view.total
    assert after is not None
    seconds = bench.reading.monotonic - before.monotonic
    assert after.import_mwh - total.import_mwh == pytest.approx(WATTS / 1.25 * seconds / 3.6, rel=5e-3)
    assert len(bench.opened) == 1, "no port is opened again"
    bench.worker.close()

    entries = bench.entries()
    assert {entry.kind for entry in entries} == {EntryKind.START, EntryKind.COUNTED, EntryKind.EPOCH}
    (epoch,) = [entry for entry in entries if entry.kind is EntryKind.EPOCH]
    assert (epoch.start, epoch.end, epoch.note) == (before.at, before.at, "epoch 2 begins")
    assert all(earlier.end == later.start for earlier, later in pairwise(entries))
    assert [entry.epoch for entry in entries] == sorted(entry.epoch for entry in entries)
    counted = sum(entry.positive + entry.negative + entry.undirected for entry in entries)
    assert counted == bench.reading.registers[0].count - entries[0].count, "no count is lost, and none is booked twice"
    with open_to_read(bench.path) as reader:
        row = reader.meter("house")
        assert row is not None
        assert reader.broken_links(row.id) == ()
        assert reader.ledger_slice(row.id).epochs[2].registers == (bench.reading.registers[0].register,)


def test_today_and_in_total_go_on_from_where_they_were(bench: Bench) -> None:
    bench.run(90)
    before = bench.view
    assert before.total is not None
    assert before.today == before.total
    bench.keep(scaled(bench.calibration, 1.25))
    assert bench.worker.scale.look_again()
    bench.step()
    assert bench.view.total is not None
    assert bench.view.today == bench.view.total
    assert 0 <= bench.view.total.import_mwh - before.total.import_mwh <= WATTS / 3.6 * 2


@pytest.mark.parametrize("what", ["counts_per_volt", "counts_per_amp", "inverted"])
def test_constants_that_leave_the_counter_as_it_is_begin_an_epoch_too(bench: Bench, what: str) -> None:
    bench.run(30)
    other = replace(scaled(bench.calibration, 1.1, what), inverted=what == "inverted")
    bench.keep(other)
    assert bench.worker.scale.look_again()
    bench.step()
    assert bench.calibration == other
    assert bench.kinds()[-1] is EntryKind.EPOCH
    export = bench.view.total.export_mwh if bench.view.total else 0
    bench.run(60)
    assert bench.view.total is not None
    assert (bench.view.total.export_mwh > export) == (what == "inverted")
    assert bench.kinds().count(EntryKind.EPOCH) == 1


def test_nothing_newer_changes_nothing(bench: Bench) -> None:
    assert not bench.worker.scale.look_again(), "it was not opened yet, and takes what is kept then"
    bench.keep(Calibration(15883.0, 141000.0, 350.0))
    bench.step()
    assert bench.calibration.counts_per_watt == 350.0
    bench.run(70)
    assert not bench.worker.scale.look_again()
    bench.keep(Calibration(15883.0, 141000.0, 350.0))
    assert not bench.worker.scale.look_again(), "the same constants once more"
    bench.run(10)
    assert EntryKind.EPOCH not in bench.kinds()


def test_constants_in_the_configuration_win_over_what_is_kept(bench: Bench) -> None:
    given = Calibration(15883.0, 141000.0, 350.0)
    bench.start_worker(given=given)
    bench.run(20)
    bench.keep(scaled(given, 1.25))
    assert not bench.worker.scale.look_again()
    bench.run(20)
    assert bench.calibration == given


def test_a_line_that_is_opened_again_takes_no_constants_by_itself(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost() -> Reading:
        raise PortLost("gone")

    bench.run(20)
    first = bench.calibration
    bench.keep(scaled(first, 1.25))
    with monkeypatch.context() as patched:
        patched.setattr(bench.opened[0], "read", lost)
        bench.step()
    assert bench.view.state is MeterState.LOST
    bench.run(20)
    assert len(bench.opened) == 2
    assert bench.calibration == first
    assert bench.worker.scale.look_again()
    bench.step()
    assert bench.calibration == scaled(first, 1.25)


def test_a_database_that_refuses_the_epoch_costs_no_energy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StoreUnavailable("another program holds the database", hint="end it")

    bench.run(90)
    total, before = bench.view.total, bench.reading
    assert total is not None
    bench.keep(scaled(bench.calibration, 1.25))
    assert bench.worker.scale.look_again()
    with monkeypatch.context() as patched:
        patched.setattr(bench.store, "begin_epoch", refuse)
        bench.step(2)
        assert (bench.view.state, bench.view.error) == (MeterState.FAILED, "another program holds the database")
    bench.run(60)
    after = bench.view.total
    assert after is not None
    seconds = bench.reading.monotonic - before.monotonic
    least, most = WATTS / 1.25 * seconds / 3.6, WATTS * seconds / 3.6
    assert least * 0.97 <= after.import_mwh - total.import_mwh <= most * 1.03
    assert bench.kinds().count(EntryKind.EPOCH) == 1
