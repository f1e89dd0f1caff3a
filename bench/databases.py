"""What the store costs beside plain inserts of the same rows, in SQLite and in PostgreSQL.

    make bench ARGS=databases           under a minute; needs a PostgreSQL server on this machine

The server is started here, on the same disk as the file, and writes to it (``fsync`` is on). Plain inserts keep
the rows of readings alone: no entries, no chain of hashes. They commit as often as the store.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
from tests.postgres_server import missing_server, running_server

from bench.table import Row, text
from wattrail.chips import BL0942
from wattrail.database_address import DatabaseAddress, PostgresAddress
from wattrail.energy_register import RegisterCount
from wattrail.front_end import FRONT_ENDS
from wattrail.ledger import Entry, Ledger, Observation
from wattrail.store import open_store
from wattrail.store.postgres_dialect import adapt
from wattrail.store.rows import OBSERVATION_COLUMNS, QUANTITY_COLUMNS, reading_row
from wattrail.units import PlainSample, Quantities, Reading

METERS: Final = 500
"""In one transaction, as the bookkeeping of network meters collects them."""

SECONDS: Final = 61
"""So that each meter has an entry."""

SINGLE: Final = 2_000
_START: Final = datetime(2026, 6, 21, tzinfo=UTC)
_CALIBRATION: Final = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])
_REGISTER: Final = BL0942.energy_register(_CALIBRATION)
_COLUMNS: Final = ("meter_id", *OBSERVATION_COLUMNS, *QUANTITY_COLUMNS)

Kept = tuple[int, Reading, Observation, Sequence[Entry]]


@dataclass(frozen=True, slots=True)
class InsertRates:
    """Readings a second: the store's, and those of plain inserts by the name of the call."""

    store: float
    plain: dict[str, float]


def _reading(second: int) -> tuple[Reading, Observation]:
    at, count = _START + timedelta(seconds=second), second * 4
    known = Quantities(volts=230.0, amps=2.2, watts=500.0, hertz=50.0, power_factor=0.98)
    sample = PlainSample(known, {"watt": 171_000, "status": 0, "mode": 0x8F})
    seen = Observation(at=at, elapsed_us=1_000_000 if second else None, count=count, watt=171_000, mode=0x8F)
    counts = (RegisterCount(_REGISTER, count),)
    return Reading(at=at, monotonic=float(second), sample=sample, registers=counts), seen


def _batches(address: DatabaseAddress) -> list[list[Kept]]:
    """Seconds of many meters, each with the entries that its ledger makes of them; the meters are registered."""
    with open_store(address) as store:
        meters = [
            store.register_meter(f"m{number}", "twin://bench", simulated=True, calibration=_CALIBRATION, at=_START)
            for number in range(METERS)
        ]
    ledgers = [Ledger(meter.epoch) for meter in meters]
    found: list[list[Kept]] = []
    for second in range(SECONDS):
        reading, seen = _reading(second)
        found.append(
            [(row.id, reading, seen, ledger.observe(seen)) for row, ledger in zip(meters, ledgers, strict=True)]
        )
    return found


def together(address: DatabaseAddress, plain: dict[str, Callable[[list[Any]], object]]) -> InsertRates:
    """Many meters in one transaction a second."""
    batches = _batches(address)
    with open_store(address) as store:
        ours = _rate(store.append_all, batches)
    rows = [[_row(kept) for kept in batch] for batch in batches]
    return InsertRates(ours, {name: _rate(insert, rows) for name, insert in plain.items()})


def one_by_one(address: DatabaseAddress, plain: Callable[[list[Any]], object]) -> InsertRates:
    """One meter, a transaction for each reading."""
    with open_store(address) as store:
        row = store.register_meter("one", "twin://bench", simulated=True, calibration=_CALIBRATION, at=_START)
        ledger, kept = Ledger(row.epoch), list[list[Kept]]()
        for second in range(SINGLE):
            reading, seen = _reading(second)
            kept.append([(row.id, reading, seen, ledger.observe(seen))])
        ours = _rate(store.append_all, kept)
    return InsertRates(ours, {"execute": _rate(plain, [[_row(one) for one in batch] for batch in kept])})


def _row(kept: Kept) -> tuple[object, ...]:
    meter_id, reading, seen, _ = kept
    return meter_id, *reading_row(reading, seen)


def _rate(keep: Callable[[list[Any]], object], batches: Sequence[list[Any]]) -> float:
    start = time.perf_counter()
    for batch in batches:
        keep(batch)
    return sum(map(len, batches)) / (time.perf_counter() - start)


def sqlite_rates() -> tuple[InsertRates, InsertRates]:
    """Of many meters together, and of one."""
    with tempfile.TemporaryDirectory() as folder:
        path, bare = Path(folder) / "w.sqlite", Path(folder) / "bare.sqlite"
        open_store(bare).close()
        with closing(sqlite3.connect(bare, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            sql = f"INSERT INTO reading ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"

            def insert(rows: list[Any]) -> None:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(sql, rows)
                connection.execute("COMMIT")

            return together(path, {"executemany": insert}), one_by_one(path, insert)


def postgres_rates(address: PostgresAddress) -> tuple[InsertRates, InsertRates]:
    """Of many meters together, and of one."""
    bare = replace(address, schema="bare")
    open_store(bare).close()
    with psycopg.connect(
        host=bare.host, dbname=bare.database, user=bare.user, autocommit=True,
        options="-c search_path=bare -c synchronous_commit=off",
    ) as connection:  # fmt: skip
        adapt(connection)
        columns, places = ", ".join(_COLUMNS), ", ".join(["%s"] * len(_COLUMNS))
        sql = f"INSERT INTO reading ({columns}) VALUES ({places})".encode()
        copying = f"COPY reading ({columns}) FROM STDIN".encode()
        connection.execute("ALTER TABLE reading DROP CONSTRAINT reading_meter_id_fkey")

        def insert(rows: list[Any]) -> None:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(sql, rows)

        def copy(rows: list[Any]) -> None:
            with connection.cursor() as cursor, cursor.copy(copying) as stream:
                for row in rows:
                    stream.write_row(row)

        def single(rows: list[Any]) -> None:
            connection.execute(sql, rows[0])

        return together(address, {"executemany": insert, "COPY": copy}), one_by_one(address, single)


def rows() -> list[Row]:
    """Two rows for SQLite and three for PostgreSQL. Raises RuntimeError without a server on this machine."""
    if reason := missing_server():
        raise RuntimeError(reason)
    found = _rows("SQLite", *sqlite_rates())
    with running_server(fsync="on") as server:
        return found + _rows("PostgreSQL", *postgres_rates(server.address()))


def _rows(name: str, many: InsertRates, one: InsertRates) -> list[Row]:
    what = {f"{METERS} readings a transaction": many, "a transaction for each reading": one}
    return [
        Row(
            f"store in {name}: {case}",
            f"{rates.store:,.0f} /s",
            f"{plain:,.0f} /s, bare rows by {call}",
            f"{rates.store / plain:.2f}",
        )
        for case, rates in what.items()
        for call, plain in rates.plain.items()
    ]


if __name__ == "__main__":
    print(text(rows()))
