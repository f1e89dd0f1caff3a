from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.databases import REFUSAL, execute
from tests.publish.rig import AT, Site
from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.ledger import Totals
from wattrail.store.outbox import Announced, Outbox, StoredRegisters


@pytest.fixture
def site(tmp_path: Path, address: DatabaseAddress) -> Site:
    return Site(tmp_path, ("house", "shed"), address=address)


@pytest.fixture
def outbox(site: Site) -> Iterator[Outbox]:
    with Outbox(site.database, "mqtt") as opened:
        yield opened


def row(minute: int, *, meter_id: int = 1) -> StoredRegisters:
    return StoredRegisters(meter_id=meter_id, at=AT + timedelta(minutes=minute), totals=Totals(1000 * minute, 7))


def minutes(rows: tuple[StoredRegisters, ...]) -> list[int]:
    return [(one.at - AT) // timedelta(minutes=1) for one in rows]


def test_registers_come_out_in_order_until_they_are_delivered(outbox: Outbox) -> None:
    outbox.add([row(minute) for minute in range(5)])
    first = outbox.waiting(2)
    assert minutes(first) == minutes(outbox.waiting(2)) == [0, 1]
    outbox.acknowledged(first[-1].id)
    assert minutes(outbox.waiting(100)) == [2, 3, 4]
    assert outbox.count() == 3


def test_what_waits_outlives_the_process(site: Site) -> None:
    with Outbox(site.database, "mqtt") as before:
        before.add([row(minute) for minute in range(1440)])
    with Outbox(site.database, "mqtt") as after:
        assert minutes(after.waiting(2000)) == list(range(1440))
        assert after.last()[1].totals == Totals(1_439_000, 7)


def test_consumers_do_not_see_each_other(site: Site, outbox: Outbox) -> None:
    outbox.add([row(1)])
    with Outbox(site.database, "influxdb") as other:
        assert other.waiting(10) == ()
        assert other.last() == {}
        other.add([row(0)])
    assert minutes(outbox.waiting(10)) == [1]


@pytest.mark.parametrize("fallen", [Totals(999, 7), Totals(1000, 6)])
def test_a_register_below_the_newest_is_refused_and_nothing_is_kept(outbox: Outbox, fallen: Totals) -> None:
    outbox.add([row(1)])
    with pytest.raises(StoreError, match="a published register never falls"):
        outbox.add([row(2), StoredRegisters(meter_id=1, at=AT, totals=fallen)])
    assert minutes(outbox.waiting(10)) == [1]


def test_beyond_the_limit_the_oldest_go(site: Site) -> None:
    with Outbox(site.database, "mqtt", max_waiting=10) as outbox:
        for minute in range(35):
            outbox.add([row(minute)])
        assert minutes(outbox.waiting(100))[-10:] == list(range(25, 35))
        assert outbox.count() < 20


def test_what_is_only_remembered_does_not_wait(outbox: Outbox) -> None:
    outbox.add([row(3)], is_queued=False)
    assert outbox.count() == 0
    assert outbox.last()[1].totals == Totals(3000, 7)


def test_an_identity_is_made_once_and_outlives_a_change_of_name(site: Site, outbox: Outbox) -> None:
    first = outbox.identity("house")
    assert first is not None
    assert re.fullmatch(r"house_[0-9a-f]{6}", first.identity)
    assert outbox.identity("house") == first
    execute(site.database, "UPDATE meter SET name = 'villa' WHERE name = 'house'")
    renamed = outbox.identity("villa")
    assert renamed is not None
    assert (renamed.identity, renamed.name) == (first.identity, "villa")


def test_a_name_with_a_dot_becomes_an_identity_that_topics_allow(site: Site, outbox: Outbox) -> None:
    site.open_accounts("floor.1")
    found = outbox.identity("floor.1")
    assert found is not None
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", found.identity)


def test_a_meter_without_an_account_has_no_identity_yet(outbox: Outbox) -> None:
    assert outbox.identity("garage") is None


def test_an_identity_is_never_edited(site: Site, outbox: Outbox) -> None:
    outbox.identity("house")
    with pytest.raises(REFUSAL, match="is kept"):
        execute(site.database, "UPDATE identity SET identity = 'other'")


def test_announced_topics_are_remembered_until_they_are_cleared(outbox: Outbox) -> None:
    config = Announced(topic="homeassistant/device/x/config", meter_id=1, quantities=frozenset({"power", "voltage"}))
    outbox.announce([config, Announced(topic="wattrail/m/x/state", meter_id=1)])
    assert set(outbox.announced()) == {config, Announced(topic="wattrail/m/x/state", meter_id=1)}
    outbox.forget(["wattrail/m/x/state"])
    assert outbox.announced() == (config,)


def test_a_damaged_database_is_an_error_that_names_the_consumer(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite"
    path.write_bytes(b"no database at all, but a text" * 100)
    with pytest.raises(StoreError, match=r"outbox of mqtt in .*none.sqlite"):
        Outbox(path, "mqtt")
