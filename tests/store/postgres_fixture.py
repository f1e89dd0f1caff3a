"""Makes the fixture of a schema version for PostgreSQL: the rows of the one for SQLite, as pg_dump writes them.

    python -m tests.store.postgres_fixture

writes ``fixtures/postgres_NNNN.sql`` of the newest version out of ``fixtures/version_NNNN.sql``.
"""

from __future__ import annotations

import re
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.databases import raw_connection
from tests.postgres_server import OWNER, PostgresServer, programs, running_server
from wattrail.database_address import PostgresAddress
from wattrail.store import open_store
from wattrail.store.postgres_schema import latest_version

FIXTURES = Path(__file__).parent / "fixtures"
HEAD = """\
-- A PostgreSQL schema of version {0} with the rows of version_{0:04d}.sql, as pg_dump writes it. Never edit: schemas
-- like this one are out there.

"""


def copy_rows(source: sqlite3.Connection, address: PostgresAddress) -> None:
    """Every row of a database into the empty tables of another, past the triggers."""
    with closing(raw_connection(address)) as target:
        target.execute("SET session_replication_role = replica")
        for table in map(_first, source.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()):
            if table.startswith("sqlite_"):
                continue
            columns = [row[1] for row in source.execute(f"SELECT * FROM pragma_table_info('{table}')")]
            places = ", ".join(["%s"] * len(columns))
            target.execute(f"DELETE FROM {table}")
            for row in source.execute(f"SELECT {', '.join(columns)} FROM {table}"):
                target.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", row)
            if "id" in columns:
                target.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), MAX(id)) FROM {table} HAVING count(*) > 0"
                )


def dump(server: PostgresServer, schema: str) -> str:
    """The statements that make a schema again, without comments and without psql's own commands."""
    folder = programs()
    assert folder is not None
    command = [str(folder / "pg_dump"), "-h", str(server.folder), "-U", OWNER, "-d", "postgres", f"--schema={schema}"]
    options = ["--inserts", "--rows-per-insert=1000", "--no-owner", "--no-privileges"]
    text = subprocess.run([*command, *options], capture_output=True, text=True, check=True, timeout=60).stdout
    lines = [line for line in text.splitlines() if not line.startswith(("--", "\\"))]
    return re.sub(r"\n{2,}", "\n\n", "\n".join(lines)).strip() + "\n"


def main() -> None:
    """Write the fixture of the newest version."""
    version = latest_version()
    with running_server() as server, closing(sqlite3.connect(":memory:")) as source:
        source.executescript((FIXTURES / f"version_{version:04d}.sql").read_text(encoding="utf-8"))
        address = replace(server.address(), schema="wattrail")
        open_store(address).close()
        copy_rows(source, address)
        text = HEAD.format(version) + dump(server, "wattrail")
    (FIXTURES / f"postgres_{version:04d}.sql").write_text(text, encoding="utf-8")


def _first(row: Any) -> str:
    return str(row[0])


if __name__ == "__main__":
    main()
