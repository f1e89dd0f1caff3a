"""A whole gateway on a PostgreSQL server: twin, ledger, store, page; killed, cut off, and started twice."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from tests.databases import execute
from tests.gateway.rig import COUNTS_PER_SECOND, StubMeter
from tests.postgres_server import PostgresServer
from tests.web.test_api import ask
from wattrail.app import ServicePlan, open_service
from wattrail.clock import Clock
from wattrail.database_address import DatabaseAddress, PostgresAddress
from wattrail.gateway import GatewayPlan, MeterChanged, MeterPlan, MeterState, Subscription
from wattrail.ledger import GAP_AFTER_US, EntryKind
from wattrail.store import open_to_read, postgres_session
from wattrail.units import Reading

ROOT = Path(__file__).parents[2]
LONGEST_S = 180.0
HOUSE = GatewayPlan(meters=(MeterPlan(name="house", url="serial:///dev/ttyUSB0", poll_s=0.2),))
PROGRAM = """
import sys
from wattrail.app import ServicePlan, WebPlan, run
from wattrail.database_address import parse_address
from wattrail.gateway import GatewayPlan, MeterPlan

plan = GatewayPlan(meters=(MeterPlan(name="house", url="twin://pziot-e01?scenario=house&seed=7", poll_s=0.2),))
service = ServicePlan(gateway=plan, database=parse_address(sys.argv[1]), web=WebPlan(port=0))
run(service, on_ready=lambda address: print(address, flush=True))
"""


@pytest.fixture
def place(postgres_server: PostgresServer) -> PostgresAddress:
    return postgres_server.address()


@contextmanager
def gateway(address: DatabaseAddress) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A gateway with a twin in a process of its own, and the address of its page."""
    command = [sys.executable, "-c", PROGRAM, str(address)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        guard = threading.Timer(LONGEST_S, process.kill)
        guard.start()
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process
        finally:
            guard.cancel()
            process.kill()


def test_a_gateway_that_is_killed_goes_on_where_it_was(place: PostgresAddress) -> None:
    with gateway(place) as (page, process):
        status, meters = ask(page, "/api/v1/meters")
        assert (status, meters[0]["name"], meters[0]["simulated"]) == (200, "house", True)
        series: list[object] = []
        while not series:  # until the first reading is stored
            status, answer = ask(page, "/api/v1/meters/house/series?minutes=5&points=60")
            series = answer["points"]
        assert (status, answer["simulated"]) == (200, True)
        process.send_signal(signal.SIGKILL)
        process.wait(LONGEST_S)
    with gateway(place) as (_, process):
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONGEST_S) == 0
    with open_to_read(place) as reader:
        (row,) = reader.meters()
        assert reader.broken_links(row.id) == ()
        assert row.simulated
        assert reader.ledger(row.id) is not None
        numbers = [entry.sequence for entry in reader.ledger_slice(row.id).entries]
        assert numbers == list(range(1, len(numbers) + 1))


def test_a_second_gateway_is_refused_with_the_page_of_the_first(place: PostgresAddress) -> None:
    with gateway(place) as (page, first), gateway(place) as (_, second):
        assert second.stderr is not None
        said = second.stderr.read()
        assert second.wait(LONGEST_S) != 0
        assert f"process {first.pid} on" in said
        assert f"page {page}" in said
        assert ask(page, "/api/v1/health")[0] == 200


@dataclass
class NoticedMeter(StubMeter):
    """A meter that says when it was read."""

    was_read: threading.Event = field(default_factory=threading.Event)
    read_at_s: list[float] = field(default_factory=list)

    def read(self) -> Reading:
        # One count a reading: those that catch up come within 50 ms, in which no meter counts four.
        self.count -= COUNTS_PER_SECOND - 1
        reading = super().read()
        self.read_at_s.append(reading.monotonic)
        self.was_read.set()
        return reading

    @property
    def kinds(self) -> set[EntryKind]:
        """What a ledger of these readings holds: a gap only where none was read for so long."""
        longest_s = max(later - earlier for earlier, later in pairwise(self.read_at_s))
        return {EntryKind.START, EntryKind.COUNTED} | ({EntryKind.GAP} if longest_s > GAP_AFTER_US / 1e6 else set())


async def until_live(events: Subscription) -> None:
    async for event in events:
        if isinstance(event, MeterChanged) and event.view.state is MeterState.LIVE:
            return


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_reading_waits_for_a_server_that_restarts(
    postgres_server: PostgresServer, place: PostgresAddress, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(postgres_session, "RECONNECT_WITHIN_S", LONGEST_S)  # a busy machine takes its time to stop one
    meter = NoticedMeter()

    def opener(plan: MeterPlan, clock: Clock) -> StubMeter:
        return meter.open(plan, clock)

    async def story() -> int:
        async with open_service(ServicePlan(gateway=HOUSE, database=place), opener=opener) as service:
            with service.feed.subscribe("test") as events:
                for _ in range(5):
                    await asyncio.wait_for(until_live(events), LONGEST_S)
                await asyncio.to_thread(getattr(postgres_server, end))
                meter.was_read.clear()
                assert await asyncio.to_thread(meter.was_read.wait, LONGEST_S)  # and it cannot be stored
                await asyncio.to_thread(postgres_server.start)
                for _ in range(3):
                    await asyncio.wait_for(until_live(events), LONGEST_S)
                assert service.feed.views()[0].error is None
        return meter.count

    last = asyncio.run(story())
    with open_to_read(place) as reader:
        entries = reader.ledger_slice(1).entries
        # A crash may take the answer to a commit along: the ledger is then read again, and no clock spans that.
        unanswered = [entry for entry in entries if end == "kill" and "no clock says for how long" in entry.note]
        waited = {entry.kind for entry in entries if entry not in unanswered}
        notes = [entry.note for entry in entries if entry.kind is EntryKind.GAP]
        assert waited == meter.kinds, f"no gap but by a slow server: {notes}"
        assert entries[-1].count == last
        assert sum(entry.positive for entry in entries) == last - entries[0].count
        assert reader.broken_links(1) == ()
    counts = [count for (count,) in execute(place, "SELECT energy_count FROM reading ORDER BY id")]
    assert counts == sorted(set(counts)), "none twice"
    if end == "stop":
        assert counts == list(range(counts[0], last + 1)), "none lost"
