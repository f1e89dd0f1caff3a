"""The analogue side against the worked examples of the datasheet's formulas, to the count."""

from __future__ import annotations

import numpy as np
import pytest

from wattrail.chips.bl0942.registers import GAIN_CR, I_FAST_RMS, I_RMS, V_RMS, WATT
from wattrail.clock import ManualClock
from wattrail.front_end import FRONT_ENDS, FrontEnd
from wattrail.twin import open_twin
from wattrail.twin.chip import MeterChip
from wattrail.twin.chips.bl0942.array import Bl0942Array
from wattrail.twin.front_end import Deviation, FrontEnds, Wiring
from wattrail.twin.mains import GridSupply, Mains
from wattrail.twin.twin import Twin
from wattrail.twin.waveform import SampledFrontEnds

EXAMPLES = [
    ("reference", 5, 1.0, 3653168, 1256067, 716903, 455952),
    ("reference", 10, -0.8, 3653168, 2512135, -1147045, 911905),
    ("ct-example", 10, 1.0, 3653168, 1281189, 731241, 465071),
    ("ct-example", 0.1, 1.0, 3653168, 12812, 7312, 4651),
    ("zmpt107", 5, 1.0, 3478941, 1256067, 682712, 455952),
    ("pziot-e01", 20, 1.0, 3653168, 2763348, 1577186, 1003095),
]
"""Front end, amperes, power factor at 230 V; V_RMS, I_RMS, WATT, I_FAST_RMS. The last is for 1.1 ohm."""


def settled(front_end: FrontEnd, amps: float, pf: float, **deviation: float) -> Twin:
    clock = ManualClock()
    off = Deviation(**deviation)
    twin = open_twin(clock=clock, volts=230.0, amps=amps, pf=pf, front_end=front_end, deviation=off)
    clock.advance(1.3)
    return twin


def meter(front_end: FrontEnd, amps: float, pf: float, **deviation: float) -> MeterChip:
    return settled(front_end, amps, pf, **deviation).chip


@pytest.mark.parametrize(("name", "amps", "pf", "v_rms", "i_rms", "watt", "fast"), EXAMPLES)
def test_worked_examples_come_out_to_the_count(name, amps, pf, v_rms, i_rms, watt, fast) -> None:
    chip = meter(FRONT_ENDS[name], amps, pf)
    assert chip.peek(V_RMS) == v_rms
    assert chip.peek(I_RMS) == i_rms
    assert chip.peek(WATT) == watt
    assert abs(chip.peek(I_FAST_RMS) - fast) <= 1


def test_a_ratio_error_shows_in_its_own_quantity_and_in_power() -> None:
    chip = meter(FRONT_ENDS["reference"], 5, 1.0, volts_ratio=-0.01, amps_ratio=0.02)
    assert chip.peek(V_RMS) == round(3653168.42 * 0.99)
    assert chip.peek(I_RMS) == pytest.approx(1256067 * 1.02, abs=1)
    assert chip.peek(WATT) == pytest.approx(716903 * 0.99 * 1.02, abs=1)


def test_a_leading_transformer_hurts_reactive_loads_most() -> None:
    resistive = meter(FRONT_ENDS["reference"], 5, 1.0, phase_degrees=1.0).peek(WATT) / 716903
    lagging = meter(FRONT_ENDS["reference"], 5, 0.5, phase_degrees=1.0).peek(WATT) / (716903 * 0.5)
    assert resistive == pytest.approx(np.cos(np.radians(1)), abs=1e-5)
    assert lagging == pytest.approx(np.cos(np.radians(60 - 1)) / 0.5, abs=1e-4)


def test_an_offset_at_the_pins_shows_in_the_fast_measure_alone() -> None:
    chip = meter(FRONT_ENDS["reference"], 0, 1.0, dc_mv=0.17)
    assert chip.peek(I_RMS) == chip.peek(WATT) == 0
    assert 17_000 < chip.peek(I_FAST_RMS) < 17_500  # as tas-14829 shows without load


def test_pins_clip_and_a_clipped_sine_is_neither_lost_nor_linear() -> None:
    at_limit = meter(FRONT_ENDS["reference"], 29.0, 1.0).peek(I_RMS)
    beyond = meter(FRONT_ENDS["reference"], 60.0, 1.0).peek(I_RMS)
    assert at_limit == pytest.approx(29 * 251213.46, abs=1)
    assert at_limit < beyond < 42 * 251213.46  # a square wave of 42 mV at most


def test_gain_scales_current_and_power_and_the_range_the_other_way() -> None:
    twin = settled(FRONT_ENDS["reference"], 5, 1.0)
    chip = twin.chip
    chip.poke(GAIN_CR, 0)
    twin.clock.advance(2)
    assert chip.peek(I_RMS) == pytest.approx(1256067 / 16, abs=1)
    assert chip.peek(WATT) == pytest.approx(716903 / 16, abs=1)
    assert chip.peek(V_RMS) == 3653168


def test_samples_and_rms_quantities_tell_the_same_story() -> None:
    mains = [Mains(GridSupply())]
    mains[0].set(-1.0, amps=5.0, power_factor=0.7)
    wiring = Wiring([FRONT_ENDS["reference"]], [Deviation(dc_mv=0.3, phase_degrees=2.0)])
    by_rms = Bl0942Array(FrontEnds(mains, wiring)).snapshot(2.0)
    by_sample = Bl0942Array(SampledFrontEnds(mains, wiring)).snapshot(2.0)
    for name in ("V_RMS", "I_RMS", "WATT", "I_FAST_RMS"):
        assert by_sample[name][0] == pytest.approx(by_rms[name][0], rel=1e-3), name


def test_samples_clip_as_the_closed_form_says() -> None:
    mains = [Mains(GridSupply())]
    mains[0].set(-1.0, amps=50.0, power_factor=1.0)
    wiring = Wiring([FRONT_ENDS["reference"]], [Deviation()])
    by_rms = Bl0942Array(FrontEnds(mains, wiring)).snapshot(2.0)
    by_sample = Bl0942Array(SampledFrontEnds(mains, wiring)).snapshot(2.0)
    for name in ("I_RMS", "WATT"):
        assert by_sample[name][0] == pytest.approx(by_rms[name][0], rel=2e-3), name
