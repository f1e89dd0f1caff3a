"""Opening a database file: is it ours, is it whole, is it of this version; and bringing an older one up to date.

Migrations are the numbered files in ``schema/``. Each runs in one transaction together with the step of
``user_version``, so a machine that dies in between finds either the old schema or the new one. Before the first of them
an existing database is copied beside itself.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from wattrail.errors import StoreError
from wattrail.store.chain import hash_existing
from wattrail.store.damage import RECOVER
from wattrail.store.schema_version import not_current, numbered_sql, too_new
from wattrail.store.version_copy import copy_before_migration, forget_old_copies, older_copy

__all__ = ["APPLICATION_ID", "migrate", "migrations", "refuse_other_programs", "require_current", "version_and_owner"]

APPLICATION_ID = 0x57415454
"""``WATT`` in the file's header: a database of another program is refused, not migrated."""

_PAGE_BYTES = 1024
"""A second's reading writes two pages into the log, whatever their size: small ones spare an SD card."""

_STATE: Final = (
    "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_schema) "
    "FROM pragma_user_version, pragma_application_id"
)

_AFTER: Final[Mapping[int, Callable[[sqlite3.Cursor], None]]] = {4: hash_existing}
"""What SQL alone cannot do, in the same transaction as the step to that version."""


def migrations() -> tuple[str, ...]:
    """The SQL of every migration, oldest first; the first makes version 1."""
    found = numbered_sql("schema")
    if missing := set(range(1, len(found) + 1)) - found.keys():
        raise StoreError(f"migration {min(missing)} is missing from this installation")
    return tuple(found.values())


def migrate(connection: sqlite3.Connection, path: Path, steps: Sequence[str] | None = None) -> None:
    """Check a database, then bring it to this program's version.

    Raises StoreError if it is somebody else's, damaged, or newer; the file is then as it was.
    """
    steps = migrations() if steps is None else steps
    version = _checked_version(connection, path, len(steps))
    if version > len(steps):
        raise too_new(path, version, len(steps), hint=_way_back(path, len(steps)))
    if 0 < version < len(steps):
        copy_before_migration(connection, path, version=version, target=len(steps))
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # means something in a new file only
    for number, sql in enumerate(steps[version:], start=version + 1):
        _take_step(connection, number, sql)
    if 0 < version < len(steps):
        forget_old_copies(path)


def _way_back(path: Path, known: int) -> str:
    """What helps an older program."""
    if (found := older_copy(path, known)) is None:
        return "update wattrail, or give another database file"
    copy, version = found
    return (
        f"update wattrail; or go back to the copy of schema version {version}, without what was stored since: "
        f"stop every wattrail, move {path} and {path.name}-wal away, and cp {copy} {path}"
    )


def _take_step(connection: sqlite3.Connection, number: int, sql: str) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        try:
            if cursor.execute("PRAGMA user_version").fetchone()[0] < number:  # else another process was first
                for statement in _statements(sql):
                    cursor.execute(statement)
                if number in _AFTER:
                    _AFTER[number](cursor)
                cursor.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                cursor.execute(f"PRAGMA user_version = {number}")
            cursor.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise


def _statements(sql: str) -> Iterator[str]:
    """The statements of a script, one by one: ``executescript`` would first end the transaction that holds the lock."""
    statement = ""
    for part in re.split("(?<=;)", sql):
        statement += part
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement


def require_current(connection: sqlite3.Connection, path: Path) -> None:
    """Raises StoreError unless a file is ours and of this version; reads two numbers of it, changes nothing."""
    try:
        version, owner = version_and_owner(connection)
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} is not a database, or cannot be read: {error}") from error
    if owner != APPLICATION_ID:
        raise StoreError(f"{path} is not a database of this program")
    known = len(migrations())
    if version != known:
        raise not_current(path, version, known, newer=_way_back(path, known) if version > known else "")


def version_and_owner(connection: sqlite3.Connection) -> tuple[int, int]:
    """The version of a file's schema, and the mark of the program that it belongs to."""
    # Not by _STATE: that reads the table of tables, and of a file in which it is damaged these two are known still.
    version, owner = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("user_version", "application_id")
    )
    return version, owner


def refuse_other_programs(path: Path) -> None:
    """Raises StoreError for a file that is another program's, at a glance; all else is for ``migrate`` to say."""
    if not path.is_file() or not path.stat().st_size:
        return
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            _, owner, tables = map(int, connection.execute(_STATE).fetchone())
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_NOTADB:
            return  # locked, unreadable, damaged
        raise _no_database(path, error) from error
    if owner != APPLICATION_ID and tables:
        raise _other_program(path)


def _no_database(path: Path, error: sqlite3.Error) -> StoreError:
    return StoreError(f"{path} is damaged or no database: {error}", hint=RECOVER.format(path=path))


def _other_program(path: Path) -> StoreError:
    return StoreError(f"{path} is a database of another program", hint="give a file of its own for the meters")


def _checked_version(connection: sqlite3.Connection, path: Path, known: int) -> int:
    try:
        # in one statement: another process may make the file at this moment
        version, owner, tables = map(int, connection.execute(_STATE).fetchone())
        # what is to be rewritten is looked at whole; at every other start tables alone, for indexes take long
        check = "quick_check" if version in {0, known} else "integrity_check"
        verdict = str(connection.execute(f"PRAGMA {check}(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        raise StoreError(
            f"{path} cannot be read: {error}", hint="check its owner, and that the disk is mounted"
        ) from error
    except sqlite3.DatabaseError as error:
        raise _no_database(path, error) from error
    if owner != APPLICATION_ID and tables:
        raise _other_program(path)
    if verdict != "ok":
        raise StoreError(f"{path} is damaged: {verdict}", hint=RECOVER.format(path=path))
    return version
