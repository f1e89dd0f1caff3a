"""Finds a network meter whose address has changed, by its MAC: by mDNS and SSDP, and at the brokers that are in use.

No range of addresses is scanned, and nothing is sent but what ``wattrail discover`` sends. One search serves every
meter that is missing, and a meter that stays away is looked for less and less often.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Final

from wattrail.clock import Clock, SystemClock
from wattrail.network_meters.mac_address import ADDRESS_TOPICS, BrokerAddresses
from wattrail.sources.broker import Broker, BrokerPool
from wattrail.sources.discovery import SearchPlan, gather, search
from wattrail.urls import split

__all__ = ["MeterLocator"]

PAUSES_S: Final = (60.0, 300.0, 900.0, 3600.0)
"""Between two searches for one meter; the last one repeats."""

SHARED_S: Final = 30.0
"""How long the result of a search serves other meters."""

_PLAN: Final = SearchPlan(mdns=True, ssdp=True)

_log = logging.getLogger(__name__)


class MeterLocator:
    """Where meters are now, for all sources of one event loop; ``pool`` has the brokers that are asked."""

    def __init__(self, pool: BrokerPool, *, plan: SearchPlan = _PLAN, clock: Clock | None = None) -> None:
        self._pool = pool
        self._plan = plan
        self._clock = clock or SystemClock()
        self._lock = asyncio.Lock()
        self._places: Mapping[str, str] = {}
        self._searched_at = -math.inf
        self._attempts: dict[str, int] = {}
        self._due: dict[str, float] = {}

    async def find(self, mac: str) -> str | None:
        """The place, host or host:port, of the meter with that MAC; None where nobody answered for it lately."""
        async with self._lock:
            now = self._clock.monotonic()
            if now >= self._due.get(mac, -math.inf):
                if now - self._searched_at >= SHARED_S:
                    self._places = await self._search()
                    now = self._searched_at = self._clock.monotonic()
                # A search asks every device of the network: for one that is switched off for good, once an hour.
                attempt = 0 if mac in self._places else self._attempts.get(mac, 0)
                self._due[mac] = now + PAUSES_S[min(attempt, len(PAUSES_S) - 1)]
                self._attempts[mac] = attempt + 1
        return self._places.get(mac)

    async def _search(self) -> Mapping[str, str]:
        # Without the library for mDNS a meter can still be found by SSDP and at the brokers.
        plan = replace(self._plan, mdns=self._plan.mdns and find_spec("zeroconf") is not None)
        brokers = self._pool.separate()
        asked = asyncio.gather(*(self._at(broker) for broker in brokers))
        findings, of_brokers = await asyncio.gather(search(plan), asked)
        places = {mac: place for found in of_brokers for mac, place in found.items()}
        # Last, so that it wins: who answers now knows better than what a broker has kept.
        places |= {meter.mac: _place(meter.url) for meter in findings.meters if meter.mac}
        for line in (*findings.actions, *findings.problems, *(f"MQTT: asked {one.address}" for one in brokers)):
            _log.info("looking for a meter: %s", line)
        return places

    async def _at(self, broker: Broker) -> Mapping[str, str]:
        gatherer = BrokerAddresses()
        await gather(broker, gatherer, ADDRESS_TOPICS, seconds=self._plan.seconds)
        return gatherer.places


def _place(url: str) -> str:
    parts = split(url)
    return parts.host if parts.port is None else f"{parts.host}:{parts.port}"
