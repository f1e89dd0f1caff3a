"""Three single-phase meters, solar power on one of them: their balance against what the twins know to have flowed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from wattrail import ManualClock, Meter
from wattrail.chips import BL0942
from wattrail.front_end import FRONT_ENDS
from wattrail.gateway import Feed, MeterPlan
from wattrail.gateway.plan import VirtualPlan
from wattrail.gateway.virtual_meter import VirtualMeter
from wattrail.gateway.worker import Worker
from wattrail.ledger import Definition, MemberLedger, VirtualKind, by_interval
from wattrail.ledger.virtual import energy_between
from wattrail.store import open_store
from wattrail.twin import open_twin

PHASES = ("l1", "l2", "l3")
BALANCE = Definition(kind=VirtualKind.BALANCE, plus=PHASES)
POLL_S = 4
LASTS_S, HIDDEN_S = 1800, 240


class Truth(NamedTuple):
    """Energy of all three twins until a moment, as a meter of three phases would know it."""

    at: datetime
    net_wh: float
    import_wh: float
    export_wh: float


def test_the_balance_is_that_of_a_three_phase_meter(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 6, 21, 9, tzinfo=UTC))
    twins = {
        "l1": open_twin("pziot-e01", clock=clock, scenario="cloudy", seed=7),
        "l2": open_twin("pziot-e01", clock=clock, watts=350.0, seed=8),
        "l3": open_twin("pziot-e01", clock=clock, watts=250.0, seed=9),
    }
    calibration = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])
    clock.advance(5)
    with open_store(tmp_path / "w.sqlite") as store:
        feed = Feed(clock)
        workers = {
            name: Worker(
                MeterPlan(name=name, url="twin://pziot-e01"), store, feed, clock=clock, zone=UTC,
                opener=lambda plan, _: Meter(twins[plan.name].carrier(), calibration),
            )
            for name in PHASES
        }  # fmt: skip
        virtual = VirtualMeter(VirtualPlan(name="house", definition=BALANCE), store, feed, clock=clock, zone=UTC)
        imported_wh = exported_wh = 0.0
        truths = [Truth(clock.now(), sum(twin.truth.net_wh for twin in twins.values()), 0.0, 0.0)]
        until = clock.monotonic() + LASTS_S
        while clock.monotonic() < until:
            for name, worker in workers.items():
                # l2 is out of reach for five minutes: its counter goes on, and nobody sees it
                if name != "l2" or not HIDDEN_S < until - clock.monotonic() < 2 * HIDDEN_S:
                    worker.step()
            virtual.follow(None)
            net_wh = sum(twin.truth.net_wh for twin in twins.values())
            energy = net_wh - truths[-1].net_wh
            imported_wh, exported_wh = imported_wh + max(energy, 0.0), exported_wh + max(-energy, 0.0)
            truths.append(Truth(clock.now(), net_wh, imported_wh, exported_wh))
            clock.advance(POLL_S)
        row = store.meter("house")
        assert row is not None
        entries = store.entries(row.id)
        slices = [store.ledger_slice(found.id) for name in PHASES if (found := store.meter(name))]
        member_nets = [by_interval(one, [entries[0].start, entries[-1].end])[0].energy.net_mwh for one in slices]
        moments = [entries[0].start, *(entry.end for entry in entries[1:])]
        bound = (
            sum(one.bound_mwh for one in energy_between(BALANCE, [MemberLedger(one) for one in slices], moments)) / 1000
        )
    imported = sum(entry.positive for entry in entries) / 1000
    exported = sum(entry.negative for entry in entries) / 1000
    first, last = (min(truths, key=lambda one: abs(one.at - at)) for at in (entries[0].start, entries[-1].end))
    assert [entry.kind.value for entry in entries].count("gap") == 1
    assert sum(entry.undirected for entry in entries) == 0
    assert min(imported, exported) > 10
    # The sun's own meter shares its counts out by the sign of power, here only every four seconds.
    gross = imported + exported + 2 * bound
    assert imported - exported == pytest.approx(last.net_wh - first.net_wh, abs=0.003 * gross)
    assert round(1000 * (imported - exported)) == sum(member_nets)
    # Below the truth, by its resolution at most; the truth of each direction is looked at once in a poll.
    for ours, truth in ((imported, last.import_wh - first.import_wh), (exported, last.export_wh - first.export_wh)):
        assert ours - 0.01 * truth <= truth <= ours + bound + 0.01 * truth
