"""Is a database file whole: its pages, its references, its version, its chains, its ledgers; and what does it hold.

Nothing here changes a file. ``content_of`` counts, ``file_findings`` judges, ``require_sound`` raises.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.ledger import AuditFinding, Auditor
from wattrail.store import queries
from wattrail.store.chain import broken_links
from wattrail.store.damage import OTHER_FILE, RECOVER, as_damage, explained, integrity_problems
from wattrail.store.database import Cursor
from wattrail.store.pages import PAGE_ROWS, entries_page
from wattrail.store.rollup_check import rollup_findings
from wattrail.store.rows import from_microseconds
from wattrail.store.schema import APPLICATION_ID, migrations, version_and_owner
from wattrail.store.schema_version import too_new
from wattrail.store.sum_check import nobodys_sums, sum_findings

__all__ = [
    "REBUILD",
    "FileContent",
    "FileFinding",
    "MeterContent",
    "content_of",
    "derived_problems",
    "file_bytes",
    "file_findings",
    "ledger_findings",
    "meter_content",
    "open_file",
    "require_ours",
    "require_sound",
]

MAX_UNBOOKED: Final = timedelta(hours=1)
"""How much time readings may span that no entry accounts for. A running gateway closes an entry each minute."""

_BUSY_S: Final = 5.0
_PUT_BACKUP: Final = (
    "stop the gateway, keep a copy of the file, then put a backup in its place: wattrail store restore FILE"
)

_DERIVED_ROWS: Final = tuple(f"a row of {table} belongs" for table in ("quarter_sum", "hour_sum", "rollup"))
"""How a problem with a reference begins that is one of derived rows alone."""

REBUILD: Final = "make it again from the entries and readings, the gateway may run: wattrail store check --rebuild"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterContent:
    """What a file holds of one meter. ``entries`` is the number of the last entry, ``until`` its end."""

    name: str
    simulated: bool
    entries: int
    readings: int
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """What a file, or a schema on a server, holds, and the version of its schema."""

    path: DatabaseAddress
    size_bytes: int
    version: int
    meters: tuple[MeterContent, ...]


@dataclass(frozen=True, slots=True)
class FileFinding:
    """One thing that is wrong, and the remedy. ``meter`` is None where it concerns the whole file.

    What ``is_derived`` can be made again from entries and readings.
    """

    text: str
    remedy: str
    meter: str | None = None
    is_derived: bool = False


@contextmanager
def open_file(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, in one transaction: it sees one moment. Raises StoreError."""
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise StoreError(f"the database {path} {what}", hint="name another: database=FILE")
    if not path.stat().st_size:
        raise StoreError(
            f"the database {path} is empty", hint="name another: database=FILE, or let wattrail run make one of it"
        )
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with explained(path), closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        yield connection


def require_ours(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the schema. Raises StoreError for a database of another program, or of a newer wattrail."""
    version, owner = version_and_owner(connection)
    if owner != APPLICATION_ID:
        raise StoreError(f"{path} is a database of another program", hint=OTHER_FILE)
    if version > len(migrations()):
        raise too_new(path, version, len(migrations()))
    return version


def content_of(connection: sqlite3.Connection, path: Path) -> FileContent:
    """What a file of any known version holds. Raises StoreError."""
    with as_damage(path):
        version = require_ours(connection, path)
        with closing(connection.cursor()) as cursor:
            meters = tuple(meter_content(cursor, *row) for row in queries.meter_names(cursor))
        size = file_bytes(connection)
    return FileContent(path=path, size_bytes=size, version=version, meters=meters)


def file_bytes(connection: sqlite3.Connection) -> int:
    """The size of the database without its log."""
    sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    return int(connection.execute(sql).fetchone()[0])


def meter_content(cursor: Cursor, meter_id: int, name: str, simulated: int) -> MeterContent:
    """What a database holds of one meter."""
    sql = "SELECT sequence, ended_at FROM entry WHERE meter_id = ? ORDER BY sequence DESC LIMIT 1"
    sequence, ended_at = cursor.execute(sql, (meter_id,)).fetchone() or (0, None)
    (readings,) = cursor.execute("SELECT count(*) FROM reading WHERE meter_id = ?", (meter_id,)).fetchone()
    return MeterContent(
        name=name, simulated=bool(simulated), entries=sequence, readings=readings,
        until=None if ended_at is None else from_microseconds(ended_at),
    )  # fmt: skip


def file_findings(connection: sqlite3.Connection, path: Path) -> tuple[FileFinding, ...]:
    """Everything that is wrong with a file; reads all of it. Raises StoreError where it is not ours, or newer."""
    with closing(connection.cursor()) as cursor:
        found = [
            FileFinding(text, REBUILD, is_derived=True) if text.startswith(_DERIVED_ROWS)
            else FileFinding(f"pages or rows are damaged: {text}", RECOVER.format(path=path))
            for text in integrity_problems(cursor)
        ]  # fmt: skip
        version = require_ours(connection, path)
        if version < len(migrations()):
            older = f"schema version {version} of {len(migrations())}: the ledger of an older file is not read"
            found.append(FileFinding(older, "start it once with this version: wattrail run brings it up to date"))
            return tuple(found)
        try:
            found += ledger_findings(cursor, path, remedy=_PUT_BACKUP)
        except (StoreError, sqlite3.DatabaseError) as error:
            if not found:
                found.append(FileFinding(str(error), _PUT_BACKUP))
    return tuple({(finding.meter, finding.text): finding for finding in reversed(found)}.values())[::-1]


def ledger_findings(cursor: Cursor, path: DatabaseAddress, *, remedy: str) -> Iterator[FileFinding]:
    """What is wrong with what a database holds, meter by meter. ``remedy`` helps where a ledger is damaged."""
    with as_damage(path):
        rows = queries.meter_names(cursor)
    for text in nobodys_sums(cursor):
        yield FileFinding(text, REBUILD, is_derived=True)
    for meter_id, name, _ in rows:
        yield from _meter_findings(cursor, path, meter_id, str(name), remedy)


def _meter_findings(
    cursor: Cursor, path: DatabaseAddress, meter_id: int, name: str, remedy: str
) -> Iterator[FileFinding]:
    """What is wrong with one meter: its chain, what its entries add up to, readings without an entry, derived rows.

    What is derived from a ledger that is damaged is not judged: what it should be is not known.
    """
    try:
        with as_damage(path):
            problems = (*broken_links(cursor, meter_id), *_replayed(cursor, meter_id))
            for problem in problems:
                yield FileFinding(str(problem), remedy, name)
            yield from _unbooked(cursor, meter_id, name)
            for text in () if problems else derived_problems(cursor, meter_id):
                yield FileFinding(text, REBUILD, name, is_derived=True)
    except (StoreError, sqlite3.DatabaseError) as error:
        yield FileFinding(str(error), remedy, name)


def derived_problems(cursor: Cursor, meter_id: int) -> Iterator[str]:
    """Sums and rollups of a meter that are not what its entries and readings make of them."""
    yield from sum_findings(cursor, meter_id)
    yield from rollup_findings(cursor, meter_id)


def _replayed(cursor: Cursor, meter_id: int) -> tuple[AuditFinding, ...]:
    auditor, number = Auditor(queries.adjustable_entries(cursor, meter_id)), 0
    while part := entries_page(cursor, meter_id, number, PAGE_ROWS).entries:
        auditor.take(part)
        number = part[-1].sequence
    return auditor.audit().findings if auditor.entries else ()


def _unbooked(cursor: Cursor, meter_id: int, name: str) -> Iterator[FileFinding]:
    """Readings that no entry accounts for, where they are more than a gateway leaves when it is killed."""
    _, accounted = queries.ledger_tail(cursor, meter_id)
    sql = "SELECT count(*), MIN(at), MAX(at) FROM reading WHERE meter_id = ? AND id > ?"
    count, first, last = cursor.execute(sql, (meter_id, accounted)).fetchone()
    if count and timedelta(microseconds=last - first) > MAX_UNBOOKED:
        span = f"{from_microseconds(first):%Y-%m-%d %H:%M} to {from_microseconds(last):%Y-%m-%d %H:%M} UTC"
        yield FileFinding(
            f"{count} readings without an entry, {span}",
            "start wattrail run: it counts them at its start; then check again",
            name,
        )


def require_sound(path: Path) -> FileContent:
    """What a file holds. Raises StoreError unless every page is whole and no row of a ledger is missing or altered."""
    with open_file(path) as connection:
        version = require_ours(connection, path)
        with closing(connection.cursor()) as cursor:
            problems = list(integrity_problems(cursor))
            if not problems and version == len(migrations()):
                with as_damage(path):
                    for meter_id, _, _ in queries.meter_names(cursor):
                        problems += map(str, broken_links(cursor, meter_id))
        if problems:
            more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
            raise StoreError(f"{path} is damaged: {problems[0]}{more}", hint=f"wattrail store check, database={path}")
        return content_of(connection, path)
