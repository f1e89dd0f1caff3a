"""Energy of the time before a ledger began, as other programs counted it: stored apart, and removable."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.ledger import ImportedEnergy
from wattrail.store.database import Cursor
from wattrail.store.engines import OwnConnection
from wattrail.store.history.periods import HistoryPeriod
from wattrail.store.queries import meter_names
from wattrail.store.rows import from_microseconds, microseconds

__all__ = ["ImportOutcome", "ImportedHours", "OriginSummary", "imported_energy", "imported_over", "imported_since"]

_COLUMNS: Final = "started_at, ended_at, import_mwh, export_mwh, origin"


def imported_energy(cursor: Cursor, meter_id: int, start: datetime, end: datetime) -> tuple[ImportedEnergy, ...]:
    """The imported periods that begin in ``[start, end)``, oldest first; each is given by one of two adjacent spans.

    They never overlap each other, and none reaches into the time of the meter's ledger.
    """
    sql = f"SELECT {_COLUMNS} FROM imported_hours WHERE meter_id = ? AND started_at >= ? AND started_at < ? ORDER BY 1"
    return tuple(map(_imported, cursor.execute(sql, (meter_id, microseconds(start), microseconds(end)))))


def imported_over(cursor: Cursor, meter_id: int, start: datetime, end: datetime) -> tuple[ImportedEnergy, ...]:
    """The imported periods that lie in ``[start, end)``, at least with a part; of a simulated meter none."""
    # Periods never overlap, so of those that began before the span only the newest can reach into it. That keeps it a
    # range of the key; by ended_at alone every imported hour would be read.
    sql = f"""
        SELECT {_COLUMNS} FROM imported_hours
        WHERE meter_id = :meter AND started_at < :end AND ended_at > :start AND started_at >= COALESCE(
            (SELECT MAX(started_at) FROM imported_hours WHERE meter_id = :meter AND started_at <= :start), :start
        ) AND meter_id IN (SELECT id FROM meter WHERE simulated = 0)
        ORDER BY 1
    """
    values = {"meter": meter_id, "start": microseconds(start), "end": microseconds(end)}
    return tuple(map(_imported, cursor.execute(sql, values)))


def imported_since(cursor: Cursor, meter_id: int) -> datetime | None:
    """When the first imported period of a meter begins; None if there is none, or the meter is simulated."""
    (first,) = cursor.execute(
        "SELECT MIN(started_at) FROM imported_hours "
        "WHERE meter_id = ? AND meter_id IN (SELECT id FROM meter WHERE simulated = 0)", (meter_id,)
    ).fetchone()  # fmt: skip
    return None if first is None else from_microseconds(int(first))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOutcome:
    """How many periods were new, replaced others of the same origin, were the same, and why the rest was left out."""

    new: int = 0
    replaced: int = 0
    same: int = 0
    in_ledger: int = 0
    elsewhere: int = 0
    ledger_begins: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginSummary:
    """What is stored of one origin for one meter; energy in milliwatt-hours."""

    meter: str
    origin: str
    periods: int
    start: datetime
    end: datetime
    import_mwh: int | None
    export_mwh: int | None


class ImportedHours(OwnConnection):
    """The imported periods of a database that ``open_store`` has migrated. A gateway may run. Raises StoreError."""

    def __init__(self, path: DatabaseAddress, *, read_only: bool = False) -> None:
        super().__init__(path, "the imported hours", read_only=read_only)

    def add(
        self, meter: str, origin: str, periods: Iterable[HistoryPeriod], *, is_dry_run: bool = False
    ) -> ImportOutcome:
        """Store periods that end before the meter's ledger begins and overlap no other origin; all or nothing.

        A second time changes nothing, and a period of the same origin with the same start is replaced.
        """
        with self._transaction() as cursor:
            meter_id = self._meter_id(cursor, meter)
            begins = _ledger_begins(cursor, meter_id)
            stored = cursor.execute(
                f"SELECT {_COLUMNS} FROM imported_hours WHERE meter_id = ? ORDER BY 1", (meter_id,)
            ).fetchall()
            sorting = _Sorting(origin, stored, begins)
            rows = [row for period in periods if (row := sorting.row(period)) is not None]
            if not is_dry_run:
                cursor.executemany(
                    f"INSERT INTO imported_hours (meter_id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (meter_id, started_at) DO UPDATE SET ended_at = excluded.ended_at, "
                    "import_mwh = excluded.import_mwh, export_mwh = excluded.export_mwh, origin = excluded.origin",
                    [(meter_id, *row) for row in rows],
                )
        return sorting.outcome()

    def remove(self, meter: str, origin: str, *, is_dry_run: bool = False) -> int:
        """Forget everything of an origin; returns how many periods. Raises StoreError where there are none."""
        with self._transaction() as cursor:
            meter_id = self._meter_id(cursor, meter)
            where = "FROM imported_hours WHERE meter_id = ? AND origin = ?"
            (count,) = cursor.execute(f"SELECT count(*) {where}", (meter_id, origin)).fetchone()
            if not count:
                known = [one.origin for one in self._summaries(cursor) if one.meter == meter]
                raise StoreError(
                    f"nothing of {meter!r} was imported from {origin!r}",
                    hint=f"there is: {', '.join(known)}" if known else "nothing was imported for this meter",
                )
            if not is_dry_run:
                cursor.execute(f"DELETE {where}", (meter_id, origin))
        return int(count)

    def summaries(self) -> tuple[OriginSummary, ...]:
        """What is stored, by meter and origin."""
        with self._cursor() as cursor:
            return self._summaries(cursor)

    def _summaries(self, cursor: Cursor) -> tuple[OriginSummary, ...]:
        sql = (
            "SELECT name, origin, count(*), MIN(started_at), MAX(ended_at), SUM(import_mwh), SUM(export_mwh) "
            "FROM imported_hours JOIN meter ON meter.id = meter_id GROUP BY 1, 2 ORDER BY 1, 4"
        )
        return tuple(
            OriginSummary(
                meter=name, origin=origin, periods=count, start=from_microseconds(first), end=from_microseconds(last),
                import_mwh=imported, export_mwh=exported,
            )
            for name, origin, count, first, last, imported, exported in cursor.execute(sql)
        )  # fmt: skip

    def _meter_id(self, cursor: Cursor, meter: str) -> int:
        known = {name: (meter_id, simulated) for meter_id, name, simulated in meter_names(cursor)}
        if meter not in known:
            raise StoreError(
                f"no meter is named {meter!r} in {self._path}; there are: {', '.join(known) or 'none'}",
                hint="wattrail run registers the meters of the configuration",
            )
        meter_id, simulated = known[meter]
        if simulated:
            raise StoreError(
                f"{meter!r} is simulated: the history of a real meter must not stand in its account",
                hint="name a meter, or use another database file",
            )
        return int(meter_id)


class _Sorting:
    """Which periods are stored, and which are left out and why."""

    def __init__(self, origin: str, stored: Sequence[tuple[Any, ...]], begins: int | None) -> None:
        self._origin, self._begins = origin, begins
        self._mine = {row[0]: tuple(row) for row in stored if row[4] == origin}
        others = [row for row in stored if row[4] != origin]
        self._starts, self._ends = [row[0] for row in others], [row[1] for row in others]
        self._counts = dict.fromkeys(("new", "replaced", "same", "in_ledger", "elsewhere"), 0)

    def row(self, period: HistoryPeriod) -> tuple[int, int, int | None, int | None, str] | None:
        row = (
            microseconds(period.start), microseconds(period.end), period.import_mwh, period.export_mwh, self._origin,
        )  # fmt: skip
        reason = self._reason(row)
        self._counts[reason] += 1
        return row if reason in {"new", "replaced"} else None

    def _reason(self, row: tuple[int, int, int | None, int | None, str]) -> str:
        start, end = row[:2]
        # Whole: nobody knows how the energy of a period divides that reaches into the ledger (ADR 39).
        if self._begins is not None and end > self._begins:
            return "in_ledger"
        if bisect_right(self._ends, start) < bisect_left(self._starts, end):
            return "elsewhere"
        before = self._mine.get(start)
        return "new" if before is None else ("same" if before == row else "replaced")

    def outcome(self) -> ImportOutcome:
        begins = None if self._begins is None else from_microseconds(self._begins)
        return ImportOutcome(**self._counts, ledger_begins=begins)


def _ledger_begins(cursor: Cursor, meter_id: int) -> int | None:
    """The earliest start of an entry; not always the first one's, for a clock can have been ahead."""
    (begins,) = cursor.execute("SELECT MIN(started_at) FROM entry WHERE meter_id = ?", (meter_id,)).fetchone()
    return None if begins is None else int(begins)


def _imported(row: tuple[Any, ...]) -> ImportedEnergy:
    start, end, imported, exported, origin = row
    return ImportedEnergy(
        start=from_microseconds(start), end=from_microseconds(end), import_mwh=imported, export_mwh=exported,
        origin=str(origin),
    )  # fmt: skip
