"""Telegrams over TCP, read by dsmr-parser as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dsmr_parser import telegram_specifications
from dsmr_parser.clients.telegram_buffer import TelegramBuffer
from dsmr_parser.parsers import TelegramParser

from tests.publish.broker import DEADLINE_S, board_says
from tests.publish.rig import Site, view
from wattrail.gateway import MeterState
from wattrail.ledger import Totals
from wattrail.publish import PublisherStatus
from wattrail.publish.p1_server import P1Plan

QUIET_S = 0.3
"""Fifteen telegrams long."""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, zone=ZoneInfo("Europe/Amsterdam"))


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 2 * DEADLINE_S))


@asynccontextmanager
async def served(site: Site, *, every_s: float = 0.02) -> AsyncIterator[int]:
    """A P1 port while the block lasts; gives the number of its TCP port."""
    plan = P1Plan(meter="house", port=free_port(), every_s=every_s, retry_s=0.02)
    site.board.add(plan.name, plan.target)
    events = site.feed.subscribe(plan.name)
    running = asyncio.ensure_future(plan.publisher(site.context())(events))  # type: ignore[arg-type]
    try:
        await board_says(site, lambda: site.state("p1").status is PublisherStatus.LIVE)
        yield plan.port
        events.end()
        await asyncio.wait_for(running, DEADLINE_S)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Reader:
    """Reads telegrams as dsmr-reader and Home Assistant do."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader, self._buffer = reader, TelegramBuffer()

    async def telegram(self) -> Any:
        while True:
            for text in self._buffer.get_all():
                return TelegramParser(telegram_specifications.V5).parse(text)
            got = await asyncio.wait_for(self._reader.read(4096), DEADLINE_S)
            assert got, "the server closed the connection"
            self._buffer.append(got.decode())


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Reader]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Reader(reader)
    finally:
        writer.close()


def test_every_client_gets_telegrams_with_local_time(site: Site) -> None:
    async def story() -> None:
        site.feed.publish(view())
        async with served(site) as port, client(port) as one, client(port) as other:
            for reader in (one, other, one):
                found = await reader.telegram()
                assert found.ELECTRICITY_USED_TARIFF_1.value == Decimal("1234.567")
                assert found.P1_MESSAGE_TIMESTAMP.value.isoformat() == "2026-11-22T05:30:00+00:00"

    run(story())


def test_a_meter_that_falls_silent_sends_nothing_until_it_is_back(site: Site) -> None:
    async def story() -> None:
        async with served(site) as port, client(port) as reader:
            site.feed.publish(view())
            await reader.telegram()
            site.feed.publish(view(state=MeterState.STALE))
            await until_quiet(reader)
            site.feed.publish(view(total=Totals(1_234_568_891, 89_012_345)))
            found = await reader.telegram()
            assert found.ELECTRICITY_USED_TARIFF_1.value == Decimal("1234.568")

    run(story())


async def until_quiet(reader: Reader) -> None:
    """Until telegrams end that were on their way."""
    with suppress(TimeoutError):
        while True:
            await asyncio.wait_for(reader.telegram(), QUIET_S)


def test_registers_that_fell_send_nothing_and_it_is_said(site: Site) -> None:
    async def story() -> None:
        async with served(site) as port, client(port) as reader:
            site.feed.publish(view())
            await reader.telegram()
            site.feed.publish(view(total=Totals(1000, 0)))
            await until_quiet(reader)

    run(story())
    assert site.state("p1").status is PublisherStatus.LIVE


def test_a_port_that_is_taken_is_shown_and_taken_up_when_it_is_free(site: Site) -> None:
    async def story() -> None:
        port = free_port()
        taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
        plan = P1Plan(meter="house", port=port, every_s=0.02, retry_s=0.02)
        site.board.add(plan.name, plan.target)
        events = site.feed.subscribe(plan.name)
        running = asyncio.ensure_future(plan.publisher(site.context())(events))  # type: ignore[arg-type]
        await board_says(site, lambda: site.state("p1").status is PublisherStatus.REFUSED)
        assert "cannot listen at tcp://127.0.0.1:" in (site.state("p1").error or "")
        taken.close()
        await taken.wait_closed()
        await board_says(site, lambda: site.state("p1").status is PublisherStatus.LIVE)
        events.end()
        await asyncio.wait_for(running, DEADLINE_S)

    run(story())


def test_the_last_published_register_holds_after_a_restart(site: Site) -> None:
    async def story() -> None:
        site.feed.publish(view())
        async with served(site) as port, client(port) as reader:
            await reader.telegram()
        again = replace(site, feed=type(site.feed)())
        again.feed.publish(view(total=Totals(5, 5)))
        async with served(again) as port, client(port) as reader:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.telegram(), QUIET_S)

    run(story())


def test_estimated_energy_makes_no_telegram_and_it_is_said(site: Site) -> None:
    async def story() -> None:
        async with served(site) as port, client(port) as reader:
            site.feed.publish(replace(view(), has_estimates=True))
            await board_says(site, lambda: "estimated by power" in site.state("p1").held.get("house", ""))
            await until_quiet(reader)

    run(story())
    assert site.state("p1").sent_at is None
