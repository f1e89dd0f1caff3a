"""A schema on a server is backed up into a file and put back: the same rows, the same hashes, all or nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.databases import execute
from tests.postgres_server import PostgresServer
from tests.store.rig import live_through, look, register
from tests.store.test_opening import FIXTURES, TOTALS
from wattrail.database_address import DatabaseAddress, PostgresAddress
from wattrail.errors import StoreError
from wattrail.store import GatewayLock, open_store, open_to_read
from wattrail.store.backup import back_up
from wattrail.store.file_check import require_sound
from wattrail.store.restore import restore
from wattrail.store.schema import migrations
from wattrail.store.server_backup import back_up_server, restore_to_server, vacuum_server
from wattrail.store.server_check import server_content, server_findings

NOW = datetime(2026, 11, 29, 13, tzinfo=UTC)


@pytest.fixture
def house(postgres_server: PostgresServer) -> PostgresAddress:
    address = postgres_server.address()
    with open_store(address) as store:
        live_through(store, register(store), range(600), together=600)
    return address


def every_row(address: DatabaseAddress) -> dict[str, list[object]]:
    """All tables that both have, in the order of their rows."""
    with closing(sqlite3.connect(":memory:")) as shape:
        for sql in migrations():
            shape.executescript(sql)
        tables = {
            str(name): ", ".join(str(row[1]) for row in shape.execute(f"SELECT * FROM pragma_table_info('{name}')"))
            for (name,) in shape.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            ).fetchall()
        }
    return {
        name: sorted(map(repr, execute(address, f"SELECT {columns} FROM {name}"))) for name, columns in tables.items()
    }


def test_a_backup_of_a_server_stands_by_itself_as_a_file(house: PostgresAddress, tmp_path: Path) -> None:
    made = back_up_server(house, tmp_path / "copy.sqlite")
    assert (tmp_path / "copy.sqlite").stat().st_mode & 0o777 == 0o600
    assert [(meter.name, meter.entries, meter.readings) for meter in made.content.meters] == [("house", 10, 600)]
    assert every_row(tmp_path / "copy.sqlite") == every_row(house)
    with open_store(tmp_path / "copy.sqlite") as store:
        live_through(store, 1, range(600, 700))
    require_sound(tmp_path / "copy.sqlite")


def test_every_table_goes_to_a_server_and_back(postgres_server: PostgresServer, tmp_path: Path) -> None:
    path, place = tmp_path / "w.sqlite", postgres_server.address()
    version = len(migrations())
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FIXTURES / f"version_{version:04d}.sql").read_text(encoding="utf-8"))
    done = restore_to_server(path, place, at=NOW)
    assert (done.kept_as, done.lost) == (None, ())
    assert every_row(place) == every_row(path)
    back_up_server(place, tmp_path / "back.sqlite")
    assert every_row(tmp_path / "back.sqlite") == every_row(path)
    numbers = "SELECT name, seq FROM sqlite_sequence WHERE seq > 0 ORDER BY name"
    assert execute(tmp_path / "back.sqlite", numbers) == execute(path, numbers)
    with open_store(place) as store:
        ledger = store.ledger(1)
        assert ledger is not None
        assert ledger.totals() == TOTALS
        reading, seen = look(185)
        store.append(1, reading, seen, ledger.observe(seen))  # ids go on
    assert server_findings(place) == ()


def test_a_backup_of_an_older_file_goes_to_a_server(postgres_server: PostgresServer, tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FIXTURES / "version_0007.sql").read_text(encoding="utf-8"))
    place = postgres_server.address()
    done = restore_to_server(path, place, at=NOW)
    assert (done.migrated_from, done.content.version) == (7, len(migrations()))
    assert server_findings(place) == ()


def test_what_a_restore_replaces_stays_beside_it(house: PostgresAddress, tmp_path: Path) -> None:
    back_up_server(house, tmp_path / "copy.sqlite")
    with open_store(house) as store:
        live_through(store, 1, range(600, 900))
    before = every_row(house)
    done = restore_to_server(tmp_path / "copy.sqlite", house, at=NOW)
    assert done.kept_as == replace(house, schema=f"{house.schema}_replaced_20261129_130000")
    assert every_row(done.kept_as) == before
    assert [part.entries for part in done.lost] == [5]
    assert server_content(house).meters[0].entries == 10
    assert every_row(house) == every_row(tmp_path / "copy.sqlite")


def test_a_restore_that_fails_leaves_the_schema_as_it_was(
    house: PostgresAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up_server(house, tmp_path / "copy.sqlite")
    before = every_row(house)

    def broken(*_: object) -> None:
        raise StoreError("the disk of the server is full")

    monkeypatch.setattr("wattrail.store.server_backup._go_on_with_ids", broken)
    with pytest.raises(StoreError, match="full"):
        restore_to_server(tmp_path / "copy.sqlite", house, at=NOW)
    assert every_row(house) == before
    schemas = execute(house, f"SELECT nspname FROM pg_namespace WHERE nspname LIKE '{house.schema}_%'")
    assert schemas == []


def test_a_backup_of_a_server_is_of_one_moment(house: PostgresAddress, tmp_path: Path) -> None:
    with open_store(house) as store, open_to_read(house):
        live_through(store, 1, range(600, 660))
        made = back_up_server(house, tmp_path / "copy.sqlite")
        live_through(store, 1, range(660, 800))
    assert made.content.meters[0].readings == 660


def test_a_damaged_backup_goes_to_no_server(house: PostgresAddress, tmp_path: Path) -> None:
    back_up_server(house, tmp_path / "copy.sqlite")
    content = bytearray((tmp_path / "copy.sqlite").read_bytes())
    content[5000:5400] = bytes(400)
    (tmp_path / "copy.sqlite").write_bytes(content)
    before = every_row(house)
    with pytest.raises(StoreError, match="damaged"):
        restore_to_server(tmp_path / "copy.sqlite", house, at=NOW)
    assert every_row(house) == before


def test_restore_and_vacuum_of_a_schema_name_the_gateway(house: PostgresAddress, tmp_path: Path) -> None:
    back_up_server(house, tmp_path / "copy.sqlite")
    with GatewayLock(house):
        with pytest.raises(StoreError, match=r"another gateway uses .*; nothing was restored"):
            restore_to_server(tmp_path / "copy.sqlite", house, at=NOW)
        with pytest.raises(StoreError, match=r"another gateway uses .*; it is as it was"):
            vacuum_server(house)


def test_vacuum_of_a_schema_gives_space_back_and_keeps_rows(house: PostgresAddress) -> None:
    execute(house, "DELETE FROM reading WHERE id < 580")
    before = every_row(house)
    done = vacuum_server(house)
    assert done.after < done.before
    assert every_row(house) == before


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("ALTER TABLE entry DISABLE TRIGGER entry_is_never_edited", "the guard entry_is_never_edited is disabled"),
        ("UPDATE wattrail_schema SET version = 9999", "has schema version 9999; this program knows|reads"),
        ("DROP TABLE wattrail_schema", "holds tables of another program"),
    ],
    ids=["guard", "newer", "foreign"],
)
def test_a_schema_that_is_not_as_it_should_be_is_found(house: PostgresAddress, sql: str, says: str) -> None:
    execute(house, sql)
    try:
        found = "; ".join(finding.text for finding in server_findings(house))
    except StoreError as error:
        found = str(error)
    assert any(part in found for part in says.split("|"))


def test_a_file_and_a_server_hold_the_same_after_a_move(house: PostgresAddress, tmp_path: Path) -> None:
    path = tmp_path / "w.sqlite"
    back_up_server(house, tmp_path / "moved.sqlite")
    restore(tmp_path / "moved.sqlite", path, at=NOW)
    back_up(path, tmp_path / "again.sqlite")
    restore_to_server(tmp_path / "again.sqlite", house, at=NOW)
    assert every_row(house) == every_row(path)
