"""The sample level: 7812.5 samples a second through the chip's own chain, and the two waveform registers.

The chain: pin, offset, clip, quantise to 20 bits, then square, multiply and rectify, each averaged over a tick. The
scale of I_WAVE and V_WAVE is published nowhere. The twin uses RMS counts / 32, the finest power of two at which the
42 mV and 100 mV peaks of the pins fit into 20 bits with sign: a guess, marked as one.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from wattrail.twin.chip_tables import Silicon
from wattrail.twin.front_end import FrontEnds, PinSignals
from wattrail.twin.mains import TICK_S
from wattrail.twin.noise import FloatArray, IntArray

__all__ = ["RMS_PER_WAVE", "SampledFrontEnds", "WaveformSampler"]

RMS_PER_WAVE = 32
"""RMS counts in one waveform count. A guess."""

_MAX_WAVE = (1 << 19) - 1  # 20 bits with sign

_BLOCK = 512

_PART_CELLS = 800_000
"""Chips times samples worked on at once: arrays that stay in the cache make it several times faster."""


class SampledFrontEnds(FrontEnds):
    """The same front ends through every sample, some hundred times the work."""

    ahead = 16

    def pins(self, first: int, count: int, *, silicon: Silicon, clip_mv: FloatArray, see_dc: FloatArray) -> PinSignals:
        """The pins over ``count`` ticks; see ``front_end.PinSource``."""
        step = max(1, _PART_CELLS // int(self.size * silicon.SAMPLE_HZ * TICK_S))
        last = first + count
        parts = [
            self._part(start, min(start + step, last), silicon, clip_mv, self.wiring.dc_mv * see_dc)
            for start in range(first, last, step)
        ]
        joined = {f.name: np.concatenate([getattr(part, f.name) for part in parts], axis=1) for f in fields(PinSignals)}
        return PinSignals(**joined)

    def _part(self, first: int, last: int, silicon: Silicon, clip_mv: FloatArray, offset: FloatArray) -> PinSignals:
        """As many ticks as fit into the processor's cache with all their samples."""
        # Ticks do not hold a whole number of samples, 312.5, so every other one has one more.
        edges = _first_sample(np.arange(first, last + 1), silicon.SAMPLE_HZ)
        volts, amps = self.samples(int(edges[0]), int(edges[-1] - edges[0]), silicon=silicon, clip_mv=clip_mv)
        starts, lengths = edges[:-1] - edges[0], np.diff(edges)

        def mean(values: FloatArray) -> FloatArray:
            return np.add.reduceat(values, starts, axis=1) / lengths

        hertz = np.stack([mains.ticks(first, last - first).hertz for mains in self.mains])
        return PinSignals(
            volts=np.sqrt(mean(volts * volts)),
            amps=np.sqrt(mean(amps * amps)),
            power=mean(volts * amps),
            fast=mean(np.abs(amps + offset)),
            hertz=hertz[self._mains_of],
        )

    def samples(
        self, first: int, count: int, *, silicon: Silicon, clip_mv: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Millivolts at the voltage and current pins as the converter saw them, shape (chips, count)."""
        times = np.arange(first, first + count) / silicon.SAMPLE_HZ
        wiring = self.wiring
        waves = [mains.waves(times) for mains in self.mains]
        volts = np.stack([volts.real for volts, _ in waves])[self._mains_of]
        # The phase error turns every harmonic by the same angle: a simplification.
        turned = np.stack([amps for _, amps in waves])[self._mains_of] * np.exp(1j * wiring.phase)
        volts = np.clip(volts * wiring.mv_per_volt, -silicon.V_CLIP_MV, silicon.V_CLIP_MV)
        amps = np.clip(turned.real * wiring.mv_per_amp * wiring.direction, -clip_mv, clip_mv)
        per_volt, per_amp = _counts_per_mv(silicon)
        return np.rint(volts * per_volt) / per_volt, np.rint(amps * per_amp) / per_amp


class WaveformSampler:
    """I_WAVE and V_WAVE, sample by sample, a block computed at a time."""

    def __init__(self, source: SampledFrontEnds, silicon: Silicon) -> None:
        self._source = source
        self._silicon = silicon
        self._first = -1
        self._counts: tuple[IntArray, IntArray] | None = None

    def __call__(self, row: int, time: float) -> tuple[int, int]:
        """The counts of current and voltage at a time, 20 bits with sign."""
        sample = int(time * self._silicon.SAMPLE_HZ + 1e-6)
        if self._counts is None or not 0 <= sample - self._first < _BLOCK:
            self._first, self._counts = sample, self._block(sample)
        amps, volts = self._counts
        return int(amps[row, sample - self._first]), int(volts[row, sample - self._first])

    def forget(self) -> None:
        """The mains have changed."""
        self._counts = None

    def _block(self, first: int) -> tuple[IntArray, IntArray]:
        per_volt, per_amp = _counts_per_mv(self._silicon)
        # The registers end where 20 bits do; the pins' own limit depends on the gain, which these do not see.
        clip = np.full((self._source.size, 1), _MAX_WAVE / per_amp)
        volts, amps = self._source.samples(first, _BLOCK, silicon=self._silicon, clip_mv=clip)
        counts = np.clip(np.rint([amps * per_amp, volts * per_volt]), -_MAX_WAVE, _MAX_WAVE).astype(np.int64)
        return counts[0], counts[1]


def _counts_per_mv(silicon: Silicon) -> tuple[float, float]:
    """Waveform counts for a millivolt at the voltage and the current pins."""
    per_count = silicon.V_REF * RMS_PER_WAVE
    return silicon.V_RMS_PER_MV / per_count, silicon.I_RMS_PER_MV / per_count


def _first_sample(ticks: IntArray, sample_hz: float) -> IntArray:
    """The first sample at or after each tick's edge: 312 or 313 to a tick."""
    return np.asarray(np.ceil(ticks * (sample_hz * TICK_S) - 1e-6), dtype=np.int64)
