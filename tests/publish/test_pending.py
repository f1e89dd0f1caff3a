from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.publish.rig import AT, TOTALS, Site, view
from wattrail.gateway import MeterChanged, MeterState
from wattrail.ledger import Totals
from wattrail.publish.pending import PendingValues, PublishCadence
from wattrail.store.outbox import Outbox
from wattrail.units import Quantities

CADENCE = PublishCadence(live_s=10.0, registers_s=60.0)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(Site(tmp_path).database, "mqtt") as opened:
        yield opened


def pending(outbox: Outbox, cadence: PublishCadence = CADENCE) -> PendingValues:
    return PendingValues(outbox, cadence, ("house",))


def seen(values: PendingValues, second: int, *, watts: float = 500.0, total: Totals | None = None) -> None:
    """A reading at a second after the start; registers move by a milliwatt-hour a second."""
    at = AT + timedelta(seconds=second)
    total = total or Totals(TOTALS.import_mwh + second, TOTALS.export_mwh)
    values.note(MeterChanged(view=view(known=Quantities(watts=watts), at=at, total=total)), float(second))


def sent(values: PendingValues, now_s: float) -> list[float]:
    found = list(values.due(now_s))
    for meter, live in found:
        values.live_sent(meter, live, now_s)
    return [live.values["power"] for _, live in found]


def test_a_day_at_one_hertz_becomes_a_register_a_minute(outbox: Outbox) -> None:
    values = pending(outbox)
    for second in range(86_400):
        seen(values, second)
    values.flush(86_400.0)
    rows = outbox.waiting(2000)
    assert len(rows) == 1440
    assert [row.totals.import_mwh - TOTALS.import_mwh for row in rows] == list(range(0, 86_400, 60))


def test_live_values_come_at_their_cadence_and_only_the_newest(outbox: Outbox) -> None:
    values = pending(outbox)
    got = []
    for second in range(31):
        seen(values, second, watts=float(second))
        got += [(second, power) for power in sent(values, float(second))]
    assert got == [(0, 0.0), (10, 10.0), (20, 20.0), (30, 30.0)]
    assert sent(values, 45.0) == [], "there is no newer reading"


def test_a_change_of_power_is_sent_at_once(outbox: Outbox) -> None:
    values = pending(outbox, replace(CADENCE, change_w=100.0))
    seen(values, 0, watts=500.0)
    assert sent(values, 0.0) == [500.0]
    seen(values, 1, watts=599.0)
    assert sent(values, 1.0) == []
    seen(values, 2, watts=2600.0)
    assert sent(values, 2.0) == [2600.0]


def test_registers_that_fell_are_held_and_go_on_when_they_are_back(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    values = pending(outbox, PublishCadence(registers_s=0.0))
    seen(values, 0, total=Totals(5_000_000, 1_000_000))
    for second in range(1, 4):
        seen(values, second, total=Totals(4_000_000, 1_000_000))
    assert values.held == {
        "house": "the registers fell to 4.000 kWh import and 1.000 kWh export, "
        "below the last published 5.000 kWh import and 1.000 kWh export"
    }
    assert caplog.text.count("registers fell") == 1
    seen(values, 5, total=Totals(5_000_001, 1_000_000))
    values.flush(5.0)
    assert values.held == {}
    assert [row.totals.import_mwh for row in outbox.waiting(10)] == [5_000_000, 5_000_001]


def test_the_last_published_register_is_known_after_a_restart(outbox: Outbox) -> None:
    first = pending(outbox, PublishCadence(registers_s=0.0))
    seen(first, 0, total=Totals(5_000_000, 0))
    first.flush(0.0)
    again = pending(outbox, PublishCadence(registers_s=0.0))
    newest = again.registers(again.meters["house"])
    assert newest is not None
    assert newest.import_mwh == 5_000_000
    seen(again, 1, total=Totals(0, 0))
    again.flush(2.0)
    assert len(outbox.waiting(10)) == 1
    assert "house" in again.held


@pytest.mark.parametrize("state", [state for state in MeterState if state is not MeterState.LIVE])
def test_a_meter_that_is_not_live_sends_nothing(outbox: Outbox, state: MeterState) -> None:
    values = pending(outbox)
    values.note(MeterChanged(view=view(state=state)), 0.0)
    values.flush(0.0)
    assert sent(values, 0.0) == []
    assert outbox.count() == 0
    assert not values.meters["house"].is_online(0.0)


def test_a_meter_whose_thread_blocks_is_offline_without_an_event(outbox: Outbox) -> None:
    values = pending(outbox)
    seen(values, 0)
    meter = values.meters["house"]
    assert meter.is_online(50.0), "five polls of ten seconds"
    assert not meter.is_online(51.0)
    assert sent(values, 51.0) == []


def test_at_the_end_the_newest_register_is_stored_whatever_the_cadence(outbox: Outbox) -> None:
    values = pending(outbox)
    for second in range(75):
        seen(values, second)
    values.store_newest(75.0)
    assert [row.totals.import_mwh - TOTALS.import_mwh for row in outbox.waiting(10)] == [0, 60, 74]


def test_a_meter_without_registers_still_has_live_values(outbox: Outbox) -> None:
    values = pending(outbox)
    values.note(MeterChanged(view=replace(view(), total=None)), 0.0)
    values.flush(0.0)
    assert sent(values, 0.0) == [-1834.5]
    assert outbox.count() == 0


def test_a_meter_is_known_from_its_first_reading_on(tmp_path: Path) -> None:
    site = Site(tmp_path, ())
    with Outbox(site.database, "mqtt") as outbox:
        values = PendingValues(outbox, CADENCE, ("house",))
        assert values.meters == {}
        site.open_accounts("house")
        seen(values, 0)
        assert set(values.meters) == {"house"}


@given(
    steps=st.lists(
        st.tuples(st.integers(-5, 20), st.integers(-5, 20), st.integers(0, 40), st.booleans()), min_size=1, max_size=40
    )
)
def test_whatever_registers_do_a_consumer_sees_none_fall(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, int, bool]]
) -> None:
    """Registers rise and fall by any step, and the service is started again in between at any moment."""
    site = Site(tmp_path_factory.mktemp("fall"))
    got: list[Totals] = []
    import_mwh = export_mwh = second = 100
    with Outbox(site.database, "mqtt") as outbox:
        values = pending(outbox, PublishCadence(registers_s=10.0))
        for import_step, export_step, seconds, is_restart in steps:
            import_mwh, export_mwh, second = import_mwh + import_step, export_mwh + export_step, second + seconds
            seen(values, second, total=Totals(max(import_mwh, 0), max(export_mwh, 0)))
            if is_restart:
                values = pending(outbox, PublishCadence(registers_s=10.0))
            if rows := outbox.waiting(2):
                got += [row.totals for row in rows]
                outbox.acknowledged(rows[-1].id)
        values.flush(float(second))
        got += [row.totals for row in outbox.waiting(100)]
    for before, after in pairwise(got):
        assert after.import_mwh >= before.import_mwh
        assert after.export_mwh >= before.export_mwh
