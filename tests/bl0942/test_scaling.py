"""Scaling against the worked examples of the datasheet and the application note, computed by hand."""

from __future__ import annotations

import pytest

from wattrail.calibration import Calibration
from wattrail.chips import BL0942
from wattrail.chips.bl0942.scaling import SCALING, creep_watts, fast_amps, hertz
from wattrail.front_end import FRONT_ENDS

REFERENCE = BL0942.scaling.calibration_of(FRONT_ENDS["reference"])


def test_the_reference_circuit_follows_from_its_parts() -> None:
    assert REFERENCE.counts_per_amp == pytest.approx(251213.46, abs=0.01)
    assert REFERENCE.counts_per_volt == pytest.approx(15883.341, abs=0.001)
    assert REFERENCE.counts_per_watt == pytest.approx(623.394, abs=0.001)
    assert BL0942.scaling.wh_per_count(REFERENCE) == pytest.approx(0.186894, abs=1e-6)
    assert BL0942.scaling.counts_per_kwh(REFERENCE) == pytest.approx(5350.63, abs=0.01)


@pytest.mark.parametrize(
    ("name", "per_amp", "per_volt", "per_watt", "wh_per_count"),
    [
        ("ct-example", 128118.87, 15883.341, 317.931, 0.366458),
        ("zmpt107", 251213.46, 15125.83, 593.663, 0.196254),
        ("pziot-e01", 138167.4, 15883.341, 342.867, 0.339807),
    ],
)
def test_other_front_ends_follow_from_their_parts(
    name: str, per_amp: float, per_volt: float, per_watt: float, wh_per_count: float
) -> None:
    calibration = BL0942.scaling.calibration_of(FRONT_ENDS[name])
    assert calibration.counts_per_amp == pytest.approx(per_amp, rel=2e-6)
    assert calibration.counts_per_volt == pytest.approx(per_volt, rel=2e-6)
    assert calibration.counts_per_watt == pytest.approx(per_watt, rel=2e-6)
    assert BL0942.scaling.wh_per_count(calibration) == pytest.approx(wh_per_count, rel=4e-6)


def test_the_reference_circuit_is_specified_to_thirty_amperes() -> None:
    assert SCALING.i_full_scale / REFERENCE.counts_per_amp == pytest.approx(30.0)
    assert SCALING.v_full_scale / REFERENCE.counts_per_volt == pytest.approx(267.7, abs=0.05)


def test_the_application_notes_check_comes_out() -> None:
    assert REFERENCE.amps(251213) == pytest.approx(1.0, abs=1e-5)
    assert REFERENCE.volts(3494335) == pytest.approx(219.999, abs=1e-3)
    assert REFERENCE.watts(137146) == pytest.approx(219.999, abs=1e-3)
    assert 1200 * BL0942.scaling.wh_per_count(REFERENCE) == pytest.approx(224.3, abs=0.05)


@pytest.mark.parametrize(
    ("name", "v_rms", "i_rms", "watt", "volt", "ampere", "power"),
    [
        ("reference", 3653168, 1256067, 716903, 230.0, 5.0, 1150.0),
        ("reference", 3653168, 2512135, -1147045, 230.0, 10.0, -1840.0),
        ("ct-example", 3653168, 1281189, 731241, 230.0, 10.0, 2300.0),
        ("ct-example", 3653168, 12812, 7312, 230.0, 0.1, 22.999),
        ("zmpt107", 3478941, 1256067, 682712, 230.0, 5.0, 1150.0),
    ],
)
def test_the_worked_examples_come_out(
    name: str, v_rms: int, i_rms: int, watt: int, volt: float, ampere: float, power: float
) -> None:
    calibration = BL0942.scaling.calibration_of(FRONT_ENDS[name])
    assert calibration.volts(v_rms) == pytest.approx(volt, abs=2e-4)
    assert calibration.amps(i_rms) == pytest.approx(ampere, abs=2e-5)
    assert calibration.watts(watt) == pytest.approx(power, abs=2e-3)


def test_a_conductor_the_other_way_round_turns_export_into_import() -> None:
    turned = SCALING.calibration_of(FRONT_ENDS["reference"], inverted=True)
    assert turned.watts(-716903) == pytest.approx(1150.0, abs=1e-3)


@pytest.mark.parametrize(("hz", "count"), [(45, 22222), (50, 20000), (50.005, 19998), (60, 16667), (65, 15385)])
def test_frequency_is_a_million_over_the_count(hz: float, count: int) -> None:
    assert hertz(count) == pytest.approx(hz, rel=3e-5)


def test_a_period_of_zero_is_a_failed_read() -> None:
    with pytest.raises(ValueError, match="FREQ count 0 is not a period"):
        hertz(0)


@pytest.mark.parametrize(("code", "power"), [(0x0B, 0.215), (0x33, 0.999), (0x40, 1.253), (0xFF, 4.993)])
def test_the_creep_threshold_in_watts(code: int, power: float) -> None:
    assert creep_watts(code, REFERENCE) == pytest.approx(power, abs=1e-3)


def test_the_fast_register_shows_the_current_of_a_sine() -> None:
    # 16 A make 16 * 251213.46 * 0.363 = 1459048 counts of I_FAST_RMS
    assert fast_amps(1_459_048, REFERENCE) == pytest.approx(16.0, abs=1e-4)


def test_the_counter_is_followed_through_its_wrap() -> None:
    assert BL0942.counts_between(0xFFFFF0, 0x000010) == 32


def test_the_identity_of_the_chip_binds_the_three_constants() -> None:
    assert pytest.approx(1.5623477e-7, rel=1e-7) == SCALING.watt_identity
    assert BL0942.scaling.disagreement(REFERENCE) == pytest.approx(0, abs=1e-9)
    assert SCALING.disagreement(Calibration(15968, 124180, 309.1)) == pytest.approx(
        -0.0022, abs=1e-4
    )  # a real factory set


def test_constants_must_be_positive() -> None:
    with pytest.raises(ValueError, match=r"counts_per_amp must be from 0.001 to 1e\+09"):
        Calibration(1, 0, 1)
