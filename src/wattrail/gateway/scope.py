"""Waveforms on request: captured by the meter's own thread, between two readings, only while a page shows them.

A page asks again and again; each time renews a lease. A meter's worker, after a reading, captures if the lease of its
meter holds and the last capture is old enough. It takes 0.2 s of the bus, and as much of one core to analyse.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wattrail.clock import Clock
from wattrail.errors import WattrailError
from wattrail.units import Reading

if TYPE_CHECKING:
    from wattrail.gateway.source import MeterReader
    from wattrail.meter.wave import Oscillogram

__all__ = ["EVERY_S", "LEASE_S", "ScopeView", "Scopes", "has_waveform"]

LEASE_S: Final = 5.0
"""Seconds after the last request in which a meter's waveform is captured."""

EVERY_S: Final = 1.8
"""Seconds from one capture to the next, at least."""

CYCLES: Final = 10


@dataclass(frozen=True, slots=True)
class ScopeView:
    """The last capture of a meter, or why there is none."""

    found: Oscillogram | None
    why_not: str | None = None
    hint: str | None = None


class Scopes:
    """Requests for captures, and the last captures. Safe to share between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}
        self._views: dict[str, tuple[float, ScopeView]] = {}

    def watch(self, name: str) -> ScopeView | None:
        """Request captures of a meter for LEASE_S. Returns the last one, None before the first."""
        with self._lock:
            self._until[name] = self._clock.monotonic() + LEASE_S
            found = self._views.get(name)
        return found[1] if found else None

    def last(self, name: str) -> ScopeView | None:
        """The last capture of a meter, without a request for another."""
        with self._lock:
            found = self._views.get(name)
        return found[1] if found else None

    def serve(self, name: str, meter: MeterReader, reading: Reading) -> None:
        """Capture if it was requested; called in the meter's thread after a reading. Raises no WattrailError."""
        now = self._clock.monotonic()
        with self._lock:
            wanted = self._until.get(name, now) > now
            seen = self._views.get(name)
            if not wanted:
                self._views.pop(name, None)  # the next request must not get an old capture
        if not wanted or (seen and now - seen[0] < EVERY_S):
            return
        view = _captured(meter, reading)
        with self._lock:
            self._views[name] = (now, view)


def has_waveform(meter: MeterReader) -> bool:
    """Whether waveforms of a meter can be captured: by its chip, and over its bus."""
    from wattrail.meter import Meter
    from wattrail.meter.wave import obstacle

    return isinstance(meter, Meter) and obstacle(meter) is None


def _captured(meter: MeterReader, reading: Reading) -> ScopeView:
    from wattrail.meter import Meter
    from wattrail.meter.wave import capture

    if not isinstance(meter, Meter):
        return ScopeView(None, "this meter gives readings only, no waveform")
    try:
        return ScopeView(capture(meter, cycles=CYCLES, settle=False, before=reading))
    except WattrailError as error:
        return ScopeView(None, str(error), error.hint)
