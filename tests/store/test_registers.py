"""Meters with registers of their own: kept exactly, taken up again after a kill, and proven by the chain."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from tests.databases import forge
from tests.store.rig import CALIBRATION, START, look
from wattrail.database_address import DatabaseAddress
from wattrail.energy_register import BootEvidence, Direction, EnergyRegister, Persistence, fastest
from wattrail.ledger import EntryKind, Ledger, Observation
from wattrail.store import Store, open_store, open_to_read

STEP = Fraction(50, 3)
TOTAL = EnergyRegister(
    name="total", step_mwh=STEP, direction=Direction.IMPORT, persistence=Persistence.SAVED,
    max_counts_per_us=fastest(23_000, STEP), slack=1, may_rise=True,
)  # fmt: skip
PAIR = (TOTAL, replace(TOTAL, name="export", direction=Direction.EXPORT))
SILENCE_US = 180_000_000


def register(store: Store, registers: tuple[EnergyRegister, ...] = PAIR) -> int:
    row = store.register_meter(
        "plug", "mqtt://broker/plug", simulated=True, calibration=None, registers=registers, at=START
    )
    return row.id


def shown(minute: int) -> Observation:
    """A minute of a firmware that falls back to its last save at minute 4 and restores its total at minute 6."""
    import_, export = {4: (300, 60), 5: (310, 61)}.get(minute, (400 + 60 * minute, 70 + minute))
    return Observation(
        at=START + timedelta(minutes=minute), elapsed_us=60_000_000 if minute else None, count=import_,
        export_count=export, watt=60_000, boot=BootEvidence(uptime_s=60.0 * (minute % 4), start_stamp="2026"),
    )  # fmt: skip


def live_through(store: Store, meter_id: int, minutes: range) -> Ledger:
    ledger = store.ledger(meter_id, longest_silence_us=SILENCE_US)
    ledger = ledger or Ledger(store.meters()[0].epoch, longest_silence_us=SILENCE_US)
    for minute in minutes:
        seen = shown(minute)
        reading, _ = look(minute)
        store.append(meter_id, reading, seen, ledger.observe(seen))
    return ledger


def test_registers_of_an_epoch_come_back_exactly(address: DatabaseAddress) -> None:
    with open_store(address) as store:
        register(store)
        assert store.meters()[0].epoch.registers == PAIR


@pytest.mark.parametrize("killed", range(1, 9))
def test_a_kill_at_any_reading_changes_no_count(new_address: Callable[[], DatabaseAddress], killed: int) -> None:
    address, other = new_address(), new_address()
    with open_store(address) as store:
        meter_id = register(store)
        live_through(store, meter_id, range(killed))
    with open_store(address) as store:
        again = live_through(store, meter_id, range(killed, 9))
        entries = store.entries(meter_id)
    with open_store(other) as store:
        register(store)
        whole = live_through(store, 1, range(9))
        assert store.entries(1) == entries
    assert again.totals() == whole.totals()
    assert {entry.kind for entry in entries} == {EntryKind.START, EntryKind.COUNTED, EntryKind.RESTART, EntryKind.GAP}
    with open_to_read(address) as reader:
        assert reader.broken_links(meter_id) == ()


def test_a_changed_register_begins_an_epoch_and_a_changed_limit_does_not(address: DatabaseAddress) -> None:
    with open_store(address) as store:
        register(store)
        faster = tuple(replace(one, max_counts_per_us=one.max_counts_per_us * 2) for one in PAIR)
        coarser = tuple(replace(one, step_mwh=Fraction(1000)) for one in PAIR)
        for registers, begins in ((PAIR, False), (faster, False), (coarser, True)):
            row = store.register_meter(
                "plug", "mqtt://broker/plug", simulated=True, calibration=None, registers=registers
            )
            assert row.recalibrated is begins


@pytest.mark.parametrize(
    "forgery", ["UPDATE entry SET mark = 7", "UPDATE entry SET export_count = 7", "UPDATE epoch SET registers = '[]'"]
)
def test_a_forged_register_is_found(address: DatabaseAddress, forgery: str) -> None:
    with open_store(address) as store:
        live_through(store, register(store), range(9))
    forge(address, forgery)
    with open_to_read(address) as reader:
        assert "its content is altered" in str(reader.broken_links(1)[0])


def test_a_chip_of_an_older_version_goes_on_in_its_epoch(tmp_path: Path) -> None:
    fixture = Path(__file__).parent / "fixtures/version_0004.sql"
    path = tmp_path / "w.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(fixture.read_text(encoding="utf-8"))
    with open_store(path) as store:
        row = store.register_meter("house", "serial:///dev/ttyUSB0", simulated=False, calibration=CALIBRATION)
        assert not row.recalibrated
        assert row.epoch.registers[0].modulus == 1 << 24
