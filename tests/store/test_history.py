"""What Home Assistant, DSMR-reader and Tibber counted, from files as these programs write them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from wattrail.errors import ConfigError, FileError
from wattrail.store.history.dsmr_reader import read_export
from wattrail.store.history.home_assistant import read_dashboard, read_statistics
from wattrail.store.history.tibber import read_consumption

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
MIDNIGHT = datetime(2026, 3, 28, 23, tzinfo=UTC)
KWH = 1_000_000
HOUR = timedelta(hours=1)

# ---- Home Assistant: homeassistant/components/recorder/db_schema.py, tables statistics and statistics_meta

SCHEMA = """
CREATE TABLE statistics_meta (id INTEGER PRIMARY KEY, statistic_id VARCHAR(255), source VARCHAR(32),
    unit_of_measurement VARCHAR(255), has_mean BOOLEAN, has_sum BOOLEAN, name VARCHAR(255));
CREATE TABLE statistics (id INTEGER PRIMARY KEY, created DATETIME, created_ts FLOAT, metadata_id INTEGER,
    start DATETIME, start_ts FLOAT, mean FLOAT, min FLOAT, max FLOAT, last_reset DATETIME, last_reset_ts FLOAT,
    state FLOAT, sum FLOAT);
INSERT INTO statistics_meta VALUES
    (1, 'sensor.low', 'recorder', 'kWh', 0, 1, NULL), (2, 'sensor.high', 'recorder', 'kWh', 0, 1, NULL),
    (3, 'sensor.back', 'recorder', 'Wh', 0, 1, NULL), (4, 'sensor.gas', 'recorder', 'm³', 0, 1, NULL),
    (5, 'sensor.power', 'recorder', 'W', 1, 0, NULL);
"""


def home_assistant(path: Path, sums: dict[int, list[tuple[int, float]]]) -> Path:
    """A recorder's database: by statistic, the running sum of hours after midnight."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
        for statistic, rows in sums.items():
            for hour, total in rows:
                at = (MIDNIGHT + hour * HOUR).timestamp()
                connection.execute(
                    "INSERT INTO statistics (metadata_id, start_ts, sum) VALUES (?, ?, ?)", (statistic, at, total)
                )
        connection.commit()
    return path


def test_hours_of_home_assistant_are_differences_of_the_running_sum(tmp_path: Path) -> None:
    path = home_assistant(tmp_path / "ha.db", {1: [(0, 0.0), (1, 0.3), (2, 0.9)], 2: [(0, 5), (1, 5.1), (2, 5.1)],
                                               3: [(0, 10), (1, 260), (2, 260)]})  # fmt: skip
    before = path.read_bytes()
    history = read_statistics(path, ["sensor.low", "sensor.high"], ["sensor.back"])
    first, second = history.periods
    assert (first.start, first.end) == (MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR)
    assert (first.import_mwh, first.export_mwh) == (400_000, 250_000)
    assert (second.import_mwh, second.export_mwh) == (600_000, 0)
    assert history.origin == "home-assistant:sensor.low+sensor.high+sensor.back"
    assert path.read_bytes() == before


def test_hours_that_home_assistant_missed_are_one_longer_period(tmp_path: Path) -> None:
    path = home_assistant(tmp_path / "ha.db", {1: [(0, 0.0), (5, 3.0), (6, 2.0), (7, 2.5)]})
    history = read_statistics(path, ["sensor.low"], [])
    assert [(period.end - period.start, period.import_mwh) for period in history.periods] == [
        (5 * HOUR, 3 * KWH), (HOUR, KWH // 2),
    ]  # fmt: skip
    assert history.periods[0].export_mwh is None
    assert history.left_out == (f"{path}, sensor.low: 1 where the sum falls",)


def test_an_hour_that_lacks_one_of_two_rates_is_not_half_an_import(tmp_path: Path) -> None:
    path = home_assistant(tmp_path / "ha.db", {1: [(0, 0), (1, 1), (2, 2)], 2: [(0, 0), (1, 1)]})
    history = read_statistics(path, ["sensor.low", "sensor.high"], [])
    assert [period.import_mwh for period in history.periods] == [2 * KWH]


@pytest.mark.parametrize("ids", [[], ["sensor.gas"], ["sensor.power"]])
def test_the_statistics_to_choose_from_are_listed(tmp_path: Path, ids: list[str]) -> None:
    path = home_assistant(tmp_path / "ha.db", {})
    with pytest.raises(FileError, match=r"sensor\.back, sensor\.high, sensor\.low") as caught:
        read_statistics(path, ids, [])
    assert "import_id" in str(caught.value.hint)


def test_another_database_is_not_taken_for_home_assistants(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("dear diary " * 100)
    with pytest.raises(FileError, match="cannot be read"):
        read_statistics(tmp_path / "x.db", ["sensor.low"], [])
    with pytest.raises(FileError, match="does not exist"):
        read_statistics(tmp_path / "none.db", ["sensor.low"], [])


# home-assistant/frontend src/panels/energy/ha-panel-energy.ts writes this one


def test_the_energy_dashboard_gives_import_and_export_by_column(tmp_path: Path) -> None:
    path = tmp_path / "energy.csv"
    path.write_text(
        "entity_id,type,unit,2026-03-28T23:00:00.000Z,2026-03-29T00:00:00.000Z\n"
        "sensor.low,grid_consumption,kWh,0.25,\n"
        "sensor.high,grid_consumption,kWh,0.5,1\n"
        "sensor.cost,grid_consumption_cost,EUR,3,4\n"
        "sensor.back,grid_return,kWh,,0.125\n"
        "sensor.sun,solar_production,kWh,7,7\n"
    )
    history = read_dashboard(path, AMSTERDAM)
    assert [(one.import_mwh, one.export_mwh) for one in history.periods] == [(750_000, None), (KWH, 125_000)]
    assert history.periods[1].end == MIDNIGHT + 2 * HOUR


def test_days_of_the_energy_dashboard_end_at_local_midnight(tmp_path: Path) -> None:
    path = tmp_path / "energy.csv"
    path.write_text(
        "entity_id,type,unit,2026-03-27T23:00:00.000Z,2026-03-28T23:00:00.000Z,2026-03-29T22:00:00.000Z\n"
        "sensor.low,grid_consumption,kWh,1,2,3\n"
    )
    lengths = [one.end - one.start for one in read_dashboard(path, AMSTERDAM).periods]
    assert lengths == [24 * HOUR, 23 * HOUR, 24 * HOUR], "the clocks went forward on the 29th"


def test_months_of_the_energy_dashboard_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "energy.csv"
    path.write_text("entity_id,type,unit,2026-01-31T23:00:00.000Z,2026-02-28T23:00:00.000Z\n")
    with pytest.raises(FileError, match="has months"):
        read_dashboard(path, AMSTERDAM)


# ---- DSMR-reader: src/dsmr_frontend/views/export.py

HOURS = (
    "Begin Uur,Elektriciteit 1 (Daltarief),Elektriciteit 2 (Piektarief),Elektriciteit 1 Teruglevering (Daltarief),"
    "Elektriciteit 2 Teruglevering (Piektarief),Gas\n"
)


def test_hours_of_dsmr_reader_add_both_rates(tmp_path: Path) -> None:
    path = tmp_path / "hours.csv"
    path.write_text(
        f"{HOURS}2026-10-25T02:00:00+02:00,0.25,0.0,0.0,0.0,0.1\n2026-10-25T02:00:00+01:00,0.5,0.125,0.001,0.002,0\n"
    )
    first, second = read_export(path, AMSTERDAM).periods
    assert (first.import_mwh, second.import_mwh, second.export_mwh) == (250_000, 625_000, 3_000)
    assert second.start - first.start == HOUR, "the hour that is repeated is two hours"


def test_hours_without_an_offset_are_local_and_the_repeated_one_counts_on(tmp_path: Path) -> None:
    path = tmp_path / "hours.csv"
    rows = "".join(f"2026-10-25T0{hour}:00:00,0.1,0,0,0,0\n" for hour in (1, 2, 2, 3))
    path.write_text(HOURS + rows)
    starts = [one.start.hour for one in read_export(path, AMSTERDAM).periods]
    assert starts == [23, 0, 1, 2]


def test_days_of_dsmr_reader_have_the_length_of_the_local_day(tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    more = ",gas,a,b,c,d,e,f,g,h,i,j"
    path.write_text(f"Dag,a,b,c,d{more}\n25-10-2026,1,2,0.5,0.25{more}\n26-10-2026,1,1,0,0{more}\n")
    first, second = read_export(path, AMSTERDAM).periods
    assert first.end - first.start == 25 * HOUR
    assert (first.import_mwh, first.export_mwh, second.start) == (3 * KWH, 750_000, first.end)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Read At,Degrees\n2026-10-25T02:00:00+02:00,11.5\n", "not an export of hours or days"),
        (f"{HOURS}2026-10-25T02:00:00+02:00,-1,0,0,0,0\n", "not an energy of one period"),
        (f"{HOURS}2026-10-25T02:00:00+02:00,NaN,0,0,0,0\n", "not an energy of one period"),
        (f"{HOURS}yesterday,1,0,0,0,0\n", "Invalid isoformat"),
        (f"{HOURS}2026-10-25T02:00:00+02:00,1,0,0,0,0\n2026-10-25T02:30:00+02:00,1,0,0,0,0\n", "begins before"),
    ],
)
def test_another_export_of_dsmr_reader_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(FileError, match=says):
        read_export(path, AMSTERDAM)


# ---- Tibber: the names of developer.tibber.com's GraphQL types Consumption and Production


def node(hour: int, value: float | None, name: str = "consumption", unit: str = "kWh") -> dict[str, object]:
    start = (MIDNIGHT + hour * HOUR).astimezone(AMSTERDAM)
    end = (MIDNIGHT + (hour + 1) * HOUR).astimezone(AMSTERDAM)
    return {"from": start.isoformat(), "to": end.isoformat(), name: value, f"{name}Unit": unit, "cost": 0.1}


def test_an_answer_of_tibber_gives_consumption_and_production(tmp_path: Path) -> None:
    home = {
        "consumption": {"nodes": [node(0, 1.25), node(1, None), node(2, 0.5)]},
        "production": {"nodes": [node(0, 300, "production", "Wh")]},
    }
    path = tmp_path / "tibber.json"
    path.write_text(json.dumps({"data": {"viewer": {"homes": [home]}}}))
    history = read_consumption(path)
    assert [(one.import_mwh, one.export_mwh) for one in history.periods] == [(1_250_000, 300_000), (500_000, None)]
    assert history.left_out == ("1 without energy, not reported yet",)


def test_a_list_of_nodes_and_a_table_are_read_alike(tmp_path: Path) -> None:
    as_json, as_csv = tmp_path / "t.json", tmp_path / "t.csv"
    nodes = [node(hour, 0.5 * hour) for hour in range(3)]
    as_json.write_text(json.dumps(nodes))
    lines = ["from;to;consumption;consumptionUnit"]
    lines += [";".join(str(one[key]) for key in ("from", "to", "consumption", "consumptionUnit")) for one in nodes]
    as_csv.write_text("\n".join(lines))
    assert read_consumption(as_json) == read_consumption(as_csv)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"data": {"viewer": {"homes": [{"consumption": {"nodes": [node(0, 1)]}}] * 2}}}, "of 2 homes"),
        ({"errors": [{"message": "no access"}]}, "no node with consumption"),
        ([{**node(0, 1), "from": "2026-03-29T00:00:00"}], "has no offset"),
        ([node(0, 1, unit="kVArh")], "not a unit of energy; known: Wh, kWh, MWh"),
        ([node(0, 1), node(0, 1)], "consumption is there twice"),
    ],
)
def test_an_answer_that_is_not_a_single_home_is_refused(tmp_path: Path, document: object, says: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps(document))
    with pytest.raises(FileError, match=says):
        read_consumption(path)


def test_json_that_is_cut_off_is_named_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text('{"data": ')
    with pytest.raises(ConfigError, match=r"t\.json"):
        read_consumption(path)
