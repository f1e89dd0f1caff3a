"""The two kinds of database a store can be in, and which of them an address means."""

from __future__ import annotations

from pathlib import Path

from wattrail.database_address import DatabaseAddress
from wattrail.errors import needs_library
from wattrail.store.database import Database

__all__ = ["database_at"]


def database_at(address: DatabaseAddress) -> Database:
    """The database at an address; nothing is opened yet. Raises MissingExtra."""
    if isinstance(address, Path):
        from wattrail.store.sqlite_database import SqliteDatabase

        return SqliteDatabase(address)
    with needs_library(f"the database {address}", "psycopg", extra="postgres"):
        from wattrail.store.postgres_database import PostgresDatabase
    return PostgresDatabase(address)
