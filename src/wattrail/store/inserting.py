"""How rows of the store are written: the statements, and an entry with its link in the chain and its sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wattrail.ledger import Entry
from wattrail.store.chain import extend
from wattrail.store.database import Cursor
from wattrail.store.hour_sums import follow_hours
from wattrail.store.quarter_sums import follow_entry
from wattrail.store.recent_readings import READING_ROW
from wattrail.store.rows import ENTRY_COLUMNS, LATER_COLUMNS, STATED_COLUMNS, entry_row

__all__ = ["INSERT_EPOCH", "INSERT_METER", "INSERT_READING", "INSERT_STATED", "insert_entries"]


def _insert(table: str, *columns: str) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


INSERT_METER: Final = _insert("meter", "name", "url", "kind", "simulated", "created_at") + " RETURNING id"
INSERT_EPOCH: Final = _insert(
    "epoch", "meter_id", "number", "micro_counts_per_volt", "micro_counts_per_amp", "micro_counts_per_watt",
    "inverted", "began_at", "evidence", "registers", "hash",
)  # fmt: skip
INSERT_STATED: Final = _insert("stated", "meter_id", *STATED_COLUMNS, "hash")
INSERT_READING: Final = _insert("reading", *READING_ROW) + " RETURNING id"
_INSERT_ENTRY: Final = _insert("entry", "meter_id", *ENTRY_COLUMNS, "reading_id", *LATER_COLUMNS, "hash")


def insert_entries(cursor: Cursor, meter_id: int, entries: Sequence[Entry], reading_id: int) -> None:
    """Append entries of a meter, up to the reading with this id."""
    for entry in entries:
        values = entry_row(entry)
        row = (*values[: len(ENTRY_COLUMNS)], reading_id, *values[len(ENTRY_COLUMNS) :])
        cursor.execute(_INSERT_ENTRY, (meter_id, *row, extend(cursor, "entry", meter_id, row)))
        # In the transaction of the entry: sums are never behind it, and a kill leaves both or neither.
        if moved := follow_entry(cursor, meter_id, entry):
            follow_hours(cursor, meter_id, *moved)
