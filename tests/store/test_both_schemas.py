"""The numbered files of both databases make the same tables: a migration of one is a migration of the other."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.databases import execute
from tests.postgres_server import PostgresServer
from tests.store.rig import START, look
from tests.store.test_opening import FIXTURES, TOTALS
from wattrail.errors import StoreError
from wattrail.store import open_store, open_to_read, postgres_schema
from wattrail.store.postgres_schema import latest_version, steps
from wattrail.store.schema import migrations

OWN = {"wattrail_schema", "gateway_holder"}
"""What SQLite has elsewhere: the version in the file's header, the gateway in a file beside it."""


def test_both_have_files_up_to_the_same_version() -> None:
    assert latest_version() == len(migrations())
    assert list(steps()) == list(range(min(steps()), latest_version() + 1))


def test_a_migration_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattrail.store.schema.numbered_sql", lambda _folder: {1: "", 2: "", 4: ""})
    with pytest.raises(StoreError, match="migration 3 is missing from this installation"):
        migrations()


def test_both_have_the_same_tables_columns_and_keys(postgres_server: PostgresServer, tmp_path: Path) -> None:
    place, path = postgres_server.address(), tmp_path / "w.sqlite"
    for address in (place, path):
        open_store(address).close()
    tables = execute(path, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    in_sqlite = {
        (table, row[1], bool(row[3] or row[5])): row[5]
        for (table,) in tables
        for row in execute(path, f"SELECT * FROM pragma_table_info('{table}')")
    }
    columns = f"""
        SELECT table_name, column_name, is_nullable = 'NO', COALESCE((
            SELECT array_position(conkey, ordinal_position::int2) FROM pg_constraint
            WHERE conrelid = (table_schema || '.' || table_name)::regclass AND contype = 'p'
        ), 0) FROM information_schema.columns WHERE table_schema = '{place.schema}'
    """
    in_postgres = {row[:3]: row[3] for row in execute(place, columns) if row[0] not in OWN}
    assert in_postgres == in_sqlite


@pytest.mark.parametrize("version", list(steps()))
def test_a_schema_of_every_version_opens_with_its_account(postgres_server: PostgresServer, version: int) -> None:
    place = postgres_server.address()
    dump = (FIXTURES / f"postgres_{version:04d}.sql").read_text(encoding="utf-8")
    execute(replace(place, schema="public"), re.sub(r"\bwattrail(?=[.;])", place.schema, dump))
    with open_store(place) as store:
        row = store.meter("house")
        assert row is not None
        ledger = store.ledger(row.id)
        assert ledger is not None
        assert ledger.totals() == TOTALS
        assert len(store.entries(row.id)) == 4
        while store.catch_up_rollups():  # readings of before the rollups
            pass
        assert sum(point.readings for point in store.series(row.id, START, START + timedelta(days=90))) == 185
        reading, seen = look(185)
        store.append(row.id, reading, seen, ledger.observe(seen))  # ids go on after those of the dump
    with open_to_read(place) as reader:
        assert reader.broken_links(row.id) == reader.file_problems() == ()


def test_a_step_that_fails_leaves_the_version_before_it(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, known = postgres_server.address(), steps()
    open_store(place).close()
    following = {
        **known,
        latest_version() + 1: "CREATE TABLE following (id integer)",
        latest_version() + 2: "CREATE TABLE other (id integer); CREATE TABLE meter (twice integer)",
    }
    monkeypatch.setattr(postgres_schema, "steps", lambda: following)
    with pytest.raises(StoreError, match="already exists"):
        open_store(place)
    tables = execute(place, f"SELECT tablename FROM pg_tables WHERE schemaname = '{place.schema}'")
    assert not {("following",), ("other",)} & set(tables)
    assert execute(place, "SELECT version FROM wattrail_schema") == [(max(known),)]
    following.popitem()
    open_store(place).close()
    assert execute(place, "SELECT version FROM wattrail_schema") == [(max(known) + 1,)]


def test_both_have_the_same_guards(postgres_server: PostgresServer, tmp_path: Path) -> None:
    place, path = postgres_server.address(), tmp_path / "w.sqlite"
    for address in (place, path):
        open_store(address).close()
    in_sqlite = {name for (name,) in execute(path, "SELECT name FROM sqlite_schema WHERE type = 'trigger'")}
    triggers = f"SELECT DISTINCT trigger_name FROM information_schema.triggers WHERE trigger_schema = '{place.schema}'"
    assert {name for (name,) in execute(place, triggers)} == in_sqlite  # TRUNCATE, which SQLite lacks, is not listed
