"""Backups of a schema on a server: the same file that a backup of a file is, with the same rows and the same hashes.

So it is checked as that one, can be put back into a file or a server, and needs no tools of the server, of the same
version as the server, on this machine.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.sql import SQL, Identifier

from wattrail.database_address import PostgresAddress
from wattrail.store.backup import DatabaseBackup, write_backup
from wattrail.store.damage import explained
from wattrail.store.file_check import FileContent, open_file, require_sound
from wattrail.store.postgres_connection import Connection, advisory_key, connect
from wattrail.store.postgres_dialect import PostgresCursor
from wattrail.store.postgres_errors import as_store_error
from wattrail.store.postgres_schema import migrate as migrate_server
from wattrail.store.postgres_schema import require_current
from wattrail.store.restore import Restored, copy_and_migrate, lost_parts, without_gateway
from wattrail.store.schema import migrate
from wattrail.store.server_check import content_at, server_content
from wattrail.store.vacuum import Vacuumed

__all__ = ["back_up_server", "restore_to_server", "vacuum_server"]

_BATCH: Final = 5_000


@dataclass(frozen=True, slots=True)
class _Table:
    """A table that both databases have."""

    name: str
    columns: tuple[str, ...]
    parents: frozenset[str]


def back_up_server(address: PostgresAddress, target: Path, *, replace: bool = False) -> DatabaseBackup:
    """Copy a schema into a file, mode 0600, while a gateway writes. Raises StoreError; then nothing has its name."""
    size = server_content(address).size_bytes

    def copy(beside: Path) -> None:
        with explained(beside), closing(sqlite3.connect(beside, isolation_level=None)) as made:
            migrate(made, beside)
            made.execute("PRAGMA synchronous = OFF")  # it is flushed whole before it gets its name
            with closing(connect(address, str(address), read_only=True)) as connection:
                _read_rows(connection, address, made)

    return write_backup(str(address), size, target, copy, replace=replace)


def _read_rows(connection: Connection, address: PostgresAddress, made: sqlite3.Connection) -> None:
    try:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        require_current(connection, address)
        made.execute("BEGIN")
        for table in _tables(made):
            places = ", ".join("?" * len(table.columns))
            # Named, so that the server keeps the result: any other cursor takes a whole table into memory.
            with connection.cursor(name="backup") as cursor:
                cursor.itersize = _BATCH
                cursor.execute(_select(table))
                made.executemany(f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({places})", cursor)
        for name in _numbered(made):
            row = connection.execute(SQL("SELECT last_value, is_called FROM {}").format(_sequence(connection, name)))
            last, is_called = row.fetchone() or (0, False)
            made.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            made.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, last if is_called else 0))
        made.execute("COMMIT")
    except psycopg.Error as error:
        raise as_store_error(error, str(address), address, is_lost=connection.closed) from error


def restore_to_server(backup: Path, address: PostgresAddress, *, at: datetime) -> Restored:
    """Put a backup in the place of a schema, in one transaction. Raises StoreError; then all is as it was.

    The replaced schema stays beside it under a dated name. Refused while a gateway runs.
    """
    checked = require_sound(backup)
    with tempfile.TemporaryDirectory(prefix="wattrail-restore-") as folder:
        beside = Path(folder) / "restoring.sqlite"
        copy_and_migrate(backup, beside)
        content = require_sound(beside)
        with without_gateway(address, "nothing was restored"), open_file(beside) as source:
            before, kept_as = _replace(address, source, f"{address.schema}_replaced_{at:%Y%m%d_%H%M%S}")
    return Restored(
        content=replace(content, path=address, size_bytes=server_content(address).size_bytes),
        migrated_from=checked.version, kept_as=kept_as, lost=lost_parts(before, content),
    )  # fmt: skip


def _replace(
    address: PostgresAddress, source: sqlite3.Connection, kept: str
) -> tuple[FileContent, PostgresAddress | None]:
    """What stood there, and where it is now; None where it held no meters."""
    with closing(connect(address, str(address))) as connection:
        try:
            with connection.transaction(), connection.cursor() as cursor:
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (advisory_key(address, is_gateway=False),))
                before = content_at(PostgresCursor(cursor), address)
                own = Identifier(address.schema)
                if before.meters:
                    connection.execute(SQL("ALTER SCHEMA {} RENAME TO {}").format(own, Identifier(kept)))
                else:
                    connection.execute(SQL("DROP SCHEMA {} CASCADE").format(own))
                migrate_server(connection, address)
                for table in _tables(source):
                    _write_rows(connection, source, table)
                    if "id" in table.columns:
                        _go_on_with_ids(connection, source, table.name)
        except psycopg.Error as error:
            raise as_store_error(error, str(address), address, is_lost=connection.closed) from error
    return before, replace(address, schema=kept) if before.meters else None


def _write_rows(connection: Connection, source: sqlite3.Connection, table: _Table) -> None:
    columns = SQL(", ").join(map(Identifier, table.columns))
    rows = source.execute(f"SELECT {', '.join(table.columns)} FROM {table.name}")
    with (
        connection.cursor() as cursor,
        cursor.copy(SQL("COPY {} ({}) FROM STDIN").format(Identifier(table.name), columns)) as copy,
    ):
        for row in rows:
            copy.write_row(row)


def _go_on_with_ids(connection: Connection, source: sqlite3.Connection, name: str) -> None:
    """The next id follows all that were ever given, also to rows that are gone."""
    (newest,) = source.execute(f"SELECT COALESCE(MAX(id), 0) FROM {name}").fetchone()
    given = source.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (name,)).fetchone() or (0,)
    if last := max(newest, given[0]):
        connection.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", (name, last))


def vacuum_server(address: PostgresAddress) -> Vacuumed:
    """Write every table again without the space of deleted rows. Refused while a gateway runs. Raises StoreError."""
    before = server_content(address).size_bytes
    with (
        without_gateway(address, "it is as it was"),
        closing(connect(address, str(address))) as connection,
        closing(sqlite3.connect(":memory:", isolation_level=None)) as shape,
    ):
        migrate(shape, Path(":memory:"))
        try:
            for table in _tables(shape):
                connection.execute(SQL("VACUUM (FULL) {}").format(Identifier(table.name)))
        except psycopg.Error as error:
            raise as_store_error(error, str(address), address, is_lost=connection.closed) from error
    return Vacuumed(before, server_content(address).size_bytes)


def _tables(shape: sqlite3.Connection) -> Iterator[_Table]:
    """The tables of a file of this version, each after those that its rows belong to."""
    sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    waiting = [_table(shape, str(name)) for (name,) in shape.execute(sql).fetchall()]
    done: set[str] = set()
    while waiting:
        following = [table for table in waiting if table.parents <= done]
        waiting = [table for table in waiting if table not in following]
        done |= {table.name for table in following}
        yield from following


def _table(shape: sqlite3.Connection, name: str) -> _Table:
    columns = tuple(str(row[1]) for row in shape.execute(f"SELECT * FROM pragma_table_info('{name}')"))
    parents = {str(row[2]) for row in shape.execute(f"SELECT * FROM pragma_foreign_key_list('{name}')")}
    return _Table(name, columns, frozenset(parents - {name}))


def _numbered(shape: sqlite3.Connection) -> list[str]:
    """Tables that never give an id twice."""
    sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'"
    return [str(name) for (name,) in shape.execute(sql).fetchall()]


def _select(table: _Table) -> Any:  # noqa: ANN401 a composed statement
    return SQL("SELECT {} FROM {}").format(SQL(", ").join(map(Identifier, table.columns)), Identifier(table.name))


def _sequence(connection: Connection, table: str) -> Any:  # noqa: ANN401 a composed name
    row = connection.execute("SELECT pg_get_serial_sequence(%s, 'id')", (table,)).fetchone()
    assert row is not None
    return SQL(str(row[0]))
