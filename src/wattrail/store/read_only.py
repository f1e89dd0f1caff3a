"""Opening a database to read it only: beside a running gateway, or without one. It is neither made nor migrated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime

from wattrail.database_address import DatabaseAddress
from wattrail.ledger import AuditFinding, EstimatedTimes, Interval, Ledger, LedgerSlice
from wattrail.network_meters.link_health import LinkDay
from wattrail.store import queries
from wattrail.store.calibrations import KeptCalibration, calibrations_of
from wattrail.store.chain import broken_links
from wattrail.store.condensed import condensed_slice, energy_by_period, energy_since
from wattrail.store.damage import as_damage
from wattrail.store.database import Cursor, Database
from wattrail.store.engines import database_at
from wattrail.store.file_check import derived_problems
from wattrail.store.link_days import link_days
from wattrail.store.pages import EntryFilter, entries_page, newest_entries, readings_page, remarkable_entries
from wattrail.store.rows import MeterRow
from wattrail.store.series import Bucket, series
from wattrail.store.sum_check import nobodys_sums
from wattrail.store.tiers import SeriesQuantity

__all__ = ["StoreQuestions", "StoreReader", "open_to_read"]


class StoreQuestions(ABC):
    """What is asked alike of a database that is open to write, and of one that is open to read."""

    path: DatabaseAddress

    @abstractmethod
    def _asking(self) -> AbstractContextManager[Cursor]:
        """A cursor for one question; rows that are damaged are a StoreError."""

    def meters(self) -> tuple[MeterRow, ...]:
        """Every meter that was ever registered, by name."""
        with self._asking() as cursor:
            return queries.meters(cursor)

    def meter(self, name: str) -> MeterRow | None:
        """The meter of that name."""
        return next((row for row in self.meters() if row.name == name), None)

    def ledger_slice(self, meter_id: int, *, since: datetime | None = None) -> LedgerSlice:
        """The ledger of a meter; entries that ended before ``since`` are only added up."""
        with self._asking() as cursor:
            return queries.ledger_slice(cursor, meter_id, since)

    def calibrations(self, name: str) -> tuple[KeptCalibration, ...]:
        """Every calibration kept for a name, oldest first."""
        with self._asking() as cursor:
            return calibrations_of(cursor, name)

    def evidence(self, meter_id: int) -> dict[int, str]:
        """What each epoch rests on, by its number; of a virtual meter its definition."""
        with self._asking() as cursor:
            return queries.evidence(cursor, meter_id)

    def estimated_times(self, meter_id: int) -> EstimatedTimes:
        """When the energy of a meter was estimated by its power."""
        with self._asking() as cursor:
            return queries.estimated_times(cursor, meter_id)


class StoreReader(StoreQuestions):
    """What a database holds at one moment: it stays the same, whatever a gateway writes meanwhile."""

    def __init__(self, database: Database, cursor: Cursor) -> None:
        self.path = database.address
        self._database, self._cursor = database, cursor

    @contextmanager
    def _asking(self) -> Iterator[Cursor]:
        with as_damage(self.path):
            yield self._cursor

    def outline(self, meter_id: int) -> LedgerSlice:
        """The first and last entry, those with undirected counts, and what was stated: quick for long books."""
        with self._asking() as cursor:
            return queries.adjustable_entries(cursor, meter_id)

    def condensed_slice(self, meter_id: int, moments: Sequence[datetime]) -> LedgerSlice:
        """A slice with the registers of the whole ledger at each of some moments, in as few entries as that needs."""
        with self._asking() as cursor:
            return condensed_slice(cursor, meter_id, moments)

    def energy(self, meter_id: int, boundaries: Sequence[datetime]) -> tuple[Interval, ...]:
        """Energy between each two neighbouring boundaries, which are in order and in UTC, with what was imported."""
        with self._asking() as cursor:
            return energy_by_period(cursor, meter_id, boundaries)

    def energy_since(self, meter_id: int) -> datetime | None:
        """The earliest moment of which energy is known, imported or counted; None if there is none."""
        with self._asking() as cursor:
            return energy_since(cursor, meter_id)

    def remarkable_entries(self, meter_id: int, start: datetime, end: datetime, *, limit: int) -> LedgerSlice:
        """The newest entries of ``[start, end)`` but for counted energy, manual ones too, and all epochs."""
        with self._asking() as cursor:
            return remarkable_entries(cursor, meter_id, start, end, limit)

    def readings_page(
        self, meter_id: int, start: datetime, end: datetime, after: tuple[int, int] | None, limit: int
    ) -> list[tuple[int | None, ...]]:
        """Readings of ``[start, end)`` in order of time; ``after`` is time and id of the last of the page before."""
        with self._asking() as cursor:
            return readings_page(cursor, meter_id, start, end, after, limit)

    def entries_page(self, meter_id: int, after: int, limit: int) -> LedgerSlice:
        """Entries with a number above ``after``, ``limit`` at most, and all epochs."""
        with self._asking() as cursor:
            return entries_page(cursor, meter_id, after, limit)

    def newest_entries(self, meter_id: int, wanted: EntryFilter, *, limit: int) -> LedgerSlice:
        """The newest entries of a filter, oldest first, and all epochs; without manual entries."""
        with self._asking() as cursor:
            return newest_entries(cursor, meter_id, wanted, limit)

    def ledger(self, meter_id: int) -> Ledger | None:
        """The ledger with every reading that was kept so far; None before the first."""
        with self._asking() as cursor:
            ledger_slice, accounted = queries.ledger_tail(cursor, meter_id)
            if not ledger_slice.entries:
                return None
            ledger = Ledger.resume(ledger_slice)
            for _, seen in queries.observations_after(cursor, meter_id, accounted):
                ledger.observe(seen)
            return ledger

    def first_of_epochs(self, meter_id: int) -> dict[int, tuple[int, datetime]]:
        """The number of the first entry of each epoch that has any, and when it begins."""
        with self._asking() as cursor:
            return queries.first_of_epochs(cursor, meter_id)

    def file_problems(self) -> tuple[AuditFinding, ...]:
        """What the database engine finds wrong with the file; takes as long as reading all of it."""
        texts = self._database.problems(self._cursor)
        return tuple(AuditFinding(0, "its integrity", text, "ok", name="the file") for text in texts)

    def broken_links(self, meter_id: int) -> tuple[AuditFinding, ...]:
        """Rows of the ledger that are missing or altered, by number."""
        with self._asking() as cursor:
            return tuple(broken_links(cursor, meter_id))

    def derived_problems(self) -> tuple[str, ...]:
        """Sums and rollups that are not what entries and readings make of them, each with its meter."""
        with self._asking() as cursor:
            names = queries.meter_names(cursor)
            found = [f"{name}: {text}" for meter_id, name, _ in names for text in derived_problems(cursor, meter_id)]
            return (*nobodys_sums(cursor), *found)

    def series(
        self, name: str, start: datetime, end: datetime, *, points: int, quantity: SeriesQuantity = SeriesQuantity.POWER
    ) -> tuple[Bucket, ...]:
        """A quantity of a meter in ``[start, end)``, as about ``points`` buckets; empty for an unknown meter."""
        with self._asking() as cursor:
            meter_id = _id_of(cursor, name)
            return () if meter_id is None else series(cursor, meter_id, start, end, points, quantity)

    def link_days(self, name: str, *, limit: int = 31) -> tuple[LinkDay, ...]:
        """How a meter was connected on its last days, newest first; empty for an unknown meter."""
        with self._asking() as cursor:
            meter_id = _id_of(cursor, name)
            return () if meter_id is None else link_days(cursor, meter_id, limit)


def _id_of(cursor: Cursor, name: str) -> int | None:
    row = cursor.execute("SELECT id FROM meter WHERE name = ?", (name,)).fetchone()
    return None if row is None else int(row[0])


@contextmanager
def open_to_read(path: DatabaseAddress) -> Iterator[StoreReader]:
    """The database at an address. Raises StoreError if it is not there, not ours, or of another version."""
    database = database_at(path)
    with database.snapshot() as cursor:
        yield StoreReader(database, cursor)
