"""Harmonics out of uneven reads: what goes in is known, what comes out must agree within what it says of itself."""

from __future__ import annotations

import cmath
import math
import random

import pytest

from wattrail.chips.bl0942.constants import SAMPLE_HZ
from wattrail.metrology.waveform import Curve, Sampling, Waveform, WaveSample, analyse, repeats, without_spikes

SPAN_S = 0.2


def reads(
    harmonics: dict[int, complex], *, hertz: float = 50.0, seed: int = 1, every_s: float = 120e-6, held: bool = True
) -> list[WaveSample]:
    """Reads of a sum of rms phasors at jittery moments; the chip holds each sample until the next."""
    chance, found, t = random.Random(seed), [], 0.0
    while t < SPAN_S:
        taken = math.floor(t * SAMPLE_HZ) / SAMPLE_HZ if held else t
        value = sum(math.sqrt(2) * (p * cmath.exp(2j * math.pi * k * hertz * taken)).real for k, p in harmonics.items())
        found.append(WaveSample(100 + t, round(value)))
        t += every_s * (0.5 + chance.random())
    return found


def sampling(volts: list[WaveSample], amps: list[WaveSample]) -> Sampling:
    return Sampling(
        seconds=SPAN_S,
        sample_hz=SAMPLE_HZ,
        volts_reads=len(volts),
        amps_reads=len(amps),
        repeats=repeats(volts, SAMPLE_HZ) + repeats(amps, SAMPLE_HZ),
    )


def analysed(
    volts: dict[int, complex], amps: dict[int, complex], *, near: float | None = 50.0, **how: float
) -> Waveform:
    v, i = reads(volts, seed=1, **how), reads(amps, seed=2, **how)  # type: ignore[arg-type]
    return analyse(v, i, sampling(v, i), hertz=near)


SINE = {1: 100_000 + 0j}


def test_known_harmonics_come_back_within_the_uncertainty_they_are_given() -> None:
    content = {1: 100_000 + 0j, 3: 5000j, 5: -2000 + 1000j, 7: 900 + 0j, 19: 700 + 0j}
    wave = analysed(SINE, content)
    for order in range(1, 21):
        got, want = abs(wave.amps.phasors[order]), abs(content.get(order, 0))
        assert abs(got - want) < 2 * wave.amps.uncertainty(order), order
        assert wave.amps.uncertainty(order) < 0.001 * 100_000


def test_uncorrected_held_samples_put_the_19th_harmonic_2_per_cent_off() -> None:
    # sinc(19 * 50 / 7812.5) = sinc(0.1216) = 0.9758
    curve = analysed(SINE, {1: 100_000 + 0j, 19: 50_000 + 0j}).amps
    assert abs(abs(curve.phasors[19]) - 50_000) < curve.uncertainty(19) < 0.012 * 50_000
    assert 1 - math.sin(math.pi * 0.1216) / (math.pi * 0.1216) == pytest.approx(0.0242, abs=1e-4)


def test_a_pure_sine_has_no_distortion_worth_the_name() -> None:
    wave = analysed(SINE, SINE)
    assert wave.volts.thd is not None
    assert wave.volts.thd_uncertainty is not None
    assert wave.volts.thd <= 2 * wave.volts.thd_uncertainty < 0.004
    assert wave.volts.crest == pytest.approx(math.sqrt(2), rel=0.005)


def test_distortion_is_the_root_of_the_squares() -> None:
    # hand: sqrt(30^2 + 40^2) / 1000 = 5 %
    curve = Curve((0j, 1000 + 0j, 30 + 0j, 40j, 0j, 0j, 0j, 0j), (0.0,) * 8, 0.0)
    assert curve.thd == pytest.approx(0.05)
    assert Curve(curve.phasors[:7], curve.sigmas[:7], 0.0).thd is None  # too few harmonics to say
    assert curve.rms == pytest.approx(math.hypot(1000, 50))


@pytest.mark.parametrize("true", [45.3, 49.87, 50.0, 50.13, 60.02])
@pytest.mark.parametrize("hinted", [True, False])
def test_the_frequency_is_found_from_a_rough_hint_and_from_none(true: float, hinted: bool) -> None:
    wave = analysed(SINE, SINE, hertz=true, near=round(true, 1) if hinted else None)
    assert wave.hertz == pytest.approx(true, abs=0.005)


@pytest.mark.parametrize(
    ("turn", "watts", "reactive", "phase"),
    [
        (0, 1.0, 0.0, 0),
        (-60, 0.5, math.sqrt(0.75), 60),  # a coil: the current lags
        (60, 0.5, -math.sqrt(0.75), -60),  # a capacitor
        (180, -1.0, 0.0, 180),  # export
    ],
)
def test_power_and_its_sign_follow_from_the_phase(turn: int, watts: float, reactive: float, phase: int) -> None:
    wave = analysed(SINE, {1: cmath.rect(100_000, math.radians(turn))})
    assert wave.watts / 1e10 == pytest.approx(watts, abs=0.005)
    assert wave.vars / 1e10 == pytest.approx(reactive, abs=0.005)
    assert wave.phase_degrees is not None
    assert abs(math.remainder(wave.phase_degrees - phase, 360)) < 0.3
    assert wave.volt_amps / 1e10 == pytest.approx(1.0, abs=0.005)


def test_a_harmonic_of_the_current_alone_is_distortion_power_not_watts() -> None:
    # hand: S = sqrt(1 + 0.3^2) V1 I1, P = V1 I1, so D = 0.3 V1 I1
    wave = analysed(SINE, {1: 100_000 + 0j, 3: 30_000 + 0j})
    assert wave.watts / 1e10 == pytest.approx(1.0, abs=0.005)
    assert wave.distortion_vars / 1e10 == pytest.approx(0.3, abs=0.01)
    assert wave.power_factor == pytest.approx(1 / math.hypot(1, 0.3), abs=0.002)


def test_the_period_begins_where_the_voltage_rises_through_zero() -> None:
    wave = analysed({1: cmath.rect(100_000, 1.234)}, SINE)
    curve = wave.volts.cycle(100)
    assert curve[0] == pytest.approx(0, abs=600)
    assert curve[25] == pytest.approx(math.sqrt(2) * 100_000, rel=0.005)


def test_a_slow_bus_resolves_fewer_harmonics_and_says_how_many() -> None:
    wave = analysed(SINE, SINE, every_s=1 / 700)
    assert 1 <= len(wave.volts.phasors) - 1 <= 7  # 700 / 2 / 50


def test_a_handful_of_reads_is_refused() -> None:
    few = [WaveSample(n * 0.025, n) for n in range(8)]
    with pytest.raises(ValueError, match="8 and 8 reads are too few"):
        analyse(few, few, sampling(few, few), hertz=50.0)


def test_a_wild_count_with_a_good_checksum_is_dropped_a_steep_edge_kept() -> None:
    good = reads(SINE)
    hit = [WaveSample(s.at, s.count ^ 0x40000) if n in {300, 700} else s for n, s in enumerate(good)]
    assert without_spikes(hit) == [s for n, s in enumerate(good) if n not in {300, 700}]
    square = [WaveSample(n * 1e-4, 1000 if n // 50 % 2 else -1000) for n in range(1000)]
    assert without_spikes(square) == square


def test_reading_one_sample_twice_is_counted_and_does_no_harm() -> None:
    fast = reads(SINE, every_s=60e-6)
    assert repeats(fast, SAMPLE_HZ) > len(fast) / 3
    wave = analyse(fast, fast, sampling(fast, fast), hertz=50.0)
    assert wave.volts.rms == pytest.approx(100_000, rel=0.002)
