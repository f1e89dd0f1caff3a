"""A waveform: voltage and current as harmonics of one frequency, and every quantity that follows from them.

How the harmonics are found stands in ``harmonics``. A read finds a sample that is 0 to 128 us old
(at 7812.5 a second). Over many reads at
random positions this is a delay of half a sample, the same in both channels, and a weakening by sinc(k f / 7812.5),
0.3 % at 500 Hz and 2.7 % at 1 kHz, both undone here. Reading one sample twice is thereby accounted for: such reads are
counted and kept.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from wattrail.metrology.accuracy import COVERAGE
from wattrail.metrology.harmonics import HIGHEST_HZ, HarmonicFit, fit, frequency, resolved

__all__ = ["HARMONICS", "Curve", "Sampling", "WaveSample", "Waveform", "analyse", "repeats", "without_spikes"]

HARMONICS: Final = 20
"""Harmonics looked for: 1 kHz at 50 Hz, well inside the 3.5 kHz that the chip lets through."""

_MIN_FOR_THD = 7
"""Harmonics below which a distortion would be a guess: the 3rd, 5th and 7th make most of it."""

_SPIKE = 0.25
_NEIGHBOURS = 0.08
"""Shares of the peak-to-peak: a spike stands off by the first from two neighbours that agree within the second."""


@dataclass(frozen=True, slots=True)
class WaveSample:
    """One read of a waveform register: when, on the monotonic clock in seconds, and the count."""

    at: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the reads were spread. Rates are of one channel; what was left out is counted.

    ``sample_hz`` is how many samples a second the chip makes.
    """

    seconds: float
    sample_hz: float
    volts_reads: int
    amps_reads: int
    repeats: int
    late: int = 0
    spikes: int = 0
    retries: int = 0
    longest_gap_s: float = 0.0

    @property
    def hertz(self) -> float:
        """Reads of one channel a second, the slower one."""
        return min(self.volts_reads, self.amps_reads) / self.seconds if self.seconds else 0.0

    @property
    def share(self) -> float:
        """Reads a second over samples a second."""
        return self.hertz / self.sample_hz


@dataclass(frozen=True, slots=True)
class Curve:
    """One channel as harmonics: ``phasors[k]`` is the rms phasor of order k (0 is a constant), in one unit.

    ``sigmas`` are the standard uncertainties of their lengths, ``residual`` the rms of what they leave unexplained.
    """

    phasors: tuple[complex, ...]
    sigmas: tuple[float, ...]
    residual: float

    @property
    def rms(self) -> float:
        """Of all harmonics together, without the constant."""
        return math.hypot(*map(abs, self.phasors[1:]))

    @property
    def fundamental(self) -> float:
        """Rms of the first harmonic."""
        return abs(self.phasors[1])

    @property
    def thd(self) -> float | None:
        """Distortion: rms of harmonics 2 and up over the fundamental; None without one, or with too few harmonics.

        Noise lifts every harmonic, and the mean square of what it adds is known (twice the variance of a length,
        for it moves phasors both along and across): it is taken off.
        """
        if not self.fundamental or len(self.phasors) <= _MIN_FOR_THD:
            return None
        # Otherwise a pure sine would show a distortion that grows with the noise of the reads.
        power = sum(abs(p) ** 2 - 2 * s**2 for p, s in zip(self.phasors[2:], self.sigmas[2:], strict=True))
        return math.sqrt(max(0.0, power)) / self.fundamental

    @property
    def thd_uncertainty(self) -> float | None:
        """Uncertainty (95 %) of ``thd``, and the smallest that differs from none."""
        if (thd := self.thd) is None:
            return None
        pairs = list(zip(self.phasors[2:], self.sigmas[2:], strict=True))
        floor = math.sqrt(2 * COVERAGE * math.hypot(*(s * s for _, s in pairs))) / self.fundamental
        slope = math.hypot(*(abs(p) * s for p, s in pairs)) / self.fundamental**2
        return min(floor, COVERAGE * slope / thd) if thd else floor

    @property
    def crest(self) -> float | None:
        """Peak over rms; 1.414 for a sine. None without a signal."""
        return max(map(abs, self.cycle(720))) / self.rms if self.rms else None

    def uncertainty(self, order: int) -> float:
        """Uncertainty (95 %) of a harmonic's rms."""
        return COVERAGE * self.sigmas[order]

    def cycle(self, points: int) -> list[float]:
        """One period on a uniform grid, from 0 to just before its end."""
        turns = (cmath.exp(2j * math.pi * n / points) for n in range(points))
        return [self._value(turn) for turn in turns]

    def scaled(self, factor: float) -> Curve:
        """The same curve in another unit; a negative factor turns it over."""
        return Curve(
            tuple(p * factor for p in self.phasors),
            tuple(s * abs(factor) for s in self.sigmas),
            self.residual * abs(factor),
        )

    def turned(self, angle: float) -> Curve:
        """The same curve with its time axis begun ``angle`` radians of the fundamental later."""
        return replace(self, phasors=tuple(p * cmath.exp(1j * k * angle) for k, p in enumerate(self.phasors)))

    def _value(self, turn: complex) -> float:
        value, carrier = 0j, 1 + 0j
        for phasor in self.phasors[1:]:
            carrier *= turn
            value += phasor * carrier
        return math.sqrt(2) * value.real


@dataclass(frozen=True, slots=True, kw_only=True)
class Waveform:
    """Voltage and current over one period, which begins where the voltage's fundamental rises through zero.

    ``volts`` is in volts, ``amps`` in amperes, or in counts where ``amps_known`` is False: while the chip calls the
    current no load, I_RMS is 0 and gives no scale.
    """

    hertz: float
    volts: Curve
    amps: Curve
    sampling: Sampling
    amps_known: bool = True

    @property
    def watts(self) -> float:
        """Active power of all harmonics; positive is import."""
        return self._product.real

    @property
    def watts_uncertainty(self) -> float:
        """Uncertainty (95 %) of ``watts`` from the fit alone."""
        pairs = zip(self.volts.phasors, self.amps.phasors, self.volts.sigmas, self.amps.sigmas, strict=True)
        return COVERAGE * math.hypot(*(math.hypot(abs(v) * t, abs(i) * s) for v, i, s, t in list(pairs)[1:]))

    @property
    def volt_amps(self) -> float:
        """Apparent power."""
        return self.volts.rms * self.amps.rms

    @property
    def vars(self) -> float:
        """Reactive power of the fundamental; positive lags (a coil), negative leads (a capacitor)."""
        return (self.volts.phasors[1] * self.amps.phasors[1].conjugate()).imag

    @property
    def distortion_vars(self) -> float:
        """What is left of apparent power beside active and reactive: harmonics of the current without a voltage."""
        return math.sqrt(max(0.0, self.volt_amps**2 - self.watts**2 - self.vars**2))

    @property
    def power_factor(self) -> float | None:
        """Active over apparent power, signed; None without load."""
        return max(-1.0, min(1.0, self.watts / self.volt_amps)) if self.volt_amps else None

    @property
    def phase_degrees(self) -> float | None:
        """How far the current's fundamental lags the voltage's, -180 to 180; None without load."""
        product = self.volts.phasors[1] * self.amps.phasors[1].conjugate()
        return math.degrees(cmath.phase(product)) if abs(product) else None

    @property
    def _product(self) -> complex:
        pairs = list(zip(self.volts.phasors, self.amps.phasors, strict=True))[1:]
        return sum((v * i.conjugate() for v, i in pairs), 0j)


def analyse(
    volts: Sequence[WaveSample],
    amps: Sequence[WaveSample],
    sampling: Sampling,
    *,
    hertz: float | None,
    orders: int = HARMONICS,
) -> Waveform:
    """Harmonics of both channels, in counts. ``hertz`` is where to look for the frequency, None for anywhere.

    Harmonics above what the rate of reading resolves are left out. Raises ValueError for too few reads.
    """
    orders = min(orders, *(resolved([s.at for s in reads], hertz or HIGHEST_HZ) for reads in (volts, amps)))
    if orders < 1:
        raise ValueError(f"{len(volts)} and {len(amps)} reads are too few for a waveform")
    start = volts[0].at
    v_times, v_counts = [s.at - start for s in volts], [float(s.count) for s in volts]
    i_times, i_counts = [s.at - start for s in amps], [float(s.count) for s in amps]
    hertz = frequency(v_times, v_counts, near=hertz, orders=orders)
    v_curve, i_curve = (
        # The delay is the same in both, but only as the order within each pair of reads is left to chance: strict turns
        # leave one channel 64 us older, 1.15 degrees, 3.5 % of power at a power factor of 0.5 (docs/waveforms.md).
        _released(_curve(fit(t, x, hertz, orders)), hertz, sampling.sample_hz)
        for t, x in ((v_times, v_counts), (i_times, i_counts))
    )
    angle = -math.pi / 2 - cmath.phase(v_curve.phasors[1]) if v_curve.fundamental else 0.0
    return Waveform(
        hertz=hertz,
        volts=v_curve.turned(angle),
        amps=i_curve.turned(angle),
        sampling=sampling,
    )


def repeats(samples: Sequence[WaveSample], sample_hz: float) -> int:
    """Reads that found the very sample of the read before: the same count, and less than a sample's time later."""
    return sum(b.count == a.count and b.at - a.at < 1 / sample_hz for a, b in pairwise(samples))


def without_spikes(samples: Sequence[WaveSample]) -> list[WaveSample]:
    """The samples without those that no signal of 3.5 kHz can make: far off for a single read.

    An eight-bit checksum lets one damaged frame in 256 pass, and one wild count bends every harmonic.
    """
    if len(samples) < 3:
        return list(samples)
    span = max(s.count for s in samples) - min(s.count for s in samples)
    ordered = sorted(s.count for s in samples)
    # Without the outermost 2 %: one wild count would widen the span by which it is judged.
    inner = ordered[-1 - len(ordered) // 50] - ordered[len(ordered) // 50]  # the span as it is without spikes
    if span < 1.2 * inner or not inner:
        inner = span
    kept = [samples[0]]
    for before, now, after in zip(samples, samples[1:], samples[2:], strict=False):
        # Nothing that fits into the 3.5 kHz of the chip jumps for a single sample. On a steep slope the two neighbours
        # differ, and nothing is left out.
        off = min(abs(now.count - before.count), abs(now.count - after.count))
        if off <= _SPIKE * inner or abs(before.count - after.count) > _NEIGHBOURS * inner:
            kept.append(now)
    kept.append(samples[-1])
    return kept


def _curve(found: HarmonicFit) -> Curve:
    constant, *others = found.coefficients
    return Curve((constant, *(math.sqrt(2) * c for c in others)), found.sigmas, found.residual)


def _released(curve: Curve, hertz: float, sample_hz: float) -> Curve:
    """Undo what holding each sample until the next does to its harmonics: weakening and delay."""
    kept = [_sinc(k * hertz / sample_hz) for k in range(len(curve.phasors))]
    phasors = (
        p / s * cmath.exp(1j * math.pi * k * hertz / sample_hz)
        for k, (p, s) in enumerate(zip(curve.phasors, kept, strict=True))
    )
    return Curve(tuple(phasors), tuple(g / s for g, s in zip(curve.sigmas, kept, strict=True)), curve.residual)


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0
