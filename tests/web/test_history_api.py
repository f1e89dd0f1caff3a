"""The past of a meter over a real server: energy by period, series, events, registers, costs and downloads."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pyarrow.parquet
import pytest

from tests.store.rig import CALIBRATION, look
from tests.web.test_api import ask
from wattrail.app.tariff_file import parse_tariff
from wattrail.clock import ManualClock
from wattrail.errors import MissingExtra
from wattrail.gateway import Feed, MeterView
from wattrail.ledger import (
    By,
    Entry,
    EntryKind,
    EstimatedTimes,
    ImportedPart,
    adjustment,
    bills,
    boundaries,
    by_interval,
)
from wattrail.store import Store, open_store, open_to_read, table_formats
from wattrail.store.table_formats import TableFormat, require_format
from wattrail.web import Setup, WebProcess, bind
from wattrail.web.energy_api import EnergyByPeriodJson, energy_json

BERLIN = ZoneInfo("Europe/Berlin")
BEGAN = datetime(2026, 10, 23, 22, tzinfo=UTC)
"""Local midnight before the night in which clocks go back."""

NOW = BEGAN + timedelta(days=3)
TARIFF = """
currency = "EUR"
rates = ["day", "night"]
name = "two rates"
[[window]]
rate = "night"
from = "22:10"
to = "06:00"
[[price]]
from = 2026-01-01
rates = { day = 0.30, night = 0.20 }
"""

DYNAMIC = """
name = "dynamic"
currency = "EUR"
[market]
prices = "spot.csv"
[[price]]
from = 2026-01-01
rates = 0.10
"""
SPOT = "start,end,price\n2026-10-23T22:00Z,2026-10-24T10:00Z,0.20\n2026-10-24T10:00Z,2026-10-24T14:00Z,-0.05\n"
"""Prices of sixteen of the first eighteen hours, before the hole."""


def live(store: Store) -> None:
    """Three days of 9 counts a minute; nobody looked from 18:00 to 01:00 of the second night."""
    meter_id = store.register_meter("house", "twin://x", simulated=True, calibration=CALIBRATION, at=BEGAN).id
    entries = [Entry(sequence=1, kind=EntryKind.START, start=BEGAN, end=BEGAN, epoch=1, count=0)]
    gap = BEGAN + timedelta(hours=18), BEGAN + timedelta(hours=25)
    while entries[-1].end < NOW:
        start, number = entries[-1].end, len(entries) + 1
        end = gap[1] if start == gap[0] else start + timedelta(minutes=1)
        kind = EntryKind.GAP if start == gap[0] else EntryKind.COUNTED
        entries.append(
            Entry(
                sequence=number,
                kind=kind,
                start=start,
                end=end,
                epoch=1,
                count=0,
                elapsed_us=60_000_000,
                positive=0 if kind is EntryKind.GAP else 9,
                undirected=400 if kind is EntryKind.GAP else 0,
            )
        )
    store.book(meter_id, entries)
    for second in range(600):
        reading, seen = look(second, start=NOW - timedelta(seconds=600))
        store.append(meter_id, reading, seen, ())
    store.state(
        meter_id,
        lambda books: adjustment(
            books, import_mwh=5_000_000, export_mwh=0, at=NOW - timedelta(hours=3), who="owner", reason="=a fuse"
        ),
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    path = tmp_path_factory.mktemp("history") / "w.sqlite"
    with open_store(path, zone=BERLIN) as store:
        live(store)
    feed, ready = Feed(ManualClock(NOW)), threading.Event()
    feed.publish(MeterView(name="house", url="twin://x", simulated=True))
    feed.publish(MeterView(name="new", url="twin://y", simulated=True))
    (path.parent / "spot.csv").write_text(SPOT)
    dynamic = parse_tariff(DYNAMIC, "dynamic.toml", folder=path.parent)
    tariffs = {"two rates": parse_tariff(TARIFF, "tariff.toml"), "dynamic": dynamic}
    setup = Setup(database=path, zone="Europe/Berlin", tariffs=tariffs)
    with bind(port=0) as listener:
        page = WebProcess(feed, setup, listener, on_ready=lambda _: ready.set())
        assert ready.wait(60)
        yield page.address, path
        page.stop()


def download(address: str, path: str) -> tuple[dict[str, str], bytes]:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        return {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def api(house: tuple[str, Path], what: str) -> Any:
    status, answer = ask(house[0], f"/api/v1/meters/house/{what}")
    assert status == 200, answer
    return answer


def test_energy_by_day_is_what_the_ledger_says(house: tuple[str, Path]) -> None:
    answer = api(house, "energy?by=day&from=2026-10-24&to=2026-10-27")
    marks = boundaries(By.DAY, BEGAN, datetime(2026, 10, 26, 23, tzinfo=UTC), BERLIN)
    with open_to_read(house[1]) as reader:
        ledger = by_interval(reader.ledger_slice(1), marks)
    assert [period["label"] for period in answer["periods"]] == ["2026-10-24", "2026-10-25", "2026-10-26"]
    assert [period["import_wh"] for period in answer["periods"]] == [one.energy.import_mwh / 1000 for one in ledger]
    assert [period["complete"] for period in answer["periods"]] == [False, False, False]
    assert answer["periods"][1]["gaps"]["undirected_wh"] > 0 == answer["periods"][0]["gaps"]["undirected_wh"]
    assert (answer["zone"], answer["simulated"]) == ("Europe/Berlin", True)


@pytest.mark.parametrize("by", list(By)[1:6])
def test_energy_by_period_is_written_as_its_schema_says(house: tuple[str, Path], by: By) -> None:
    marks = boundaries(by, BEGAN, NOW, BERLIN)
    with open_to_read(house[1]) as reader:
        periods = list(reader.energy(1, marks))
    periods[0] = periods[0]._replace(imported=ImportedPart(import_mwh=1234, export_mwh=None, origins=("tibber",)))
    estimated = EstimatedTimes.of([(marks[0], marks[1])])
    text = energy_json(periods, estimated, name="house", simulated=True, by=by, zone=BERLIN)
    assert EnergyByPeriodJson.model_validate_json(text).model_dump_json() == text.decode()


def test_the_night_in_which_clocks_go_back_has_an_hour_twice(house: tuple[str, Path]) -> None:
    answer = api(house, "energy?by=hour&from=2026-10-25&to=2026-10-26")
    labels = [period["label"] for period in answer["periods"]]
    assert len(labels) == 25
    assert labels[2:4] == ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]


def test_weeks_months_and_years_have_names_of_their_own(house: tuple[str, Path]) -> None:
    for by, label in (("week", "2026-W43"), ("month", "2026-10"), ("year", "2026")):
        answer = api(house, f"energy?by={by}&from=2026-10-24&to=2026-10-25")
        assert answer["periods"][0]["label"] == label
    assert (
        api(house, "energy?by=month&zone=Asia/Kolkata&from=2026-10-24&to=2026-10-25")["periods"][0]["start"]
        == "2026-09-30T18:30:00Z"
    )


def test_what_a_person_stated_is_shown_in_its_hour(house: tuple[str, Path]) -> None:
    hours = api(house, "energy?by=hour&from=2026-10-26T18:00&to=2026-10-26T23:00%2B01:00")["periods"]
    assert [hour["stated"]["import_wh"] for hour in hours] == [0, 0, 5000, 0, 0]


def test_events_name_gaps_and_manual_entries_with_their_numbers(house: tuple[str, Path]) -> None:
    events = api(house, "events?from=2026-10-20")
    assert [(event["kind"], event["manual"], event["number"]) for event in events] == [
        ("adjusted", True, 1),
        ("gap", False, 1082),
        ("start", False, 1),
    ]
    assert (events[0]["who"], events[0]["note"], events[0]["import_wh"]) == ("owner", "=a fuse", 5000)
    assert events[1]["meaning"] == "nothing was read"
    assert len(api(house, "events?from=2026-10-20&limit=1")) == 1


def test_registers_are_those_of_a_moment(house: tuple[str, Path]) -> None:
    now, before = api(house, "registers"), api(house, "registers?at=2026-10-26")
    assert now["import_wh"] > before["import_wh"] + 5000
    assert (now["entries"], now["manual_entries"], now["simulated"]) == (3902, 1, True)


def test_costs_are_those_of_the_bill(house: tuple[str, Path]) -> None:
    answer = api(house, "costs?from=2026-10-24&to=2026-10-27&tariff=two%20rates")
    tariff = parse_tariff(TARIFF, "tariff.toml")
    with open_to_read(house[1]) as reader:
        (bill,) = bills(reader.ledger_slice(1), tariff, BEGAN, BEGAN + timedelta(days=3), BERLIN)
    assert answer["bills"][0]["total"] == str(bill.total)
    assert answer["bills"][0]["uncharged"]["undirected_wh"] == bill.uncharged.undirected_mwh / 1000
    assert len(answer["bills"][0]["lines"]) == 2
    assert answer["follows_market"] is False


def test_costs_by_the_hour_say_which_prices_are_missing(house: tuple[str, Path]) -> None:
    answer = api(house, "costs?from=2026-10-24&to=2026-10-25&tariff=dynamic")
    (bill,) = answer["bills"]
    watt_hours = api(house, "energy?by=hour&from=2026-10-24&to=2026-10-25")["periods"][3]["import_wh"]
    # 12 hours at 0.20 + 0.10, 4 hours at -0.05 + 0.10
    assert bill["lines"][0]["text"] == "import, standard, mean of 2 prices"
    assert float(bill["total"]) == pytest.approx(watt_hours / 1000 * (12 * 0.30 + 4 * 0.05), abs=0.005)
    assert bill["unpriced"][0]["start"] == "2026-10-24T14:00:00Z"
    assert bill["uncharged"]["import_wh"] > 0
    assert (answer["prices_until"], answer["stale"]) == ("2026-10-24T14:00:00Z", True)


@pytest.mark.parametrize(("quantity", "unit", "mean"), [("voltage", "V", 230.125), ("frequency", "Hz", 50.01)])
def test_a_series_of_another_quantity_has_its_unit(
    house: tuple[str, Path], quantity: str, unit: str, mean: float
) -> None:
    answer = api(house, f"series?from=2026-10-26&to=2026-10-27&points=100&quantity={quantity}")
    assert (answer["unit"], answer["quantity"], answer["points"][0]["mean"]) == (unit, quantity, mean)
    assert sum(point["readings"] for point in answer["points"]) == 600


@pytest.mark.parametrize(
    ("what", "status", "says"),
    [
        ("energy?from=yesterday", 422, "from: 'yesterday' is not a time: write a day such as 2026-03-01"),
        ("energy?from=2026-13-01", 422, "from: '2026-13-01' is not a time"),
        ("energy?from=9999-12-31", 422, "from: '9999-12-31' is not a time"),
        ("energy?from=2026-10-25&to=2026-10-24", 422, "'to' must be later than 'from'"),
        (
            "energy?by=hour&from=2020-01-01&to=2026-01-01",
            422,
            "by: hour from 2019-12-31 to 2025-12-31 is 52608 periods",
        ),
        ("energy?by=minute", 422, "'hour', 'day', 'week', 'month' or 'year'"),
        ("energy?zone=Europe/Atlantis", 422, "zone: 'Europe/Atlantis' is not a time zone: write one such as"),
        ("energy?zone=../../etc/passwd", 422, "is not a time zone"),
        ("series?minutes=5&from=2026-10-24", 422, "give either minutes, or from and to"),
        ("series?quantity=current", 422, "'power', 'voltage' or 'frequency'"),
        ("costs?tariff=cheap", 404, "there is no tariff 'cheap'; known: two rates"),
        ("download/energy?format=xlsx", 422, "'csv', 'json' or 'parquet'"),
        ("energy?start=banana", 422, "the query has 'start'; known: from, to, by, zone"),
        ("download/energy?format=csv&form=x", 422, "the query has 'form'; known: from, to"),
        ("registers?at=1066-10-14", 422, "at: '1066-10-14' is not a time"),
    ],
)
def test_a_question_about_the_past_that_makes_no_sense_says_why(
    house: tuple[str, Path], what: str, status: int, says: str
) -> None:
    got, answer = ask(house[0], f"/api/v1/meters/house/{what}")
    assert got == status
    assert says in json.dumps(answer)


def test_a_meter_without_a_past_says_that_it_was_not_read(house: tuple[str, Path]) -> None:
    for what in ("energy", "registers", "events", "costs?tariff=dynamic", "download/readings"):
        status, problem = ask(house[0], f"/api/v1/meters/new/{what}")
        assert (status, problem["detail"]) == (503, "new has not been read yet")
    assert ask(house[0], "/api/v1/meters/attic/energy")[0] == 404


def test_readings_come_as_csv_json_and_parquet_alike(house: tuple[str, Path]) -> None:
    address, path = house[0], "/api/v1/meters/house/download/readings?from=2026-10-24&to=2026-10-27&format="
    headers, body = download(address, f"{path}csv")
    assert headers["content-disposition"] == 'attachment; filename="house-readings.csv"'
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    plain = json.loads(download(address, f"{path}json")[1])
    table = pyarrow.parquet.read_table(io.BytesIO(download(address, f"{path}parquet")[1])).to_pylist()
    assert len(rows) == len(plain) == len(table) == 600
    assert rows[0]["simulated"] == "true"
    assert (plain[0]["simulated"], table[0]["simulated"]) == (True, True)
    for one, other, third in zip(rows, plain, table, strict=True):
        assert float(one["watts"]) == other["watts"] == third["watts"]
        assert one["at"] == other["at"] == f"{third['at'].replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def test_energy_downloads_are_the_periods_of_the_interface(house: tuple[str, Path]) -> None:
    path = "/api/v1/meters/house/download/energy?by=hour&from=2026-10-24&to=2026-10-27&format=json"
    rows = json.loads(download(house[0], path)[1])
    periods = api(house, "energy?by=hour&from=2026-10-24&to=2026-10-27")["periods"]
    assert [row["import_wh"] for row in rows] == [period["import_wh"] for period in periods]
    assert [row["label"] for row in rows] == [period["label"] for period in periods]


def test_the_whole_ledger_comes_with_its_manual_entries(house: tuple[str, Path]) -> None:
    rows = list(csv.DictReader(io.StringIO(download(house[0], "/api/v1/meters/house/download/entries")[1].decode())))
    assert len(rows) == 3903
    assert (rows[-1]["manual"], rows[-1]["import_wh"], rows[-1]["note"]) == ("true", "5000", "'=a fuse")
    total = sum(float(row["import_wh"]) for row in rows)
    assert total == pytest.approx(api(house, "registers")["import_wh"], abs=0.01)


def test_a_series_download_says_which_quantity_it_is(house: tuple[str, Path]) -> None:
    path = "/api/v1/meters/house/download/series?from=2026-10-26&to=2026-10-27&quantity=voltage"
    rows = list(csv.DictReader(io.StringIO(download(house[0], path)[1].decode())))
    assert {(row["quantity"], row["unit"], row["mean"]) for row in rows} == {("voltage", "V", "230.125")}


def test_an_empty_span_is_a_table_without_rows(house: tuple[str, Path]) -> None:
    path = "/api/v1/meters/house/download/readings?from=2020-01-01&to=2020-01-02&format="
    assert json.loads(download(house[0], f"{path}json")[1]) == []
    assert download(house[0], f"{path}csv")[1].startswith(b"meter,simulated,at,watts")
    assert pyarrow.parquet.read_table(io.BytesIO(download(house[0], f"{path}parquet")[1])).num_rows == 0


def test_parquet_without_its_library_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_formats, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match="a Parquet file needs the library 'pyarrow'") as caught:
        require_format(TableFormat.PARQUET)
    assert "pyarrow" in str(caught.value.hint)
