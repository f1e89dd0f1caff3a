"""A gateway with network meters over real sockets; its events say when something has happened, so nothing sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.sources.conftest import DEADLINE_S, RETRY_S, no_secrets
from wattrail.clock import Clock
from wattrail.gateway import Feed, Gateway, GatewayPlan, MeterPlan, MeterState, MeterView
from wattrail.gateway.source import source_opener
from wattrail.sources import BrokerPool, Secrets
from wattrail.store import Store, open_store


class House:
    """A gateway that runs, and the store behind it."""

    def __init__(self, store: Store, gateway: Gateway) -> None:
        self.store = store
        self.gateway = gateway

    @property
    def feed(self) -> Feed:
        return self.gateway.feed

    def view(self, name: str) -> MeterView:
        view = self.feed.view(name)
        assert view is not None
        return view

    async def until(self, is_so: Callable[[House], bool], what: str) -> None:
        """Wait for the events of the gateway until something is so. Fails by ``what`` at the deadline."""
        with self.feed.subscribe("the story") as events:
            try:
                async with asyncio.timeout(DEADLINE_S):
                    while not is_so(self):
                        await anext(events)
            except TimeoutError:
                seen = [(view.name, view.state, view.error) for view in self.feed.views()]
                raise AssertionError(f"not within {DEADLINE_S:g} s: {what}; {seen}") from None

    async def until_state(self, name: str, state: MeterState) -> MeterView:
        await self.until(lambda house: house.view(name).state is state, f"{name} is {state}")
        return self.view(name)

    async def readings(self, name: str, count: int) -> None:
        """Wait until so many more readings of a meter have come."""
        times = set()

        def has_come(house: House) -> bool:
            if (reading := house.view(name).reading) is not None:
                times.add(reading.monotonic)
            return len(times) > count

        await self.until(has_come, f"{count} readings of {name}")

    def stored(self, name: str) -> int:
        """How many milliwatt-hours the entries of a meter hold, by the database alone."""
        row = self.store.meter(name)
        assert row is not None
        ledger = self.store.ledger(row.id)
        assert ledger is not None
        return ledger.totals().import_mwh


@asynccontextmanager
async def running(
    folder: Path, *plans: MeterPlan, secrets: Secrets | None = None, clock: Clock | None = None
) -> AsyncIterator[House]:
    """A gateway with these meters."""
    sources = source_opener(secrets=secrets or no_secrets(), pool=BrokerPool(retry_s=RETRY_S))
    with open_store(folder / "w.sqlite") as store:
        gateway = Gateway(GatewayPlan(meters=plans, zone="UTC"), store, clock=clock, sources=sources)
        async with gateway:
            yield House(store, gateway)
