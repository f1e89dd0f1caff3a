"""The chip's arithmetic, from pins to counts, for many chips and many ticks at once.

Theory of operation. Pins do not depend on the host, so a stretch of time is computed ahead as a ``Plan`` and a read
is a look into it. A plan is thrown away when the host changes a setting or somebody the mains; what must survive
that is ``Held``.

    power   the gate sees power in slots of 10 ms and zeroes what is under the threshold; energy integrates what is
            left, and WATT is its mean over 400 or 800 ms
    rms     the mean of every tick's rms; current counts only where the gate is open

The gate stands before the mean, so noise that opens it for one slot leaves WATT of 3 or 4 and I_RMS of some 30 behind,
as captured chips show.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from wattrail.chips.bl0942.constants import (
    CF_WATT_SECONDS,
    FAST_RMS_RATIO,
    FREQ_NUMERATOR,
    I_RMS_PER_MV,
    I_ZX_BELOW,
    REFRESH_S,
    SAMPLE_HZ,
    V_REF,
    V_RMS_PER_MV,
    V_ZX_BELOW,
    WATT_PER_MV2,
)
from wattrail.chips.bl0942.registers import FREQ, I_RMS, WATT
from wattrail.twin.front_end import Pins
from wattrail.twin.mains import TICK_S
from wattrail.twin.noise import FloatArray, IntArray

__all__ = ["REFRESH_TICKS", "SLOTS", "Held", "Plan", "Settings", "hold"]

REFRESH_TICKS: Final[int] = round(REFRESH_S[0] / TICK_S)
SLOTS = 4
"""Slots of the anti-creep gate in a tick. 10 ms each: a finer or coarser gate leaves other residues than captured."""

_SLOT_SAMPLES = SAMPLE_HZ * TICK_S / SLOTS
_SINE_MEAN = 2 * np.sqrt(2) / np.pi  # mean of a rectified sine over its rms
_FAST_PER_MV = FAST_RMS_RATIO / _SINE_MEAN * I_RMS_PER_MV / V_REF

_Scalar = TypeVar("_Scalar", np.float64, np.int64)
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the writable registers ask of the measurement; each of shape (chips, 1)."""

    gain: FloatArray
    creep: FloatArray
    counting: BoolArray
    absolute: BoolArray
    slow: BoolArray
    fast_ticks: IntArray
    freq_ticks: IntArray


@dataclass(slots=True)
class Held:
    """What a chip carries from one plan into the next; each of shape (chips,).

    ``energy`` is in WATT counts times seconds. ``before`` and ``begun`` are sums over ticks of current, voltage and
    power, shape (3, chips): of the last whole refresh of 400 ms, and of the one under way.
    """

    energy: FloatArray
    reverse: IntArray
    i_rms: FloatArray
    v_rms: FloatArray
    watt: FloatArray
    creep: IntArray
    i_fast_rms: FloatArray
    freq: FloatArray
    before: FloatArray
    begun: FloatArray

    @classmethod
    def at_power_on(cls, size: int) -> Held:
        """Nothing measured yet."""
        zeros = {f.name: np.zeros(size) for f in fields(cls)}
        flags = {name: np.zeros(size, dtype=np.int64) for name in ("reverse", "creep")}
        sums = {name: np.zeros((3, size)) for name in ("before", "begun")}
        return cls(**{**zeros, **flags, **sums, "freq": np.full(size, float(FREQ.reset))})


def hold(values: npt.NDArray[_Scalar], when: BoolArray, before: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    """Sample and hold along the last axis: column 0 is ``before``, column n+1 the value last taken up to n."""
    padded = np.concatenate([before[:, None], np.broadcast_to(values, when.shape)], axis=1)
    taken = np.where(when, np.arange(1, when.shape[1] + 1), 0)
    index = np.concatenate([np.zeros((len(before), 1), dtype=np.int64), np.maximum.accumulate(taken, axis=1)], axis=1)
    return np.take_along_axis(padded, index, axis=1)


class Plan:
    """A stretch of time computed ahead: from ``start`` (seconds) to the end of the ticks it was given.

    Arrays by tick have a column for "before the first"; column n holds after n ticks. The same for refreshes.
    """

    def __init__(
        self,
        start: float,
        tick: int,
        pins: Pins,
        noise: FloatArray | None,
        settings: Settings,
        held: Held,
        noise_uv: FloatArray,
    ) -> None:
        self.start, self.tick = start, tick
        self.count: int = pins.volts.shape[1]
        self.end = (tick + self.count) * TICK_S
        self._settings, self._held = settings, held
        self._measure(pins, noise, noise_uv)
        self._integrate()
        self._refresh()
        self._track(pins)

    def energy_at(self, time: float) -> FloatArray:
        """The accumulator of each chip: WATT counts times seconds."""
        index = self.ticks_at(time)
        since = max(self.start, (self.tick + index) * TICK_S)
        return self.energy[:, index] + self.rate[:, index] * max(0.0, time - since)

    def reverse_at(self, time: float) -> IntArray:
        """1 where the last pulse was one of export."""
        index = self.ticks_at(time)
        pulsed = np.floor(self.energy_at(time) / CF_WATT_SECONDS) != np.floor(self.energy[:, index] / CF_WATT_SECONDS)
        return np.where(pulsed, self.backwards[:, index], self.reverse[:, index])

    def ticks_at(self, time: float) -> int:
        """How many ticks of the plan have passed, the last one excepted."""
        return min(max(int(time / TICK_S + 1e-6) - self.tick, 0), self.count - 1)

    def refreshes_at(self, time: float) -> int:
        """How many refreshes of 400 ms were completed since the plan began."""
        return max(int(time / TICK_S + 1e-6), self.tick) // REFRESH_TICKS - self.tick // REFRESH_TICKS

    def held_at(self, time: float) -> Held:
        """What must survive when the plan ends here."""
        ticks, refreshes = self.ticks_at(time), self.refreshes_at(time)
        ticks = self.count if time >= self.end - 1e-9 else ticks
        first = 0 if refreshes == 0 else int(self._starts[refreshes]) if refreshes < len(self._starts) else self.count
        begun = self._ticks[:, :, first:ticks].sum(axis=2)
        return Held(
            energy=self.energy[:, -1] if ticks == self.count else self.energy_at(time),
            reverse=self.reverse[:, -1] if ticks == self.count else self.reverse_at(time),
            i_rms=self.i_rms[:, refreshes],
            v_rms=self.v_rms[:, refreshes],
            watt=self.watt[:, refreshes],
            creep=self.creep[:, refreshes],
            i_fast_rms=self.i_fast_rms[:, ticks],
            freq=self.freq[:, ticks],
            before=self._sums[:, :, refreshes - 1] if refreshes else self._held.before,
            begun=begun if refreshes else begun + self._held.begun,
        )

    def _measure(self, pins: Pins, noise: FloatArray | None, noise_uv: FloatArray) -> None:
        """Counts of every tick: current, voltage and power (gated), and what energy integrates."""
        gain, floor_mv = self._settings.gain, noise_uv / 1000
        power = pins.power[..., None]
        if noise is not None:
            share = (pins.volts * floor_mv / np.sqrt(_SLOT_SAMPLES))[..., None]
            power = power + share * noise.reshape(*pins.volts.shape, SLOTS)
        power = power * (gain[..., None] * WATT_PER_MV2 / V_REF**2)
        shut = np.abs(power) < self._settings.creep[..., None]
        power = np.where(shut, 0.0, power)
        amps = np.hypot(pins.amps, floor_mv) * gain * (1 - shut.mean(axis=2))
        volts = np.broadcast_to(pins.volts * (V_RMS_PER_MV / V_REF), shut.shape[:2])
        self._ticks = np.stack([amps * (I_RMS_PER_MV / V_REF), volts, power.mean(axis=2)])
        self._shut = shut[..., -1]
        self.backwards = (self._ticks[2] < 0).astype(np.int64)
        integrated = np.where(self._settings.absolute, np.abs(power).mean(axis=2), self._ticks[2])
        self.rate = np.where(self._settings.counting, integrated, 0.0)

    def _integrate(self) -> None:
        lasts = np.full(self.count, TICK_S)
        lasts[0] = (self.tick + 1) * TICK_S - self.start
        steps = np.concatenate([self._held.energy[:, None], self.rate * lasts], axis=1)
        self.energy = np.cumsum(steps, axis=1)
        pulses = np.diff(np.floor(self.energy / CF_WATT_SECONDS), axis=1) != 0
        self.reverse = hold(self.backwards, pulses, self._held.reverse)

    def _refresh(self) -> None:
        """The registers that change together every 400 or 800 ms."""
        into = self.tick % REFRESH_TICKS
        whole = (into + self.count) // REFRESH_TICKS
        self._starts = np.maximum(0, np.arange(whole) * REFRESH_TICKS - into)
        held, slow = self._held, self._settings.slow
        sums = np.add.reduceat(self._ticks[:, :, : whole * REFRESH_TICKS - into], self._starts, axis=2)
        sums[:, :, 0] += held.begun
        self._sums = sums
        pairs = sums + np.concatenate([held.before[:, :, None], sums[:, :, :-1]], axis=2)
        means = np.where(slow, pairs / 2, sums) / REFRESH_TICKS
        odd = (self.tick // REFRESH_TICKS + np.arange(whole)) % 2 == 1
        when = ~slow | odd[None, :]
        amps, volts, watts = np.clip(np.rint(means), WATT.lowest, I_RMS.highest)
        self.i_rms = hold(amps, when, held.i_rms)
        self.v_rms = hold(volts, when, held.v_rms)
        self.watt = hold(np.minimum(watts, WATT.highest), when, held.watt)
        last = self._starts + REFRESH_TICKS - 1
        last[0] = REFRESH_TICKS - into - 1
        seen = self.v_rms[:, 1:] >= V_ZX_BELOW  # without mains CREEP_F stays 0, as captured
        self.creep = hold((self._shut[:, last] & seen).astype(np.int64), when, held.creep)

    def _track(self, pins: Pins) -> None:
        """I_FAST_RMS and FREQ, which keep their own time."""
        held, settings = self._held, self._settings
        ended = np.arange(self.tick + 1, self.tick + self.count + 1)[None, :]
        fast = np.rint(pins.fast * settings.gain * _FAST_PER_MV)
        self.i_fast_rms = hold(np.minimum(fast, I_RMS.highest), ended % settings.fast_ticks == 0, held.i_fast_rms)
        refresh = ended // REFRESH_TICKS - self.tick // REFRESH_TICKS
        seen = self.v_rms[:, np.minimum(refresh[0], self.v_rms.shape[1] - 1)] >= V_ZX_BELOW
        period = FREQ_NUMERATOR / np.maximum(pins.hertz, 16.0)
        counts = np.minimum(8 * np.rint((period - 6) / 8) + 6, FREQ.highest)
        self.freq = hold(counts, seen & (ended % settings.freq_ticks == 0), held.freq)


def status_word(
    i_rms: FloatArray, v_rms: FloatArray, creep: IntArray, reverse: IntArray, unknown: IntArray
) -> IntArray:
    """STATUS from what it is made of; ``unknown`` is 1 where bit 5 shows."""
    zero_crossings = (i_rms < I_ZX_BELOW).astype(np.int64) << 8 | (v_rms < V_ZX_BELOW).astype(np.int64) << 9
    return zero_crossings | unknown << 5 | creep << 1 | reverse
