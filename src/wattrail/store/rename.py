"""Another name for an account: its ledger, identity and kept calibrations stay, and the old name is free again."""

from __future__ import annotations

from typing import Final

from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.ledger import VIRTUAL_SCHEME, Definition
from wattrail.store.database import Cursor, Database
from wattrail.store.engines import database_at

__all__ = ["rename_in", "rename_meter"]

_GUARD: Final = "calibration_is_never_edited"


def rename_meter(path: DatabaseAddress, old: str, new: str) -> None:
    """Give the account ``old`` the name ``new``, all or nothing. The chains of hashes hold ids, so they stay whole.

    Raises StoreError where ``old`` is not there or a member of a virtual meter, ``new`` is taken, or the database is
    in use: any connection to a file, a gateway at a server.
    """
    database = database_at(path)
    with database.alone() as cursor:
        rename_in(cursor, database, old, new)


def rename_in(cursor: Cursor, database: Database, old: str, new: str) -> None:
    """The same within a transaction of a gateway that does not read the meter meanwhile. Raises StoreError."""
    path = database.address
    _require_free(cursor, path, old, new)
    _require_no_member(cursor, path, old)
    cursor.execute("UPDATE meter SET name = ? WHERE name = ?", (new, old))
    # Kept calibrations are found by name, and a later meter of the old name must not take them. What was measured
    # stays as it was, so the guard against edits comes back in the same transaction.
    with database.unguarded(cursor, "calibration", _GUARD):
        cursor.execute("UPDATE calibration SET meter = ? WHERE meter = ?", (new, old))


def _require_free(cursor: Cursor, path: DatabaseAddress, old: str, new: str) -> None:
    names = [name for (name,) in cursor.execute("SELECT name FROM meter ORDER BY name")]
    if old not in names:
        raise StoreError(f"no meter is named {old!r} in {path}; there are: {', '.join(names) or 'none'}")
    if new in names:
        raise StoreError(
            f"{new!r} has an account of its own in {path}; two accounts are never made one",
            hint="give a name not in use",
        )
    if cursor.execute("SELECT 1 FROM calibration WHERE meter = ?", (new,)).fetchone():
        raise StoreError(
            f"calibrations are kept for {new!r} in {path}, and {old!r} would take them", hint="give a name not in use"
        )


def _require_no_member(cursor: Cursor, path: DatabaseAddress, old: str) -> None:
    """A definition names its members, and its place in the chain of hashes lets nobody change it."""
    sql = "SELECT name, evidence FROM epoch JOIN meter ON meter.id = meter_id WHERE evidence LIKE ?"
    for name, evidence in cursor.execute(sql, (f"{VIRTUAL_SCHEME}:%",)):
        if old in Definition.from_url(evidence).members:
            raise StoreError(
                f"{old!r} is a member of the virtual meter {name!r} in {path}, whose past could not be verified then",
                hint=f"keep the name {old!r}",
            )
