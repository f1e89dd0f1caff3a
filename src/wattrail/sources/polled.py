"""A meter that is asked over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from wattrail.clock import Clock
from wattrail.energy_register import BootEvidence
from wattrail.errors import LinkError, PortError, PortOpenError
from wattrail.network_meters.decoded import Decoded, HttpLink
from wattrail.network_meters.unit_check import UnitCheck
from wattrail.simulated_ports import is_simulated_port
from wattrail.sources.source import DecodingSource, SourceCadence
from wattrail.transport.http import HttpServer
from wattrail.units import Reading

__all__ = ["MovedMeter", "PolledSource"]


@dataclass(frozen=True, slots=True)
class MovedMeter:
    """How a meter is found again when another device, or nobody, answers at its address.

    ``find`` gives the place where it is now, or None; ``server`` makes the web server of a place. ``has_login`` meters
    are not read at a place that no person wrote: whoever announces it would get the password.
    """

    find: Callable[[], Awaitable[str | None]]
    server: Callable[[str], HttpServer]
    has_login: bool


class PolledSource(DecodingSource):
    """A device's web server and the conversation with it. Every ``read`` is a poll; the caller keeps the cadence.

    ``moved`` is for a meter whose MAC is known: ``link`` then refuses every other device.
    """

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
        unit_check: UnitCheck,
        max_watts: int,
        moved: MovedMeter | None,
        simulated: bool,
    ) -> None:
        super().__init__(
            url, cadence=cadence, clock=clock, unit_check=unit_check, max_watts=max_watts, simulated=simulated
        )
        self._server = self._written_server = server
        self.link = link
        self._moved = moved

    async def read(self) -> Reading:
        """Ask, and give what was said. Raises PortError and LinkError, as ``MeterSource`` says."""
        try:
            decoded = await self._poll(self._server)
        except (PortError, LinkError) as error:
            if self._moved is None:
                raise
            decoded = await self._poll_elsewhere(self._moved, error)
        reading = self._reading(decoded)
        self.advice += self._where_it_is()
        return reading

    async def close(self) -> None:
        """Nothing is held between two polls."""

    async def _poll(self, server: HttpServer) -> Decoded:
        asked_at = self._clock.monotonic()
        try:
            self.link.begin()
            while (target := self.link.next_request()) is not None:
                answer = await server.get(target)
                self.link.receive(answer.status, answer.body)
            decoded = self.link.finish()
        except (PortError, LinkError) as error:
            error.hide(server.secrets)  # an error quotes the answer, and a device may answer with what it was sent
            raise
        is_simulated = decoded.is_simulated or is_simulated_port(server.host, server.port)
        evidence = _aged(decoded.evidence, self._clock.monotonic() - asked_at)
        return replace(decoded, evidence=evidence, is_simulated=is_simulated)

    async def _poll_elsewhere(self, moved: MovedMeter, error: PortError | LinkError) -> Decoded:
        """Poll the meter where it is now. Raises ``error`` where nobody knows, and what the poll there raises."""
        if self._server.name != self._written_server.name:  # it may be back
            self._server = self._written_server
            try:
                return await self._poll(self._server)
            except (PortError, LinkError) as first:
                error = first
        place = await moved.find()
        if place is None:
            raise error
        server = moved.server(place)
        # It is where it was asked already, so what it said there stands.
        if server.name == self._server.name:
            raise error
        if moved.has_login:  # anybody may announce a MAC
            raise PortOpenError(
                f"{self.url}: the meter is at {place} now, and its password is sent only to the address in its URL",
                hint=f"check that {place} is the meter, then write it in the URL",
            ) from error
        # Kept only once the meter has answered there.
        decoded = await self._poll(server)
        self._server = server
        return decoded

    def _where_it_is(self) -> tuple[str, ...]:
        if self._server is self._written_server:
            return ()
        return (f"the meter was found at {self._server.name}: write that in its URL, or fix its address in the router",)


def _aged(evidence: BootEvidence, seconds: float) -> BootEvidence:
    """Evidence of a poll that took so long: nobody knows at which moment of it the device read its uptime."""
    return evidence if evidence.uptime_s is None else replace(evidence, uptime_age_s=seconds)
