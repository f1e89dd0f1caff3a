"""What the store carries: how long the page waits for weeks of readings, inserts, wear, and one core.

``make bench ARGS=years`` fills a month of schema version 9 in a temporary folder, 250 MB that are deleted at the end,
brings it up to date as a start of the gateway would, and asks what the page asks. Then it runs ``databases``, ``wear``
and ``one_core``, these two smaller than by their own names. Each part is printed as it comes; all take less than six
minutes of a small machine. ``python -m bench.years --days 365`` is the whole year, 31.5 million readings and 3 GB, in
a quarter of an hour. Times are those of the processor; other work makes them somewhat longer.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from tests.postgres_server import missing_server

from bench import databases, one_core, wear
from bench.table import Row, text
from wattrail.chips import BL0942
from wattrail.front_end import FRONT_ENDS
from wattrail.ledger import By, Ledger, Observation, boundaries, by_interval
from wattrail.store import SeriesQuantity, open_store, open_to_read
from wattrail.store.schema import migrate, migrations
from wattrail.units import PlainSample, Quantities, Reading
from wattrail.web.energy_api import energy_json
from wattrail.web.hours import hours_of
from wattrail.web.series_api import PointJson, SeriesJson

DAYS: Final = 30
YEAR_DAYS: Final = 365
DAY_S: Final = 86_400
INSERTED: Final = 12_000
GOAL_MS: Final = 100
ZONE: Final = ZoneInfo("Europe/Berlin")
START: Final = datetime(2025, 6, 21, tzinfo=UTC)
_CALIBRATION: Final = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])

_READINGS: Final = """
    WITH RECURSIVE second(n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM second WHERE n + 1 < ?1 + ?2)
    INSERT INTO reading (meter_id, at, elapsed_us, energy_count, watt_count, status, mode, restarted, algebraic,
        last_pulse_negative, millivolts, microamps, milliwatts, millihertz, power_factor_ppm)
    SELECT 1, ?3 + n * 1000000, 1000000, n % 16777216, n % 900000, 0, 135, 0, 0, 0,
        228000 + n * 7919 % 4001, n * 7907 % 8000000, n * 7901 % 3600000 - 800000, 49950 + n * 7879 % 101, 970000
    FROM second
"""
"""Readings of a day, made by the database itself. The numbers vary as much as real ones, so that rows are as long."""

_ENTRIES: Final = """
    WITH RECURSIVE minute(n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM minute WHERE n + 1 < ?1 + 1440)
    INSERT INTO entry (meter_id, sequence, kind, started_at, ended_at, epoch, count, positive, negative, undirected,
        elapsed_us, readings, watt_us_positive, watt_us_negative, carry, mode, status, note, reading_id,
        watt, algebraic)
    SELECT 1, n + 1, CASE n WHEN 0 THEN 'start' ELSE 'counted' END,
        ?2 + (n - CASE n WHEN 0 THEN 0 ELSE 1 END) * 60000000 + 250000, ?2 + n * 60000000 + 250000, 1,
        n * 60 % 16777216, CASE n WHEN 0 THEN 0 ELSE n * 7919 % 60 END, 0, 0, CASE n WHEN 0 THEN 0 ELSE 60000000 END,
        60, 84000000000000, 0, 3000000000, 135, 0, '', n * 60 + 1, 300000, 0
    FROM minute
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """What was measured, in seconds and bytes."""

    readings: int
    filled_s: float
    migrated_s: float
    caught_up_s: float
    reading_bytes: float
    entry_bytes: float
    rollup_bytes: float
    answers: dict[str, tuple[float, int]]
    peers: dict[str, float]


def measure(days: int = DAYS) -> Year:
    """Fill a year, bring it up to date, and ask."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "year.sqlite"
        began = time.process_time()
        empty, with_readings = _fill(path, days)
        filled_s = time.process_time() - began
        began = time.process_time()
        with open_store(path, zone=ZONE) as store:
            migrated_s = time.process_time() - began
            before = _bytes_used(path)
            began = time.process_time()
            while store.catch_up_rollups():
                pass
            caught_up_s = time.process_time() - began
            rows = days * (1440 + 96 + 24 + 1)
            rollup_bytes = (_bytes_used(path) - before) / rows
        return Year(
            readings=days * DAY_S, filled_s=filled_s, migrated_s=migrated_s, caught_up_s=caught_up_s,
            reading_bytes=(with_readings - empty) / (days * DAY_S),
            entry_bytes=(before - with_readings) / (days * 1440),
            rollup_bytes=rollup_bytes, answers=_answers(path, days), peers=_peers(path, days),
        )  # fmt: skip


def _fill(path: Path, days: int) -> tuple[int, int]:
    """A database of version 9; bytes used without rows, and with readings."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 1024")
        migrate(connection, path, migrations()[:9])
    began_us = int(START.timestamp()) * 1_000_000
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("INSERT INTO meter VALUES (1, 'year', 'twin://year', 'twin', 1, ?)", (began_us,))
        constants = [round(value * 1e6) for value in (
            _CALIBRATION.counts_per_volt, _CALIBRATION.counts_per_amp, _CALIBRATION.counts_per_watt
        )]  # fmt: skip
        connection.execute(
            "INSERT INTO epoch (meter_id, number, micro_counts_per_volt, micro_counts_per_amp, micro_counts_per_watt, "
            "inverted, began_at, evidence) VALUES (1, 1, ?, ?, ?, 0, ?, 'bench')",
            (*constants, began_us),
        )
        empty = _bytes_used(path)
        for day in range(days):
            connection.execute(_READINGS, (day * DAY_S, DAY_S, began_us))
        with_readings = _bytes_used(path)
        for day in range(days):
            connection.execute(_ENTRIES, (day * 1440, began_us))
        return empty, with_readings


def _bytes_used(path: Path) -> int:
    """Pages in use, of which the file is made once the log is folded into it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages, free, size = (
            int(connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * size


def _answers(path: Path, days: int) -> dict[str, tuple[float, int]]:
    """What the page asks: the best of three in milliseconds, database opened and answer encoded, and its points."""
    end = START + timedelta(days=days)
    found = {}
    for name, span in ((_all_of(days), days), ("a week", 7), ("a day", 1), ("an hour", 1 / 24)):
        found[f"power of {name}"] = _best_ms(partial(_series, path, end - timedelta(days=span), end))
    for name, span, by in (
        (_all_of(days), days, By.HOUR),
        (_all_of(days), days, By.DAY),
        (_all_of(days), days, By.MONTH),
        ("a week", 7, By.DAY),
        ("a day", 1, By.HOUR),
    ):
        marks = boundaries(by, end - timedelta(days=span), end, ZONE)
        found[f"energy of {name} by {by}"] = _best_ms(partial(_energy, path, marks, by))
    found[f"heat map of {_all_of(days)}"] = _best_ms(partial(_heat_map, path, days))
    return found


def _all_of(days: int) -> str:
    return "a year" if days == YEAR_DAYS else f"{days} days"


def _series(path: Path, start: datetime, end: datetime) -> int:
    with open_to_read(path) as reader:
        points = [PointJson.of(bucket) for bucket in reader.series("year", start, end, points=720)]
    SeriesJson(name="year", simulated=True, quantity=SeriesQuantity.POWER, unit="W", points=points).model_dump_json()
    return len(points)


def _energy(path: Path, marks: Sequence[datetime], by: By) -> int:
    with open_to_read(path) as reader:
        periods, times = reader.energy(1, marks), reader.estimated_times(1)
    energy_json(periods, times, name="year", simulated=True, by=by, zone=ZONE)
    return len(periods)


def _heat_map(path: Path, days: int) -> int:
    """The hours of the last days, as the page of a meter shows them."""
    with open_to_read(path) as reader:
        last = START + timedelta(days=days, seconds=-1)
        hours = hours_of(reader, "year", last, days, ZONE, simulated=True)
    hours.model_dump_json()
    return sum(len(day.import_wh) for day in hours.days)


def _best_ms(ask: Callable[[], int]) -> tuple[float, int]:
    took, points = [], 0
    for _ in range(3):
        began = time.process_time()
        points = ask()
        took.append(time.process_time() - began)
    return min(took) * 1e3, points


def _peers(path: Path, days: int) -> dict[str, float]:
    """The same without what is summed up, in milliseconds: all readings for a chart, all entries for bars."""
    end = START + timedelta(days=days)
    with open_to_read(path) as reader, closing(sqlite3.connect(path)) as connection:
        began = time.process_time()
        connection.execute(
            "SELECT at / 86400000000, MIN(milliwatts), AVG(milliwatts), MAX(milliwatts) FROM reading "
            "WHERE meter_id = 1 GROUP BY 1"
        ).fetchall()
        charted = time.process_time()
        by_interval(reader.ledger_slice(1), boundaries(By.MONTH, START, end, ZONE))
        return {
            f"power of {_all_of(days)}": (charted - began) * 1e3,
            f"energy of {_all_of(days)} by month": _ms_since(charted),
        }


def _ms_since(began: float) -> float:
    return (time.process_time() - began) * 1e3


def insert_rates(readings: int = INSERTED) -> tuple[float, float]:
    """Readings stored in a second in transactions of 60, with rollups and entries; and in plain SQLite, a row each."""
    seen = [_reading(second) for second in range(readings)]
    minutes = [seen[place : place + 60] for place in range(0, readings, 60)]
    with tempfile.TemporaryDirectory() as folder:
        with open_store(Path(folder) / "ours.sqlite", zone=ZONE) as store:
            row = store.register_meter("bench", "twin://bench", simulated=True, calibration=_CALIBRATION, at=START)
            ledger = Ledger(row.epoch)
            began = time.process_time()
            for minute in minutes:
                store.append_all([(row.id, reading, look, ledger.observe(look)) for reading, look in minute])
            ours = readings / (time.process_time() - began)
        with closing(sqlite3.connect(Path(folder) / "plain.sqlite", isolation_level=None)) as plain:
            plain.execute("PRAGMA journal_mode = WAL")
            plain.execute("CREATE TABLE reading (id INTEGER PRIMARY KEY, meter_id INTEGER, at INTEGER, watts REAL)")
            began = time.process_time()
            for minute in minutes:
                plain.execute("BEGIN")
                for reading, look in minute:
                    values = (1, round(look.at.timestamp() * 1e6), reading.watts)
                    plain.execute("INSERT INTO reading (meter_id, at, watts) VALUES (?, ?, ?)", values)
                plain.execute("COMMIT")
            return ours, readings / (time.process_time() - began)


def _reading(second: int) -> tuple[Reading, Observation]:
    at, count, watts = START + timedelta(seconds=second), second * 4 % (1 << 24), 600.0 * (second % 40 - 15)
    known = Quantities(volts=230.125, amps=abs(watts) / 230.125, watts=watts, hertz=50.01, power_factor=0.97)
    sample = PlainSample(known, {"watt": round(watts * 340), "status": 0, "mode": 0x8F})
    look = Observation(at=at, elapsed_us=1_000_000 if second else None, count=count, watt=round(watts * 340), mode=0x8F)
    return Reading(at=at, monotonic=float(second), sample=sample), look


def rows() -> list[Row]:
    """The table: what is stored, and then what databases, the disk and one core carry, each by its own module."""
    found: list[Row] = []
    for part in (rows_of_days, _of_inserts, _of_databases, _of_disk, _of_one_core):
        began = time.monotonic()
        made = part()
        print(text(made), f"... {time.monotonic() - began:.0f} s", sep="\n", file=sys.stderr, flush=True)
        found += made
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return [
        *found,
        Row("years: load of the machine meanwhile", f"{load} in 1, 5, 15 minutes", f"{os.cpu_count()} cores", ""),
    ]


def rows_of_days(days: int = DAYS) -> list[Row]:
    """What the page waits for, and what it lies in."""
    year = measure(days)
    default = year.reading_bytes * DAY_S * 14 + year.entry_bytes * 1440 * YEAR_DAYS
    default += year.rollup_bytes * (1440 * 90 + (96 + 24 + 1) * YEAR_DAYS)
    everything = year.reading_bytes * DAY_S * YEAR_DAYS + year.entry_bytes * 1440 * YEAR_DAYS
    everything += year.rollup_bytes * (1440 + 96 + 24 + 1) * YEAR_DAYS
    return [
        *(_answer(year, what) for what in year.answers),
        Row("years: a meter's year on disk, default retention", f"{default / 1e6:,.0f} MB",
            f"{everything / 1e6:,.0f} MB, everything kept", f"{default / everything:.3f}"),
        Row("years: a row of readings, of rollups", f"{year.rollup_bytes:.0f} bytes a rollup",
            f"{year.reading_bytes:.0f} bytes a reading", f"{year.rollup_bytes / year.reading_bytes:.2f}"),
        Row(f"years: {_all_of(days)} of readings summed up after an update", f"{year.caught_up_s:,.0f} s",
            f"{year.filled_s:,.0f} s, filling them", f"{year.caught_up_s / year.filled_s:.2f}"),
    ]  # fmt: skip


def _answer(year: Year, what: str) -> Row:
    took, points = year.answers[what]
    peer = year.peers.get(what)
    return Row(
        f"years: {what}, of {year.readings / 1e6:.1f} M readings",
        f"{took:.0f} ms, {points} points",
        "" if peer is None else f"{peer:,.0f} ms, from every row",
        "" if peer is None else f"{took / peer:.5f}",
        f"under {GOAL_MS} ms",
        took < GOAL_MS,
    )


def _of_inserts() -> list[Row]:
    ours, plain = insert_rates()
    what = f"years: {INSERTED:,} readings stored, ledger and rollups too"
    return [Row(what, f"{ours:,.0f} /s", f"{plain:,.0f} /s, plain rows", f"{ours / plain:.2f}")]


def _of_databases() -> list[Row]:
    if missing := missing_server():
        print(missing, file=sys.stderr, flush=True)
        return []
    return databases.rows()


def _of_disk() -> list[Row]:
    return wear.rows(alone_s=1800, together_s=240)


def _of_one_core() -> list[Row]:
    """Without the bytes of one meter: in these seconds it has no entry, and ``wear`` counts them over longer."""
    return [row for row in one_core.rows(6.0, 200) if "a day of one meter" not in row.what]


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m bench.years", description="What the page waits for, of many days.")
    parser.add_argument("--days", type=int, default=YEAR_DAYS)
    print(text(rows_of_days(parser.parse_args().days)))
