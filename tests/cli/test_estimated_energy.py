"""Energy that is estimated from power says so wherever the command line shows it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.gateway.test_estimates import NOON, TOTAL, Gateway
from wattrail.energy_register import RegisterCount
from wattrail.store import open_store
from wattrail.units import Quantities, Reading

MARK = "energy is estimated from power"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Ten minutes of a plug at 600 W."""
    path = tmp_path / "w.sqlite"
    with open_store(path) as store:
        gateway = Gateway(store)
        for second in range(0, 601, 10):
            account = gateway.see(second, 600.0)
        account.close()
    return path


def test_registers_and_periods_are_marked(wattrail: Type, database: Path) -> None:
    shown = wattrail("ledger", "show", "plug", "--database", str(database))
    assert (shown.code, MARK in shown.out, "0.100000 kWh" in shown.out) == (0, True, True)
    periods = wattrail("ledger", "show", "plug", "--by", "day", "--database", str(database)).out
    assert MARK in periods
    assert any(line.endswith("estimated") for line in periods.splitlines()[2:])


def test_programs_get_the_mark_as_data(wattrail: Type, database: Path) -> None:
    place = ("--database", str(database))
    registers = json.loads(wattrail("ledger", "show", "plug", "--json", *place).out)
    assert registers["estimated"] == [{"start": None, "end": None}]
    days = json.loads(wattrail("ledger", "show", "plug", "--by", "day", "--json", *place).out)
    assert {day["estimated"] for day in days["intervals"]} == {True}
    rows = list(csv.DictReader(wattrail("ledger", "export", "plug", *place).out.splitlines()))
    assert list(rows[0])[-1] == "estimated"
    assert {row["estimated"] for row in rows} == {"true"}


def test_a_report_says_it(wattrail: Type, database: Path) -> None:
    asked = ("ledger", "report", "plug", "--day", "2026-06-21", "--database", str(database))
    assert "estimated     from power: the meter counts no energy" in wattrail(*asked).out
    assert json.loads(wattrail(*asked, "--json").out)["estimated"] is True


def test_an_estimated_account_is_proven_like_any_other(wattrail: Type, database: Path) -> None:
    assert wattrail("ledger", "verify", "plug", "--database", str(database)).code == 0
    assert wattrail("store", "check", "--database", str(database)).code == 0


def test_once_the_meter_counts_only_the_time_before_is_marked(wattrail: Type, tmp_path: Path) -> None:
    path = tmp_path / "w.sqlite"
    with open_store(path) as store:
        gateway = Gateway(store)
        for second in range(0, 601, 10):
            gateway.see(second, 600.0)
        for second in range(610, 7201, 10):
            count = RegisterCount(TOTAL, 1667 * second // 10)
            at = gateway.reading(second, 600.0).at
            account = gateway.book(
                Reading(at=at, monotonic=float(second), sample=Quantities(watts=600.0), registers=(count,))
            )
        account.close()
    assert NOON.hour == 12
    place = ("--database", str(path))
    (times,) = json.loads(wattrail("ledger", "show", "plug", "--json", *place).out)["estimated"]
    assert (times["start"], times["end"]) == (None, "2026-06-21T12:10:10.000Z")
    rows = list(csv.DictReader(wattrail("ledger", "export", "plug", "--by", "hour", *place).out.splitlines()))
    assert [row["estimated"] for row in rows][:2] == ["true", "false"]


def test_tables_for_other_programs_have_the_mark_in_each_row(wattrail: Type, database: Path) -> None:
    for what in ("energy", "entries"):
        said = wattrail("store", "export", "--what", what, "--meter", "plug", "--database", str(database))
        rows = list(csv.DictReader(said.out.splitlines()))
        assert rows, said.err
        assert {row["estimated"] for row in rows} == {"true"}
