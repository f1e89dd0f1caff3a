"""The mains as physics: volts, amperes and their phase at one conductor. Knows no register and no chip.

Theory of operation. Voltage and current are sums of harmonics, each a phasor (rms, complex) that changes slowly
against the line period. Phasors are computed once for every tick of 40 ms; from them follow the rms quantities
(``state``) and the sine waves themselves (``samples``), which therefore always agree. Nothing keeps state from one
call to the next: every quantity is a function of time, so computing ahead, twice or in portions gives the same.

Positive power flows from the grid to the premises: import.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wattrail.twin.loads import DAY_S, Harmonic, HouseholdLoad, Photovoltaics, Steps
from wattrail.twin.noise import FloatArray, IntArray, Noise

__all__ = ["TICK_S", "GridSupply", "Mains", "MainsState", "Phasors", "tick_at"]

TICK_S = 0.04
"""Grain of everything but the sine itself: two cycles at 50 Hz, a tenth of the chip's shorter refresh."""

_SWING_S = (1013.0, 257.0, 61.0)  # periods of the slow swing; no common multiple within a day
_VOLTS_NOISE, _SWING_PHASE = 1, 2

ComplexArray = npt.NDArray[np.complex128]


def tick_at(time: float) -> int:
    """The tick a time in seconds falls into. An edge belongs to the tick it begins, rounding errors aside."""
    return math.floor(time / TICK_S + 1e-6)


def middle_of(ticks: IntArray) -> FloatArray:
    """The middle of each tick, in seconds: what a tick's quantities are computed for."""
    return np.asarray((ticks + 0.5) * TICK_S, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class GridSupply:
    """What the grid provides. Swings are peak values of a slow drift, ``noise`` is relative, rms, for every tick."""

    volts: float = 230.0
    hertz: float = 50.0
    volts_swing: float = 0.0
    hertz_swing: float = 0.0
    noise: float = 0.0
    harmonics: tuple[Harmonic, ...] = ()


@dataclass(frozen=True, slots=True)
class MainsState:
    """The rms quantities, one value a tick. ``watts`` and ``vars`` are signed: positive is import, and lagging."""

    volts: FloatArray
    amps: FloatArray
    watts: FloatArray
    vars: FloatArray
    hertz: FloatArray


@dataclass(frozen=True, slots=True)
class Phasors:
    """Voltage and current by harmonic, rms, shape (orders, ticks)."""

    orders: IntArray
    volts: ComplexArray
    amps: ComplexArray


class Mains:
    """One conductor with everything behind it. Times are seconds since the twin began.

    ``starts_at`` is the time of day at time 0, in seconds after midnight.
    """

    def __init__(
        self,
        supply: GridSupply,
        loads: Sequence[HouseholdLoad] = (),
        sources: Sequence[Photovoltaics] = (),
        *,
        starts_at: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.supply = supply
        self.loads = {load.name: load for load in loads}
        self.sources = tuple(sources)
        self.starts_at = starts_at
        self._noise = Noise([seed], _VOLTS_NOISE)
        self._swing_phases = np.pi * Noise([seed], _SWING_PHASE).normal(0, len(_SWING_S))[0]
        self._set = {name: Steps() for name in ("volts", "hertz", "amps", "power_factor", "leading")}
        orders = {1, *(h.order for h in supply.harmonics)}
        orders.update(h.order for load in loads for h in load.harmonics)
        self._orders = np.array(sorted(orders))

    def set(
        self,
        time: float,
        *,
        volts: float | None = None,
        hertz: float | None = None,
        amps: float | None = None,
        power_factor: float | None = None,
        leading: bool | None = None,
    ) -> None:
        """From the tick after ``time`` on, hold these values in place of the scenario's; -inf: they always have been.

        ``amps`` replaces all loads and sources by one load; ``power_factor`` is signed, and negative exports; its
        current lags unless ``leading``. What is None stays as it is.
        """
        given = {"volts": volts, "hertz": hertz, "amps": amps, "power_factor": power_factor, "leading": leading}
        for name, value in given.items():
            if value is not None:
                self._set[name].set(self._next_tick(time), value)

    def release(self, time: float) -> None:
        """From the tick after ``time`` on, follow the scenario again."""
        for steps in self._set.values():
            steps.set(self._next_tick(time), None)

    def switch(self, time: float, load: str, on: bool | None) -> None:
        """Turn a load on or off by hand; None gives it back to its schedule. Raises KeyError naming the loads."""
        if load not in self.loads:
            raise KeyError(f"no load {load!r} here; known: {', '.join(self.loads) or 'none'}")
        self.loads[load].switch.set(self._next_tick(time), None if on is None else float(on))

    def state(self, times: FloatArray) -> MainsState:
        """Volts, amperes, watts, vars and hertz at each time, shape (len(times),)."""
        phasors = self.phasors(times)
        power = (phasors.volts * phasors.amps.conj()).sum(axis=0)
        return MainsState(
            volts=np.sqrt((np.abs(phasors.volts) ** 2).sum(axis=0)),
            amps=np.sqrt((np.abs(phasors.amps) ** 2).sum(axis=0)),
            watts=power.real,
            vars=power.imag,
            hertz=self.hertz(times),
        )

    def ticks(self, first: int, count: int) -> MainsState:
        """The state over each of ``count`` ticks."""
        return self.state(middle_of(np.arange(first, first + count)))

    def samples(self, times: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Instantaneous volts and amperes at each time, shape (len(times),)."""
        volts, amps = self.waves(times)
        return volts.real, amps.real

    def waves(self, times: FloatArray) -> tuple[ComplexArray, ComplexArray]:
        """Analytic volts and amperes at each time: the real part is the sample, a complex factor turns the phase."""
        # Phasors once a tick, not once a sample: a tick has 312 of them.
        ticks, back = np.unique(np.floor(times / TICK_S + 1e-6).astype(np.int64), return_inverse=True)
        phasors = self.phasors(middle_of(ticks))
        turn = np.exp(1j * self._angle(times))
        volts = np.zeros(len(times), dtype=np.complex128)
        amps = np.zeros_like(volts)
        for row, order in enumerate(phasors.orders):
            carrier = math.sqrt(2) * turn**order
            volts += phasors.volts[row][back] * carrier
            amps += phasors.amps[row][back] * carrier
        return volts, amps

    def hertz(self, times: FloatArray) -> FloatArray:
        """Line frequency at each time."""
        return self._set["hertz"].over(times, self.supply.hertz + self.supply.hertz_swing * self._swing(times))

    def phasors(self, times: FloatArray) -> Phasors:
        """Every harmonic of voltage and current at each time."""
        volts = self._volts(times)
        voltages = np.zeros((len(self._orders), len(times)), dtype=np.complex128)
        currents = np.zeros_like(voltages)
        voltages[0] = volts
        for harmonic in self.supply.harmonics:
            voltages[self._row(harmonic)] += volts * harmonic.phasor
        self._add_loads(currents, times, volts)
        self._hold_current(currents, times)
        return Phasors(self._orders, voltages, currents)

    def _volts(self, times: FloatArray) -> FloatArray:
        volts = self.supply.volts + self.supply.volts_swing * self._swing(times + 4099.0)
        if self.supply.noise:
            ticks = np.floor(times / TICK_S + 1e-6).astype(np.int64)
            volts = volts * (1 + self.supply.noise * self._noise.at(ticks))
        return self._set["volts"].over(times, volts)

    def _add_loads(self, currents: ComplexArray, times: FloatArray, volts: FloatArray) -> None:
        of_day = (times + self.starts_at) % DAY_S
        for load in self.loads.values():
            amps = load.current(times, of_day, volts, self.supply.volts)
            currents[0] += amps * load.direction
            for harmonic in load.harmonics:
                currents[self._row(harmonic)] += amps * harmonic.phasor
        for source in self.sources:  # an inverter without a grid switches off
            currents[0] -= np.where(volts > 100, source.watts(times, of_day) / np.maximum(volts, 100), 0)

    def _hold_current(self, currents: ComplexArray, times: FloatArray) -> None:
        amps = self._set["amps"].over(times, math.nan)
        held = ~np.isnan(amps)
        if not held.any():
            return
        cosine = self._set["power_factor"].over(times, 1.0)
        way = 1 - 2 * self._set["leading"].over(times, 0.0)
        phasor = amps * (cosine - 1j * way * np.sqrt(np.maximum(0.0, 1 - cosine**2)))
        currents[:, held] = 0
        currents[0, held] = phasor[held]

    def _row(self, harmonic: Harmonic) -> int:
        return int(np.searchsorted(self._orders, harmonic.order))

    def _swing(self, times: FloatArray) -> FloatArray:
        waves = [np.sin(2 * np.pi / s * times + p) for s, p in zip(_SWING_S, self._swing_phases, strict=True)]
        swing: FloatArray = np.sum(waves, axis=0) / len(_SWING_S)
        return swing

    def _angle(self, times: FloatArray) -> FloatArray:
        """The integral of the frequency. Setting another frequency by hand makes the phase jump."""
        held = self._set["hertz"].over(times, math.nan)
        free = np.isnan(held)
        turns = np.where(free, self.supply.hertz, held) * times
        if self.supply.hertz_swing:
            for seconds, phase in zip(_SWING_S, self._swing_phases, strict=True):
                share = self.supply.hertz_swing * seconds / (2 * np.pi * len(_SWING_S))
                turns = turns - free * share * np.cos(2 * np.pi / seconds * times + phase)
        return 2 * np.pi * turns

    @staticmethod
    def _next_tick(time: float) -> float:
        """The edge from which a change made now counts: what has begun is finished, for chip and truth alike."""
        if math.isinf(time):
            return time
        return math.ceil(time / TICK_S - 1e-6) * TICK_S - 1e-9
