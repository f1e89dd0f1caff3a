"""Accounts on the command line: read beside a running gateway, stated without disturbing it."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.store.rig import CALIBRATION, START, live_through, look, register
from wattrail.alarms import StoredAlarmEvent
from wattrail.app.config import data_dir
from wattrail.clock import MachineZone
from wattrail.ledger import Entry, LedgerSlice, adjustment, audit
from wattrail.network_meters.link_health import LinkDay
from wattrail.store import Store, open_store, open_to_read
from wattrail.store.alarm_events import AlarmEvents
from wattrail.store.history.periods import HistoryPeriod
from wattrail.store.imported_hours import ImportedHours

TARIFF = """
currency = "EUR"
rates = ["day", "night"]
[[window]]
rate = "night"
from = "22:00"
to = "06:00"
[[price]]
from = 2026-01-01
rates = { day = 0.30, night = 0.20 }
export = 0.08
standing = 9.90
"""

pytestmark = pytest.mark.usefixtures("manual_clock")


@pytest.fixture
def database(home: Path, hour_of_a_house: bytes) -> Path:
    """An hour of a house, kept where the gateway keeps it."""
    path = data_dir() / "wattrail.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(hour_of_a_house)
    return path


def test_the_registers_are_shown_under_their_obis_codes(wattrail: Type, database: Path) -> None:
    said = wattrail("ledger", "show")
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[0] == ["house,", "serial:///dev/ttyUSB0"]
    assert lines[1] == ["1-0:1.8.0", "import", "3.058262", "kWh"]
    assert lines[2] == ["1-0:2.8.0", "export", "1.833598", "kWh"]
    assert lines[3] == ["1-0:16.8.0", "net", "1.224664", "kWh"]
    assert json.loads(wattrail("ledger", "show", "house", "--json").out)["import_mwh"] == 3_058_262


def test_quarter_hours_add_up_to_the_register(wattrail: Type, database: Path) -> None:
    shown = json.loads(wattrail("ledger", "show", "--by", "15min", "--json").out)["intervals"]
    assert [row["start"] for row in shown] == [f"2026-06-21T10:{minute:02}:00.000Z" for minute in (0, 15, 30, 45)]
    assert sum(row["import_mwh"] for row in shown) == 3_058_262
    assert [row["complete"] for row in shown] == [False, True, True, False]
    assert wattrail("ledger", "show", "--by", "15min").out.count("incomplete") == 2


def test_days_are_those_of_the_site(wattrail: Type, database: Path) -> None:
    Path("wattrail.toml").write_text('[site]\ntimezone = "Asia/Kathmandu"\n')
    (row,) = json.loads(wattrail("ledger", "show", "--by", "day", "--json").out)["intervals"]
    assert (row["start"], row["end"]) == ("2026-06-20T18:15:00.000Z", "2026-06-21T18:15:00.000Z")


def test_from_and_to_are_local(wattrail: Type, database: Path) -> None:
    span = ("--from", "2026-06-21T10:30", "--to", "2026-06-21T10:45")
    (row,) = json.loads(wattrail("ledger", "show", "--by", "15min", "--json", *span).out)["intervals"]
    assert row["start"] == "2026-06-21T10:30:00.000Z"
    assert "not a time" in wattrail("ledger", "show", "--by", "day", "--from", "soon").err
    assert wattrail("ledger", "show", "--by", "day", "--from", "2026-07-01").code == 2


def test_a_span_without_periods_is_refused_not_ignored(wattrail: Type, database: Path) -> None:
    said = wattrail("ledger", "show", "--from", "2026-06-21")
    assert said.code == 2
    assert "error: --from and --to apply to energy by period or to bills" in said.err
    assert "hint: add --by day, or --tariff FILE" in said.err


def test_a_bill_is_shown_and_is_the_same_in_json(wattrail: Type, database: Path) -> None:
    Path("tariff.toml").write_text(TARIFF)
    shown = wattrail("ledger", "show", "--tariff", "tariff.toml").out
    # 3.058262 * 0.30 = 0.9174786; 1.833598 * 0.08 = 0.14668784.
    # One day of 30: 9.90 / 30 = 0.33. 0.92 + 0.00 + 0.33 - 0.15 = 1.10.
    assert "2026-06-01 to 2026-07-01" in shown
    assert shown.splitlines()[-2].split() == ["total", "1.10"]
    (bill,) = json.loads(wattrail("ledger", "show", "--tariff", "tariff.toml", "--json").out)["bills"]
    assert (bill["total"], bill["lines"][0]["amount"], bill["complete"]) == ("1.10", "0.92", False)


def test_a_bill_begins_on_the_day_that_is_given(wattrail: Type, database: Path) -> None:
    Path("tariff.toml").write_text(TARIFF)
    said = wattrail("ledger", "show", "--tariff", "tariff.toml", "--billing-day", "21", "--json")
    (bill,) = json.loads(said.out)["bills"]
    assert (bill["start"], bill["end"]) == ("2026-06-21T00:00:00.000Z", "2026-07-21T00:00:00.000Z")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("currency = 5", "tariff.toml, line 1: currency: must be a valid string, got 5"),
        ("a = = b", "tariff.toml, line 1, column 5: invalid value"),
        (None, "tariff.toml does not exist"),
    ],
)
def test_a_tariff_that_cannot_be_used_is_named_by_its_file(
    wattrail: Type, database: Path, text: str | None, says: str
) -> None:
    if text is not None:
        Path("tariff.toml").write_text(text)
    said = wattrail("ledger", "show", "--tariff", "tariff.toml")
    assert said.code == 2
    assert says in said.err


def test_csv_has_a_row_for_each_quarter_hour_marked_as_real(wattrail: Type, database: Path) -> None:
    Path("tariff.toml").write_text(TARIFF)
    rows = list(csv.DictReader(io.StringIO(wattrail("ledger", "export", "--tariff", "tariff.toml").out)))
    assert len(rows) == 4
    assert {row["simulated"] for row in rows} == {"false"}
    assert rows[-1]["1-0:1.8.0"] == rows[-1]["1-0:1.8.1"] == "3.058262"
    assert rows[-1]["1-0:1.8.2"] == "0.000000"
    assert rows[0]["1-0:1.29.0"] == rows[0]["1-0:1.8.0"]
    assert rows[0]["start"] == "2026-06-21T10:00:00+00:00"


def test_what_a_twin_counted_is_marked_in_every_row(wattrail: Type, home: Path) -> None:
    with open_store(data_dir() / "simulated.sqlite") as store:
        row = store.register_meter("twin", "twin://pziot-e01", simulated=True, calibration=CALIBRATION, at=START)
        live_through(store, row.id, range(200))
    assert "SIMULATED" in wattrail("ledger", "show").out
    assert "SIMULATED" in wattrail("ledger", "verify").out
    rows = json.loads(wattrail("ledger", "export", "--format", "json").out)
    assert all(row["simulated"] is True for row in rows)
    assert "SIMULATED" in wattrail("ledger", "adjust", "--import-kwh", "1", "--reason", "try").out
    shown = json.loads(wattrail("ledger", "show", "--by", "hour", "--json").out)
    assert all(row["simulated"] is True for row in shown["intervals"])


def test_verify_finds_nothing_in_what_the_gateway_wrote(wattrail: Type, database: Path) -> None:
    said = wattrail("ledger", "verify")
    assert said.code == 0
    assert said.out.splitlines()[0] == "house: 61 entries, 0 stated: nothing differs"


def test_verify_names_the_entry_that_somebody_changed(wattrail: Type, database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DROP TRIGGER entry_is_never_edited")
        connection.execute("UPDATE entry SET positive = positive + 1 WHERE sequence = 30")
    said = wattrail("ledger", "verify", "house")
    assert said.code == 6
    assert "entry 30: the sum of its counts is 241, should be 240: the counter went from" in said.out
    (found,) = json.loads(wattrail("ledger", "verify", "--json").out)
    assert found["findings"][0]["sequence"] == 30


def test_an_opening_and_an_adjustment_are_kept_with_who_and_why(wattrail: Type, database: Path) -> None:
    said = wattrail(
        "ledger", "adjust", "house", "--opening", "--import-kwh", "12345.678", "--reason", "old meter", "--who", "ada"
    )
    assert said.out.startswith("stated 1, opening: import 12345.678000 kWh, export 0.000000 kWh; ada, 2026-06-21")
    assert wattrail("ledger", "adjust", "--export-kwh", "0.5", "--reason", "fuse").code == 0
    shown = wattrail("ledger", "show").out
    assert "12348.736262" in shown
    assert "old meter" in shown
    assert json.loads(wattrail("ledger", "show", "--json").out)["export_mwh"] == 2_333_598
    assert wattrail("ledger", "verify").code == 0
    with open_store(database) as store:
        ledger = store.ledger(1)
        assert ledger is not None
        assert ledger.totals().import_mwh == 12_348_736_262
    (day,) = json.loads(wattrail("ledger", "show", "--by", "day", "--json").out)["intervals"]
    assert day["import_mwh"] == 3_058_262  # the opening holds from the beginning, and is of no day


def test_a_rehearsal_keeps_nothing(wattrail: Type, database: Path) -> None:
    said = wattrail("ledger", "adjust", "--import-kwh", "1", "--reason", "fuse", "--dry-run")
    assert "nothing was kept" in said.err
    assert "import 1.000000 kWh" in said.out
    assert json.loads(wattrail("ledger", "show", "--json").out)["stated"] == []


@pytest.mark.parametrize(
    ("typed", "code", "says"),
    [
        (["--import-kwh=-1"], 1, "the import register would fall by 1 kWh"),
        (["--import-kwh", "many"], 2, "'many' is not a number"),
        (["--import-kwh", "0.0000001"], 1, "finer than a milliwatt-hour"),
        ([], 2, "nothing is stated"),
        (["--gap", "3"], 2, "--gap N and --direction"),
        (["--gap", "3", "--direction", "import"], 1, "entry 3 has 0 counts without a direction"),
    ],
)
def test_what_cannot_be_stated_is_refused(
    wattrail: Type, database: Path, typed: list[str], code: int, says: str
) -> None:
    said = wattrail("ledger", "adjust", "--reason", "test", *typed)
    assert said.code == code
    assert says in said.err


def test_a_gap_gets_its_direction(wattrail: Type, database: Path) -> None:
    with open_store(database) as store:
        ledger = store.ledger(1)
        assert ledger is not None
        reading, seen = look(4000)  # power was positive, and is negative: nobody knows which way
        seen = replace(seen, elapsed_us=None)
        store.append(1, reading, seen, ledger.observe(seen))
    shown = wattrail("ledger", "show").out
    (gap,) = (line for line in shown.splitlines() if "without a direction" in line)
    number = gap.split(":")[1].split(";")[0].strip()
    assert wattrail("ledger", "adjust", "--gap", number, "--direction", "export", "--reason", "sun").code == 0
    assert "without a direction" not in wattrail("ledger", "show").out
    assert json.loads(wattrail("ledger", "show", "--json").out)["undirected_mwh"] == 0
    assert wattrail("ledger", "verify").code == 0


def test_all_of_it_works_beside_a_gateway_that_is_not_disturbed(wattrail: Type, database: Path) -> None:
    with open_store(database) as gateway:
        ledger = live_through(gateway, 1, range(3600, 3700))
        assert wattrail("ledger", "show").code == 0
        assert wattrail("ledger", "adjust", "--import-kwh", "2", "--reason", "fuse").code == 0
        before = len(gateway.entries(1))
        for second in range(3700, 3900):
            reading, seen = look(second)
            gateway.append(1, reading, seen, ledger.observe(seen))
        assert len(gateway.entries(1)) > before
        for entry in gateway.stated(1, after=ledger.stated):
            ledger.take(entry)
        assert wattrail("ledger", "verify").code == 0
        again = gateway.ledger(1)
        assert again is not None
        assert again.totals() == ledger.totals()


def test_two_who_state_at_once_wait_for_each_other(database: Path) -> None:
    def make(ledger_slice: LedgerSlice) -> Entry:
        return adjustment(ledger_slice, import_mwh=1000, export_mwh=0, at=START, who="ada", reason="both at once")

    def state(_: int) -> int:
        with open_store(database) as store:
            return store.state(1, make).sequence

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(state, range(12))) == list(range(1, 13))
    with open_to_read(database) as reader:
        assert audit(reader.ledger_slice(1)).findings == ()


def test_the_database_itself_refuses_what_would_rewrite_a_statement(wattrail: Type, database: Path) -> None:
    wattrail("ledger", "adjust", "--opening", "--import-kwh", "1", "--reason", "old meter")
    with closing(sqlite3.connect(database)) as connection:
        for statement in ("UPDATE stated SET import_mwh = 5", "DELETE FROM stated"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)


def test_without_a_database_it_says_where_it_looked(wattrail: Type) -> None:
    said = wattrail("ledger", "show")
    assert said.code == 2
    assert "found no database: neither" in said.err
    assert "simulated.sqlite" in said.err
    assert not data_dir().exists()


def test_an_unknown_meter_is_answered_with_those_there_are(wattrail: Type, database: Path) -> None:
    said = wattrail("ledger", "show", "garage")
    assert said.code == 2
    assert f"no meter is named 'garage'; there are: house ({database})" in said.err


def test_several_meters_must_be_told_apart_and_are_verified_together(wattrail: Type, database: Path) -> None:
    with open_store(database) as store:
        register(store, "garage")
    assert "holds 2 meters; say which: garage, house" in wattrail("ledger", "show").err
    assert "nothing is booked for 'garage' yet" in wattrail("ledger", "show", "garage").err
    assert [line.split(":")[0] for line in wattrail("ledger", "verify").out.splitlines()[:2]] == ["garage", "house"]


@pytest.mark.parametrize(("given", "says"), [("absent.sqlite", "does not exist"), ("t.txt", "is not a database")])
def test_a_file_that_is_not_a_database_is_reported_and_not_made(wattrail: Type, given: str, says: str) -> None:
    Path("t.txt").write_text("a text that is long enough to be taken for a header of a file of some kind" * 20)
    said = wattrail("ledger", "show", "--database", given)
    assert says in said.err
    assert not Path("absent.sqlite").exists()


@pytest.mark.parametrize(("version", "hint"), [(1, "wattrail run"), (99, "update wattrail")])
def test_another_version_is_refused_and_left_as_it_was(wattrail: Type, database: Path, version: int, hint: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    said = wattrail("ledger", "show")
    assert f"schema version {version}" in said.err
    assert hint in said.err


def test_books_read_since_a_moment_show_the_same_registers(database: Path) -> None:
    from wattrail.ledger import registers_at

    with open_to_read(database) as reader:
        whole = reader.ledger_slice(1)
        for minutes in (0, 17, 59, 600):
            moment = START + timedelta(minutes=minutes)
            part = reader.ledger_slice(1, since=moment)
            assert registers_at(part, [moment])[0].total == registers_at(whole, [moment])[0].total


@pytest.fixture
def berlin(manual_clock: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("berlin")
def test_this_machines_own_zone_knows_both_nights() -> None:
    zone = MachineZone()
    twice = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC).astimezone(zone) for hour in (0, 1)]
    assert [f"{at:%H:%M%z}" for at in twice] == ["02:30+0200", "02:30+0100"]
    assert [at.astimezone(UTC).hour for at in twice] == [0, 1]
    assert f"{datetime(2026, 3, 29, 1, 30, tzinfo=UTC).astimezone(zone):%H:%M%z}" == "03:30+0200"


def test_a_store_gives_what_a_ledger_has_yet_to_take_up(database: Path) -> None:
    with open_store(database) as store:
        assert isinstance(store, Store)
        for _ in range(2):
            store.state(
                1,
                lambda ledger_slice: adjustment(
                    ledger_slice, import_mwh=1, export_mwh=0, at=START, who="a", reason="b"
                ),
            )
        assert [entry.sequence for entry in store.stated(1, after=1)] == [2]


def test_a_report_says_the_same_as_text_json_and_page(wattrail: Type, database: Path) -> None:
    shown = wattrail("ledger", "report", "--day", "2026-06-21", "--html", "day.html")
    assert shown.out.splitlines()[0] == "house: energy of 2026-06-21"
    assert "3.058 kWh" in shown.out
    assert "3.058 kWh" in Path("day.html").read_text()
    made = json.loads(wattrail("ledger", "report", "--day", "2026-06-21", "--json").out)
    assert (made["import_mwh"], made["export_mwh"], made["before"]) == (3_058_262, 1_833_598, None)


def test_a_report_ends_with_alarms_and_advice_of_its_time(wattrail: Type, database: Path) -> None:
    weak = LinkDay(day=date(2026, 6, 21), readings=100, signal_sum=-8500.0, signals=100)
    with open_store(database) as store:
        store.keep_link_days([(1, weak), (1, replace(weak, day=date(2026, 7, 1)))])
    with AlarmEvents(database) as stored:
        event = StoredAlarmEvent(
            at=START, rule="over-voltage", meter="house", change="raised", severity="warning", value=256.5, limit=253.0,
            unit="V", text="house: voltage 256.5 V, above 253 V", simulated=False,
        )  # fmt: skip
        stored.append([event, replace(event, meter="garage", text="garage: no reading")])
    shown = wattrail("ledger", "report", "--day", "2026-06-21", "--html", "noted.html").out
    alarms, advice = shown.partition("alarms raised:\n")[2].splitlines()
    assert alarms.endswith("warning: house: voltage 256.5 V, above 253 V")
    assert advice.startswith("range: the signal is weak")
    assert "voltage 256.5 V" in Path("noted.html").read_text()
    made = json.loads(wattrail("ledger", "report", "--month", "2026-06", "--json").out)
    assert [one["rule"] for one in made["alarms"]] == ["over-voltage"]
    assert [one["days"] for one in made["advice"]] == [1]
    assert "(on 1 day)" in wattrail("ledger", "report", "--month", "2026-06").out


def test_the_report_of_a_month_has_its_cost(wattrail: Type, database: Path) -> None:
    Path("tariff.toml").write_text(TARIFF)
    assert "cost          1.10 EUR" in wattrail("ledger", "report", "--month", "2026-06", "--tariff", "tariff.toml").out


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ((), "a report is of a day or of a month"),
        (("--day", "2026-06-21", "--month", "2026-06"), "a report is of a day or of a month"),
        (("--day", "soon"), "--day 'soon' is not a day"),
        (("--month", "2026-13"), "--month '2026-13' is not a month"),
        (("--day", "0001-01-01"), "--day '0001-01-01' is not a day"),
        (("--day", "9999-12-31"), "--day '9999-12-31' is not a day"),
        (("--month", "9999-12"), "--month '9999-12' is not a month"),
        (("--day", "2026-06-21", "--tariff", "tariff.toml"), "--tariff applies to a month"),
        (("--day", "2026-07-01"), "nothing is booked for 'house' in the day of 2026-07-01"),
    ],
)
def test_a_report_that_cannot_be_made_says_why(
    wattrail: Type, database: Path, typed: tuple[str, ...], says: str
) -> None:
    said = wattrail("ledger", "report", *typed)
    assert said.code != 0
    assert says in said.err


def test_imported_energy_is_shown_with_its_origin(wattrail: Type, database: Path) -> None:
    hour = HistoryPeriod(
        start=START.replace(hour=8, microsecond=0), end=START.replace(hour=9, microsecond=0), import_mwh=500_000,
        export_mwh=None,
    )  # fmt: skip
    with ImportedHours(database) as imported:
        imported.add("house", "tibber", [hour])
    told = wattrail("ledger", "show", "--by", "month").out
    assert "imported from tibber: 0.500000 kWh import, export unknown" in told
    rows = json.loads(wattrail("ledger", "show", "--by", "hour", "--json").out)["intervals"]
    assert [row["imported"] for row in rows] == [
        {"import_mwh": 500_000, "export_mwh": None, "origins": ["tibber"]}, None, None,
    ]  # fmt: skip
    assert rows[0]["import_mwh"] == 500_000
    assert rows[-1]["register"]["import_mwh"] == 3_058_262
