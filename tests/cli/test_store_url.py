"""The verbs of a person whose meters are in a PostgreSQL database, given by option or by configuration."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.databases import REFUSAL, execute, forge
from tests.postgres_server import PostgresServer
from tests.store.rig import CALIBRATION, START, live_through, register
from wattrail.database_address import DatabaseAddress, PostgresAddress
from wattrail.store import GatewayLock, open_store
from wattrail.store.access import AccessBook

pytestmark = pytest.mark.usefixtures("manual_clock")


@pytest.fixture
def house(postgres_server: PostgresServer) -> PostgresAddress:
    """Five minutes of a house, with a kept calibration."""
    address = postgres_server.address()
    fill(address)
    return address


def fill(address: DatabaseAddress) -> None:
    with open_store(address) as store:
        meter = register(store)
        store.book(meter, live_through(store, meter, range(300)).close())
        store.keep_calibration("house", CALIBRATION, simulated=False, origin="measured", by="ada", at=START)


@pytest.fixture
def configured(house: PostgresAddress) -> PostgresAddress:
    """The same, named by the configuration."""
    meter = '[[meter]]\nname = "house"\nurl = "serial:///dev/ttyUSB0"\n'
    Path("wattrail.toml").write_text(f'{meter}[store]\nurl = "{house}"\n', encoding="utf-8")
    return house


def test_every_verb_of_the_ledger_takes_the_url(wattrail: Type, house: PostgresAddress, tmp_path: Path) -> None:
    fill(tmp_path / "same.sqlite")
    where = ("--database", str(house))
    shown = wattrail("ledger", "show", *where)
    assert shown == wattrail("ledger", "show", "--database", str(tmp_path / "same.sqlite"))
    assert "in 6 entries" in shown.out
    adjusted = wattrail("ledger", "adjust", "--import-kwh", "1", "--reason", "swapped", "--who", "ada", *where)
    assert adjusted.code == 0, adjusted
    assert wattrail("ledger", "show", *where).out != shown.out
    verified = wattrail("ledger", "verify", *where)
    assert (verified.code, "1 stated: nothing differs" in verified.out) == (0, True), verified
    assert wattrail("alarm", "test", *where).code == 0
    assert "test of the alarms" in wattrail("alarm", "list", "--events", "2", *where).out
    assert "by ada" in wattrail("calibration", "list", "house", *where).out
    assert wattrail("publish", "refused", *where).code == 0


@pytest.mark.parametrize("what", ["readings", "entries", "energy"])
def test_an_export_is_the_same_from_a_server_and_from_a_file(
    wattrail: Type, house: PostgresAddress, tmp_path: Path, what: str
) -> None:
    fill(tmp_path / "same.sqlite")
    words = ("store", "export", "house", "--what", what, "--by", "15min")
    from_server = wattrail(*words, "--database", str(house))
    assert from_server == wattrail(*words, "--database", str(tmp_path / "same.sqlite"))
    assert from_server.code == 0, from_server
    assert from_server.out.count("\n") > 1


def test_the_configuration_names_it_for_all_verbs(wattrail: Type, configured: PostgresAddress) -> None:
    assert "house" in wattrail("ledger", "show").out
    checked = wattrail("config", "check", "--json")
    assert json.loads(checked.out)["database"] == str(configured)


def test_a_path_and_a_url_together_are_refused(wattrail: Type) -> None:
    Path("wattrail.toml").write_text('[store]\npath = "a"\nurl = "postgresql:///b"\n', encoding="utf-8")
    assert "path and url both name the database" in wattrail("ledger", "show").err
    Path("wattrail.toml").write_text('[store]\nurl = "meters.sqlite"\n', encoding="utf-8")
    assert "a file is a path" in wattrail("ledger", "show").err
    Path("wattrail.toml").write_text('[store]\nurl = "postgresql://ada:secret@db/meters"\n', encoding="utf-8")
    said = wattrail("ledger", "show")
    assert "holds no user and no password" in said.err
    assert "secret@" not in said.err


def test_a_row_that_was_altered_is_named(wattrail: Type, house: PostgresAddress) -> None:
    forge(house, "UPDATE entry SET note = 'x' WHERE sequence = 3")
    said = wattrail("ledger", "verify", "--database", str(house))
    assert (said.code, "entry 3: its content is altered" in said.out) == (6, True), said
    forge(house, "DELETE FROM entry WHERE sequence > 3")
    with open_store(house) as store, pytest.raises(Exception, match="is damaged: it holds 3 entries"):
        store.ledger(1)


def test_a_renamed_meter_keeps_everything_and_its_guards(wattrail: Type, configured: PostgresAddress) -> None:
    said = wattrail("ledger", "rename", "house", "cellar")
    assert (said.code, said.out) == (0, f"house is cellar in {configured}\n")
    assert wattrail("ledger", "verify").code == 0
    with open_store(configured) as store:
        assert (len(store.calibrations("cellar")), store.calibrations("house")) == (1, ())
    with pytest.raises(REFUSAL, match="never edited"):
        execute(configured, "UPDATE calibration SET turns = 2")


def test_a_meter_is_not_renamed_beside_a_gateway(wattrail: Type, configured: PostgresAddress) -> None:
    with GatewayLock(configured):
        said = wattrail("ledger", "rename", "house", "cellar")
        assert said.code == 1
        assert "is in use by a gateway" in said.err
        assert "hint: stop wattrail run" in said.err
    assert wattrail("ledger", "rename", "house", "cellar").code == 0


def test_a_second_gateway_is_refused_before_it_reads_a_meter(wattrail: Type, house: PostgresAddress) -> None:
    with GatewayLock(house) as lock:
        lock.set_address("http://127.0.0.1:8042/")
        said = wattrail("run", "--no-web", "--database", str(house))
    assert said.code == 1
    assert "another gateway uses postgresql://" in said.err
    assert "page http://127.0.0.1:8042/" in said.err


def test_users_and_tokens_are_kept_there_too(
    wattrail: Type, house: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("--database", str(house))
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\nanother long one\n"))
    assert wattrail("user", "add", "anna", "--scope", "adjust", *where).code == 0
    assert "there is a user 'anna' already" in wattrail("user", "add", "anna", *where).err
    assert wattrail("user", "passwd", "anna", *where).out == "anna has another password, and every session has ended\n"
    assert "anna" in wattrail("user", "list", *where).out
    assert wattrail("token", "create", "grafana", *where).code == 0
    assert wattrail("token", "revoke", "grafana", *where).code == 0
    with AccessBook(house, read_only=True) as book:
        assert [record.action for record in book.audit(9)][-1] == "user add"
        assert [token.revoked_at is None for token in book.tokens()] == [False]
        first = book.audit(9)[0]
        assert first not in book.audit(9, before=first.id)


def test_a_schema_is_checked_backed_up_restored_and_vacuumed(
    wattrail: Type, house: PostgresAddress, tmp_path: Path
) -> None:
    where, copy = ("--database", str(house)), tmp_path / "copy.sqlite"
    said = wattrail("store", "check", *where)
    assert (said.code, "the schema is whole, and the ledgers add up" in said.out) == (0, True), said
    said = wattrail("store", "backup", str(copy), *where)
    assert (said.code, f"{copy}: " in said.out, "written and checked in" in said.out) == (0, True, True), said
    with open_store(house) as store:
        live_through(store, 1, range(300, 600))
    said = wattrail("store", "restore", str(copy), *where)
    assert "the database that stood there is postgresql:" in said.out
    assert f"schema={house.schema}_replaced_" in said.out
    assert "only there: 5 entries of house" in said.out
    assert wattrail("store", "vacuum", *where).code == 0
    assert json.loads(wattrail("store", "check", "--json", *where).out)["meters"][0]["entries"] == 6


def test_sums_of_a_schema_are_made_again(wattrail: Type, house: PostgresAddress) -> None:
    with open_store(house) as store:
        live_through(store, 1, range(300, 1300))
    forge(house, "DELETE FROM quarter_sum")
    where = ("--database", str(house))
    said = wattrail("store", "check", *where)
    assert (said.code, "house: sum of the quarter hour" in said.out, "--rebuild" in said.err) == (6, True, True), said
    said = wattrail("store", "check", "--rebuild", *where)
    assert (said.code, "1 row of quarter_sum made again" in said.out) == (0, True), said


def test_damage_of_a_schema_is_said_with_its_remedy(wattrail: Type, house: PostgresAddress) -> None:
    forge(house, "DELETE FROM entry WHERE sequence = 3")
    said = wattrail("store", "check", "--database", str(house))
    assert (said.code, "house: entry 3: what the database holds is nothing" in said.out) == (6, True), said
    assert "hint: stop the gateway, then put a backup in its place" in said.err
