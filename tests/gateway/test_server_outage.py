"""A database server is away for a minute of the meters' clock: nothing is lost, nothing is there twice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.databases import execute
from tests.gateway.rig import COUNTS_PER_SECOND, Household, StubMeter
from tests.postgres_server import PostgresServer
from wattrail.gateway import MeterState
from wattrail.ledger import EntryKind
from wattrail.store import GatewayLock, open_store, open_to_read, postgres_session
from wattrail.store.server_check import server_findings


@pytest.fixture
def house(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Household, PostgresServer]]:
    """A household whose database is on a server; what waits for the server waits no real time."""
    for room in ("account", "bookkeeping"):
        monkeypatch.setattr(f"wattrail.gateway.{room}.WRITE_WITHIN_S", 0.0)
    monkeypatch.setattr(postgres_session, "RECONNECT_WITHIN_S", 0.0)
    place = postgres_server.address()
    with GatewayLock(place) as lock, open_store(place, lock=lock) as store:
        yield Household(tmp_path, StubMeter(), store=store), postgres_server


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_minute_without_the_server_costs_no_reading(house: tuple[Household, PostgresServer], end: str) -> None:
    home, server = house
    place = home.store.path
    home.run(90)
    getattr(server, end)()
    home.run(60)
    assert home.view.state is MeterState.LIVE
    assert home.view.unstored is not None
    assert 50 < home.view.unstored.count <= 61
    server.start()
    home.run(70)
    assert home.view.unstored is None
    home.worker.close()
    with open_to_read(place) as reader:
        entries = reader.ledger_slice(1).entries
    assert {entry.kind for entry in entries} == {EntryKind.START, EntryKind.COUNTED}
    assert all(earlier.end == later.start for earlier, later in pairwise(entries))
    assert sum(entry.positive for entry in entries) == home.meter.count - entries[0].count
    counts = [count for (count,) in execute(place, "SELECT energy_count FROM reading ORDER BY id")]
    assert sorted(set(counts)) == counts, "none is there twice"
    if end == "stop":
        assert counts == list(range(counts[0], home.meter.count + 1, COUNTS_PER_SECOND)), "none is lost"
    else:  # a server that crashes may lose readings of its last second, and no entry
        assert len(counts) > 200
    assert server_findings(place) == ()  # type: ignore[arg-type]
