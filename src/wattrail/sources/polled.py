"""A meter that is asked over HTTP."""

from __future__ import annotations

from typing import Final

from wattrail.clock import Clock
from wattrail.network_meters.decoded import HttpLink, LinkQuality
from wattrail.network_meters.unit_check import UnitCheck
from wattrail.sources.http import HttpServer
from wattrail.sources.source import SourceCadence
from wattrail.units import Reading

__all__ = ["PolledSource"]


class PolledSource:
    """A device's web server and the conversation with it. Every ``read`` is a poll; the caller keeps the cadence."""

    is_polled: Final = True
    reconnects: Final = 0
    broker_problem: Final = None

    def __init__(
        self,
        url: str,
        server: HttpServer,
        link: HttpLink,
        *,
        cadence: SourceCadence,
        clock: Clock,
        unit_check: UnitCheck | None = None,
    ) -> None:
        self.url = url
        self.cadence = cadence
        self.simulated = False
        self.quality = LinkQuality()
        self.advice: tuple[str, ...] = ()
        self._server = server
        self.link = link
        self._clock = clock
        self._unit_check = unit_check or UnitCheck(is_stated=False)

    async def read(self) -> Reading:
        """Ask, and give what was said. Raises PortError and LinkError, as ``MeterSource`` says."""
        self.link.begin()
        while (target := self.link.next_request()) is not None:
            answer = await self._server.get(target)
            self.link.receive(answer.status, answer.body)
        decoded = self.link.finish()
        self.simulated |= decoded.is_simulated
        monotonic = self._clock.monotonic()
        registers = self._unit_check.check(monotonic, decoded.sample.watts, decoded.registers)
        self.quality, self.advice = decoded.quality, (*decoded.advice, *self._unit_check.advice)
        return Reading(
            at=self._clock.now(),
            monotonic=monotonic,
            sample=decoded.sample,
            registers=registers,
            evidence=decoded.evidence,
            freshness=decoded.freshness,
            simulated=self.simulated,
        )

    async def close(self) -> None:
        """Nothing is held between two polls."""
