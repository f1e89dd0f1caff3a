"""The register table, pinned by what the documents and a real dump say."""

from __future__ import annotations

import pytest

from wattrail.chips import BL0942
from wattrail.chips.belling import RmsUpdate
from wattrail.chips.bl0942.registers import (
    BY_ADDRESS,
    GAIN_CR,
    I_WAVE,
    MODE,
    OT_FUNX,
    REGISTERS,
    STATUS,
    Accumulation,
    Gain,
    Output,
    UartRate,
)
from wattrail.chips.bl0942.sample import Bl0942Sample
from wattrail.front_end import FRONT_ENDS
from wattrail.wire import Access


def test_nine_registers_are_measured_and_ten_are_set() -> None:
    assert len(REGISTERS) == len(BY_ADDRESS) == 19
    assert sum(register.access is Access.READ for register in REGISTERS) == 9


def test_addresses_stand_in_datasheet_order() -> None:
    addresses = [register.address for register in REGISTERS]
    assert addresses == sorted(addresses)
    assert addresses[:9] == list(range(1, 10))


def test_the_waveform_is_signed_from_bit_19() -> None:
    assert I_WAVE.decode(0x80000) == -524288
    assert I_WAVE.decode(0x7FFFF) == 524287


def test_mode_is_shown_by_the_names_of_its_fields() -> None:
    assert MODE.words(0x28F) == {
        "reserved": "3",
        "cf_en": "1",
        "rms_update": "ms_800",
        "fast_rms": "full_wave",
        "ac_freq": "hz_50",
        "cf_cnt_clear": "0",
        "cf_cnt_add": "absolute",
        "uart_rate": "baud_19200",
    }


def test_mode_is_put_together_from_fields() -> None:
    word = MODE.field("rms_update").put(MODE.reset, RmsUpdate.MS_800)
    assert word == 0x08F
    word = MODE.field("cf_cnt_add").put(word, Accumulation.ALGEBRAIC)
    assert word == 0x00F
    assert MODE.field("uart_rate").put(0x08F, UartRate.BAUD_38400) == 0x38F


def test_outputs_come_up_as_pulse_over_current_and_zero_crossing() -> None:
    assert [field.get(OT_FUNX.reset) for field in OT_FUNX.fields] == [
        Output.ENERGY_PULSE, Output.OVER_CURRENT, Output.VOLTAGE_ZERO_CROSSING,
    ]  # fmt: skip


def test_the_gain_comes_up_at_sixteen() -> None:
    assert Gain(GAIN_CR.reset).factor == 16


def test_status_is_shown_by_the_names_of_its_fields() -> None:
    assert STATUS.words(0x122) == {"cf_revp": "0", "creep": "1", "unknown": "8", "i_zx_low": "1", "v_zx_low": "0"}


def at_230_volts(**changes: int) -> Bl0942Sample:
    values = {"i_rms": 1256067, "v_rms": 3653168, "watt": 716903, "cf_cnt": 1200, "freq": 19998, "status": 0}
    return Bl0942Sample(**{**values, **changes})


def test_an_ordinary_snapshot_contradicts_nothing() -> None:
    assert at_230_volts().contradictions() == ()
    assert at_230_volts().excess_power() == ""


def test_frequency_is_known_while_zero_crossings_are_seen() -> None:
    scale = BL0942.scaling.calibration_of(FRONT_ENDS["reference"])
    assert at_230_volts().quantities(scale).hertz == pytest.approx(50.005, abs=1e-3)  # 1e6 / 19998
    assert at_230_volts(status=0x200).quantities(scale).hertz is None


@pytest.mark.parametrize("watt", [0x7FF067, -0x0BF067])
def test_power_beyond_volts_times_amps_is_named_in_either_direction(watt: int) -> None:
    assert at_230_volts(watt=watt).excess_power() == f"WATT {watt} is more than volts times amps allow, 716903"


def test_the_residue_of_a_gated_load_is_not_an_excess() -> None:
    assert at_230_volts(i_rms=33, v_rms=3687021, watt=-4).excess_power() == ""  # capture lt-153-2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"v_rms": 0xFFBE30}, "V_RMS 16760368 is above 6074631"),
        ({"i_rms": 0xF32A83}, "I_RMS 15936131 is above 10550966"),
        ({"freq": 0x0E1E}, "FREQ 3614 is outside"),
        ({"freq": 0}, "FREQ 0 is outside"),
    ],
)
def test_what_no_mains_can_do_is_named(changes: dict[str, int], reason: str) -> None:
    (found,) = at_230_volts(**changes).contradictions()
    assert reason in found


@pytest.mark.parametrize(
    "changes",
    [{"v_rms": 6074631}, {"i_rms": 10550966}, {"freq": 14_000}, {"freq": 25_000}, {"freq": 1, "status": 0x200}],
)
def test_what_is_just_possible_is_not_refused(changes: dict[str, int]) -> None:
    """At the clipping of the pins, at 71 and 40 Hz; and any frequency where V_ZX_LOW says that there is no mains."""
    assert at_230_volts(**changes).contradictions() == ()


def test_a_frozen_frequency_without_mains_is_not_a_contradiction() -> None:
    assert at_230_volts(v_rms=0, i_rms=0, watt=0, freq=20000, status=0x300).contradictions() == ()
