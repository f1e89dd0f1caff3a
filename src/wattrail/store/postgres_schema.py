"""The tables in a schema of a PostgreSQL database: made, brought up to date, or refused as they are.

The numbered files in ``schema_postgres/`` begin with the version at which PostgreSQL was added, and have the numbers
of those for SQLite from then on. All that is needed runs in one transaction with the step of the version.
"""

from __future__ import annotations

from typing import Final

from psycopg import errors
from psycopg.sql import SQL, Identifier

from wattrail.database_address import PostgresAddress
from wattrail.errors import StoreError
from wattrail.store.postgres_connection import Connection, advisory_key
from wattrail.store.schema_version import not_current, numbered_sql, too_new

__all__ = ["latest_version", "migrate", "require_current"]

_VERSION: Final = "SELECT version FROM wattrail_schema"
_TABLES: Final = "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = %s"
_SCHEMAS: Final = "SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = %s"
_STEP: Final = (
    "INSERT INTO wattrail_schema (version) VALUES (%s) ON CONFLICT (only_row) DO UPDATE SET version = excluded.version"
)


def steps() -> dict[int, str]:
    """The SQL that makes each version, by its number; the first makes its version out of nothing."""
    return numbered_sql("schema_postgres")


def latest_version() -> int:
    """The version of this program."""
    return max(steps())


def migrate(connection: Connection, address: PostgresAddress) -> None:
    """Make the tables, or bring them to this program's version. Raises StoreError; they are then as they were."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (advisory_key(address, is_gateway=False),))
        version = _version(connection, address)
        if version is None:
            _make_schema(connection, address)
        elif version > latest_version():
            hint = "update wattrail, or give another schema (?schema=)"
            raise too_new(address, version, latest_version(), hint=hint)
        for number, sql in steps().items():
            if number > (version or 0):
                connection.execute(sql.encode())
                connection.execute(_STEP, (number,))


def require_current(connection: Connection, address: PostgresAddress) -> None:
    """Raises StoreError unless the tables are ours and of this version."""
    version, known = _version(connection, address), latest_version()
    if version is None:
        raise StoreError(
            f"{address} holds no meters yet", hint="wattrail run makes the tables; database=URL names another"
        )
    if version != known:
        raise not_current(address, version, known)


def _version(connection: Connection, address: PostgresAddress) -> int | None:
    """The version of the tables; None where there are none."""
    row = connection.execute(_TABLES, (address.schema,)).fetchone()
    if row is None or row[0] == 0:
        return None
    try:
        # A savepoint: after an error the transaction around it would refuse every other statement.
        with connection.transaction():
            row = connection.execute(_VERSION).fetchone()
    except errors.UndefinedTable as error:
        raise StoreError(
            f"schema {address.schema} of {address} holds tables of another program",
            hint="give a schema of its own for the meters (?schema=)",
        ) from error
    if row is None:
        raise StoreError(f"{address} has lost the version of its schema", hint="restore a backup into another database")
    return int(row[0])


def _make_schema(connection: Connection, address: PostgresAddress) -> None:
    # Not IF NOT EXISTS: that asks for the right to make schemas even where this one is there.
    row = connection.execute(_SCHEMAS, (address.schema,)).fetchone()
    if row is None or row[0] == 0:
        connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(address.schema)))
