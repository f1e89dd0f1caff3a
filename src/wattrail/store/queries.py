"""The questions put to the database, each a function of a cursor."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from wattrail.errors import StoreError
from wattrail.ledger import (
    BEGINNING,
    VIRTUAL_SCHEME,
    Counts,
    Definition,
    Entry,
    Epoch,
    EstimatedTimes,
    LedgerSlice,
    Observation,
)  # fmt: skip
from wattrail.store.database import Cursor
from wattrail.store.registers import registers_from_text
from wattrail.store.rows import (
    ENTRY_LIST,
    OBSERVATION_COLUMNS,
    QUANTITY_COLUMNS,
    STATED_COLUMNS,
    Constants,
    MeterRow,
    entry_from_row,
    from_microseconds,
    microseconds,
    observation_from_row,
    reading_from_row,
    stated_from_row,
)
from wattrail.units import Reading

__all__ = [
    "adjustable_entries",
    "entries_after",
    "entries_since",
    "epochs",
    "estimated_times",
    "evidence",
    "first_of_epochs",
    "last_reading_id",
    "latest",
    "ledger_slice",
    "ledger_tail",
    "meters",
    "newest_epoch",
    "observations_after",
    "stated",
]  # fmt: skip

_EPOCH: Final = "number, micro_counts_per_volt, micro_counts_per_amp, micro_counts_per_watt, inverted, registers"
_STATED: Final = ", ".join(STATED_COLUMNS)
_OBSERVATION: Final = ", ".join(OBSERVATION_COLUMNS)
_QUANTITIES: Final = ", ".join(QUANTITY_COLUMNS)

_TAIL: Final = 60
"""Entries of an hour that is watched."""


def meters(cursor: Cursor) -> tuple[MeterRow, ...]:
    """Every meter, by name."""
    rows = cursor.execute("SELECT id, name, url, simulated FROM meter ORDER BY name").fetchall()
    return tuple(
        MeterRow(meter_id, name, url, bool(simulated), newest_epoch(cursor, meter_id)[0])
        for meter_id, name, url, simulated in rows
    )


def meter_names(cursor: Cursor) -> list[tuple[int, str, int]]:
    """Id, name, and 1 where it is simulated, of every meter, by name."""
    return cursor.execute("SELECT id, name, simulated FROM meter ORDER BY name").fetchall()


def newest_epoch(cursor: Cursor, meter_id: int) -> tuple[Epoch, Constants]:
    """The calibration epoch that holds, and its constants."""
    sql = f"SELECT {_EPOCH} FROM epoch WHERE meter_id = ? ORDER BY number DESC LIMIT 1"
    row = cursor.execute(sql, (meter_id,)).fetchone()
    if row is None:
        raise StoreError(f"there is no meter with id {meter_id}")
    number, volt, amp, watt, inverted, registers = row
    epoch = Epoch(number=number, registers=registers_from_text(registers, watt), inverted=bool(inverted))
    return epoch, (volt, amp, watt, bool(inverted))


def epochs(cursor: Cursor, meter_id: int) -> dict[int, Epoch]:
    """Every calibration epoch of a meter, by number."""
    sql = "SELECT number, micro_counts_per_watt, inverted, registers FROM epoch WHERE meter_id = ?"
    return {
        number: Epoch(number=number, registers=registers_from_text(registers, watt), inverted=bool(inverted))
        for number, watt, inverted, registers in cursor.execute(sql, (meter_id,))
    }


def evidence(cursor: Cursor, meter_id: int) -> dict[int, str]:
    """What each calibration epoch rests on, by its number."""
    return dict(cursor.execute("SELECT number, evidence FROM epoch WHERE meter_id = ? ORDER BY number", (meter_id,)))


def estimated_times(cursor: Cursor, meter_id: int) -> EstimatedTimes:
    """When the energy of a meter was estimated; of a virtual meter, that of any of its members."""
    definitions = [text for text in evidence(cursor, meter_id).values() if text.startswith(f"{VIRTUAL_SCHEME}:")]
    names = {name for text in definitions for name in Definition.from_url(text).members}
    found = [cursor.execute("SELECT id FROM meter WHERE name = ?", (name,)).fetchone() for name in sorted(names)]
    ids = [meter_id, *(int(row[0]) for row in found if row is not None)]
    return EstimatedTimes.of(span for one in ids for span in _estimated_spans(cursor, one))


def _estimated_spans(cursor: Cursor, meter_id: int) -> list[tuple[datetime, datetime | None]]:
    known = epochs(cursor, meter_id)
    sql = "SELECT number, began_at FROM epoch WHERE meter_id = ? ORDER BY number"
    began = [(number, from_microseconds(at)) for number, at in cursor.execute(sql, (meter_id,))]
    ends = [*(at for _, at in began[1:]), None]
    return [
        (BEGINNING if number == 1 else at, end)
        for (number, at), end in zip(began, ends, strict=True)
        if known[number].is_estimated
    ]


def first_of_epochs(cursor: Cursor, meter_id: int) -> dict[int, tuple[int, datetime]]:
    """The number of the first entry of each epoch that has any, and when it begins."""
    sql = """
        SELECT epoch, sequence, started_at FROM entry WHERE meter_id = :meter AND sequence IN (
            SELECT MIN(sequence) FROM entry WHERE meter_id = :meter GROUP BY epoch
        ) ORDER BY epoch
    """
    return {row[0]: (row[1], from_microseconds(row[2])) for row in cursor.execute(sql, {"meter": meter_id})}


def entries_after(cursor: Cursor, meter_id: int, sequence: int) -> LedgerSlice:
    """The entries with a number above ``sequence`` alone, and all epochs."""
    return LedgerSlice(entries=_entries_from(cursor, meter_id, sequence + 1), epochs=epochs(cursor, meter_id))


def entries_since(cursor: Cursor, meter_id: int, since: datetime) -> tuple[Entry, ...]:
    """The entries from the first that ends at a moment or later; the last one if none does."""
    return _entries_from(cursor, meter_id, _first_since(cursor, meter_id, since))


def stated(cursor: Cursor, meter_id: int) -> tuple[Entry, ...]:
    """The manual entries, oldest first."""
    sql = f"SELECT {_STATED} FROM stated WHERE meter_id = ? ORDER BY sequence"
    return tuple(stated_from_row(row) for row in cursor.execute(sql, (meter_id,)))


def ledger_slice(cursor: Cursor, meter_id: int, since: datetime | None = None) -> LedgerSlice:
    """The ledger of a meter; entries that ended before ``since`` are only added up."""
    return _slice_from(cursor, meter_id, 1 if since is None else _first_since(cursor, meter_id, since))


def ledger_tail(cursor: Cursor, meter_id: int) -> tuple[LedgerSlice, int]:
    """The last entry with all before it added up, and the id of the last reading that it accounts for.

    After a register fell it begins with the entry before that: for an hour the register may jump back.
    """
    sql = "SELECT sequence, reading_id FROM entry WHERE meter_id = ? ORDER BY sequence DESC LIMIT 1"
    sequence, reading_id = cursor.execute(sql, (meter_id,)).fetchone() or (1, 0)
    sql = "SELECT MAX(sequence) FROM entry WHERE meter_id = ? AND sequence > ? AND kind = 'restart'"
    (fallen,) = cursor.execute(sql, (meter_id, sequence - _TAIL)).fetchone()
    return _slice_from(cursor, meter_id, max(fallen - 1, 1) if fallen else sequence), reading_id


def _slice_from(cursor: Cursor, meter_id: int, first: int) -> LedgerSlice:
    sums = "SELECT epoch, SUM(positive), SUM(negative), SUM(undirected) FROM entry WHERE meter_id = ? AND sequence < ?"
    before = {row[0]: Counts(*row[1:]) for row in cursor.execute(f"{sums} GROUP BY epoch", (meter_id, first))}
    entries = _entries_from(cursor, meter_id, first)
    return LedgerSlice(entries=entries, epochs=epochs(cursor, meter_id), stated=stated(cursor, meter_id), before=before)


def _entries_from(cursor: Cursor, meter_id: int, first: int) -> tuple[Entry, ...]:
    sql = f"SELECT {ENTRY_LIST} FROM entry WHERE meter_id = ? AND sequence >= ? ORDER BY sequence"
    return tuple(entry_from_row(row) for row in cursor.execute(sql, (meter_id, first)))


def _first_since(cursor: Cursor, meter_id: int, since: datetime) -> int:
    """The first entry that ends at a moment or later; the last one if none does."""
    # Left alone, SQLite walks the primary key up to the first that fits, which is the whole ledger for a late moment.
    sql = "SELECT MIN(sequence) FROM entry INDEXED BY entry_by_time WHERE meter_id = ? AND ended_at >= ?"
    found = cursor.execute(sql, (meter_id, microseconds(since))).fetchone()
    if found[0] is None:
        found = cursor.execute("SELECT MAX(sequence) FROM entry WHERE meter_id = ?", (meter_id,)).fetchone()
    return int(found[0] or 1)


def adjustable_entries(cursor: Cursor, meter_id: int) -> LedgerSlice:
    """The first and last entry, those with undirected counts and those of a clock that was set, and what was stated.

    Quick, however long the ledger.
    """
    # Both small indexes by name: without it SQLite takes the primary key, and reads every entry of the meter.
    sql = f"""
        SELECT {ENTRY_LIST} FROM entry WHERE meter_id = :meter AND sequence IN (
            SELECT 1 UNION SELECT MAX(sequence) FROM entry WHERE meter_id = :meter
            UNION SELECT sequence FROM entry INDEXED BY entry_without_direction
            WHERE meter_id = :meter AND undirected > 0
            UNION SELECT sequence FROM entry INDEXED BY entry_of_the_clock
            WHERE meter_id = :meter AND kind = 'clock'
        ) ORDER BY sequence
    """
    entries = tuple(entry_from_row(row) for row in cursor.execute(sql, {"meter": meter_id}))
    return LedgerSlice(entries=entries, epochs=epochs(cursor, meter_id), stated=stated(cursor, meter_id))


def observations_after(cursor: Cursor, meter_id: int, reading_id: int) -> list[tuple[int, Observation]]:
    """What the ledger saw after a reading, in the order in which it came."""
    sql = f"SELECT id, {_OBSERVATION} FROM reading WHERE meter_id = ? AND id > ? ORDER BY id"
    return [(row[0], observation_from_row(row[1:])) for row in cursor.execute(sql, (meter_id, reading_id))]


def last_reading_id(cursor: Cursor) -> int:
    """The largest id ever given to a reading."""
    return int(cursor.execute("SELECT COALESCE(MAX(id), 0) FROM reading").fetchone()[0])


def latest(cursor: Cursor, meter_id: int) -> Reading | None:
    """The newest reading."""
    sql = f"""
        SELECT {_OBSERVATION}, {_QUANTITIES}, simulated FROM reading JOIN meter ON meter.id = meter_id
        WHERE meter_id = ? ORDER BY reading.id DESC LIMIT 1
    """
    row = cursor.execute(sql, (meter_id,)).fetchone()
    if row is None:
        return None
    seen = observation_from_row(row[: len(OBSERVATION_COLUMNS)])
    return reading_from_row(seen, row[len(OBSERVATION_COLUMNS) : -1], simulated=bool(row[-1]))
