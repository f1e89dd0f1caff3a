"""Both kinds of database for the stories that hold of each, and what a person can do to them with other tools."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psycopg

from wattrail.database_address import DatabaseAddress, PostgresAddress

__all__ = ["REFUSAL", "execute", "forge", "raw_connection"]

REFUSAL: Final = (sqlite3.IntegrityError, psycopg.IntegrityError)
"""How a database refuses a statement of a person."""


def execute(address: DatabaseAddress, *statements: str) -> list[Any]:
    """Carry out statements as somebody with a database tool; gives the rows of the last."""
    with closing(raw_connection(address)) as connection:
        for sql in statements:
            cursor = connection.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []


def forge(address: DatabaseAddress, *statements: str) -> None:
    """Change rows past the triggers, as whoever owns the database can."""
    if isinstance(address, PostgresAddress):
        execute(address, "SET session_replication_role = replica", *statements)
        return
    triggers = execute(address, "SELECT name FROM sqlite_schema WHERE type = 'trigger'")
    execute(address, *(f"DROP TRIGGER {name}" for (name,) in triggers), *statements)


def raw_connection(address: DatabaseAddress) -> Any:
    """A connection past the store; each statement is a transaction."""
    if isinstance(address, Path):
        return sqlite3.connect(address, isolation_level=None)
    return psycopg.connect(
        host=address.host, dbname=address.database, user=address.user, autocommit=True,
        options=f"-c search_path={address.schema}",
    )  # fmt: skip
