"""Readings between two entries wait in the journal beside the file, and are taken over with the next entry.

A reading by itself would rewrite two pages of the database each second, 2.6 kB for 88 bytes. In the journal it is a
line of 120 bytes, acknowledged once that is written: the death of the process takes nothing of it away. The entry that
accounts for readings takes them along into the database, in one transaction with a number in ``reading_journal``: of a
meter all lines up to that number are in the database. So whatever is cut off, each reading is taken over once.

Without a journal, as on a server or beside a gateway, each reading goes into the database at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final, TypeVar

from wattrail.clock import zone_of
from wattrail.errors import StoreError, StoreUnavailable
from wattrail.ledger import Entry
from wattrail.store.database import Cursor, Session
from wattrail.store.reading_journal import JournalLine, ReadingJournal, journal_lines
from wattrail.store.rollup_rows import rollup_state
from wattrail.store.rollups import LiveRollups
from wattrail.store.rows import OBSERVATION_COLUMNS, QUANTITY_COLUMNS

__all__ = ["READING_ROW", "BookedReading", "RecentReadings", "copy_recent", "open_journal", "shadow_readings"]

MAX_LINES: Final = 20_000
"""Lines of the file: two million bytes. A hundred meters fill it in three minutes; then all of it is taken over."""

MAX_METERS: Final = 100
"""Meters whose readings wait at a time. More of them share each transaction anyway, and to take over all at once would
hold up the next readings."""

_CLOSE_WITHIN_S: Final = 0.2
"""How long the end of a gateway waits for another program that writes; the journal keeps what is left."""

_INT64: Final = range(-(1 << 63), 1 << 63)
_TAKEN: Final = """
    INSERT INTO reading_journal (meter_id, number) VALUES (?, ?)
    ON CONFLICT (meter_id) DO UPDATE SET number = excluded.number
"""
READING_ROW: Final = ("meter_id", *OBSERVATION_COLUMNS, *QUANTITY_COLUMNS)
"""The columns of a reading but its id."""

_ROW: Final = ", ".join(READING_ROW)
_REGISTERED: Final = "SELECT id, created_at FROM meter"
_NUMBERS: Final = "SELECT meter_id, number FROM reading_journal"

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BookedReading:
    """A row of a reading, and the ledger entries that it caused."""

    meter_id: int
    values: tuple[object, ...]
    entries: Sequence[Entry] = ()

    @property
    def at_us(self) -> int:
        """When it was read, in microseconds."""
        at = self.values[0]
        assert isinstance(at, int)
        return at


class RecentReadings:
    """What waits in the journal, and the one way by which readings get into the database.

    ``keep`` inserts a reading with its entries, and ``forget`` is called before a transaction is carried out again.
    """

    def __init__(
        self, writer: Session, journal: ReadingJournal | None, *, keep: Callable[[Cursor, BookedReading], None],
        forget: Callable[[], None],
    ) -> None:  # fmt: skip
        self._writer, self._journal, self._keep, self._forget = writer, journal, keep, forget
        self._lock = threading.RLock()
        self._waiting: dict[int, list[JournalLine]] = {}
        self._lines = 0
        self._last: dict[int, int] = {}
        """The number of the last line of each meter, in the journal or taken over."""
        self._next = 1
        self._registered: Mapping[int, int] = {}
        self._is_behind = False
        """The database could not be written: readings wait with whoever has them until it can."""
        if journal is not None:
            self._take_up(journal)

    def _take_up(self, journal: ReadingJournal) -> None:
        """What was left by a process that was killed."""
        with self._writer.cursor() as cursor:
            self._registered = dict(cursor.execute(_REGISTERED).fetchall())
            self._last = dict(cursor.execute(_NUMBERS).fetchall())
        lines = journal.take_up(self._registered)
        self._lines = len(lines)
        self._next = 1 + max([*self._last.values(), *(line.number for line in lines)], default=0)
        for line in _undone(lines, self._last):
            self._waiting.setdefault(line.meter_id, []).append(line)
            self._last[line.meter_id] = line.number

    def append_all(self, rows: Sequence[BookedReading], *, wait_s: float | None = None) -> None:
        """Keep readings with their entries, all or nothing. Raises StoreError."""
        with self._lock:
            # Of many meters some always wait, so the file never gets to begin again by itself (ADR 47).
            if self._lines + len(rows) > MAX_LINES:
                self.write(_nothing, durable=False, wait_s=wait_s)
            mark = None if self._journal is None else self._journal.mark()
            lines = self._written(rows)
            in_journal = {line.meter_id for line in lines}
            direct = [row for row in rows if row.meter_id not in in_journal]
            try:
                self._store(direct, wait_s)
            except BaseException as error:
                if lines and self._journal is not None and mark is not None:
                    self._journal.cut_back(mark)
                self._is_behind = self._is_behind or isinstance(error, StoreUnavailable)
                raise
            self._lines += len(lines)
            for line in lines:
                self._waiting.setdefault(line.meter_id, []).append(line)
                self._last[line.meter_id], self._next = line.number, line.number + 1

    def write(
        self, work: Callable[[Cursor], Result], meter_ids: Collection[int] | None = None, *, durable: bool,
        wait_s: float | None = None,
    ) -> Result:  # fmt: skip
        """Carry out ``work`` in a transaction, after taking over what waits of some meters, or of all, in it."""
        attempts = count()

        def take_over_and_work(cursor: Cursor) -> Result:
            # A server that went away: the whole transaction is carried out once more.
            if next(attempts):
                self._forget()  # what the attempt before had in mind was not stored
            self._take_over(cursor, ids)
            return work(cursor)

        with self._lock:
            ids = tuple(self._waiting if meter_ids is None else meter_ids)
            result = self._writer.write(take_over_and_work, durable=durable, wait_s=wait_s)
            self._taken(ids)
            return result

    @contextmanager
    def transaction(self, meter_ids: Collection[int] | None = None, *, durable: bool) -> Iterator[Cursor]:
        """A transaction that begins with taking over what waits of some meters, or of all."""
        with self._lock:
            ids = tuple(self._waiting if meter_ids is None else meter_ids)
            with self._writer.transaction(durable=durable) as cursor:
                self._take_over(cursor, ids)
                yield cursor
            self._taken(ids)

    def take_over_all(self) -> None:
        """Let the database hold every reading, for who asks it. Raises StoreError."""
        with self._lock:
            if self._waiting:
                self.write(_nothing, durable=False)

    def wait_until_idle(self) -> None:
        """Return once nothing is under way; it blocks for as long as a write hangs."""
        with self._lock:
            self._writer.wait_until_idle()

    def close(self) -> None:
        """Take over what waits, where that can be, and close the journal; a second time does nothing."""
        with self._lock:
            if self._journal is None:
                return
            try:
                self.write(_nothing, durable=True, wait_s=_CLOSE_WITHIN_S)
            except StoreError as error:
                logger.warning("%d readings stay in the journal until the next start: %s", self._lines, error)
            with suppress(OSError):
                self._journal.close(is_empty=not self._waiting)
            self._journal = None

    def _written(self, rows: Sequence[BookedReading]) -> list[JournalLine]:
        """The lines of those readings that the journal takes: the others cause entries, or are the database's."""
        # While it is behind, the journal takes none either: readings would come into the database in another order than
        # they were read.
        journal = self._journal
        if journal is None or self._is_behind or len({*self._waiting, *(row.meter_id for row in rows)}) > MAX_METERS:
            return []
        direct = {row.meter_id for row in rows if row.entries or not self._fits(row)}
        last, lines = dict(self._last), []
        for number, row in enumerate((row for row in rows if row.meter_id not in direct), start=self._next):
            lines.append(JournalLine(row.meter_id, number, last.get(row.meter_id, 0), row.values))
            last[row.meter_id] = number
        try:
            if lines:
                journal.append(lines, self._registered)
        except OSError as error:
            logger.debug("the journal takes no readings: %s", error)
            return []
        return lines

    def _fits(self, row: BookedReading) -> bool:
        """Whether the database will take a reading later: what it would refuse is refused at once."""
        if row.meter_id not in self._registered:
            with self._writer.cursor() as cursor:
                self._registered = dict(cursor.execute(_REGISTERED).fetchall())
        return row.meter_id in self._registered and all(
            value in _INT64 if isinstance(value, int) else value is None or isinstance(value, str)
            for value in row.values
        )

    def _store(self, rows: Sequence[BookedReading], wait_s: float | None) -> None:
        if not rows:
            return

        def keep_rows(cursor: Cursor) -> None:
            for row in rows:
                self._keep(cursor, row)

        is_durable = any(row.entries for row in rows)
        self.write(keep_rows, {row.meter_id for row in rows}, durable=is_durable, wait_s=wait_s)
        self._is_behind = False

    def _take_over(self, cursor: Cursor, meter_ids: Iterable[int]) -> None:
        for meter_id in meter_ids:
            if lines := self._waiting.get(meter_id):
                for line in lines:
                    self._keep(cursor, BookedReading(meter_id, line.values))
                cursor.execute(_TAKEN, (meter_id, lines[-1].number))

    def _taken(self, meter_ids: Iterable[int]) -> None:
        for meter_id in meter_ids:
            self._waiting.pop(meter_id, None)
        if not self._waiting and self._lines and self._journal is not None:
            self._journal.begin_again()
            self._lines = 0


def _nothing(_cursor: Cursor) -> None:
    """All there is to do was to take over."""


def _undone(lines: Iterable[JournalLine], numbers: Mapping[int, int]) -> Iterator[JournalLine]:
    """The lines that a database lacks, by the number of the last line of each meter that it took over.

    Those of a meter count only if the first follows that number: an older copy of the database may have been put back.
    """
    expected = dict(numbers)
    for line in lines:
        is_whole = len(line.values) == len(READING_ROW) - 1
        if is_whole and line.number > numbers.get(line.meter_id, 0) and line.before == expected.get(line.meter_id, 0):
            expected[line.meter_id] = line.number
            yield line


def open_journal(database: Path) -> ReadingJournal | None:
    """The journal of a database; None where the folder takes no such file. Readings then go into the database."""
    try:
        return ReadingJournal(database)
    except OSError as error:
        logger.warning("%s has no journal of readings beside it: %s", database, error)
        return None


def shadow_readings(cursor: Cursor, content: bytes) -> None:
    """Let a connection that only reads see readings of the journal among those of its database.

    ``content`` was read before the first access to the database: what it lacks meanwhile, the database has.
    """
    lines = _missing(cursor, content)
    if not lines:
        return
    (newest,) = cursor.execute("SELECT COALESCE(MAX(id), 0) FROM main.reading").fetchone()
    # columns of the very same types, or the engine orders the whole view instead of merging its halves
    cursor.execute(f"CREATE TEMP TABLE recent_reading AS SELECT id, {_ROW} FROM main.reading WHERE 0")
    cursor.executemany(
        f"INSERT INTO recent_reading VALUES ({', '.join('?' * (len(READING_ROW) + 1))})",
        [(newest + place, line.meter_id, *line.values) for place, line in enumerate(lines, start=1)],
    )
    cursor.execute(
        f"CREATE TEMP VIEW reading AS SELECT id, {_ROW} FROM main.reading "
        f"UNION ALL SELECT id, {_ROW} FROM recent_reading"
    )


def copy_recent(cursor: Cursor, content: bytes) -> None:
    """Put readings of the journal into a copy of its database; ``content`` was read before the moment of the copy."""
    for line in _missing(cursor, content):
        sql = f"INSERT INTO reading ({_ROW}) VALUES ({', '.join('?' * len(READING_ROW))}) RETURNING id"
        reading_id, at_us = int(cursor.execute(sql, (line.meter_id, *line.values)).fetchone()[0]), line.values[0]
        cursor.execute(_TAKEN, (line.meter_id, line.number))
        if (state := rollup_state(cursor, line.meter_id)) is not None and isinstance(at_us, int):
            LiveRollups(zone_of(state.zone)).follow_reading(cursor, line.meter_id, at_us, reading_id)


def _missing(cursor: Cursor, content: bytes) -> list[JournalLine]:
    registered = dict(cursor.execute(_REGISTERED).fetchall())
    numbers = dict(cursor.execute(_NUMBERS).fetchall())
    return list(_undone(journal_lines(content, registered), numbers))
