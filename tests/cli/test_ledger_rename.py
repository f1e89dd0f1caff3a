"""A meter gets another name, and keeps everything else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.store.rig import CALIBRATION, START, look, register
from wattrail.app.config import data_dir, demo_database
from wattrail.ledger import Totals
from wattrail.store import open_store
from wattrail.store.outbox import Announced, Outbox, StoredRegisters

pytestmark = pytest.mark.usefixtures("manual_clock")


@pytest.fixture
def database(home: Path, hour_of_a_house: bytes) -> Path:
    """An hour of a house that Home Assistant knows, with a calibration that a person kept."""
    path = data_dir() / "wattrail.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(hour_of_a_house)
    with open_store(path) as store:
        meter = store.meters()[0].id
        store.keep_calibration("house", CALIBRATION, simulated=False, origin="measured", by="ada", at=START)
    with Outbox(path, "mqtt") as outbox:
        assert outbox.identity("house") is not None
        outbox.add([StoredRegisters(meter_id=meter, at=START, totals=Totals(1, 0))])
        outbox.announce([Announced(topic="meters/house/state", meter_id=meter)])
    return path


def test_ledger_and_identity_stay_under_the_new_name(wattrail: Type, database: Path) -> None:
    with Outbox(database, "mqtt") as outbox:
        before = outbox.identity("house")
    said = wattrail("ledger", "rename", "house", "cellar")
    assert (said.code, said.out) == (0, f"house is cellar in {database}\n")
    assert "3.058262" in wattrail("ledger", "show", "cellar").out
    assert wattrail("ledger", "verify").code == 0
    with Outbox(database, "mqtt") as outbox:
        after = outbox.identity("cellar")
        assert before is not None
        assert after is not None
        assert (after.meter_id, after.identity) == (before.meter_id, before.identity)
        assert (outbox.count(), outbox.identity("house")) == (1, None)


def test_kept_calibrations_go_along_and_stay_guarded(wattrail: Type, database: Path) -> None:
    wattrail("ledger", "rename", "house", "cellar")
    with open_store(database) as store:
        assert len(store.calibrations("cellar")) == 1
        assert store.calibrations("house") == ()
    with closing(sqlite3.connect(database)) as connection, pytest.raises(sqlite3.IntegrityError, match="never edited"):
        connection.execute("UPDATE calibration SET turns = 2")


def test_the_account_counts_on_and_verifies(wattrail: Type, database: Path) -> None:
    wattrail("ledger", "rename", "house", "cellar")
    with open_store(database) as store:
        meter = register(store, "cellar")
        ledger = store.ledger(meter)
        assert ledger is not None
        for second in range(3600, 3720):
            reading, seen = look(second)
            store.append(meter, reading, seen, ledger.observe(seen))
        assert [row.name for row in store.meters()] == ["cellar"]
    assert "nothing differs" in wattrail("ledger", "verify", "cellar").out


def test_a_database_in_use_is_refused_and_left_as_it_is(wattrail: Type, database: Path) -> None:
    with open_store(database) as gateway:
        gateway.meters()
        said = wattrail("ledger", "rename", "house", "cellar")
        assert said.code == 1
        assert f"{database} is in use" in said.err
        assert "hint: stop wattrail run" in said.err
        assert [row.name for row in gateway.meters()] == ["house"]
    assert wattrail("ledger", "rename", "house", "cellar").code == 0


def test_a_name_with_an_account_or_calibrations_is_refused(wattrail: Type, database: Path) -> None:
    with open_store(database) as store:
        register(store, "garage")
        store.keep_calibration("shed", CALIBRATION, simulated=False, origin="measured", by="ada", at=START)
    assert "'garage' has an account of its own" in wattrail("ledger", "rename", "house", "garage").err
    assert "calibrations are kept for 'shed'" in wattrail("ledger", "rename", "house", "shed").err
    assert "'house' has an account of its own" in wattrail("ledger", "rename", "house", "house").err
    assert "no meter is named 'huose'" in wattrail("ledger", "rename", "huose", "cellar").err
    assert "is not a meter name" in wattrail("ledger", "rename", "house", "a/b").err
    assert wattrail("ledger", "show", "house").code == 0


def test_the_line_to_change_in_the_configuration_is_named(wattrail: Type, database: Path) -> None:
    Path("wattrail.toml").write_text('[[meter]]\nname = "house"\nurl = "serial:///dev/ttyUSB0"\n', encoding="utf-8")
    said = wattrail("ledger", "rename", "house", "cellar")
    assert 'in wattrail.toml, write name = "cellar" in place of name = "house"' in said.err


def test_a_demo_twin_that_is_renamed_is_followed_by_a_new_one(wattrail: Type, home: Path) -> None:
    with open_store(demo_database()) as store:
        register(store, "twin")
    said = wattrail("ledger", "rename", "twin", "toy")
    assert said.code == 0
    assert "wattrail run without a [[meter]] opens a new account named twin" in said.err
    assert "this undoes it: wattrail ledger rename toy twin" in said.err
    assert "opens a new account" not in wattrail("ledger", "rename", "toy", "twin").err
