"""A virtual meter on the command line: its definitions, its proof, and what cannot be read."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.gateway.test_virtual_meter import BALANCE, TWO, Street
from wattrail.app.config import data_dir
from wattrail.store import verification

pytestmark = pytest.mark.usefixtures("manual_clock")


@pytest.fixture
def database(home: Path) -> Path:
    path = data_dir() / "wattrail.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    street = Street(path)
    street.run(150)
    street.stop()
    street.start(TWO)
    street.run(150)
    street.stop()
    return path


def test_show_names_the_definition_of_each_entry(wattrail: Type, database: Path) -> None:
    out = wattrail("ledger", "show", "house").out
    assert f": {BALANCE.url}\n" in out
    assert f": {TWO.url}" in out
    shown = json.loads(wattrail("ledger", "show", "house", "--json").out)
    assert [one["definition"] for one in shown["definitions"]] == [BALANCE.url, TWO.url]
    assert json.loads(wattrail("ledger", "show", "l1", "--json").out)["definitions"] == []


def test_verify_derives_every_entry_again(wattrail: Type, database: Path) -> None:
    assert "house: 7 entries, 0 stated: nothing differs" in wattrail("ledger", "verify", "house").out


def altered(database: Path, change: str) -> None:
    """Another third entry of the house."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DROP TRIGGER entry_is_never_edited")
        connection.execute(
            f"UPDATE entry SET {change} WHERE sequence = 3 AND meter_id = (SELECT id FROM meter WHERE name = 'house')"
        )


@pytest.mark.parametrize("rows", [2, 5_000])
def test_verify_names_an_entry_that_its_members_did_not_book(
    wattrail: Type, database: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(verification, "PAGE_ROWS", rows)
    assert "nothing differs" in wattrail("ledger", "verify", "house").out
    altered(database, "negative = negative + 5, export_count = export_count + 5")
    said = wattrail("ledger", "verify", "house")
    assert said.code == 6
    assert "entry 3: its energy is import" in said.out
    assert "as its members booked" in said.out


def test_verify_goes_on_past_an_entry_of_a_definition_that_is_not_there(wattrail: Type, database: Path) -> None:
    altered(database, "epoch = 9")
    said = wattrail("ledger", "verify", "house")
    assert said.code == 6
    assert "entry 3: its epoch is 9" in said.out


def test_reading_a_virtual_meter_says_what_to_do_instead(wattrail: Type, home: Path) -> None:
    config = home / "w.toml"
    config.write_text(
        '[[meter]]\nname = "a"\nurl = "twin://pziot-e01"\n[[virtual]]\nname = "v"\nkind = "sum"\nplus = ["a"]\n'
    )
    said = wattrail("meter", "read", "v", "--config", str(config))
    assert said.code == 2
    assert "v is a virtual meter" in said.err
    assert "wattrail ledger show v" in said.err


def test_a_member_keeps_its_name_and_the_virtual_meter_may_change(wattrail: Type, database: Path) -> None:
    said = wattrail("ledger", "rename", "l1", "kitchen")
    assert said.code == 1
    assert "'l1' is a member of the virtual meter 'house'" in said.err
    assert wattrail("ledger", "rename", "house", "home").code == 0
    assert "nothing differs" in wattrail("ledger", "verify", "home").out
