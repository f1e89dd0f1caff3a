"""The waveform of twins whose mains are known: harmonics, scale, sign, and what stands in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattrail.chips import BL0942
from wattrail.clock import ManualClock
from wattrail.errors import LinkError, UrlError
from wattrail.front_end import FRONT_ENDS
from wattrail.meter import Meter, open_meter
from wattrail.meter.wave import Oscillogram, capture, obstacle
from wattrail.twin import open_twin
from wattrail.twin.front_end import Deviation
from wattrail.twin.waveform import RMS_PER_WAVE
from wattrail.wire import Register

DIRTY = """
[mains]
volts = 230
harmonics = [{ order = 5, percent = 2.0, degrees = 170 }, { order = 11, percent = 1.0 }]

[[loads]]
name = "rectifier"
watts = 1150
kind = "electronic"
harmonics = [{ order = 3, percent = 40, degrees = 175 }, { order = 5, percent = 20 }, { order = 19, percent = 2 }]
"""


def captured(url: str, *, inverted: bool = False, cycles: int = 10) -> Oscillogram:
    with open_meter(url, clock=ManualClock()) as meter:
        if inverted:
            scale = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"], inverted=True)
            meter.calibration = scale
        meter.connect()
        return capture(meter, cycles=cycles)


def test_harmonics_of_the_twins_mains_come_back_within_their_uncertainty(tmp_path: Path) -> None:
    (tmp_path / "dirty.toml").write_text(DIRTY)
    wave = captured(f"twin://pziot-e01?samples=yes&noise=0&scenario={tmp_path / 'dirty.toml'}").waveform
    for curve, content in ((wave.volts, {5: 2.0, 11: 1.0}), (wave.amps, {3: 40.0, 5: 20.0, 19: 2.0})):
        for order in range(2, 21):
            got = 100 * abs(curve.phasors[order]) / curve.fundamental
            spread = 100 * curve.uncertainty(order) / curve.fundamental
            assert abs(got - content.get(order, 0.0)) < 2 * spread, order
    # hand: sqrt(0.4^2 + 0.2^2 + 0.02^2) = 44.77 %, sqrt(0.02^2 + 0.01^2) = 2.236 %
    assert wave.amps.thd == pytest.approx(0.4477, abs=0.005)
    assert wave.volts.thd == pytest.approx(0.02236, abs=0.002)


@pytest.mark.parametrize("clock_hz", [300_000, 375_000, 500_000, 750_000, 800_000])
def test_phase_and_power_are_right_whatever_the_pace_of_the_bus(clock_hz: int) -> None:
    # 750 kHz fits the samples exactly: strict alternation would make one channel 64 us older, 1.15 degrees
    found = captured(f"twin://pziot-e01?amps=5&pf=0.5&hz={clock_hz}")
    assert found.waveform.phase_degrees == pytest.approx(60, abs=0.15)
    assert found.waveform.watts == pytest.approx(575, abs=3)
    assert found.waveform.watts == pytest.approx(575, abs=2 * found.waveform.watts_uncertainty + 1)


def test_the_scale_is_found_by_comparison_with_the_rms_registers() -> None:
    found = captured("twin://pziot-e01?amps=5&seed=3")
    for ratio in found.rms_per_wave:
        assert ratio == pytest.approx(RMS_PER_WAVE, rel=0.001)
    assert found.waveform.volts.rms == pytest.approx(230, rel=1e-4)
    assert found.waveform.amps.rms == pytest.approx(5, rel=1e-4)
    assert found.steady
    assert found.watts_off is not None
    assert abs(found.watts_off) < 0.003
    assert found.simulated


def test_export_is_negative_and_an_inverted_meter_turns_it() -> None:
    url = "twin://pziot-e01?watts=-800"
    assert captured(url).waveform.watts == pytest.approx(-800, rel=0.005)
    turned = captured(url, inverted=True)
    assert turned.waveform.watts == pytest.approx(800, rel=0.005)
    assert turned.reading.watts == pytest.approx(800, rel=0.005)


def test_a_current_that_the_chip_calls_no_load_has_no_scale() -> None:
    found = captured("twin://pziot-e01?amps=0.001&noise=0")  # 0.23 W; the chip begins at 0.39 W
    assert found.amps_per_count is None
    assert not found.waveform.amps_known
    assert found.rms_per_wave[1] is None
    assert found.watts_off is None


def test_a_load_that_changes_meanwhile_is_noticed() -> None:
    clock = ManualClock()
    twin = open_twin("pziot-e01", clock=clock, powered_for=10, deviation=Deviation(), amps=5.0)
    meter = Meter(twin.carrier(), BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"]))
    meter.connect()
    read = meter.read

    def read_and_switch() -> object:
        reading = read()
        twin.set(amps=5.5)
        return reading

    meter.read = read_and_switch  # type: ignore[method-assign,assignment]
    found = capture(meter)
    assert not found.steady
    assert found.drift == pytest.approx(1 - 5 / 5.5, abs=0.002)


def test_a_noisy_line_costs_reads_and_not_the_result() -> None:
    found = captured("twin://pziot-e01?amps=5&pf=0.5&errors=0.0005&seed=2")
    sampling = found.waveform.sampling
    assert sampling.retries > 20
    assert sampling.late > 20
    assert found.waveform.watts == pytest.approx(575, abs=4)


def test_a_bus_that_is_held_up_makes_the_capture_longer_and_not_wrong() -> None:
    clock = ManualClock()
    with open_meter("twin://pziot-e01?amps=5&pf=0.5", clock=clock) as meter:
        meter.connect()
        ask, asked = meter.client.read_register, iter(range(10**6))

        def held_up(register: Register) -> int:
            count = ask(register)
            if next(asked) % 40 == 39:
                clock.sleep(0.02)  # the system had other things to do
            return count

        meter.client.read_register = held_up  # type: ignore[method-assign]
        found = capture(meter)
    sampling = found.waveform.sampling
    assert 0.21 < sampling.seconds < 0.45
    assert sampling.late > 10
    assert sampling.longest_gap_s > 0.02
    assert len(found.waveform.volts.phasors) > 20
    assert abs(found.waveform.watts - 575) < found.waveform.watts_uncertainty + 1


def test_the_sampling_says_how_fast_it_was() -> None:
    sampling = captured("twin://pziot-e01?amps=5", cycles=5).waveform.sampling
    # 48 clocks a read at 800 kHz, two channels: 8333 reads a second and curve
    assert sampling.hertz == pytest.approx(8333, rel=0.01)
    assert sampling.share > 1
    assert sampling.repeats > 0
    assert sampling.longest_gap_s < 3 * 60e-6 + 1e-9


def test_over_uart_it_is_refused_with_the_arithmetic_and_the_remedy() -> None:
    with open_meter("twin://lspa9?watts=60", clock=ManualClock()) as meter:
        told = obstacle(meter)
        assert told is not None
        with pytest.raises(UrlError, match=r"12\.5 ms at 4800 baud, 80 reads a second") as caught:
            capture(meter)
    assert caught.value.hint is not None
    assert "SEL to VDD" in caught.value.hint


def test_without_mains_there_is_no_waveform() -> None:
    with open_meter("twin://pziot-e01?volts=0&amps=0", clock=ManualClock()) as meter:
        meter.connect()
        with pytest.raises(LinkError, match="sees no mains"):
            capture(meter)
