"""Faults as calls, scenarios as files, carriers by URL, and the truth behind them all."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import numpy as np
import pytest

from wattrail.chips.bl0942.constants import CF_WATT_SECONDS
from wattrail.chips.bl0942.registers import CF_CNT, FREQ, MODE, STATUS, USR_WRPROT, V_RMS, WATT
from wattrail.clock import Deadline, ManualClock, SystemClock
from wattrail.errors import ConfigError, FileError, MissingExtra, PortError, PortLost, UrlError
from wattrail.extras import install_command
from wattrail.transport import Bus, Port, open_port
from wattrail.twin import open_twin
from wattrail.twin.loads import DAY_S
from wattrail.twin.mains import GridSupply, Mains
from wattrail.twin.scenario import load_scenario, parse_scenario, scenario_names

READ_MODE = "58 19"
MODE_REPLY = "87 00 00 07"

# ---- faults


def test_each_fault_on_a_reply_spoils_one_reply_and_is_gone(plug) -> None:
    spoils = {
        "86 00 00 07": lambda f: f.flip_bit(byte=0, bit=0),
        "87 00": lambda f: f.cut_reply(after=2),
        "": lambda f: f.drop(),
        "87 00 00 07 87 00 00 07": lambda f: f.double(),
        "55 87 00 00 07 AA BB": lambda f: f.junk(before=b"\x55", after=b"\xaa\xbb"),
    }
    for seen, spoil in spoils.items():
        spoil(plug.twin.faults)
        assert plug.ask(READ_MODE) == seen
        assert plug.ask(READ_MODE) == MODE_REPLY


def test_a_late_reply_comes_late(plug) -> None:
    plug.twin.faults.late(0.3)
    assert plug.ask(READ_MODE, seconds=0.2) == ""
    assert plug.listen(0.2) == MODE_REPLY


def test_spi_answers_are_spoiled_within_their_four_bytes(rail) -> None:
    rail.twin.faults.cut_reply(after=2)
    assert rail.read(0x19) == "00 00 FF FF"
    rail.twin.faults.drop()
    assert rail.read(0x19) == "FF FF FF FF"
    rail.twin.faults.flip_bit(byte=2, bit=7)
    assert rail.read(0x19) == "00 00 07 07"
    rail.twin.faults.silence()
    assert rail.read(0x19) == "FF FF FF FF"
    rail.twin.faults.silence(False)
    assert rail.read(0x19) == "00 00 87 07"


def test_noise_on_the_line_is_the_same_under_the_same_seed(make_rail) -> None:
    def story(seed: int) -> list[str]:
        rail = make_rail(seed=seed, errors=0.01)
        return [rail.read(0x19) for _ in range(100)]

    assert story(1) == story(1) != story(2)
    assert 0 < sum(reply != "00 00 87 07" for reply in story(1)) < 100


def test_a_pulled_cable_is_lost_and_put_back_reaches_the_same_chip(plug) -> None:
    plug.send("A8 1D 55 00 00 E5")
    plug.clock.advance(60)
    plug.send("58 AA")
    plug.twin.faults.unplug()
    for act in (lambda: plug.send("58 AA"), plug.port.drain, lambda: plug.port.read(Deadline.after(1, plug.clock))):
        with pytest.raises(PortLost, match="cable is unplugged"):
            act()
    before = plug.twin.chip.peek(CF_CNT)
    plug.clock.advance(60)
    plug.twin.faults.replug()
    assert plug.listen() == "", "what was on its way is gone"
    plug.port = plug.twin.carrier()
    assert plug.ask("58 1D") == "01 00 00 89"
    assert plug.twin.chip.peek(CF_CNT) > 1.9 * before, "it went on counting"


def test_a_closed_port_is_lost_and_closing_twice_is_harmless(plug) -> None:
    with plug.port as port:
        port.close()
    with pytest.raises(PortLost, match="is closed"):
        port.write(b"\x58")


def test_a_counter_that_restarts_by_itself_leaves_everything_else(plug) -> None:
    plug.send("A8 1D 55 00 00 E5")
    plug.clock.advance(60)
    plug.twin.faults.counter_reset()
    assert (plug.twin.chip.peek(CF_CNT), plug.twin.chip.peek(USR_WRPROT)) == (0, 1)


def test_a_reversed_transformer_turns_import_into_export(plug) -> None:
    plug.clock.advance(2)
    plug.twin.faults.reverse_transformer()
    plug.clock.advance(2)
    assert plug.twin.chip.peek(WATT) == -716903
    assert plug.twin.truth.watts == pytest.approx(1150)
    plug.twin.faults.reverse_transformer(False)
    plug.clock.advance(2)
    assert plug.twin.chip.peek(WATT) == 716903


def test_stuck_volts_and_a_frozen_frequency_heal(plug) -> None:
    plug.clock.advance(2)
    plug.twin.faults.stick_volts(0)
    plug.twin.faults.freeze_frequency()
    plug.twin.set(hertz=51.0)
    plug.clock.advance(2)
    assert (plug.twin.chip.peek(V_RMS), plug.twin.chip.peek(FREQ)) == (0, 19998)
    plug.twin.faults.stick_volts(None)
    plug.twin.faults.freeze_frequency(False)
    assert (plug.twin.chip.peek(V_RMS), plug.twin.chip.peek(FREQ)) == (3653168, 19606)


def test_an_impossible_error_rate_is_refused(plug) -> None:
    with pytest.raises(ValueError, match=r"bit error rate 0.7 is not from 0 to 0.5"):
        plug.twin.faults.noise(0.7)


# ---- scenarios and truth


def test_the_house_exports_around_noon_and_imports_at_night() -> None:
    for seed in range(4):
        house = load_scenario("house", seed=seed)
        watts = house.state(np.arange(0, DAY_S, 60.0)).watts
        assert watts[: 4 * 60].mean() > 150
        assert watts[11 * 60 : 14 * 60].mean() < -500
        assert watts.max() > 3000


def test_clouds_turn_the_power_around_some_three_hundred_times_a_day() -> None:
    watts = load_scenario("cloudy", seed=7).state(np.arange(0, DAY_S, 1.0)).watts
    crossings = int((np.diff(np.sign(watts)) != 0).sum())
    assert 200 < crossings < 400


def test_any_moment_of_a_scenario_can_be_computed_by_itself() -> None:
    house, times = load_scenario("house", seed=3), np.arange(0, DAY_S, 977.0)
    whole = house.state(times)
    for index in (0, 17, 80):
        alone = load_scenario("house", seed=3).state(times[index : index + 1])
        assert alone.watts[0] == pytest.approx(whole.watts[index], rel=1e-12)
        assert alone.volts[0] == pytest.approx(whole.volts[index], rel=1e-12)


def test_samples_add_up_to_the_rms_state_harmonics_included() -> None:
    house = load_scenario("house", seed=1, starts_at=19 * 3600.0)
    times = np.arange(0, 0.04, 1 / 50000)
    volts, amps = house.samples(times)
    state = house.ticks(0, 1)
    assert np.sqrt(np.mean(volts**2)) == pytest.approx(state.volts[0], rel=2e-3)
    assert np.sqrt(np.mean(amps**2)) == pytest.approx(state.amps[0], rel=5e-3)
    assert np.mean(volts * amps) == pytest.approx(state.watts[0], rel=5e-3)


@pytest.mark.parametrize("scenario", ["house", "cloudy"])
def test_a_whole_day_of_counts_agrees_with_the_truth_to_a_few_quanta(scenario: str) -> None:
    clock = ManualClock()
    twin = open_twin(clock=clock, scenario=scenario, seed=7)
    clock.advance(DAY_S)
    counts = twin.chip.peek(CF_CNT)
    wh = CF_WATT_SECONDS / 3600 / (3537 * 0.55 * 510 / 1950510 * 1e3 / 1.218**2)
    assert counts * wh == pytest.approx(twin.truth.import_wh + twin.truth.export_wh, abs=3 * wh)


def test_algebraic_counts_of_a_day_agree_with_the_net_truth() -> None:
    clock = ManualClock()
    twin = open_twin(clock=clock, scenario="cloudy", seed=7)
    twin.chip.poke(MODE, 0x0F)
    clock.advance(DAY_S)
    wh = CF_WATT_SECONDS / 3600 / (3537 * 0.55 * 510 / 1950510 * 1e3 / 1.218**2)
    net = (twin.chip.peek(CF_CNT) + (1 << 23)) % (1 << 24) - (1 << 23)
    assert net * wh == pytest.approx(twin.truth.net_wh, abs=3 * wh)


def test_truth_is_what_flowed_whatever_the_chip_did() -> None:
    clock = ManualClock()
    twin = open_twin(clock=clock, watts=-1800.0)
    clock.advance(1800)
    twin.faults.brown_out()
    twin.set(watts=3600.0)
    clock.advance(1800)
    assert twin.truth.export_wh == pytest.approx(900, rel=1e-4)
    assert twin.truth.import_wh == pytest.approx(1800, rel=1e-4)
    assert twin.truth.net_wh == pytest.approx(900, rel=1e-4)


def test_a_kettle_can_be_switched_by_hand() -> None:
    clock = ManualClock(datetime(2026, 6, 21, 2, 30, tzinfo=UTC))
    twin = open_twin(clock=clock, scenario="house", seed=1)
    clock.advance(1)
    before = twin.truth.watts
    twin.switch("kettle", True)
    clock.advance(1)
    assert twin.truth.watts - before == pytest.approx(2150, rel=0.05)
    twin.switch("kettle", None)
    clock.advance(1)
    assert twin.truth.watts == pytest.approx(before, rel=0.05)
    with pytest.raises(KeyError, match=r"no load 'toaster' here; known: base, fridge"):
        twin.switch("toaster", True)


def test_a_held_state_can_be_handed_back_to_the_scenario() -> None:
    clock = ManualClock()
    twin = open_twin(clock=clock, scenario="house", seed=1)
    twin.set(volts=200.0, watts=-500.0)
    clock.advance(1)
    assert (twin.truth.volts, twin.truth.watts) == (pytest.approx(200, rel=1e-3), pytest.approx(-500, rel=1e-2))
    twin.follow_scenario()
    clock.advance(1)
    assert twin.truth.volts > 220
    assert twin.truth.watts > 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("mains = 3", "^scenario mine.toml, line 1: mains: must be a table, got 3"),
        ("[mains]\nvolt = 230", "scenario mine.toml, line 2: mains has no field 'volt'; known: volts, hertz"),
        ("[mains]\nvolts = 'high'", "scenario mine.toml, line 2: mains.volts: must be a valid number, got 'high'"),
        ("[mains]\nvolts = 9000", "scenario mine.toml, line 2: mains.volts: must be from 0 to 500, got 9000"),
        ("[[loads]]\nwatts = 3", r"scenario mine.toml, line 1: loads\[1\].name: this field is missing"),
        ("[[loads]]\nname='a'", r"scenario mine.toml, line 1: loads\[1\].watts: this field is missing"),
        ("[[loads]]\nname='a'\nwatts=1\npf=0.5", r"line 4: loads\[1\].pf: a resistive load has 1.0"),
        ("[[loads]]\nname='a'\nwatts=1\nkind='odd'", r"line 4: loads\[1\].kind: must be 'resistive', .*, got 'odd'"),
        (
            "[[loads]]\nname='a'\nwatts=1\nat=['7:5']\nminutes=1",
            r"""line 4: loads\[1\].at\[1\]: must be a time like "07:30", got '7:5'""",
        ),
        ("[[loads]]\nname='a'\nwatts=1\nat=['07:05']", r"line 1: loads\[1\].minutes: this field is missing"),
        (
            "[[loads]]\nname='a'\nwatts=1\n[[loads]]\nname='a'\nwatts=1",
            r"line 5: loads\[2\].name: another load is named 'a'",
        ),
        (
            "[[sources]]\nname='a'\nwatts=1\nsunrise='20:00'\nsunset='06:00'",
            r"line 5: sources\[1\].sunset: must be after",
        ),
        ("loads = 3", "scenario mine.toml, line 1: loads: must be a list, got 3"),
        ("[mains", "scenario mine.toml, line 1, column 7: expected '\\]'"),
    ],
)
def test_a_malformed_scenario_names_file_and_field(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse_scenario(text, where="mine.toml")


def test_without_pydantic_a_scenario_names_the_command_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(MissingExtra, match="a twin needs the library 'pydantic'"):
        parse_scenario("", where="mine.toml")


def test_a_file_of_ones_own_is_a_scenario(tmp_path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[mains]\nvolts = 120\nhertz = 60\n[[loads]]\nname = 'lamp'\nwatts = 60\n")
    clock = ManualClock()
    twin = open_twin(clock=clock, scenario=str(file), noise=0.0)
    clock.advance(1)
    assert twin.truth.amps == pytest.approx(0.5)
    with pytest.raises(FileError, match="does not exist"):
        load_scenario(str(tmp_path / "other.toml"))
    with pytest.raises(ConfigError, match="no scenario 'hous'; known: bench, cloudy, house, idle"):
        load_scenario("hous")


def test_every_scenario_that_ships_loads() -> None:
    assert scenario_names() == ["bench", "cloudy", "house", "idle", "roof"]
    for name in scenario_names():
        assert isinstance(load_scenario(name), Mains)


def test_the_roof_on_a_meter_of_its_own_is_that_of_the_house() -> None:
    house, roof = load_scenario("house", starts_at=12 * 3600.0), load_scenario("roof", starts_at=12 * 3600.0)
    assert (roof.supply, roof.loads) == (house.supply, {})
    made = -roof.ticks(0, 1000).watts
    assert made.min() > 0
    everything = house.ticks(0, 1000).watts
    for load in house.loads:
        house.switch(-1.0, load, on=False)
    assert house.ticks(0, 1000).watts == pytest.approx(-made, rel=1e-9)
    assert (everything + made).min() > 0  # what the house uses


def test_electronic_loads_and_inverters_stop_without_mains() -> None:
    house = load_scenario("house", starts_at=12 * 3600.0)
    house.set(-1.0, volts=0.0)
    state = house.ticks(0, 10)
    assert not state.amps.any()
    assert not state.watts.any()
    assert Mains(GridSupply()).ticks(0, 1).amps[0] == 0


# ---- by URL


def test_a_url_names_board_scenario_and_seed_and_opens_a_fresh_meter() -> None:
    clock = ManualClock()
    url = "twin://pziot-e01?scenario=house&seed=7&start=12:00"
    with open_port(url, clock=clock) as first, open_port(url, clock=clock) as second:
        assert isinstance(first, Bus)
        assert (first.url, first.simulated, first.clock) == (url, True, clock)
        first.transfer(bytes.fromhex("A8 1D 00 00 55 E5"), Deadline.after(1, clock))
        reply = second.transfer(bytes.fromhex("58 1D 00 00 00 00"), Deadline.after(1, clock))
        assert reply[2:] == bytes.fromhex("00 00 00 8A")
        clock.advance(2)
        words = [c.transfer(bytes.fromhex("58 06 00 00 00 00"), Deadline.after(1, clock)) for c in (first, second)]
        assert words[0] == words[1]
        assert words[0][2] & 0x80, "it exports at noon"


def test_a_steady_state_by_url() -> None:
    clock = ManualClock()
    with open_port("twin://lspa9?volts=230&watts=-1150&noise=0&strap=9600&address=2", clock=clock) as port:
        assert isinstance(port, Port)
        clock.advance(2)
        port.write(bytes.fromhex("5A 06"))
        clock.advance(0.1)
        assert port.drain() == bytes.fromhex("99 0F F5 02")


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("twin://pziot", "no twin of a board 'pziot'; known: pziot-e01, lspa9"),
        ("twin://pziot-e01?amps=5&watts=3", "amps and watts exclude each other"),
        ("twin://pziot-e01?watts=5&pf=0", "at pf=0 no current makes watts"),
        ("twin://pziot-e01?scenario=house&amps=5", "amps holds a steady state and excludes scenario=house"),
        ("twin://pziot-e01?baud=4800", "baud means nothing on pziot-e01, which is wired by SPI"),
        ("twin://lspa9?hz=100000", "hz means nothing on lspa9, which is wired by UART"),
        ("twin://lspa9?strap=19200", "must be one of 4800, 9600"),
        ("twin://lspa9?start=25:00", "must be a time of day"),
        ("twin://lspa9/somewhere", "nothing else"),
        ("twin://lspa9?colour=red", "twin has no option 'colour'"),
    ],
)
def test_urls_that_make_no_sense_are_refused_with_the_reason(url: str, complaint: str) -> None:
    with pytest.raises(UrlError, match=complaint):
        open_port(url)


def test_without_numpy_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(MissingExtra, match="a digital twin needs the library 'numpy'") as caught:
        open_twin()
    assert caught.value.hint == install_command("numpy", "twin")


def test_lines_and_senseless_rates_are_port_errors(plug) -> None:
    with pytest.raises(PortError, match="no modem lines"):
        plug.port.set_lines(dtr=True)
    with pytest.raises(PortError, match="a rate of 0 baud; a rate is 1 or more"):
        plug.port.set_baud(0)


def test_in_real_time_a_twin_lives_at_the_local_time_of_day() -> None:
    twin = open_twin(clock=SystemClock())
    now = datetime.now().astimezone()
    seconds = now.hour * 3600 + now.minute * 60 + now.second
    assert (seconds + 1 - twin.mains.starts_at) % DAY_S < 5
    assert twin.chip.peek(MODE) == 0x87
    assert twin.chip.peek(STATUS) & 0x300 == 0x300


def test_amps_and_watts_at_once_are_refused(plug) -> None:
    with pytest.raises(ValueError, match="give amps or watts, not both"):
        plug.twin.set(amps=1, watts=1)
    with pytest.raises(ValueError, match="power factor of 0"):
        plug.twin.set(pf=0, watts=1)


def test_an_option_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="a twin has no option ampere; known: address, amps"):
        open_twin(ampere=5)
