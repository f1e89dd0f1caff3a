"""What simulated registers show of the energy that flows, and how they lose it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from wattrail.energy_register import Direction
from wattrail.twin.network.register_habits import HABITS, UJ_PER_WH, SimulatedRegister


def wh(register: SimulatedRegister) -> Fraction:
    return register.mwh / 1000


def test_openbeken_falls_back_to_its_last_save_at_a_power_cut() -> None:
    register = SimulatedRegister(HABITS["openbeken"])
    for _ in range(13):
        register.flow(2 * UJ_PER_WH, seconds=7.2)
    register.power_cut()
    register.flow(5 * UJ_PER_WH, seconds=60)
    register.power_on()
    assert wh(register) == 20
    assert (register.import_uj, register.evidence().uptime_s) == (31 * UJ_PER_WH, 0)


def test_tasmota_falls_by_less_than_a_watt_hour_at_midnight() -> None:
    register = SimulatedRegister(replace(HABITS["tasmota"], step_mwh=Fraction(10)))
    register.flow(UJ_PER_WH * 79 // 100, seconds=60)
    assert wh(register) == Fraction("0.79")
    register.midnight()
    assert wh(register) == 0


def test_tasmota_shows_the_current_day_again_once_its_clock_is_set() -> None:
    register = SimulatedRegister(HABITS["tasmota"])
    register.flow(7 * UJ_PER_WH, seconds=60)
    register.midnight()
    register.flow(3 * UJ_PER_WH, seconds=60)
    register.restart()
    assert wh(register) == 7
    register.flow(1 * UJ_PER_WH, seconds=30)
    assert wh(register) == 11


def test_tasmota_adds_yesterday_once_more_after_a_power_cut() -> None:
    register = SimulatedRegister(HABITS["tasmota"])
    register.flow(7 * UJ_PER_WH, seconds=60)
    register.midnight()
    register.power_cut()
    register.power_on()
    assert wh(register) == 14


def test_a_plug_begins_at_zero_with_each_boot() -> None:
    register = SimulatedRegister(HABITS["shelly-plug"])
    register.flow(60_000_000 * 5, seconds=300)
    assert register.count == 5
    register.restart()
    assert register.count == 0


def test_a_cached_zero_and_garbage_are_shown_until_it_recovers() -> None:
    register = SimulatedRegister(HABITS["billing-meter"], total_uj=9 * UJ_PER_WH)
    register.show(0)
    register.flow(UJ_PER_WH, seconds=60)
    assert register.count == 0
    register.recover()
    assert wh(register) == 10


def test_a_register_of_23_bits_wraps() -> None:
    register = SimulatedRegister(HABITS["homematic"], total_uj=((1 << 23) - 1) * UJ_PER_WH // 10)
    register.flow(UJ_PER_WH // 5, seconds=60)
    assert register.count == 1


def test_float_totals_round_to_what_a_float_can_hold() -> None:
    register = SimulatedRegister(HABITS["esphome-integration"], total_uj=20_000_001 * UJ_PER_WH)
    assert wh(register) == 20_000_000 + 2  # above 16 384 kWh the spacing is 2 Wh: 20 000.001 is shown as .002 here


def test_a_day_register_is_zero_at_midnight() -> None:
    register = SimulatedRegister(HABITS["today"])
    register.flow(9 * UJ_PER_WH, seconds=60)
    register.midnight()
    assert register.count == 0


def test_other_firmware_may_add_or_subtract_export() -> None:
    register = SimulatedRegister(HABITS["openbeken"])
    register.flow(export_uj=UJ_PER_WH, seconds=60)
    assert wh(register) == 1
    register.change_to(replace(HABITS["openbeken"], direction=Direction.NET, keeps_over_restart=True))
    register.flow(export_uj=3 * UJ_PER_WH, seconds=60)
    assert wh(register) == -2
    assert register.evidence().revision == "firmware 2"


def test_a_reset_command_moves_the_start_stamp() -> None:
    register = SimulatedRegister(HABITS["openbeken"], total_uj=UJ_PER_WH)
    before = register.evidence().start_stamp
    register.reset(3 * UJ_PER_WH)
    assert wh(register) == 3
    assert register.evidence().start_stamp != before
