"""What keeping books costs: looks booked, entries replayed and verified, and the room a day of entries takes on disk.

One meter, read once a second through a day of loads in both directions; entries as the gateway keeps them.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.table import Row, text
from wattrail.chips import BL0942
from wattrail.front_end import FRONT_ENDS
from wattrail.ledger import By, Entry, Ledger, LedgerSlice, Observation, audit, boundaries, by_interval
from wattrail.store import open_store, open_to_read

DAY_S = 86_400
READING_BYTES = 88
"""A stored reading with its index, see docs/store.md."""

_SEED = 942
_START = datetime(2026, 6, 21, tzinfo=UTC)
_CALIBRATION = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])
_WORK_PER_COUNT = 419_430_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookkeeping:
    """One run: rates are per second, on one core."""

    looks: int
    entries: int
    looks_per_s: float
    floats_per_s: float
    replayed_per_s: float
    verified_per_s: float
    loaded_per_s: float
    quarter_hours_ms: float
    bytes_per_day: float


def looks(seconds: int) -> list[Observation]:
    """A day that is made before it is measured: kettles, clouds, a counter that wraps."""
    chance, count, work, watt = random.Random(_SEED), (1 << 24) - 1000, 0, 300_000
    seen = []
    for second in range(seconds):
        if chance.random() < 1 / 60:
            watt = chance.randint(-1_000_000, 1_500_000)
        work += abs(watt) * 1_000_000
        count, work = (count + work // _WORK_PER_COUNT) % (1 << 24), work % _WORK_PER_COUNT
        seen.append(
            Observation(
                at=_START + timedelta(seconds=second), elapsed_us=1_000_000 if second else None, count=count, watt=watt,
                mode=0x87, last_pulse_negative=watt < 0,
            )
        )  # fmt: skip
    return seen


def measure(seconds: int = DAY_S) -> Bookkeeping:
    """Book that many looks, keep the entries in a database, read them back, replay and verify them."""
    seen = looks(seconds)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "books.sqlite"
        with open_store(path) as store:
            row = store.register_meter("bench", "twin://bench", simulated=True, calibration=_CALIBRATION, at=_START)
            empty = _bytes_used(path)
            ledger, entries = Ledger(row.epoch), list[Entry]()
            booking_s = _seconds(lambda: entries.extend(one for look in seen for one in ledger.observe(look)))
            entries += ledger.close()
            store.book(row.id, entries)
            used = _bytes_used(path) - empty
        with open_to_read(path) as reader:
            read: list[LedgerSlice] = []
            loading_s = _seconds(lambda: read.append(reader.ledger_slice(row.id)))
        (ledger_slice,) = read
    marks = boundaries(By.QUARTER_HOUR, _START, seen[-1].at, UTC)
    replaying_s = _seconds(lambda: Ledger.replay(ledger_slice.entries, ledger_slice.epochs))
    verifying_s = _seconds(lambda: audit(ledger_slice))
    dividing_s = _seconds(lambda: by_interval(ledger_slice, marks))
    if audit(ledger_slice).findings or audit(ledger_slice).totals != ledger.totals():
        raise AssertionError("the ledger does not add up: nothing here is worth measuring")
    return Bookkeeping(
        looks=len(seen),
        entries=len(entries),
        looks_per_s=len(seen) / booking_s,
        floats_per_s=len(seen) / _seconds(lambda: sum((look.watt or 0) / 342.867 / 3600 for look in seen)),
        replayed_per_s=len(entries) / replaying_s,
        verified_per_s=len(entries) / verifying_s,
        loaded_per_s=len(entries) / loading_s,
        quarter_hours_ms=dividing_s * 1e3,
        bytes_per_day=used * DAY_S / seconds,
    )


def _bytes_used(path: Path) -> int:
    """Pages in use, of which the file is made once the log is folded into it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages, free, size = (
            int(connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * size


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rows() -> list[Row]:
    took = measure()
    year = took.entries * 365.25 * DAY_S / took.looks
    starting_s, replaying_s = _starts(took.entries)
    return [
        Row(
            "ledger: looks booked, with evidence",
            f"{took.looks_per_s:,.0f} /s",
            f"{took.floats_per_s:,.0f} /s, a sum of floats",
            f"{took.looks_per_s / took.floats_per_s:.2f}",
        ),
        Row(
            "ledger: entries written for a day of looks",
            f"{took.entries:,}, {took.looks_per_s * took.entries / took.looks:,.0f} /s",
            f"{took.looks:,} looks",
            f"{took.entries / took.looks:.3f}",
        ),
        Row(
            "ledger: a day of entries on disk",
            f"{took.bytes_per_day / 1e3:,.0f} kB",
            f"{READING_BYTES * DAY_S / 1e6:.1f} MB, the readings they account for",
            f"{took.bytes_per_day / (READING_BYTES * DAY_S):.3f}",
        ),
        Row(
            "ledger: a year of entries read and verified",
            f"{year / took.loaded_per_s + year / took.verified_per_s:.0f} s",
            f"{year:,.0f} entries",
            "",
        ),
        Row(
            "gateway: start with 90 days of entries",
            f"{starting_s * 1e3:,.0f} ms",
            f"{replaying_s * 1e3:,.0f} ms, replaying them",
            f"{starting_s / replaying_s:.3f}",
        ),
    ]


def _starts(entries_per_day: int) -> tuple[float, float]:
    """Seconds to take up 90 days of books from the last page, and by replaying all of them."""
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "books.sqlite") as store:
        row = store.register_meter("bench", "twin://bench", simulated=True, calibration=_CALIBRATION, at=_START)
        ledger, entries = Ledger(row.epoch), list[Entry]()
        for minute in range(90 * entries_per_day):
            seen = Observation(
                at=_START + timedelta(minutes=minute), elapsed_us=9_000_000, count=minute * 20 % (1 << 24), watt=300_000
            )
            entries += ledger.observe(seen)
        store.book(row.id, entries)
        starting_s = _seconds(lambda: store.ledger(row.id))
        replaying_s = _seconds(lambda: Ledger.replay(store.entries(row.id), {1: row.epoch}))
    return starting_s, replaying_s


if __name__ == "__main__":
    print(text(rows()))
