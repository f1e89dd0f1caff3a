"""Is a schema on a server whole, and what does it hold: as ``file_check`` has it for a file."""

from __future__ import annotations

from typing import Final

from wattrail.database_address import PostgresAddress
from wattrail.store.damage import as_damage
from wattrail.store.database import Cursor
from wattrail.store.file_check import FileContent, FileFinding, ledger_findings, meter_content
from wattrail.store.postgres_database import PostgresDatabase
from wattrail.store.postgres_schema import latest_version
from wattrail.store.queries import meter_names

__all__ = ["server_content", "server_findings"]

_SIZE: Final = """
    SELECT COALESCE(SUM(pg_total_relation_size(pg_class.oid)), 0) FROM pg_catalog.pg_class
    JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = ? AND relkind = 'r'
"""
_REMEDY: Final = "stop the gateway, then put a backup in its place: wattrail store restore FILE keeps what is there"


def server_findings(address: PostgresAddress) -> tuple[FileFinding, ...]:
    """Everything that is wrong with a schema; reads all ledgers.

    Raises StoreError where there is none, it is not ours, or of another version.
    """
    database = PostgresDatabase(address)
    with database.snapshot() as cursor:
        # The server looks after its pages; checksums and pg_amcheck find damage there (docs/store.md).
        found = [FileFinding(text, _REMEDY) for text in database.problems(cursor)]
        found += ledger_findings(cursor, address, remedy=_REMEDY)
    return tuple(dict.fromkeys(found))


def server_content(address: PostgresAddress) -> FileContent:
    """What a schema holds. Raises StoreError."""
    with PostgresDatabase(address).snapshot() as cursor:
        return content_at(cursor, address)


def content_at(cursor: Cursor, address: PostgresAddress) -> FileContent:
    """The same, as a transaction sees it."""
    with as_damage(address):
        meters = tuple(meter_content(cursor, *row) for row in meter_names(cursor))
        (size,) = cursor.execute(_SIZE, (address.schema,)).fetchone()
    return FileContent(path=address, size_bytes=int(size), version=latest_version(), meters=meters)
