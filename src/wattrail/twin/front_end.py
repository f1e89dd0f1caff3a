"""From mains to pins: the analogue parts, how far they are off, and what the chip's inputs then see.

Two ways to the same pins. ``FrontEnds`` takes the mains' rms quantities and is exact for sines; ``SampledFrontEnds``
(in ``waveform``) takes every sample. The chip cannot tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from wattrail.front_end import FrontEnd
from wattrail.twin.chip_tables import Silicon
from wattrail.twin.mains import Mains, MainsState
from wattrail.twin.noise import FloatArray

__all__ = ["Deviation", "FrontEnds", "PinSignals", "PinSource", "Wiring"]


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far one meter's parts are from their names.

    ``volts_ratio`` and ``amps_ratio`` are relative errors, chip gain included; ``phase_degrees`` is the lead of the
    current channel; ``dc_mv`` is an offset at the current pins, which only I_FAST_RMS sees; ``noise_uv`` is white noise
    at the current pins, microvolt rms over the chip's bandwidth.
    """

    volts_ratio: float = 0.0
    amps_ratio: float = 0.0
    phase_degrees: float = 0.0
    dc_mv: float = 0.0
    noise_uv: float = 0.0


@dataclass(frozen=True, slots=True)
class PinSignals:
    """What the chip's inputs see over each tick, shape (chips, ticks), at millivolts.

    ``power`` is the mean product of both, mV squared; ``fast`` the mean of the rectified current; ``hertz`` broadcasts.
    """

    volts: FloatArray
    amps: FloatArray
    power: FloatArray
    fast: FloatArray
    hertz: FloatArray


class PinSource(Protocol):
    """What an array of chips measures."""

    @property
    def size(self) -> int:
        """How many chips."""
        ...

    @property
    def noise_uv(self) -> FloatArray:
        """White noise at the current pins of each chip, shape (chips, 1)."""
        ...

    @property
    def ahead(self) -> int:
        """How many refreshes of 400 ms are worth computing ahead, if nothing changes."""
        ...

    def pins(self, first: int, count: int, *, silicon: Silicon, clip_mv: FloatArray, see_dc: FloatArray) -> PinSignals:
        """The pins of a chip of this kind over ``count`` ticks.

        ``clip_mv`` is the peak the current input takes at its gain, ``see_dc`` 1.0 where the fast path includes the
        offset; both have shape (chips, 1).
        """
        ...


class Wiring:
    """The constants of N front ends as columns, and the way each conductor passes its transformer."""

    def __init__(self, front_ends: Sequence[FrontEnd], deviations: Sequence[Deviation]) -> None:
        if len(front_ends) != len(deviations):
            raise ValueError(f"{len(front_ends)} front ends, but {len(deviations)} deviations")
        pairs = list(zip(front_ends, deviations, strict=True))
        self.size = len(pairs)
        self.mv_per_volt = _column([part.millivolts_per_volt * (1 + off.volts_ratio) for part, off in pairs])
        self.mv_per_amp = _column([part.millivolts_per_amp * (1 + off.amps_ratio) for part, off in pairs])
        self.phase = np.radians(_column([off.phase_degrees for _, off in pairs]))
        self.dc_mv = _column([off.dc_mv for _, off in pairs])
        self.noise_uv = _column([off.noise_uv for _, off in pairs])
        self.direction = np.ones((self.size, 1))


class FrontEnds:
    """N front ends on the rms quantities of their mains; chip ``n`` measures mains ``n % len(mains)``."""

    ahead = 128  # 300 kB a meter; thousands of them in one process are polled in our benchmarks

    def __init__(self, mains: Sequence[Mains], wiring: Wiring) -> None:
        self.mains = tuple(mains)
        self.wiring = wiring
        self._mains_of = np.arange(wiring.size) % len(mains)

    @property
    def size(self) -> int:
        """How many chips."""
        return self.wiring.size

    @property
    def noise_uv(self) -> FloatArray:
        """White noise at the current pins of each chip, shape (chips, 1)."""
        return self.wiring.noise_uv

    def pins(self, first: int, count: int, *, silicon: Silicon, clip_mv: FloatArray, see_dc: FloatArray) -> PinSignals:
        """The pins over ``count`` ticks; see ``PinSource``."""
        wiring = self.wiring
        states = [mains.ticks(first, count) for mains in self.mains]
        # Documented are the limits of the pins; what the registers do beyond them is not.
        volts, kept_volts = _clip(wiring.mv_per_volt * self._rows(states, "volts"), np.full((1, 1), silicon.V_CLIP_MV))
        raw_amps = wiring.mv_per_amp * self._rows(states, "amps")
        # A clipped sine keeps more of its rms than of its fundamental, and power comes from the fundamental alone.
        amps, kept_amps = _clip(raw_amps, clip_mv)
        power = self._rows(states, "watts") * np.cos(wiring.phase) + self._rows(states, "vars") * np.sin(wiring.phase)
        scale = wiring.direction * wiring.mv_per_volt * wiring.mv_per_amp
        return PinSignals(
            volts=volts,
            amps=amps,
            power=scale * power * kept_volts * kept_amps,
            fast=_mean_rectified(amps, wiring.dc_mv * see_dc),
            hertz=self._rows(states, "hertz"),
        )

    def _rows(self, states: Sequence[MainsState], name: str) -> FloatArray:
        rows = np.stack([getattr(state, name) for state in states])
        return rows if len(states) == 1 else rows[self._mains_of]


def _column(values: Sequence[float]) -> FloatArray:
    return np.array(values, dtype=np.float64).reshape(-1, 1)


def _clip(rms: FloatArray, peak: FloatArray) -> tuple[FloatArray, FloatArray | float]:
    """The rms of a sine clipped at ``peak``, and the share of its fundamental that is left."""
    over = rms * np.sqrt(2) > peak
    if not over.any():
        return rms, 1.0
    ratio = np.where(over, peak / np.maximum(rms * np.sqrt(2), 1e-9), 1.0)
    angle = np.arcsin(ratio)
    slope = ratio * np.sqrt(1 - ratio**2)
    kept = np.where(over, 2 / np.pi * (angle + slope), 1.0)
    square = np.where(over, 2 / np.pi * (angle - slope) + 2 * ratio**2 * (1 - 2 / np.pi * angle), 1.0)
    return rms * np.sqrt(square), kept


def _mean_rectified(rms: FloatArray, offset: FloatArray) -> FloatArray:
    """Mean of |sine + offset|."""
    peak = rms * np.sqrt(2)
    inside = np.clip(offset / np.maximum(peak, 1e-12), -1, 1)
    wave = 2 / np.pi * (offset * np.arcsin(inside) + peak * np.sqrt(1 - inside**2))
    return np.where(np.abs(offset) >= peak, np.abs(offset), wave)
