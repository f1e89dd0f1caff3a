"""A database file is made, brought up to date, or refused untouched."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.rig import CALIBRATION, live_through, register
from wattrail.errors import StoreError
from wattrail.ledger import Totals
from wattrail.store import open_store, open_to_read
from wattrail.store.schema import APPLICATION_ID, migrate, migrations

FIXTURES = Path(__file__).parent / "fixtures"
TOTALS = Totals(149515, 100582)
"""What the household of the fixtures had used: 185 seconds of it."""


def pragma(path: Path, name: str) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]


def schema_of(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").fetchall()
    return {" ".join(row[0].split()) for row in rows}


def test_a_new_file_gets_its_folder_its_mark_and_the_newest_schema(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "wattrail.sqlite"
    open_store(path).close()
    assert pragma(path, "user_version") == len(migrations())
    assert pragma(path, "application_id") == APPLICATION_ID
    assert pragma(path, "journal_mode") == "wal"


def test_a_file_of_a_newer_program_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "w.sqlite"
    open_store(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="schema version 99; this program knows versions up to") as caught:
        open_store(path)
    assert "update wattrail" in str(caught.value.hint)
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "photos.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photo (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        open_store(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["no database at all", "a page of noise"])
def test_a_damaged_file_is_refused_with_the_way_to_recover_it(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "w.sqlite"
    if damage == "no database at all":
        path.write_bytes(b"dear diary, today the meter said nothing " * 200)
    else:
        with open_store(path) as store:
            live_through(store, register(store), range(900))
        content = bytearray(path.read_bytes())
        middle = len(content) // 2 // 4096 * 4096
        content[middle : middle + 8192] = b"\xa5" * 8192
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="damaged") as caught:
        open_store(path)
    assert ".recover" in str(caught.value.hint)
    assert path.read_bytes() == before


def test_a_migration_that_fails_leaves_the_version_before_it(tmp_path: Path) -> None:
    path = tmp_path / "w.sqlite"
    open_store(path).close()
    steps = (*migrations(), "CREATE TABLE next (id INTEGER); CREATE TABLE meter (twice INTEGER);")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            migrate(connection, path, steps)
        connection.rollback()
    assert pragma(path, "user_version") == len(migrations())
    assert not any("next" in sql for sql in schema_of(path))


@pytest.mark.parametrize("version", range(1, len(migrations()) + 1))
def test_a_file_of_every_version_there_ever_was_opens_with_its_account(tmp_path: Path, version: int) -> None:
    path, fresh = tmp_path / "old.sqlite", tmp_path / "fresh.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FIXTURES / f"version_{version:04d}.sql").read_text(encoding="utf-8"))
    open_store(fresh).close()
    with open_store(path) as store:
        row = store.meter("house")
        assert row is not None
        ledger = store.ledger(row.id)
        assert ledger is not None
        assert ledger.totals() == TOTALS
        assert len(store.entries(row.id)) == 4
    assert schema_of(path) == schema_of(fresh)
    with open_to_read(path) as reader:  # rows of every age are in the chain
        assert reader.broken_links(row.id) == reader.file_problems() == reader.derived_problems() == ()


def test_a_damaged_file_of_an_older_version_is_not_brought_up_to_date(tmp_path: Path) -> None:
    # Rows that an index misses pass the quick check; giving them hashes would seal the damage.
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FIXTURES / "version_0003.sql").read_text(encoding="utf-8"))
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, 'ended_at', 'started_at') WHERE type = 'index'")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"is damaged: row .* missing from index"):
        open_store(path)
    assert path.read_bytes() == before


def test_a_store_in_memory_is_refused_as_its_reader_would_see_nothing() -> None:
    with pytest.raises(StoreError, match="needs a file"):
        open_store(":memory:")


def test_a_folder_that_cannot_be_made_is_reported_as_such(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(StoreError, match="file"):
        open_store(tmp_path / "file" / "w.sqlite")


def test_a_closed_store_says_so_instead_of_crashing(tmp_path: Path) -> None:
    store = open_store(tmp_path / "w.sqlite")
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.register_meter("house", "twin://pziot-e01", simulated=True, calibration=CALIBRATION)


def test_two_processes_that_open_a_new_file_at_once_both_get_it(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite"

    class Late(tuple[str, ...]):
        """Steps of a process that looked at the empty file, and then was overtaken by another."""

        def __getitem__(self, place: object) -> object:  # type: ignore[override]
            if isinstance(place, slice) and not pragma(path, "user_version"):
                open_store(path).close()
            return super().__getitem__(place)  # type: ignore[index]

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, path, Late(migrations()))
    assert pragma(path, "user_version") == len(migrations())
    open_store(path).close()
