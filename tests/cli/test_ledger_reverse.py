"""Somebody types 1000 in place of 10, and it is not for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.cli.test_ledger_verbs import TARIFF
from tests.databases import forge
from wattrail.app.config import data_dir
from wattrail.store import open_store, open_to_read

pytestmark = pytest.mark.usefixtures("manual_clock")


@pytest.fixture
def database(home: Path, hour_of_a_house: bytes) -> Path:
    path = data_dir() / "wattrail.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(hour_of_a_house)
    return path


def test_bill_and_day_are_as_before_and_the_register_stands(wattrail: Type, database: Path) -> None:
    Path("tariff.toml").write_text(TARIFF)
    bill = wattrail("ledger", "show", "--by", "billing", "--tariff", "tariff.toml").out
    day = wattrail("ledger", "show", "--by", "day").out
    before = registers(wattrail)
    assert wattrail("ledger", "adjust", "--import-kwh", "1000", "--reason", "old meter").code == 0
    assert wattrail("ledger", "show", "--by", "billing", "--tariff", "tariff.toml").out != bill
    said = wattrail("ledger", "reverse", "1", "--reason", "10, not 1000", "--who", "ada")
    assert said.out.startswith("stated 2, reversed: manual entry 1 counts no longer; ada, 2026-06-21")
    assert "import keeps 1000.000000 kWh that were reversed" in said.err
    assert wattrail("ledger", "show", "--by", "billing", "--tariff", "tariff.toml").out == bill
    assert wattrail("ledger", "show", "--by", "day").out == day
    assert registers(wattrail) == before + 1_000_000_000
    assert wattrail("ledger", "adjust", "--import-kwh", "10", "--reason", "old meter").code == 0
    assert registers(wattrail) == before + 1_000_000_000
    shown = wattrail("ledger", "show").out
    assert "old meter (reversed by 2)" in shown
    assert "the registers still show what was reversed: import 990.000000 kWh, export 0.000000 kWh" in shown
    assert wattrail("ledger", "verify").code == 0


def test_a_rehearsed_reversal_keeps_nothing(wattrail: Type, database: Path) -> None:
    wattrail("ledger", "adjust", "--import-kwh", "1000", "--reason", "old meter")
    said = wattrail("ledger", "reverse", "1", "--reason", "typo", "--dry-run")
    assert "stated 2, reversed" in said.out
    assert "nothing was kept" in said.err
    with open_to_read(database) as reader:
        assert len(reader.outline(1).stated) == 1


def test_a_reversal_of_a_reversal_is_refused(wattrail: Type, database: Path) -> None:
    wattrail("ledger", "adjust", "--import-kwh", "1000", "--reason", "old meter")
    assert wattrail("ledger", "reverse", "1", "--reason", "typo").code == 0
    said = wattrail("ledger", "reverse", "2", "--reason", "it was right")
    assert said.code != 0
    assert "manual entry 2 is a reversal itself" in said.err
    assert (
        "manual entry 1 is reversed already, by manual entry 2"
        in wattrail("ledger", "reverse", "1", "--reason", "x").err
    )


def test_a_gateway_that_starts_again_shows_the_same_register(wattrail: Type, database: Path) -> None:
    wattrail("ledger", "adjust", "--opening", "--import-kwh", "123450", "--reason", "old meter")
    wattrail("ledger", "reverse", "1", "--reason", "12345")
    assert wattrail("ledger", "adjust", "--opening", "--import-kwh", "12345", "--reason", "old meter").code == 0
    with open_store(database) as store:
        ledger = store.ledger(1)
        assert ledger is not None
        assert ledger.totals().import_mwh == registers(wattrail)


def registers(wattrail: Type) -> int:
    return int(json.loads(wattrail("ledger", "show", "--json").out)["import_mwh"])


def test_a_bill_of_a_damaged_ledger_names_the_check(wattrail: Type, database: Path) -> None:
    Path("tariff.toml").write_text(TARIFF)
    wattrail("ledger", "adjust", "--import-kwh", "1000", "--reason", "old meter")
    forge(database, "UPDATE stated SET epoch = 7 WHERE sequence = 1")
    for by in ("billing", "day"):
        refused = wattrail("ledger", "show", "--by", by, "--tariff", "tariff.toml")
        assert refused.code != 0
        assert "belongs to epoch 7, which is not known" in refused.err
        assert "wattrail ledger verify" in refused.err
    found = wattrail("ledger", "verify")
    assert found.code != 0
    assert "manual entry 1: its epoch is 7" in found.out
