"""A network meter read as a chip is: whoever wants a reading waits for it, without an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, TypeVar

from wattrail.clock import Clock
from wattrail.energy_register import Freshness
from wattrail.errors import LinkError, PortError, PortTimeout
from wattrail.network_meters.decoded import LinkQuality
from wattrail.sources.source import MeterSource
from wattrail.transport.replay import CaptureEnded
from wattrail.units import Quantities, Reading
from wattrail.urls import split

__all__ = ["SourceReader"]

T = TypeVar("T")

_MAX_PARTIAL: Final = 50
"""Readings without an energy register before ``read_whole`` takes what came: devices publish a value a message."""

_CLOSE_S: Final = 10.0

_FIRMWARE_AGE_S: Final = 1.0
_POLL_S: Final = 2.0
"""An ESP8266 answers one request after the other, about one a second."""


class SourceReader:
    """One network meter, read as a chip is: ``read`` waits for the next reading.

    A thread runs the event loop, so that a broker is heard between two readings as well.
    """

    def __init__(self, source: MeterSource, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.new_event_loop()
        # A daemon: a broker that never answers must not keep the process alive once the command is over.
        self._thread = threading.Thread(target=self._loop.run_forever, name="network meter", daemon=True)
        self.source = source
        self.readings = 0
        self.failures = 0
        self._pending: Future[Any] | None = None
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the meter is."""
        return self.source.url

    @property
    def simulated(self) -> bool:
        """Whether the device has said that it is simulated."""
        return self.source.simulated

    @property
    def quality(self) -> LinkQuality:
        """How well it was connected when it last said so."""
        return self.source.quality

    @property
    def advice(self) -> tuple[str, ...]:
        """What a person should change on the device, one sentence each."""
        return self.source.advice

    @property
    def usual_silence_s(self) -> float:
        """The longest wait for a reading that is still usual."""
        return self.source.cadence.silence_s

    @property
    def pause_s(self) -> float:
        """Seconds between two readings that such a device can bear; 0 where it sets the pace itself."""
        return _POLL_S if split(self.url).scheme in ("openbeken", "tasmota") else 0.0

    @property
    def age_s(self) -> float:
        """How old a value may be when it is read: firmware measures each second, others publish in their own time."""
        url = split(self.url)
        is_firmware = url.scheme != "tuya" and url.query.get("device", "openbeken") in ("openbeken", "tasmota")
        return _FIRMWARE_AGE_S if is_firmware else self.source.cadence.expected_s

    def read(self, *, within_s: float | None = None) -> Reading:
        """The next reading. Raises as ``MeterSource.read``, and PortTimeout after ``within_s`` seconds."""
        try:
            said = self._run(self.source.read(), within_s)
        except TimeoutError:
            raise PortTimeout(f"{self.url}: no reading within {within_s:g} s") from None
        except (LinkError, PortError) as error:
            self.failures += not isinstance(error, CaptureEnded)
            raise
        self.readings += 1
        return _with_temperature(said, self.quality)

    def read_whole(self) -> Reading:
        """A reading with an energy register and power, put together of several where the device says them apart."""
        until = self._clock.monotonic() + self.usual_silence_s
        whole = self.read()
        for _ in range(_MAX_PARTIAL):
            remaining = until - self._clock.monotonic()
            # What comes out of a cache is all that is in it.
            has_total = bool(whole.registers) or whole.freshness is Freshness.CACHED
            if (has_total and whole.watts is not None) or remaining <= 0:
                break
            try:
                whole = _joined(whole, self.read(within_s=remaining))
            except PortTimeout:
                break
        return whole

    def cancel(self) -> None:
        """End the wait of whoever reads in another thread: CancelledError is raised there."""
        if self._pending is not None:
            self._pending.cancel()

    def close(self) -> None:
        """Give back what the source holds."""
        with suppress(TimeoutError, CancelledError):
            self._run(self._finish(), _CLOSE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_S)
        if not self._thread.is_alive():
            self._loop.close()

    async def _finish(self) -> None:
        """Close the source, and let a read that was cancelled close its connection."""
        await self.source.close()
        pending = asyncio.all_tasks() - {asyncio.current_task()}
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, T], within_s: float | None) -> T:
        self._pending = future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(within_s)
        finally:
            # Also after a timeout or Ctrl-C: the next read must not find this one still at the connection.
            future.cancel()


def _with_temperature(said: Reading, quality: LinkQuality) -> Reading:
    celsius = quality.device_celsius
    return said if celsius is None else replace(said, sample=replace(said.quantities, celsius=celsius))


def _joined(before: Reading, now: Reading) -> Reading:
    """Two readings of one device as one: what the later one leaves out stands in the former."""
    names = ("volts", "amps", "watts", "hertz", "power_factor", "celsius")
    # Compared with None: 0 W is a value.
    values = {name: getattr(now, name) if getattr(now, name) is not None else getattr(before, name) for name in names}
    known = {count.register.name: count for count in (*before.registers, *now.registers)}
    return replace(now, sample=Quantities(**values), registers=tuple(known.values()))
