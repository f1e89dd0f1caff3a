"""A meter with registers of its own, as a source of the network reads it: what of it becomes entries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from tests.gateway.rig import StubMeter
from wattrail.energy_register import (
    BootEvidence,
    Direction,
    EnergyRegister,
    Freshness,
    Persistence,
    RegisterCount,
    fastest,
)  # fmt: skip
from wattrail.gateway.account import Account
from wattrail.ledger import EntryKind
from wattrail.store import Store, open_store
from wattrail.units import Quantities, Reading

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
WH = Fraction(1000)
SUM = EnergyRegister(
    name="total", step_mwh=WH, direction=Direction.SUM, persistence=Persistence.SAVED,
    max_counts_per_us=fastest(23_000, WH),
)  # fmt: skip
EXPORT = replace(SUM, name="export", direction=Direction.EXPORT)


def reading(minute: int, total: int, export: int, *, register: EnergyRegister = SUM, **more: object) -> Reading:
    at = NOON + timedelta(minutes=minute)
    counts = (RegisterCount(register, total), RegisterCount(replace(register, **named(EXPORT)), export))
    return replace(
        Reading(at=at, monotonic=60.0 * minute, sample=Quantities(watts=500.0), registers=counts),
        **more,  # type: ignore[arg-type]
    )


def named(register: EnergyRegister) -> dict[str, object]:
    return {"name": register.name, "direction": register.direction}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "w.sqlite") as store:
        yield store


def opened(store: Store, first: Reading) -> Account:
    meter = StubMeter(url="mqtt://broker/plug")
    account = Account(store, "plug", meter, first, now=NOON, longest_silence_s=180)
    account.book(first)
    return account


def test_a_sum_and_its_export_become_import_and_export(store: Store) -> None:
    account = opened(store, reading(0, 100, 40))
    account.book(reading(1, 112, 43))
    assert (account.totals().import_mwh, account.totals().export_mwh) == (9000, 3000)


def test_a_power_cut_is_booked_by_what_the_device_says_of_it(store: Store) -> None:
    account = opened(store, reading(0, 100, 40, evidence=BootEvidence(uptime_s=900.0)))
    account.book(reading(1, 90, 40, evidence=BootEvidence(uptime_s=20.0)))
    account.book(reading(2, 97, 40, evidence=BootEvidence(uptime_s=80.0)))
    assert account.totals().import_mwh == 7000
    assert EntryKind.RESTART in {entry.kind for entry in account.take_booked()}


def test_what_proves_no_energy_is_left_out(store: Store) -> None:
    account = opened(store, reading(0, 100, 40))
    account.book(reading(1, 500, 40, freshness=Freshness.RETAINED))
    account.book(reading(2, 500, 40, registers=()))
    account.book(reading(3, 106, 40))
    assert account.totals().import_mwh == 6000


def test_a_value_that_is_held_is_the_notice_of_the_meter(store: Store) -> None:
    account = opened(store, reading(0, 100, 40))
    account.book(reading(1, 0, 40))
    assert "went from 60 to -40, and nothing says why" in (account.notice or "")
    account.book(reading(2, 110, 40))
    assert (account.notice, account.totals().import_mwh) == (None, 10_000)


def test_another_step_begins_an_epoch_that_no_count_crosses(store: Store) -> None:
    account = opened(store, reading(0, 100, 40))
    fine = replace(SUM, step_mwh=Fraction(10), max_counts_per_us=fastest(23_000, Fraction(10)))
    account.book(reading(1, 10_000, 4000, register=fine))
    account.book(reading(2, 10_300, 4100, register=fine))
    totals = account.totals()
    assert (totals.import_mwh, totals.export_mwh) == (2000, 1000)
    assert [entry.kind for entry in account.take_booked()].count(EntryKind.EPOCH) == 1


def test_the_value_before_a_cached_zero_outlives_a_restart_of_the_gateway(store: Store) -> None:
    account = opened(store, reading(0, 900, 0))
    for minute, total in enumerate((905, 0, 3, 6, 12, 0, 0), start=1):
        account.book(reading(minute, total, 0, sample=Quantities(watts=180.0)))
    account.close()
    account = Account(store, "plug", StubMeter(url="mqtt://broker/plug"), reading(8, 18, 0), now=NOON)
    account.book(reading(8, 18, 0, sample=Quantities(watts=180.0)))
    account.book(reading(9, 21, 0, sample=Quantities(watts=180.0)))
    assert account.totals().import_mwh == (5 + 21) * 1000


def test_a_class_that_cannot_be_right_is_the_notice_and_in_the_log(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    daily = replace(SUM, persistence=Persistence.PERIODIC)
    account = opened(store, reading(0, 5000, 0, register=daily))
    for minute, total in enumerate((5010, 4980, 4990, 5000), start=1):
        account.book(reading(minute, total, 0, register=daily))
    assert account.totals().import_mwh == 10_000 + 10_000 + 10_000
    notice = str(account.notice)
    assert "is declared class D, and did not begin at 0: booked as class B. Write its class (class=B)" in notice
    assert notice in caplog.text
