"""What really flowed at the conductor, kept by the twin and known to no register."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from wattrail.twin.mains import TICK_S, Mains, MainsState, tick_at
from wattrail.twin.noise import FloatArray

__all__ = ["Truth"]

_BLOCK_TICKS = 16384  # eleven minutes at once


class Truth:
    """The twin's own integral of power, from time 0 to now, import and export apart."""

    def __init__(self, mains: Mains, now: Callable[[], float]) -> None:
        self._mains = mains
        self._now = now
        self._lock = threading.Lock()
        self._tick = 0
        self._joules = np.zeros(2)

    @property
    def import_wh(self) -> float:
        """Energy from the grid to the premises, watt-hours."""
        return float(self._energy_wh()[0])

    @property
    def export_wh(self) -> float:
        """Energy from the premises to the grid, watt-hours."""
        return float(self._energy_wh()[1])

    @property
    def net_wh(self) -> float:
        """Import less export, watt-hours."""
        import_wh, export_wh = self._energy_wh()
        return float(import_wh - export_wh)

    @property
    def state(self) -> MainsState:
        """Volts, amperes, watts, vars and hertz now, one value each."""
        return self._mains.ticks(tick_at(self._now()), 1)

    @property
    def volts(self) -> float:
        """Volts rms now."""
        return float(self.state.volts[0])

    @property
    def amps(self) -> float:
        """Amperes rms now."""
        return float(self.state.amps[0])

    @property
    def watts(self) -> float:
        """Active power now; positive is import."""
        return float(self.state.watts[0])

    @property
    def hertz(self) -> float:
        """Line frequency now."""
        return float(self.state.hertz[0])

    def _energy_wh(self) -> FloatArray:
        with self._lock:
            now = self._now()
            last = tick_at(now)
            # In blocks: a meter that was left alone for a year would need all its ticks at once, 800 million.
            while self._tick < last:
                count = min(_BLOCK_TICKS, last - self._tick)
                self._joules += _both_ways(self._mains.ticks(self._tick, count).watts).sum(axis=1) * TICK_S
                self._tick += count
            begun = _both_ways(self._mains.ticks(last, 1).watts)[:, 0] * max(0.0, now - last * TICK_S)
            return (self._joules + begun) / 3600


def _both_ways(watts: FloatArray) -> FloatArray:
    return np.stack([np.maximum(watts, 0), np.maximum(-watts, 0)])
