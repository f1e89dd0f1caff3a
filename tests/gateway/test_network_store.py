"""Network meters while the database cannot be written: all of them wait, in one place, and none is failed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.gateway.network_rig import House, running
from tests.gateway.test_network import device, http
from tests.sources.conftest import run
from wattrail.gateway import MeterState
from wattrail.ledger import EntryKind
from wattrail.twin.network.serving import serve_web

NAMES = ("attic", "barn", "cellar")


def wait(house: House) -> list[bool]:
    return [house.view(name).unstored is not None for name in NAMES]


def test_readings_of_network_meters_wait_and_are_stored_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("wattrail.gateway.bookkeeping.WRITE_WITHIN_S", 0.0)

    async def story() -> None:
        async with (
            serve_web(device().answer) as place,
            running(tmp_path, *(http(name, place) for name in NAMES)) as house,
        ):
            for name in NAMES:
                await house.readings(name, 2)
            with closing(sqlite3.connect(house.store.path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                await house.until(lambda house: all(wait(house)), "all meters wait")
                await house.readings("barn", 5)
                assert {house.view(name).state for name in NAMES} == {MeterState.LIVE}
                assert house.view("barn").unstored is not None
                other.execute("ROLLBACK")
            await house.until(lambda house: not any(wait(house)), "all is stored")
            path = house.store.path
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT meter_id, elapsed_us FROM reading ORDER BY id").fetchall()
            kinds = {kind for (kind,) in connection.execute("SELECT DISTINCT kind FROM entry")}
        for meter_id in {meter_id for meter_id, _ in rows}:
            elapsed = [elapsed_us for each, elapsed_us in rows if each == meter_id]
            assert elapsed[0] is None
            assert None not in elapsed[1:], "no account was given up"
        assert kinds <= {EntryKind.START.value, EntryKind.COUNTED.value}

    run(story())
    said = [record.getMessage() for record in caplog.records if "readings are" in record.getMessage()]
    assert len(said) == 2, "once at the beginning, once at the end, for three meters"
