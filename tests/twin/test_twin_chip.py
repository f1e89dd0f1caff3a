"""The register file over time: lock, reset, refresh, creep, energy, frequency."""

from __future__ import annotations

import numpy as np
import pytest

from wattrail.chips.bl0942.constants import CF_WATT_SECONDS, CREEP_STEP
from wattrail.chips.bl0942.registers import (
    BY_ADDRESS,
    CF_CNT,
    CREEP,
    FREQ,
    I_FAST_RMS,
    I_FAST_RMS_TH,
    I_RMS,
    I_WAVE,
    I_ZX_LOW,
    MODE,
    OT_FUNX,
    REGISTERS,
    STATUS,
    USR_WRPROT,
    V_RMS,
    V_WAVE,
    V_ZX_LOW,
    WA_CREEP,
    WATT,
)
from wattrail.front_end import FRONT_ENDS
from wattrail.twin.chips.bl0942.array import Bl0942Array
from wattrail.twin.front_end import Deviation, FrontEnds, Wiring
from wattrail.twin.mains import GridSupply, Mains
from wattrail.twin.twin import NOISE_UV

A_WATTS = 1150 * 623.394 / CF_WATT_SECONDS  # CF counts a second of 1150 W on the reference circuit


def test_power_on_shows_the_reset_values_of_every_register(plug) -> None:
    for register in REGISTERS[2:]:  # the waves are there at once
        expected = 0x300 if register is STATUS else register.reset
        assert plug.twin.chip.peek(register) == expected, register.name


def test_a_locked_chip_ignores_writes_and_an_unlocked_one_reads_back_one(plug) -> None:
    chip = plug.twin.chip
    chip.write_word(MODE.address, 0x8F, 0.0)
    assert chip.peek(MODE) == 0x87
    chip.write_word(USR_WRPROT.address, 0x55, 0.0)
    assert chip.peek(USR_WRPROT) == 1
    chip.write_word(MODE.address, 0x8F, 0.0)
    assert chip.peek(MODE) == 0x8F
    chip.write_word(USR_WRPROT.address, 0xAA, 0.0)
    chip.write_word(MODE.address, 0x87, 0.0)
    assert (chip.peek(USR_WRPROT), chip.peek(MODE)) == (0, 0x8F)


def test_read_only_registers_ignore_writes_and_excess_bits_are_dropped(plug) -> None:
    chip = plug.twin.chip
    chip.write_word(USR_WRPROT.address, 0x55, 0.0)
    for register in REGISTERS[:9]:
        before = chip.peek(register)
        chip.write_word(register.address, 0x123456, 0.0)
        assert chip.peek(register) == before, register.name
    chip.write_word(MODE.address, 0xFFFFFF, 0.0)
    assert chip.peek(MODE) == 0x3FF


def test_soft_reset_restores_settings_clears_counter_stays_unlocked(plug) -> None:
    chip = plug.twin.chip
    plug.clock.advance(30)
    chip.write_word(0x1C, 0x5A5A5A, plug.twin.now())
    assert chip.peek(CF_CNT) > 0, "a locked chip ignores it"
    chip.write_word(0x1D, 0x55, plug.twin.now())
    chip.write_word(WA_CREEP.address, 0x33, plug.twin.now())
    chip.write_word(0x1C, 0x5A5A5B, plug.twin.now())
    assert chip.peek(WA_CREEP) == 0x33, "another key resets nothing"
    chip.write_word(0x1C, 0x5A5A5A, plug.twin.now())
    assert (chip.peek(WA_CREEP), chip.peek(CF_CNT), chip.peek(USR_WRPROT)) == (0x0B, 0, 1)


def test_a_brown_out_is_a_power_on(plug) -> None:
    chip = plug.twin.chip
    chip.write_word(0x1D, 0x55, 0.0)
    chip.write_word(MODE.address, 0x8F, 0.0)
    plug.clock.advance(10)
    plug.twin.faults.brown_out()
    assert (chip.peek(MODE), chip.peek(USR_WRPROT), chip.peek(CF_CNT)) == (0x87, 0, 0)
    assert (chip.peek(V_RMS), chip.peek(FREQ), chip.peek(STATUS)) == (0, 0x4E20, 0x300)
    plug.clock.advance(1)
    assert chip.peek(V_RMS) == 3653168


@pytest.mark.parametrize(("mode", "period"), [(0x87, 0.4), (0x8F, 0.8)])
def test_voltage_current_and_power_change_together_at_every_refresh(plug, mode: int, period: float) -> None:
    chip = plug.twin.chip
    chip.poke(MODE, mode)
    plug.clock.advance(3.2)
    plug.twin.set(volts=200.0, amps=1.0)
    seen = {}
    for _ in range(200):
        plug.clock.advance(0.01)
        state = (chip.peek(V_RMS), chip.peek(I_RMS), chip.peek(WATT))
        seen.setdefault(state, plug.twin.now())
    assert len(seen) == 2, "old and new, nothing in between"
    assert list(seen.values())[1] == pytest.approx(3.2 + period, abs=0.011)


def test_a_step_within_a_window_is_averaged_and_settles_with_the_next(plug) -> None:
    chip = plug.twin.chip
    plug.clock.advance(4.2)  # half way through a window
    plug.twin.set(amps=10.0)
    plug.clock.advance(0.25)
    assert chip.peek(WATT) == pytest.approx(716903 * 1.5, rel=1e-5)
    plug.clock.advance(0.4)
    assert chip.peek(WATT) == pytest.approx(716903 * 2, abs=1)


def test_what_is_under_the_threshold_is_hidden_power_and_current_alike(make_plug) -> None:
    watts = 0x0B * CREEP_STEP / 623.394
    below, above = make_plug(amps=watts / 230 * 0.99), make_plug(amps=watts / 230 * 1.01)
    for meter in (below, above):
        meter.clock.advance(1)
    assert (below.twin.chip.peek(WATT), below.twin.chip.peek(I_RMS)) == (0, 0)
    assert CREEP.get(below.twin.chip.peek(STATUS)) == 1
    assert above.twin.chip.peek(WATT) == 136
    assert CREEP.get(above.twin.chip.peek(STATUS)) == 0


def test_a_reactive_standby_load_reads_no_current_at_all(make_plug) -> None:
    plug = make_plug(amps=0.020, pf=0.01)
    plug.clock.advance(1)
    assert plug.twin.chip.peek(I_RMS) == 0
    plug.twin.chip.poke(WA_CREEP, 0)
    plug.clock.advance(1)
    assert plug.twin.chip.peek(I_RMS) == pytest.approx(0.020 * 251213, abs=2)


def test_noise_leaves_the_residues_that_captures_show(make_plug) -> None:
    plug = make_plug(amps=0.0, deviation=Deviation(noise_uv=NOISE_UV), seed=3)
    seen = []
    for _ in range(500):
        plug.clock.advance(0.4)
        seen.append((plug.twin.chip.peek(I_RMS), plug.twin.chip.peek(WATT)))
    residues = [both for both in seen if both != (0, 0)]
    assert 0.1 < len(residues) / len(seen) < 0.3  # 3 of 16 captures without load have one
    single = [both for both in residues if both[0] < 30]
    assert len(single) > 0.7 * len(residues)
    assert {abs(watts) for _, watts in single} <= {3, 4, 5}  # captured: 2, 3 and -4


def test_the_counter_is_exact_at_any_moment(plug) -> None:
    rate = 716903.02 / CF_WATT_SECONDS
    for _ in range(50):
        plug.clock.advance(0.377)
        assert plug.twin.chip.peek(CF_CNT) == int(rate * plug.twin.now())


def test_absolute_counting_adds_both_ways_and_keeps_the_last_direction(plug) -> None:
    chip = plug.twin.chip
    plug.clock.advance(10)
    forward = chip.peek(CF_CNT)
    assert chip.peek(STATUS) & 1 == 0
    plug.twin.set(pf=-1.0)
    plug.clock.advance(0.1)
    assert chip.peek(STATUS) & 1 == 0, "no pulse yet"
    plug.clock.advance(10)
    assert chip.peek(CF_CNT) == pytest.approx(2 * forward, abs=1)
    assert chip.peek(STATUS) & 1 == 1
    assert chip.peek(WATT) == -716903


def test_algebraic_counting_goes_back_and_wraps_below_zero(plug) -> None:
    chip = plug.twin.chip
    chip.poke(MODE, 0x07)
    plug.clock.advance(10)
    up = chip.peek(CF_CNT)
    plug.twin.set(pf=-1.0)
    plug.clock.advance(20)
    down = chip.peek(CF_CNT)
    assert (down - up) % (1 << 24) >= (1 << 24) - 2 * up - 2
    assert down > 0xFFFF00


def test_the_counter_wraps_upwards_without_a_word(plug) -> None:
    plug.twin.chip.poke(CF_CNT, 0xFFFFFF)
    plug.clock.advance(5)
    assert plug.twin.chip.peek(CF_CNT) == int(5 * A_WATTS) - 1


def test_a_change_after_a_long_silence_leaves_the_past_as_it_was(make_plug) -> None:
    watched, silent = make_plug(), make_plug()
    for meter in (watched, silent):
        for _ in range(60):
            meter.clock.advance(60)
            if meter is watched:
                meter.twin.chip.peek(CF_CNT)
        meter.twin.chip.poke(MODE, 0x07)
        meter.twin.faults.reverse_transformer()
        meter.clock.advance(60)
        meter.twin.chip.poke(MODE, 0x03)
    assert watched.twin.chip.peek(CF_CNT) == silent.twin.chip.peek(CF_CNT) == int(59 * 60 * 716903.02 / CF_WATT_SECONDS)


def test_counting_switched_off_stops_counter_and_pulses(plug) -> None:
    chip = plug.twin.chip
    plug.clock.advance(10)
    chip.poke(MODE, 0x83)
    before = chip.peek(CF_CNT)
    plug.clock.advance(100)
    assert chip.peek(CF_CNT) == before
    assert not chip.output("cf1")


def test_frequency_moves_in_steps_of_eight_and_freezes_without_mains(plug) -> None:
    chip, seen = plug.twin.chip, set()
    for hertz in np.arange(49.5, 50.5, 0.01):
        plug.twin.set(hertz=float(hertz))
        plug.clock.advance(0.8)
        seen.add(chip.peek(FREQ))
    assert {count % 8 for count in seen} == {6}
    assert all(abs(1e6 / count - 50) < 0.52 for count in seen)
    plug.twin.set(volts=20.0)
    plug.clock.advance(1)
    last = chip.peek(FREQ)
    plug.twin.set(hertz=60.0)
    plug.clock.advance(10)
    assert chip.peek(FREQ) == last
    assert V_ZX_LOW.get(chip.peek(STATUS)) == 1


def test_a_chip_that_never_saw_mains_says_fifty_hertz_and_no_creep(make_plug) -> None:
    plug = make_plug(volts=0.0, amps=0.0)
    plug.clock.advance(100)
    assert (plug.twin.chip.peek(FREQ), plug.twin.chip.peek(STATUS)) == (0x4E20, 0x300)


def test_zero_crossing_flags_follow_the_rms_registers(make_plug) -> None:
    small, large = make_plug(amps=1.0), make_plug(amps=1.1)
    for meter in (small, large):
        meter.clock.advance(1)
    assert I_ZX_LOW.get(small.twin.chip.peek(STATUS)) == 1
    assert I_ZX_LOW.get(large.twin.chip.peek(STATUS)) == 0


def test_over_current_shows_on_the_output_it_is_routed_to(plug) -> None:
    chip = plug.twin.chip
    chip.poke(OT_FUNX, 0x25)
    chip.poke(I_FAST_RMS_TH, 3562)  # 10 A on the reference circuit
    plug.clock.advance(1)
    assert not chip.output("cf1")
    plug.twin.set(amps=10.1)
    plug.clock.advance(0.1)
    assert chip.output("cf1")


def test_the_energy_output_pulses_once_for_every_count(make_plug) -> None:
    plug = make_plug(amps=20.0)
    chip, edges, last = plug.twin.chip, 0, False
    start = chip.peek(CF_CNT)
    for _ in range(4000):
        plug.clock.advance(0.005)
        level = chip.output("cf1")
        edges += level and not last
        last = level
    assert edges == pytest.approx(chip.peek(CF_CNT) - start, abs=1)


def test_zero_crossing_output_is_low_in_positive_half_waves_570_us_late(plug) -> None:
    plug.clock.advance(1)
    levels = []
    for _ in range(400):
        plug.clock.advance(0.0001)
        levels.append(plug.twin.chip.output("zx"))
    assert 0.45 < sum(levels) / len(levels) < 0.55
    falls = [n for n in range(1, 400) if levels[n - 1] and not levels[n]]
    assert falls[1] - falls[0] == pytest.approx(200, abs=3)


def test_waveform_registers_carry_twenty_signed_bits_zero_filled(plug) -> None:
    plug.clock.advance(1)
    amps, volts = [], []
    for _ in range(3125):
        plug.clock.advance(1 / 7812.5)
        word = plug.twin.chip.read_word(I_WAVE.address, plug.twin.now())
        assert 0 <= word < 1 << 20
        amps.append(I_WAVE.decode(word))
        volts.append(plug.twin.chip.peek(V_WAVE))
    assert np.sqrt(np.mean(np.square(amps))) * 32 == pytest.approx(1256067, rel=1e-3)
    assert np.sqrt(np.mean(np.square(volts))) * 32 == pytest.approx(3653168, rel=1e-3)


def test_a_measured_register_cannot_be_poked_but_can_stick(plug) -> None:
    with pytest.raises(ValueError, match=r"V_RMS is measured: set the mains, or stick\(\) it"):
        plug.twin.chip.poke(V_RMS, 1)
    plug.twin.faults.stick_volts(0)
    assert plug.twin.chip.peek(V_RMS) == 0


def bank_of(count: int, *, noise_uv: float) -> Bl0942Array:
    mains = Mains(GridSupply(volts_swing=5.0, hertz_swing=0.1, noise=0.001), seed=1)
    mains.set(-1.0, amps=0.02, power_factor=0.9)
    parts = [FRONT_ENDS["reference"], FRONT_ENDS["pziot-e01"]] * (count // 2)
    offs = [Deviation(amps_ratio=n / 1000, dc_mv=n / 10, noise_uv=noise_uv) for n in range(count)]
    return Bl0942Array(FrontEnds([mains], Wiring(parts[:count], offs)), seeds=range(count))


def test_a_chip_in_a_bank_is_the_chip_it_would_be_alone() -> None:
    bank = bank_of(6, noise_uv=3.5)
    bank.write(USR_WRPROT.address, 0x55, 0.0, 3)
    bank.write(MODE.address, 0x0F, 1.1, 3)
    mains = Mains(GridSupply(volts_swing=5.0, hertz_swing=0.1, noise=0.001), seed=1)
    mains.set(-1.0, amps=0.02, power_factor=0.9)
    wiring = Wiring([FRONT_ENDS["pziot-e01"]], [Deviation(amps_ratio=3 / 1000, dc_mv=0.3, noise_uv=3.5)])
    alone = Bl0942Array(FrontEnds([mains], wiring), seeds=[3])
    alone.write(USR_WRPROT.address, 0x55, 0.0, 0)
    alone.write(MODE.address, 0x0F, 1.1, 0)
    for time in (0.5, 2.0, 77.7, 1000.0):
        ours, theirs = bank.snapshot(time), alone.snapshot(time)
        assert {name: int(row[3]) for name, row in ours.items()} == {n: int(r[0]) for n, r in theirs.items()}


def test_looking_often_and_looking_once_give_the_same_day() -> None:
    often, once = bank_of(2, noise_uv=3.5), bank_of(2, noise_uv=3.5)
    for step in range(1, 3000):
        often.advance(step * 0.2)
    assert {n: r.tolist() for n, r in often.snapshot(600.0).items()} == {
        n: r.tolist() for n, r in once.snapshot(600.0).items()
    }


def test_a_replan_without_a_change_changes_nothing() -> None:
    disturbed, left_alone = bank_of(2, noise_uv=3.5), bank_of(2, noise_uv=3.5)
    for step in range(1, 200):
        with disturbed.changing(step * 0.317):
            pass
    assert {n: r.tolist() for n, r in disturbed.snapshot(64.0).items()} == {
        n: r.tolist() for n, r in left_alone.snapshot(64.0).items()
    }


def test_every_documented_address_has_a_register() -> None:
    assert len(BY_ADDRESS) == 19
    assert I_FAST_RMS.address == 5
