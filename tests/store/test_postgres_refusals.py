"""A server or a schema that cannot be used: refused with a reason and a remedy, and left as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.databases import execute
from tests.postgres_server import PostgresServer
from tests.store.rig import live_through, register
from wattrail.database_address import PostgresAddress
from wattrail.errors import MissingExtra, StoreError
from wattrail.store import open_store, open_to_read, postgres_connection

PASSWORD = "correct-horse"


@pytest.fixture
def place(postgres_server: PostgresServer) -> PostgresAddress:
    return postgres_server.address()


@pytest.fixture
def guarded(postgres_server: PostgresServer, place: PostgresAddress) -> Iterator[PostgresAddress]:
    """A schema of a role that needs a password."""
    postgres_server.execute(
        f"CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'", f"CREATE SCHEMA {place.schema} AUTHORIZATION guarded"
    )
    yield replace(place, user="guarded", login="store")
    postgres_server.execute(f"DROP SCHEMA {place.schema} CASCADE", "DROP ROLE guarded")


def refused(address: PostgresAddress) -> StoreError:
    with pytest.raises(StoreError) as caught:
        open_store(address)
    assert PASSWORD not in f"{caught.value}{caught.value.hint}"
    return caught.value


def test_a_login_of_the_secrets_file_opens_it(
    guarded: PostgresAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(f'[store]\nuser = "guarded"\npassword = "{PASSWORD}"\n')
    secrets.chmod(0o600)
    monkeypatch.setenv("WATTRAIL_SECRETS", str(secrets))
    with open_store(replace(guarded, user="")) as store:
        live_through(store, register(store), range(3))
        assert PASSWORD not in str(store.path)


def test_a_password_of_libpqs_own_environment_opens_it(
    guarded: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    open_store(guarded).close()


def test_a_wrong_password_is_refused_with_the_name_of_the_login(
    guarded: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTRAIL_LOGIN_STORE", f"guarded:{PASSWORD}-battery")
    error = refused(guarded)
    assert "password authentication failed for user" in str(error)
    assert "[store] in secrets.toml" in str(error.hint)


def test_a_database_that_is_missing_is_named_with_the_way_to_make_it(place: PostgresAddress) -> None:
    error = refused(replace(place, database="nowhere"))
    assert 'database "nowhere" does not exist' in str(error)
    assert "docs/store.md, PostgreSQL" in str(error.hint)


def test_a_role_that_may_not_make_a_schema_is_refused(postgres_server: PostgresServer, place: PostgresAddress) -> None:
    postgres_server.execute("CREATE ROLE reader LOGIN")
    try:
        error = refused(replace(place, user="reader"))
        assert "permission denied for database" in str(error)
        assert "role, database and rights" in str(error.hint)
    finally:
        postgres_server.execute("DROP ROLE reader")


def test_a_role_that_may_only_read_reads(postgres_server: PostgresServer, place: PostgresAddress) -> None:
    with open_store(place) as store:
        live_through(store, register(store), range(3))
    rights = f"GRANT SELECT ON ALL TABLES IN SCHEMA {place.schema} TO reader"
    postgres_server.execute("CREATE ROLE reader LOGIN", f"GRANT USAGE ON SCHEMA {place.schema} TO reader", rights)
    try:
        with open_to_read(replace(place, user="reader")) as reader:
            assert [row.name for row in reader.meters()] == ["house"]
    finally:
        postgres_server.execute("DROP OWNED BY reader", "DROP ROLE reader")


def test_the_statements_of_the_documents_set_it_up(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs/store.md").read_text(encoding="utf-8")
    (sql,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    statements = sql.replace("…", PASSWORD).replace("wattrail", "guarded").strip().splitlines()
    postgres_server.execute(*statements)
    try:
        monkeypatch.setenv("WATTRAIL_LOGIN_STORE", f"guarded:{PASSWORD}")
        address = PostgresAddress(host=str(postgres_server.folder), database="meters", login="store")
        with open_store(address) as store:
            live_through(store, register(store), range(3))
    finally:
        postgres_server.execute("DROP DATABASE meters", "DROP ROLE guarded")


def test_a_server_that_is_too_old_is_refused(place: PostgresAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_connection, "MIN_SERVER_VERSION", 990_000)
    assert "expected 99 or later" in str(refused(place))


def test_a_database_of_another_encoding_is_refused(postgres_server: PostgresServer, place: PostgresAddress) -> None:
    postgres_server.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    try:
        error = refused(replace(place, database="latin"))
        assert "encoding LATIN1, expected UTF8" in str(error)
        assert "CREATE DATABASE" in str(error.hint)
    finally:
        postgres_server.execute("DROP DATABASE latin")


def test_a_schema_of_a_newer_program_is_refused_and_left_as_it_was(place: PostgresAddress) -> None:
    open_store(place).close()
    execute(place, "UPDATE wattrail_schema SET version = 99")
    error = refused(place)
    assert "has schema version 99; this program knows versions up to" in str(error)
    assert "update wattrail" in str(error.hint)
    with pytest.raises(StoreError, match="schema version 99; this program reads"), open_to_read(place):
        pass
    assert execute(place, "SELECT version FROM wattrail_schema") == [(99,)]


def test_a_schema_with_tables_of_another_program_is_refused_and_left(place: PostgresAddress) -> None:
    execute(place, f"CREATE SCHEMA {place.schema}", f"CREATE TABLE {place.schema}.photo (id integer)")
    assert "tables of another program" in str(refused(place))
    tables = execute(place, f"SELECT tablename FROM pg_tables WHERE schemaname = '{place.schema}'")
    assert tables == [("photo",)]


def test_reading_makes_no_tables(place: PostgresAddress) -> None:
    with pytest.raises(StoreError, match="holds no meters yet"), open_to_read(place):
        pass
    assert execute(place, f"SELECT * FROM pg_namespace WHERE nspname = '{place.schema}'") == []


def test_a_server_that_does_not_run_is_said(place: PostgresAddress, tmp_path: Path) -> None:
    error = refused(replace(place, host=str(tmp_path)))
    assert "the server cannot be reached" in str(error)
    assert "start the server" in str(error.hint)


def test_without_the_library_the_error_names_the_command_that_installs_it(
    place: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "wattrail.store.postgres_database", None)
    with pytest.raises(MissingExtra, match="psycopg"):
        open_store(place)
