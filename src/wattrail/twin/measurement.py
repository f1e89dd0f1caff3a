"""The chip's arithmetic, from pins to counts, for many chips and many ticks at once.

Theory of operation. Pins do not depend on the host, so a stretch of time is computed ahead as a ``MeasurementPlan``
and a read takes a column of it. A plan is thrown away when a setting or the mains changes; what must survive that is
``AccumulatorState``.

    power   the gate sees power in slots of 10 ms and zeroes what is under the threshold; energy integrates what is
            left, and WATT is its mean over 400 or 800 ms
    rms     the mean of every tick's rms; current counts only where the gate is open

The gate stands before the mean, so noise that opens it for one slot leaves a small WATT and I_RMS behind, as captured
chips show: 3 or 4 and some 30 counts on a BL0942, -12 and -21 with 51 and 73 on a BL0940.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from wattrail.twin.chip_tables import RegisterTable, Silicon
from wattrail.twin.front_end import PinSignals
from wattrail.twin.mains import TICK_S
from wattrail.twin.noise import FloatArray, IntArray

__all__ = ["SLOTS", "AccumulatorState", "BoolArray", "MeasurementPlan", "MeasurementSettings", "hold", "refresh_ticks"]

SLOTS = 4
"""Slots of the anti-creep gate in a tick. 10 ms each: a finer or coarser gate leaves other residues than captured."""

_SINE_MEAN = 2 * np.sqrt(2) / np.pi  # mean of a rectified sine over its rms

_Scalar = TypeVar("_Scalar", np.float64, np.int64)
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MeasurementSettings:
    """What the writable registers ask of the measurement; each of shape (chips, 1).

    ``see_dc`` is 1.0 where the fast measure includes the offset at the pins, ``absolute`` tells where energy of either
    direction counts upwards, ``slow`` where averages take two refreshes.
    """

    gain: FloatArray
    see_dc: FloatArray
    creep: FloatArray
    counting: BoolArray
    absolute: BoolArray
    slow: BoolArray
    fast_ticks: IntArray


@dataclass(slots=True)
class AccumulatorState:
    """What a chip carries from one plan into the next; each of shape (chips,).

    ``energy`` is in WATT counts times seconds, ``tracked`` the chip's own measure beside the common ones.
    ``before`` and ``begun`` are sums over ticks of current, voltage and power, shape (3, chips): of the last whole
    refresh of 400 ms, and of the one under way.
    """

    energy: FloatArray
    reverse: IntArray
    i_rms: FloatArray
    v_rms: FloatArray
    watt: FloatArray
    creep: IntArray
    i_fast_rms: FloatArray
    tracked: FloatArray
    before: FloatArray
    begun: FloatArray

    @classmethod
    def at_power_on(cls, size: int, tracked: int) -> AccumulatorState:
        """Nothing measured yet; ``tracked`` is what the chip's own measure reads meanwhile."""
        zeros = {f.name: np.zeros(size) for f in fields(cls)}
        flags = {name: np.zeros(size, dtype=np.int64) for name in ("reverse", "creep")}
        sums = {name: np.zeros((3, size)) for name in ("before", "begun")}
        return cls(**{**zeros, **flags, **sums, "tracked": np.full(size, float(tracked))})


def refresh_ticks(silicon: Silicon) -> int:
    """Ticks in the shorter refresh; the longer one takes two."""
    return round(silicon.REFRESH_S[0] / TICK_S)


def hold(values: npt.NDArray[_Scalar], when: BoolArray, before: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    """Sample and hold along the last axis: column 0 is ``before``, column n+1 the value last taken up to n."""
    padded = np.concatenate([before[:, None], np.broadcast_to(values, when.shape)], axis=1)
    taken = np.where(when, np.arange(1, when.shape[1] + 1), 0)
    index = np.concatenate([np.zeros((len(before), 1), dtype=np.int64), np.maximum.accumulate(taken, axis=1)], axis=1)
    return np.take_along_axis(padded, index, axis=1)


class MeasurementPlan:
    """A stretch of time computed ahead: from ``start`` (seconds) to the end of the ticks it was given.

    Arrays by tick have a column for "before the first"; column n holds after n ticks. The same for refreshes.
    ``ended`` numbers the ticks by their ends, shape (1, ticks). ``track`` completes a plan.
    """

    tracked: FloatArray

    def __init__(
        self,
        registers: RegisterTable,
        silicon: Silicon,
        *,
        start: float,
        tick: int,
        pins: PinSignals,
        noise: FloatArray | None,
        noise_uv: FloatArray,
        settings: MeasurementSettings,
        held: AccumulatorState,
    ) -> None:
        self.start, self.tick = start, tick
        self.refresh_ticks = refresh_ticks(silicon)
        self._registers, self._silicon = registers, silicon
        self.count: int = pins.volts.shape[1]
        self.end = (tick + self.count) * TICK_S
        self.ended = np.arange(tick + 1, tick + self.count + 1)[None, :]
        self._settings, self._held = settings, held
        self._measure(pins, noise, noise_uv)
        self._integrate()
        self._refresh()
        self._measure_fast(pins)

    def track(self, counts: FloatArray, when: BoolArray) -> None:
        """Give the plan the chip's own measure, tick by tick, and the ticks at whose end it is taken."""
        self.tracked = hold(counts, when, self._held.tracked)

    def by_tick(self, refreshed: FloatArray) -> FloatArray:
        """What stood in a register at the end of each tick, from the register by refreshes."""
        refresh = self.ended // self.refresh_ticks - self.tick // self.refresh_ticks
        return refreshed[:, np.minimum(refresh[0], refreshed.shape[1] - 1)]

    def energy_at(self, time: float) -> FloatArray:
        """The accumulator of each chip: WATT counts times seconds."""
        index = self.ticks_at(time)
        since = max(self.start, (self.tick + index) * TICK_S)
        return self.energy[:, index] + self.rate[:, index] * max(0.0, time - since)

    def reverse_at(self, time: float) -> IntArray:
        """1 where the last pulse was one of export."""
        index = self.ticks_at(time)
        pulsed = self._pulses(self.energy_at(time)) != self._pulses(self.energy[:, index])
        # It follows pulses, not WATT: captured with WATT -4, no pulse yet, and the bit at 0 (libretiny 153).
        return np.where(pulsed, self.backwards[:, index], self.reverse[:, index])

    def ticks_at(self, time: float) -> int:
        """How many ticks of the plan have passed, the last one excepted."""
        return min(max(int(time / TICK_S + 1e-6) - self.tick, 0), self.count - 1)

    def refreshes_at(self, time: float) -> int:
        """How many refreshes of 400 ms were completed since the plan began."""
        return max(int(time / TICK_S + 1e-6), self.tick) // self.refresh_ticks - self.tick // self.refresh_ticks

    def held_at(self, time: float) -> AccumulatorState:
        """What must survive when the plan ends here."""
        ticks, refreshes = self.ticks_at(time), self.refreshes_at(time)
        ticks = self.count if time >= self.end - 1e-9 else ticks
        first = 0 if refreshes == 0 else int(self._starts[refreshes]) if refreshes < len(self._starts) else self.count
        begun = self._ticks[:, :, first:ticks].sum(axis=2)
        return AccumulatorState(
            energy=self.energy[:, -1] if ticks == self.count else self.energy_at(time),
            reverse=self.reverse[:, -1] if ticks == self.count else self.reverse_at(time),
            i_rms=self.i_rms[:, refreshes],
            v_rms=self.v_rms[:, refreshes],
            watt=self.watt[:, refreshes],
            creep=self.creep[:, refreshes],
            i_fast_rms=self.i_fast_rms[:, ticks],
            tracked=self.tracked[:, ticks],
            before=self._sums[:, :, refreshes - 1] if refreshes else self._held.before,
            begun=begun if refreshes else begun + self._held.begun,
        )

    def _measure(self, pins: PinSignals, noise: FloatArray | None, noise_uv: FloatArray) -> None:
        """Counts of every tick: current, voltage and power (gated), and what energy integrates."""
        silicon, gain, floor_mv = self._silicon, self._settings.gain, noise_uv / 1000
        power = pins.power[..., None]
        if noise is not None:
            share = pins.volts * floor_mv / np.sqrt(silicon.SAMPLE_HZ * TICK_S / SLOTS)
            power = power + share[..., None] * noise.reshape(*pins.volts.shape, SLOTS)
        power = power * (gain[..., None] * silicon.WATT_PER_MV2 / silicon.V_REF**2)
        # Documented: the gate works on the power before its average, and closes the current's rms along with it. A load
        # of 20 mA that is reactive alone therefore reads 0 A.
        shut = np.abs(power) < self._settings.creep[..., None]
        power = np.where(shut, 0.0, power)
        # Noise adds to an rms by squares, and averages out of power: so I_RMS is worse at small loads, as the datasheet
        # has it.
        amps = np.hypot(pins.amps, floor_mv) * gain * (1 - shut.mean(axis=2))
        volts = np.broadcast_to(pins.volts * (silicon.V_RMS_PER_MV / silicon.V_REF), shut.shape[:2])
        self._ticks = np.stack([amps * (silicon.I_RMS_PER_MV / silicon.V_REF), volts, power.mean(axis=2)])
        self._shut = shut[..., -1]
        self.backwards = (self._ticks[2] < 0).astype(np.int64)
        # The gate stands before this too: energy that the gate keeps from WATT is not counted either.
        integrated = np.where(self._settings.absolute, np.abs(power).mean(axis=2), self._ticks[2])
        self.rate = np.where(self._settings.counting, integrated, 0.0)

    def _integrate(self) -> None:
        lasts = np.full(self.count, TICK_S)
        lasts[0] = (self.tick + 1) * TICK_S - self.start
        steps = np.concatenate([self._held.energy[:, None], self.rate * lasts], axis=1)
        self.energy = np.cumsum(steps, axis=1)
        pulses = np.diff(self._pulses(self.energy), axis=1) != 0
        self.reverse = hold(self.backwards, pulses, self._held.reverse)

    def _pulses(self, energy: FloatArray) -> FloatArray:
        return np.floor(energy / self._silicon.CF_WATT_SECONDS)

    def _refresh(self) -> None:
        """The registers that change together every 400 or 800 ms."""
        length, registers = self.refresh_ticks, self._registers
        into = self.tick % length
        whole = (into + self.count) // length
        self._starts = np.maximum(0, np.arange(whole) * length - into)
        held, slow = self._held, self._settings.slow
        sums = np.add.reduceat(self._ticks[:, :, : whole * length - into], self._starts, axis=2)
        sums[:, :, 0] += held.begun
        self._sums = sums
        pairs = sums + np.concatenate([held.before[:, :, None], sums[:, :, :-1]], axis=2)
        means = np.where(slow, pairs / 2, sums) / length
        odd = (self.tick // length + np.arange(whole)) % 2 == 1
        # The grid begins with the twin, whenever the host changed the setting: documented is only the period.
        when = ~slow | odd[None, :]
        amps, volts, watts = np.clip(np.rint(means), registers.WATT.lowest, registers.I_RMS.highest)
        self.i_rms = hold(amps, when, held.i_rms)
        self.v_rms = hold(volts, when, held.v_rms)
        self.watt = hold(np.minimum(watts, registers.WATT.highest), when, held.watt)
        last = self._starts + length - 1
        last[0] = length - into - 1
        self.creep = hold(self._shut[:, last].astype(np.int64), when, held.creep)

    def _measure_fast(self, pins: PinSignals) -> None:
        """I_FAST_RMS, which keeps its own time."""
        silicon, settings = self._silicon, self._settings
        # A mean of the amount, not an rms: the documented 0.363 holds for sines alone, and an offset shows in full.
        per_mv = silicon.FAST_RMS_RATIO / _SINE_MEAN * silicon.I_RMS_PER_MV / silicon.V_REF
        fast = np.minimum(np.rint(pins.fast * settings.gain * per_mv), self._registers.I_FAST_RMS.highest)
        self.i_fast_rms = hold(fast, self.ended % settings.fast_ticks == 0, self._held.i_fast_rms)
