"""The database from the command line: checked, backed up, put back, exported, and filled with history."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.store.damaged import forge
from tests.store.rig import START, live_through, register
from wattrail.app.config import data_dir
from wattrail.store import GatewayLock, open_store

pytestmark = pytest.mark.usefixtures("manual_clock")


@pytest.fixture(scope="module")
def ten_minutes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("house") / "w.sqlite"
    with open_store(path) as store:
        meter = register(store)
        store.book(meter, live_through(store, meter, range(600)).close())
    return path.read_bytes()


@pytest.fixture
def database(home: Path, ten_minutes: bytes) -> Path:
    path = data_dir() / "wattrail.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(ten_minutes)
    return path


def test_a_sound_database_is_said_to_be_whole(wattrail: Type, database: Path) -> None:
    said = wattrail("store", "check")
    assert said.code == 0
    assert "house: up to entry 11, 2026-06-21 10:09:59+0000, 600 readings" in said.out.replace(".25", "")
    assert "the file is whole, and the ledgers add up" in said.out
    assert json.loads(wattrail("store", "check", "--json").out)["findings"] == []


def test_a_damaged_database_is_said_with_the_remedy_by_exit_code(wattrail: Type, database: Path) -> None:
    forge(database, "DELETE FROM entry WHERE sequence = 5")
    said = wattrail("store", "check")
    assert said.code == 6
    assert "house: entry 5: what the database holds is nothing" in said.out
    assert "hint: stop the gateway, keep a copy of the file, then put a backup in its place" in said.err
    assert json.loads(wattrail("store", "check", "--json").out)["findings"][0]["meter"] == "house"


def test_sums_that_differ_are_named_and_made_again(wattrail: Type, database: Path) -> None:
    with open_store(database) as store:
        live_through(store, 1, range(600, 2000))
    forge(database, "UPDATE quarter_sum SET positive = positive + 1000")
    said = wattrail("store", "check")
    assert said.code == 6
    assert "house: sum of the quarter hour 2026-06-21 10:00 UTC, epoch 1: positive is " in said.out
    assert "hint: make it again from the entries and readings" in said.err
    assert "wattrail store check --rebuild" in said.err
    said = wattrail("store", "check", "--rebuild")
    assert (said.code, f"{database}: 2 rows of quarter_sum made again" in said.out) == (0, True), said
    assert "the file is whole, and the ledgers add up" in said.out
    assert json.loads(wattrail("store", "check", "--rebuild", "--json").out)["rebuilt"] == {}
    assert "nothing was made again" in wattrail("store", "check", "--rebuild").out


def test_a_backup_goes_out_and_comes_back(wattrail: Type, database: Path, tmp_path: Path) -> None:
    backup = tmp_path / "b.sqlite"
    said = wattrail("store", "backup", str(backup))
    assert (said.code, f"{backup}: " in said.out, "written and checked in" in said.out) == (0, True, True)
    refused = wattrail("store", "backup", str(backup))
    assert (refused.code, "add --replace" in refused.err) == (2, True)
    assert wattrail("store", "backup", str(backup), "--replace").code == 0
    with open_store(database) as store:
        live_through(store, 1, range(600, 900))
    said = wattrail("store", "restore", str(backup))
    assert said.code == 0
    assert f"the database that stood there is {database}.replaced-" in said.out
    assert "only there: 5 entries of house, since 2026-06-21 10:09:59+0000" in said.out.replace(".25", "")
    assert wattrail("store", "check").code == 0


def test_restore_and_vacuum_name_the_gateway_that_runs(wattrail: Type, database: Path, tmp_path: Path) -> None:
    wattrail("store", "backup", str(tmp_path / "b.sqlite"))
    with GatewayLock(database):
        for words in (("restore", str(tmp_path / "b.sqlite")), ("vacuum",)):
            said = wattrail("store", *words)
            assert said.code == 1
            assert f"another gateway uses {database}: process" in said.err
    assert "bytes before" in wattrail("store", "vacuum").out


def test_nothing_to_check_is_a_usage_error(wattrail: Type) -> None:
    for words in (("check",), ("backup", "x"), ("vacuum",), ("export",), ("import",)):
        said = wattrail("store", *words)
        assert (said.code, "found no database" in said.err) == (2, True)


@pytest.mark.parametrize("what", ["readings", "entries", "energy"])
def test_every_format_holds_the_same_rows(wattrail: Type, database: Path, what: str, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = list(csv.DictReader(io.StringIO(wattrail("store", "export", "--what", what).out)))
    objects = json.loads(wattrail("store", "export", "--what", what, "--format", "json").out)
    said = wattrail("store", "export", "--what", what, "--format", "parquet", "-o", str(tmp_path / "x.parquet"))
    rows = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert said.out == f"{tmp_path / 'x.parquet'}: {len(rows)} rows\n"
    assert list(table[0]) == list(objects[0]) == list(rows[0])
    assert len(table) == len(objects) == len(rows) == {"readings": 600, "entries": 11, "energy": 1}[what]
    assert {row["simulated"] for row in table} == {"false"}
    for written, row in zip(table, rows, strict=True):
        for name, cell in row.items():
            if isinstance(cell, float):
                assert float(written[name]) == pytest.approx(cell)


def test_exported_energy_is_the_ledgers_with_history_before_it(wattrail: Type, database: Path, tmp_path: Path) -> None:
    nodes = [
        {"from": str(START.replace(minute=0) - timedelta(hours=hour)), "consumption": 0.5,
         "to": str(START.replace(minute=0) - timedelta(hours=hour - 1))} for hour in (3, 2, 1, 0)
    ]  # fmt: skip
    (tmp_path / "t.json").write_text(json.dumps(nodes))
    said = wattrail("store", "import", "tibber", str(tmp_path / "t.json"), "--meter", "house")
    assert said.out == "imported 3 periods of house from tibber\n"
    assert "left out: 1 period ending after 2026-06-21 10:00:00+0000, where the ledger begins" in said.err
    rows = json.loads(wattrail("store", "export", "house", "--format", "json").out)
    assert [row["origin"] for row in rows] == ["imported tibber"] * 3 + ["ledger"]
    assert [row["import_kwh"] for row in rows[:3]] == [0.5] * 3
    shown = json.loads(wattrail("ledger", "show", "--json").out)
    assert round(rows[3]["import_kwh"] * 1e6) == shown["import_mwh"]
    assert rows[3]["export_kwh"] == pytest.approx(shown["export_mwh"] / 1e6)


def test_months_of_energy_add_up_to_the_registers(wattrail: Type, home: Path) -> None:
    path = data_dir() / "wattrail.sqlite"
    with open_store(path) as store:
        meter = register(store)
        for days in (0, 20, 45, 80):
            live_through(store, meter, range(130), start=START + timedelta(days=days))
    shown = json.loads(wattrail("ledger", "show", "--json").out)
    for by in ("15min", "day", "month"):
        rows = json.loads(wattrail("store", "export", "--by", by, "--format", "json").out)
        total = sum(row["import_kwh"] + row["export_kwh"] + row["undirected_kwh"] for row in rows)
        assert total * 1e6 == pytest.approx(sum(shown[key] for key in shown if key.endswith("_mwh")))
        assert len(rows) == len({row["start_utc"] for row in rows})


def test_import_lists_removes_and_says_what_is_missing(wattrail: Type, database: Path, tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    path.write_text("Hour,1,2,1r,2r,gas\n2026-06-20T10:00:00+02:00,0.25,0.5,0,0.125,0\n")
    assert "--meter is missing" in wattrail("store", "import", "dsmr-reader", str(path)).err
    would = wattrail("store", "import", "dsmr-reader", str(path), "--meter", "house", "--dry-run")
    assert would.out == "would import 1 period of house from dsmr-reader\n"
    assert wattrail("store", "import").out == "nothing was imported\n"
    wattrail("store", "import", "dsmr-reader", str(path), "--meter", "house")
    again = wattrail("store", "import", "dsmr-reader", str(path), "--meter", "house")
    assert again.out == "imported 0 periods, 1 that are there already of house from dsmr-reader\n"
    listed = wattrail("store", "import").out
    assert "house: imported from dsmr-reader: 1 period, 2026-06-20 08:00+0000 to 2026-06-20 09:00+0000" in listed
    assert "import 0.750000 kWh, export 0.125000 kWh" in listed
    removed = wattrail("store", "import", "--remove", "dsmr-reader", "--meter", "house")
    assert removed.out == "forgot 1 period of house from dsmr-reader\n"
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM imported_hours").fetchone() == (0,)


def test_home_assistants_statistics_are_named_in_options(wattrail: Type, database: Path, tmp_path: Path) -> None:
    from tests.store.test_history import home_assistant

    path = home_assistant(tmp_path / "home-assistant_v2.db", {1: [(0, 0), (1, 1)]})
    said = wattrail("store", "import", "home-assistant", str(path), "--meter", "house")
    assert "sensor.back, sensor.high, sensor.low" in said.err
    assert "--import-id ID, --export-id ID" in said.err
    said = wattrail("store", "import", "home-assistant", str(path), "--meter", "house", "--import-id", "sensor.low")
    assert said.out == "imported 1 period of house from home-assistant:sensor.low\n"
