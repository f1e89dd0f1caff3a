"""The waveform of a meter: the two wave registers, read as fast as the bus allows, and what follows from them.

The scale of I_WAVE and V_WAVE is published nowhere. It is found at run time: the rms of the fitted curve, in counts,
is what V_RMS and I_RMS say it is. The calibration therefore counts once, through those registers.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Final

from wattrail.chips.protocol import Capability, WaveformRegisters
from wattrail.errors import LinkError, UrlError
from wattrail.meter.chip_client import SpiClient
from wattrail.meter.meter import Meter
from wattrail.metrology.waveform import Sampling, Waveform, WaveSample, analyse, repeats, without_spikes
from wattrail.units import Reading
from wattrail.wire import Register

__all__ = ["CYCLES", "Oscillogram", "capture", "obstacle", "require_fast"]

CYCLES: Final = 10
"""Line cycles in one capture unless asked for otherwise: 0.2 s at 50 Hz."""

MAX_SLOWNESS: Final = 3.0
"""A read that took this many times as long as usual: nobody knows when in it the sample was taken."""

MAX_READS: Final = 200_000
"""Of one capture: memory for half a minute at the fastest clock."""

MIN_READS: Final = 800
"""Fewer on a held-up bus make a capture go on, for twice its time at most."""

MAX_DRIFT: Final = 0.01
"""Share by which the rms may differ before and after a capture."""

_ORDER_SEED = 942


@dataclass(frozen=True, slots=True, kw_only=True)
class Oscillogram:
    """A waveform with what is known about it: its scale and where that comes from, and the registers beside it.

    ``volts_per_count`` and ``amps_per_count`` are the scale of the wave registers, found by comparison; the latter is
    None while the chip calls the current no load. ``rms_per_wave`` are RMS counts in a wave count, voltage and
    current: constants of the chip. ``drift`` is by how much the rms changed during the capture, as a share.
    """

    reading: Reading
    waveform: Waveform
    volts_per_count: float
    amps_per_count: float | None
    rms_per_wave: tuple[float, float | None]
    drift: float

    @property
    def simulated(self) -> bool:
        """Whether it is a twin's."""
        return self.reading.simulated

    @property
    def steady(self) -> bool:
        """Whether voltage and current held still, so that the scale can be believed."""
        return self.drift <= MAX_DRIFT

    @property
    def watts_off(self) -> float | None:
        """Power from the waveform over power from the WATT register, less one; None without load."""
        if not self.waveform.amps_known or not self.reading.watts:
            return None
        return self.waveform.watts / self.reading.watts - 1


def obstacle(meter: Meter) -> tuple[str, str] | None:
    """Why this meter's waveform cannot be captured, and what to do about it; None if it can."""
    if found := meter.chip.obstacles.get(Capability.WAVEFORM):
        return f"{meter.url}: {found.reason}", found.remedy
    if isinstance(meter.client, SpiClient):
        return None
    return (
        f"{meter.url}: no waveform over UART: reading one register takes 12.5 ms at 4800 baud, 80 reads a second for "
        "both curves together, where the chip makes 7812 samples",
        "wire the chip for SPI (SEL to VDD); at 800 kHz both curves are read 8000 times a second",
    )


def require_fast(meter: Meter) -> WaveformRegisters:
    """The wave registers. Raises UrlError if ``obstacle`` names one, or the chip has none."""
    if (found := obstacle(meter)) or meter.chip.wave is None:
        reason, remedy = found or (f"{meter.url}: the {meter.chip.title} has no wave registers", None)
        raise UrlError(reason, hint=remedy)
    return meter.chip.wave


def capture(meter: Meter, *, cycles: int = CYCLES, settle: bool = True, before: Reading | None = None) -> Oscillogram:
    """Capture so many line cycles of a connected meter.

    With ``settle`` the registers are read before and after, which takes two seconds more and shows whether the load
    held still; without, before only. ``before`` is a reading just made, in the place of a fresh
    one. Raises UrlError where the bus is too slow, LinkError where there is no mains or too many reads failed, and what
    ``Meter.read`` raises.
    """
    wave = require_fast(meter)
    before = before or meter.read()
    if before.hertz is None:
        raise LinkError(f"{meter.url}: the chip sees no mains, so there is no waveform", hint="connect the mains side")
    waveform = _read_waveform(meter, wave, cycles / before.hertz, before.hertz)
    if settle:
        # Two refreshes: one whole one has then begun and ended after the capture. Source: bl0942-ds/registers
        meter.clock.sleep(2 * meter.chip.refresh_s)
    after = meter.read() if settle else before
    return _scaled(meter, waveform, before, after)


def _read_waveform(meter: Meter, wave: WaveformRegisters, seconds: float, hertz: float) -> Waveform:
    retries = meter.statistics.retries
    reads, late = _timely(_reads(meter, wave, seconds))
    volts, amps = ([sample for register, sample in reads if register is wanted] for wanted in (wave.volts, wave.amps))
    clean_volts, clean_amps = without_spikes(volts), without_spikes(amps)
    sampling = Sampling(
        seconds=_span(reads),
        sample_hz=wave.sample_hz,
        volts_reads=len(clean_volts),
        amps_reads=len(clean_amps),
        repeats=repeats(volts, wave.sample_hz) + repeats(amps, wave.sample_hz),
        late=late,
        spikes=len(volts) + len(amps) - len(clean_volts) - len(clean_amps),
        retries=meter.statistics.retries - retries,
        longest_gap_s=_longest_gap(clean_volts, clean_amps),
    )
    try:
        return analyse(clean_volts, clean_amps, sampling, hertz=hertz)
    except ValueError as error:
        raise LinkError(
            f"{meter.url}: {error}", hint="more cycles, a faster SPI clock, or a bus of this machine, not of a network"
        ) from error


def _reads(meter: Meter, wave: WaveformRegisters, seconds: float) -> list[tuple[Register, WaveSample, float]]:
    """Register, sample and how long its read took.

    The two channels take turns, and chance decides which is first in each pair. In strict alternation a bus whose
    pace fits the chip's would always find one channel's sample fresh and the other's old: a phase error of a degree.
    """
    client, clock = meter.client, meter.clock
    order = random.Random(_ORDER_SEED)
    reads: list[tuple[Register, WaveSample, float]] = []
    end = clock.monotonic() + seconds
    while (now := clock.monotonic()) < end or (len(reads) < MIN_READS and now < end + seconds):
        if len(reads) >= MAX_READS:
            break
        for register in (wave.volts, wave.amps) if order.random() < 0.5 else (wave.amps, wave.volts):
            begun = clock.monotonic()
            count = client.read_register(register)
            reads.append((register, WaveSample(begun, count), clock.monotonic() - begun))
    return reads


def _timely(reads: list[tuple[Register, WaveSample, float]]) -> tuple[list[tuple[Register, WaveSample]], int]:
    """The reads whose moment is known, and how many took too long for that: retried, or held up by the system."""
    if not reads:
        return [], 0
    # By the median: a few reads that were held up would raise a mean until they passed.
    limit = MAX_SLOWNESS * median(took for _, _, took in reads)
    kept = [(register, sample) for register, sample, took in reads if took <= limit]
    return kept, len(reads) - len(kept)


def _span(reads: list[tuple[Register, WaveSample]]) -> float:
    return reads[-1][1].at - reads[0][1].at if reads else 0.0


def _longest_gap(*channels: list[WaveSample]) -> float:
    gaps = [b.at - a.at for samples in channels for a, b in pairwise(samples)]
    return max(gaps, default=0.0)


def _scaled(meter: Meter, waveform: Waveform, before: Reading, after: Reading) -> Oscillogram:
    # The wave was taken between the two readings, so their mean gives its scale.
    pairs = [(reading.volts or 0.0, reading.amps or 0.0) for reading in (before, after)]
    volts, amps = (sum(channel) / 2 for channel in zip(*pairs, strict=True))
    calibration = meter.calibration
    if not waveform.volts.rms:
        raise LinkError(f"{meter.url}: the voltage wave stays at one value, while its rms is {volts:.1f} V", hint=None)
    volts_scale = volts / waveform.volts.rms
    amps_scale = amps / waveform.amps.rms if amps and waveform.amps.rms else None
    # The wire's direction turns the current alone: voltage has none.
    turned = -1.0 if calibration.inverted else 1.0
    scaled = replace(
        waveform,
        volts=waveform.volts.scaled(volts_scale),
        amps=waveform.amps.scaled(turned * (amps_scale or 1.0)),
        amps_known=amps_scale is not None,
    )
    return Oscillogram(
        reading=after,
        waveform=scaled,
        volts_per_count=volts_scale,
        amps_per_count=amps_scale,
        rms_per_wave=(
            volts_scale * calibration.counts_per_volt,
            None if amps_scale is None else amps_scale * calibration.counts_per_amp,
        ),
        drift=max(_change(first, last) for first, last in zip(*pairs, strict=True)),
    )


def _change(before: float, after: float) -> float:
    largest = max(abs(before), abs(after))
    return abs(before - after) / largest if largest and not math.isclose(before, after) else 0.0
