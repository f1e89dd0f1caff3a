"""What every source of readings of a network meter can do, and what those share that decode what a device says."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final, Protocol

from wattrail.clock import Clock
from wattrail.errors import PortError
from wattrail.network_meters.decoded import Decoded, LinkQuality
from wattrail.network_meters.power_counter import PowerCounter
from wattrail.network_meters.unit_check import UnitCheck
from wattrail.units import Reading

__all__ = ["DecodingSource", "MeterSource", "SourceCadence"]

_MIN_WATCHED_S: Final = 60.0
_WATCHED_READINGS: Final = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SourceCadence:
    """How often a source gives readings, and the longest silence that is still usual; seconds.

    ``power_s`` is how long a power is taken to hold at most where a meter counts no energy; 0 means three readings, and
    a minute at least.
    """

    expected_s: float
    silence_s: float
    power_s: float = 0.0

    @property
    def watched_s(self) -> float:
        """The longest time between two readings of power that still counts as watched."""
        return min(self.silence_s, self.power_s or max(_MIN_WATCHED_S, _WATCHED_READINGS * self.expected_s))


class MeterSource(Protocol):
    """A network meter, opened by ``sources.open_source``. Opening talks to nobody."""

    @property
    def url(self) -> str:
        """Where it is, without credentials: may be shown and stored."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether the device has said that it is simulated."""
        ...

    @property
    def cadence(self) -> SourceCadence:
        """How often to expect a reading."""
        ...

    @property
    def is_polled(self) -> bool:
        """Whether ``read`` asks, so that its caller keeps the cadence."""
        ...

    @property
    def reconnects(self) -> int:
        """How often the device has said that it connected again."""
        ...

    @property
    def broker_problem(self) -> PortError | None:
        """Why the broker in between cannot be reached; None while it can be, or where there is none."""
        ...

    @property
    def quality(self) -> LinkQuality:
        """How well the device was connected when it last said so."""
        ...

    @property
    def advice(self) -> tuple[str, ...]:
        """What a person should change on the device, one sentence each."""
        ...

    async def read(self) -> Reading:
        """The next reading: asked for now, or the next one that is published. It has all registers, or none.

        Raises PortOpenError, AccessDenied, PortLost, PortTimeout, UnexpectedReply; it may be called again after each.
        """
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...


class DecodingSource:
    """Makes readings of what a device says: registers by their checked unit, or its power added up to some.

    ``max_watts`` is what the installation carries. ``simulated`` says that all is, where the device cannot know it.
    """

    def __init__(
        self, url: str, *, cadence: SourceCadence, clock: Clock, unit_check: UnitCheck, max_watts: int, simulated: bool
    ) -> None:
        self.url = url
        self.cadence = cadence
        self.simulated = simulated
        self.quality = LinkQuality()
        self.advice: tuple[str, ...] = ()
        self._clock = clock
        self._unit_check = unit_check
        self._power_counter = PowerCounter(cadence.watched_s, max_watts=max_watts)

    def _reading(self, decoded: Decoded) -> Reading:
        """The reading of a message that came now. Raises UnexpectedReply for a unit that is certainly wrong."""
        self.simulated |= decoded.is_simulated  # once said, never taken back: nobody may mistake a twin for a meter
        monotonic = self._clock.monotonic()
        registers = self._unit_check.check(monotonic, decoded.sample.watts, decoded.registers)
        self.quality, self.advice = decoded.quality, (*decoded.advice, *self._unit_check.advice)
        reading = self._power_counter.reading(
            decoded, registers, at=self._clock.now(), monotonic=monotonic, simulated=self.simulated
        )
        if _log.isEnabledFor(logging.DEBUG):  # below the frame that it came in
            _log.debug("reading: %s, of %s", _scaled_words(reading), self.url.partition("?")[0])
        return reading


def _scaled_words(reading: Reading) -> str:
    """Each quantity, and each register raw and scaled."""
    shown = [
        f"{name} {value:.3f}"
        for name in ("volts", "amps", "watts", "hertz")
        if (value := getattr(reading.quantities, name)) is not None
    ]
    shown += [
        f"{one.register.name} {one.count} = {float(one.count * one.register.step_mwh / 1000):.3f} Wh"
        for one in reading.registers
    ]
    return ", ".join(shown) or "no value"
