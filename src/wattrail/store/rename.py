"""Another name for an account: its ledger, identity and kept calibrations stay, and the old name is free again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from wattrail.errors import StoreError
from wattrail.ledger import VIRTUAL_SCHEME, Definition
from wattrail.store.schema import require_current

__all__ = ["rename_meter"]

_GUARD: Final = "calibration_is_never_edited"


def rename_meter(path: Path, old: str, new: str) -> None:
    """Give the account ``old`` the name ``new``, all or nothing. The chains of hashes hold ids, so they stay whole.

    Raises StoreError where ``old`` is not there or a member of a virtual meter, ``new`` is taken, or any other
    connection has the database open.
    """
    try:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
            # Set before the first access, it locks the file itself, of which each other connection holds a share.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN EXCLUSIVE")
            require_current(connection, path)
            _require_free(connection, path, old, new)
            _require_no_member(connection, path, old)
            connection.execute("UPDATE meter SET name = ? WHERE name = ?", (new, old))
            _rename_calibrations(connection, old, new)
            connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise StoreError(
                f"{path} is in use, and a running gateway would book under the old name; nothing was renamed",
                hint="stop wattrail run, and every program that has the database open; then repeat",
            ) from error
        raise StoreError(f"{path}: {error}; nothing was renamed", hint="check that you may write there") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path}: {error}; nothing was renamed", hint="wattrail ledger verify checks it") from error


def _require_free(connection: sqlite3.Connection, path: Path, old: str, new: str) -> None:
    names = [name for (name,) in connection.execute("SELECT name FROM meter ORDER BY name")]
    if old not in names:
        raise StoreError(f"no meter is named {old!r} in {path}; there are: {', '.join(names) or 'none'}")
    if new in names:
        raise StoreError(
            f"{new!r} has an account of its own in {path}; two accounts are never made one",
            hint="give a name not in use",
        )
    if connection.execute("SELECT 1 FROM calibration WHERE meter = ?", (new,)).fetchone():
        raise StoreError(
            f"calibrations are kept for {new!r} in {path}, and {old!r} would take them", hint="give a name not in use"
        )


def _require_no_member(connection: sqlite3.Connection, path: Path, old: str) -> None:
    """A definition names its members, and its place in the chain of hashes lets nobody change it."""
    sql = "SELECT name, evidence FROM epoch JOIN meter ON meter.id = meter_id WHERE evidence LIKE ?"
    for name, evidence in connection.execute(sql, (f"{VIRTUAL_SCHEME}:%",)):
        if old in Definition.from_url(evidence).members:
            raise StoreError(
                f"{old!r} is a member of the virtual meter {name!r} in {path}, whose past could not be verified then",
                hint=f"keep the name {old!r}",
            )


def _rename_calibrations(connection: sqlite3.Connection, old: str, new: str) -> None:
    """They are found by name, and a later meter of the old name must not take them.

    What was measured stays as it was, so the guard against edits comes back in the same transaction.
    """
    (guard,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (_GUARD,)).fetchone()
    connection.execute(f"DROP TRIGGER {_GUARD}")
    connection.execute("UPDATE calibration SET meter = ? WHERE meter = ?", (new, old))
    connection.execute(guard)
