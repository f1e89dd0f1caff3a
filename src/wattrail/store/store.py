"""One writer, one reader, safe to share between threads: what a gateway does with its database.

Exactly once. A reading and the entries it caused are one transaction, and an entry notes the last reading it accounts
for. After an unclean shutdown the ledger is replayed and the readings after that one are counted again as they
were counted live: none is lost, none counts twice.

Against a power cut, each transaction that carries a ledger entry waits for the disk, and takes every reading before it
along; readings since the last entry, a minute's worth, may be lost then, and the meter's own counter still holds their
energy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from typing import Final, Self

from wattrail.calibration import Calibration
from wattrail.clock import MACHINE_ZONE
from wattrail.database_address import DatabaseAddress
from wattrail.energy_register import EnergyRegister
from wattrail.ledger import GAP_AFTER_US, Entry, Ledger, LedgerSlice, Observation
from wattrail.network_meters.link_health import LinkDay
from wattrail.store import queries
from wattrail.store.calibrations import KeptCalibration, calibrations_of, keep
from wattrail.store.chain import extend, require_whole
from wattrail.store.damage import as_damage
from wattrail.store.database import Cursor, Session
from wattrail.store.engines import database_at
from wattrail.store.gateway_lock import GatewayLock
from wattrail.store.inserting import INSERT_EPOCH, INSERT_METER, INSERT_READING, INSERT_STATED, insert_entries
from wattrail.store.link_days import keep_link_days, link_days
from wattrail.store.purging import purge_meters
from wattrail.store.read_only import StoreQuestions
from wattrail.store.reading_journal import ReadingJournal
from wattrail.store.recent_readings import BookedReading, RecentReadings
from wattrail.store.registers import counts_alike, registers_from_text, registers_text
from wattrail.store.rename import rename_in
from wattrail.store.rollup_rows import Stats
from wattrail.store.rollups import LiveRollups, catch_up, store_quarter_hours
from wattrail.store.rows import (
    MeterRow,
    account_kind,
    epoch_constants,
    microseconds,
    reading_row,
    refuse_mixing,
    source_kind,
    stated_row,
    without_credentials,
)
from wattrail.store.series import Bucket, series
from wattrail.store.tiers import Retention, SeriesQuantity
from wattrail.units import Reading

__all__ = ["DEFAULT_RETENTION", "Store", "open_store"]

DEFAULT_RETENTION: Final = Retention()
"""How long readings and rollups are kept. Ledger entries are kept for ever."""


def open_store(path: DatabaseAddress | str, *, lock: GatewayLock | None = None, zone: tzinfo = MACHINE_ZONE) -> Store:
    """The database at an address, made if it is not there, brought up to date if it is older.

    A gateway gives its ``lock``: what it writes is refused once another gateway has the database. Readings are summed
    up by hours and days of ``zone``.
    Raises StoreError if it cannot be opened, is damaged, newer, or another program's; it is then left untouched.
    """
    use = lock.use if lock else None
    database = database_at(path)
    writer, reader = database.open(use)
    try:
        return Store(database.address, writer, reader, zone, database.journal(use))
    except BaseException:
        writer.close()
        reader.close()
        raise


class Store(StoreQuestions):
    """An open database. Writing and reading do not wait for each other."""

    def __init__(
        self, path: DatabaseAddress, writer: Session, reader: Session, zone: tzinfo = MACHINE_ZONE,
        journal: ReadingJournal | None = None,
    ) -> None:  # fmt: skip
        self.path = path
        self._rollups = LiveRollups(zone)
        self._writer, self._reader = writer, reader
        self._recent = RecentReadings(writer, journal, keep=self._keep, forget=self._rollups.forget)

    def close(self) -> None:
        """Close both connections; a second time does nothing."""
        self._recent.close()
        self._reader.close()
        self._writer.close()

    def wait_until_idle(self) -> None:
        """Return once no transaction is under way; it blocks for as long as a write hangs."""
        self._recent.wait_until_idle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Meters and their calibration

    def register_meter(
        self, name: str, url: str, *, simulated: bool, calibration: Calibration | None,
        registers: tuple[EnergyRegister, ...] | None = None, at: datetime | None = None,
        evidence: str = "first calibration",
    ) -> MeterRow:  # fmt: skip
        """The meter of that name; a new one begins with epoch 1. ``registers`` are those that are booked.

        Without them it is a BL0942, and its register follows from the calibration. If constants or registers differ
        from those of the epoch that holds, the row says ``recalibrated``: begin another epoch.
        Raises StoreError where a twin, a capture and a meter would share one name.
        """
        kind, shown = source_kind(url), without_credentials(url)
        given = epoch_constants(calibration)
        registers = registers or registers_from_text(None, given[2])
        with self._transaction() as cursor:
            found = cursor.execute("SELECT id, kind, simulated, url FROM meter WHERE name = ?", (name,)).fetchone()
            if found is None:
                now = microseconds(at or datetime.now(UTC))
                meter_id = int(cursor.execute(INSERT_METER, (name, shown, kind, simulated, now)).fetchone()[0])
                row = (1, *given, now, evidence, registers_text(registers))
                cursor.execute(INSERT_EPOCH, (meter_id, *row, extend(cursor, "epoch", meter_id, row)))
            else:
                meter_id = int(found[0])
                stored_kind, given_kind = account_kind(found[1], found[3]), account_kind(kind, shown)
                refuse_mixing(name, stored=(stored_kind, bool(found[2])), given=(given_kind, simulated), path=self.path)
                cursor.execute("UPDATE meter SET url = ? WHERE id = ?", (shown, meter_id))
            epoch, constants = queries.newest_epoch(cursor, meter_id)
        recalibrated = constants != given or not counts_alike(epoch.registers, registers)
        return MeterRow(meter_id, name, shown, simulated, epoch, recalibrated)

    def begin_epoch(
        self, meter_id: int, calibration: Calibration | None, entries: Sequence[Entry], *, at: datetime, evidence: str,
        registers: tuple[EnergyRegister, ...] | None = None,
    ) -> None:  # fmt: skip
        """Record what holds from now on, with the entries that its beginning caused; see ``register_meter``."""
        given = epoch_constants(calibration)
        registers = registers or registers_from_text(None, given[2])
        with self._taking_over([meter_id], durable=True) as cursor:
            epoch, _ = queries.newest_epoch(cursor, meter_id)
            row = (epoch.number + 1, *given, microseconds(at), evidence, registers_text(registers))
            cursor.execute(INSERT_EPOCH, (meter_id, *row, extend(cursor, "epoch", meter_id, row)))
            insert_entries(cursor, meter_id, entries, queries.last_reading_id(cursor))

    def rename_meter(self, old: str, new: str) -> None:
        """Give an account another name; nobody may be reading its meter. Raises StoreError; see ``rename``."""
        with self._transaction(durable=True) as cursor:
            rename_in(cursor, database_at(self.path), old, new)

    # Calibrations that a person has kept

    def keep_calibration(
        self,
        name: str,
        calibration: Calibration,
        *,
        simulated: bool,
        origin: str,
        by: str,
        at: datetime,
        turns: int = 1,
        note: str = "",
        evidence: str = "{}",
    ) -> KeptCalibration:
        """Keep a calibration for a name as the newest; a gateway takes it when it starts or reloads.

        Raises StoreError where a twin's constants would calibrate a meter, or the other way round.
        """
        with self._transaction(durable=True) as cursor:
            known = calibrations_of(cursor, name)
            kept = KeptCalibration(
                number=known[-1].number + 1 if known else 1, meter=name, simulated=simulated, at=at, by=by,
                origin=origin, calibration=calibration, turns=turns, note=note, evidence=evidence,
            )  # fmt: skip
            keep(cursor, kept)
        return kept

    def calibration(self, name: str, *, simulated: bool) -> Calibration | None:
        """The newest calibration kept for a name; None if there is none, or only of the other kind."""
        kept = [one.calibration for one in self.calibrations(name) if one.simulated == simulated]
        return kept[-1] if kept else None

    # What happens every second

    def append(self, meter_id: int, reading: Reading, seen: Observation, entries: Sequence[Entry]) -> None:
        """Keep a reading and the ledger entries it caused, all or nothing. Raises StoreError."""
        self.append_all([(meter_id, reading, seen, entries)])

    def append_all(
        self, rows: Sequence[tuple[int, Reading, Observation, Sequence[Entry]]], *, wait_s: float | None = None
    ) -> None:
        """As ``append`` for readings of many meters, each beside its meter's id, in one transaction.

        ``wait_s`` is how long it waits for another that writes, or for a server that is away.
        """
        booked = [
            BookedReading(meter_id, reading_row(reading, seen), entries) for meter_id, reading, seen, entries in rows
        ]
        with self._following():
            self._recent.append_all(booked, wait_s=wait_s)

    def _keep(self, cursor: Cursor, row: BookedReading) -> None:
        """Insert a reading, its entries, and what follows from both."""
        reading_id = int(cursor.execute(INSERT_READING, (row.meter_id, *row.values)).fetchone()[0])
        insert_entries(cursor, row.meter_id, row.entries, reading_id)
        self._rollups.follow_reading(cursor, row.meter_id, row.at_us, reading_id)

    def book(self, meter_id: int, entries: Sequence[Entry]) -> None:
        """Keep entries that no new reading caused, as when a ledger is closed."""
        self.book_all([(meter_id, entries)])

    def book_all(self, closed: Sequence[tuple[int, Sequence[Entry]]]) -> None:
        """As ``book`` for many meters, each by its id, in one transaction."""
        if not any(entries for _, entries in closed):
            return

        def keep_entries(cursor: Cursor) -> None:
            last_id = queries.last_reading_id(cursor)
            for meter_id, entries in closed:
                insert_entries(cursor, meter_id, entries, last_id)

        with self._following():
            self._recent.write(keep_entries, [meter_id for meter_id, _ in closed], durable=True)

    def add_past(self, meter_id: int, entries: Sequence[Entry], quarters: Sequence[tuple[int, Stats]]) -> None:
        """Keep what a meter did before its first reading: entries, and quarter hours by their start in microseconds."""
        with self._taking_over([meter_id], durable=True) as cursor:
            insert_entries(cursor, meter_id, entries, queries.last_reading_id(cursor))
            store_quarter_hours(cursor, meter_id, quarters, self._rollups.zone)

    def keep_link_days(self, days: Sequence[tuple[int, LinkDay]]) -> None:
        """Keep how meters, by their ids, were connected on a day; a day that was kept before is replaced."""
        if days:
            with self._transaction() as cursor:
                keep_link_days(cursor, days)

    def link_days(self, meter_id: int, *, limit: int = 31) -> tuple[LinkDay, ...]:
        """How a meter was connected on its last days, newest first."""
        with self._asking() as cursor:
            return link_days(cursor, meter_id, limit)

    def state(self, meter_id: int, make: Callable[[LedgerSlice], Entry]) -> Entry:
        """Keep an entry that a person states; ``make`` gets the ledger it depends on. Raises StoreError, LedgerError.

        The ledger is read, the entry is made and numbered and kept in one transaction, and its numbers are never those
        of counted entries: a gateway that runs meanwhile is not disturbed, and two who state at once wait in turn.
        """
        with self._transaction(durable=True) as cursor:
            entry = make(queries.adjustable_entries(cursor, meter_id))
            row = stated_row(entry)
            cursor.execute(INSERT_STATED, (meter_id, *row, extend(cursor, "stated", meter_id, row)))
        return entry

    def stated(self, meter_id: int, *, after: int = 0) -> tuple[Entry, ...]:
        """Manual entries with a number above ``after``, oldest first: what a ledger has yet to take up."""
        with self._asking() as cursor:
            return queries.stated(cursor, meter_id)[after:]

    def ledger(self, meter_id: int, *, longest_silence_us: int = GAP_AFTER_US) -> Ledger | None:
        """The ledger as it stood at the last reading kept; None before the first.

        Raises LedgerError, and StoreError where entries are missing: nothing is written after a torn end.
        """
        with self._taking_over([meter_id]) as cursor, as_damage(self.path):
            require_whole(cursor, meter_id, self.path)
            ledger_slice, accounted = queries.ledger_tail(cursor, meter_id)
            if not ledger_slice.entries:
                return None
            ledger = Ledger.resume(ledger_slice, longest_silence_us=longest_silence_us)
            for reading_id, seen in queries.observations_after(cursor, meter_id, accounted):
                # An entry arises here only if an older version closed its entries by another rule.
                insert_entries(cursor, meter_id, ledger.observe(seen), reading_id)
            return ledger

    # Questions

    def entries(self, meter_id: int) -> tuple[Entry, ...]:
        """The whole ledger, oldest first."""
        with self._asking() as cursor:
            return queries.entries_after(cursor, meter_id, 0).entries

    def entries_after(self, meter_id: int, sequence: int) -> LedgerSlice:
        """The entries with a number above ``sequence``, and all epochs."""
        with self._asking() as cursor:
            return queries.entries_after(cursor, meter_id, sequence)

    def entries_since(self, meter_id: int, since: datetime) -> tuple[Entry, ...]:
        """The end of the ledger: from the first entry that ends at a moment or later, and the last one in any case."""
        with self._asking() as cursor:
            return queries.entries_since(cursor, meter_id, since)

    def latest(self, meter_id: int) -> Reading | None:
        """The newest reading kept."""
        self._recent.take_over_all()
        with self._asking() as cursor:
            return queries.latest(cursor, meter_id)

    def series(
        self,
        meter_id: int,
        start: datetime,
        end: datetime,
        *,
        points: int = 720,
        quantity: SeriesQuantity = SeriesQuantity.POWER,
    ) -> tuple[Bucket, ...]:
        """A quantity in ``[start, end)`` as about ``points`` buckets; those without a reading are left out."""
        self._recent.take_over_all()
        with self._reader.cursor() as cursor:
            return series(cursor, meter_id, start, end, points, quantity)

    def purge(self, retention: Retention = DEFAULT_RETENTION) -> int:
        """Forget readings and rollups that were kept for their time; returns how many readings.

        What a wall clock says plays no part. Only readings that ledger and rollups have accounted for are forgotten.
        """
        meter_ids = [row.id for row in self.meters()]
        return purge_meters(meter_ids, retention, reading=self._asking, transaction=self._transaction)

    def catch_up_rollups(self) -> bool:
        """One step for readings that an older version stored, or another time zone; whether there was any to take."""
        with self._taking_over() as cursor:
            is_behind = catch_up(cursor, self._rollups.zone)
        self._rollups.forget()
        return is_behind

    @contextmanager
    def _transaction(self, *, durable: bool = False) -> Iterator[Cursor]:
        with self._following(), self._writer.transaction(durable=durable) as cursor:
            yield cursor

    @contextmanager
    def _taking_over(self, meter_ids: Sequence[int] | None = None, *, durable: bool = False) -> Iterator[Cursor]:
        """A transaction that finds every reading of some meters, or of all, in the database."""
        with self._following(), self._recent.transaction(meter_ids, durable=durable) as cursor:
            yield cursor

    @contextmanager
    def _following(self) -> Iterator[None]:
        """What the rollups remember of the database goes with a transaction that fails."""
        try:
            yield
        except BaseException:
            self._rollups.forget()
            raise

    @contextmanager
    def _asking(self) -> Iterator[Cursor]:
        with self._reader.cursor() as cursor, as_damage(self.path):
            yield cursor
