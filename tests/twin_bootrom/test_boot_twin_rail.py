"""The rail by itself: closed formulas against small steps, and what a capacitor does."""

from __future__ import annotations

from math import exp, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.errors import ConfigError
from wattrail.twin.bootrom import DRAWS, SUPPLIES, PowerSupply
from wattrail.twin.bootrom.rail import Circuit, Rail
from wattrail.twin.bootrom.supply import BROWN_OUT_VOLTS, RELEASE_S, RESTART_VOLTS

SUPPLY = st.builds(
    PowerSupply,
    st.floats(2.0, 5.0),
    st.floats(0.1, 10.0),
    st.floats(1e-6, 1e-3),
    st.floats(0.06, 1.0),
    st.floats(0.01, 0.05) | st.none(),
    st.floats(3.5, 5.0) | st.just(inf),
    st.floats(0.0, 4.0),
    st.floats(0.0, 1.5),
    st.floats(0.0, 0.05),
)


def stepped(supply: PowerSupply, volts: float, amps: float, seconds: float, steps: int = 4000) -> float:
    """The same rail in small steps of time."""
    for _ in range(steps):
        flows = min(offset + slope * volts for offset, slope in supply.lines)
        volts = max(0.0, volts + (flows - amps - supply.board_amps) / supply.farads * seconds / steps)
    return volts


@given(SUPPLY, st.floats(0.0, 3.3), st.floats(0.0, 0.5), st.floats(0.05, 2.0))
def test_the_formula_and_small_steps_agree(supply: PowerSupply, volts: float, amps: float, spans: float) -> None:
    seconds = spans * supply.farads * supply.ohms
    circuit = Circuit(supply.lines, supply.farads, supply.board_amps)
    assert circuit.steady(volts, amps, seconds)[0] == pytest.approx(stepped(supply, volts, amps, seconds), abs=0.01)


@given(SUPPLY, st.floats(2.8, 3.3), st.floats(0.0, 0.5))
def test_the_moment_of_a_level_is_the_moment_the_rail_reaches_it(
    supply: PowerSupply, volts: float, amps: float
) -> None:
    circuit = Circuit(supply.lines, supply.farads, supply.board_amps)
    _, met = circuit.steady(volts, amps, 1.0, 2.7)
    if met < inf:
        assert circuit.steady(volts, amps, met)[0] == pytest.approx(2.7, abs=1e-6)
    else:
        assert circuit.steady(volts, amps, 1.0)[0] > 2.7 - 1e-6


@given(
    SUPPLY,
    st.floats(0.0, 5.0),
    st.sampled_from(sorted(DRAWS)),
    st.sampled_from([BROWN_OUT_VOLTS, RESTART_VOLTS]),
    st.floats(0.8, 1.2),
)
def test_every_activity_comes_to_an_end_or_to_rest(
    supply: PowerSupply, volts: float, activity: str, level: float, peak: float
) -> None:
    circuit = Circuit(supply.lines, supply.farads, supply.board_amps)
    course = circuit.follow(volts, activity, inf, level, peak)
    assert 0 <= course.volts <= max(5.0, supply.volts)
    if course.met_at < inf:
        assert circuit.follow(volts, activity, course.met_at, peak=peak).volts == pytest.approx(level, abs=1e-5)


def test_a_capacitor_behind_a_resistor_charges_by_the_textbook() -> None:
    circuit = Circuit(PowerSupply(3.3, 4.0, 1e-3, limit_amps=1.0).lines, 1e-3)
    assert circuit.steady(0.0, 0.0, 0.004)[0] == pytest.approx(3.3 * (1 - exp(-1)))
    assert circuit.steady(3.3, 0.1, inf)[0] == pytest.approx(2.9)


def test_beyond_the_limit_a_capacitor_supplies_the_rest_and_empties() -> None:
    circuit = Circuit(PowerSupply(3.3, 0.01, 100e-6, limit_amps=0.15).lines, 100e-6)
    assert circuit.steady(3.2, 0.25, 0.001)[0] == pytest.approx(3.2 - 0.1 * 0.001 / 100e-6)


def test_a_limit_that_folds_back_drags_the_rail_down_ever_faster() -> None:
    straight = Circuit(PowerSupply(3.3, 0.01, 100e-6, limit_amps=0.15).lines, 100e-6)
    folded = Circuit(PowerSupply(3.3, 0.01, 100e-6, limit_amps=0.15, folded_amps=0.05).lines, 100e-6)
    assert folded.steady(3.2, 0.25, 0.001)[0] < straight.steady(3.2, 0.25, 0.001)[0]
    assert folded.steady(3.2, 0.25, 1.0)[0] == 0.0, "and no further than to nothing"


def test_a_regulator_without_headroom_follows_its_input() -> None:
    supply = PowerSupply(3.3, 0.2, 10e-6, 0.5, input_volts=4.7, input_ohms=3.8, dropout_volts=1.5)
    assert Circuit(supply.lines, supply.farads).steady(3.0, 0.1, inf)[0] == pytest.approx(4.7 - 1.5 - 0.1 * 4.0)


def test_a_rail_falls_rises_and_needs_more_to_start_than_to_stop() -> None:
    rail = Rail(PowerSupply(3.3, 1.0, 1e-3, limit_amps=2.0), seed=0)
    rail.draw("transmitting", 1.0)
    assert rail.crosses_at == inf
    rail.connect(False, 2.0)
    fell = rail.crosses_at
    assert rail.volts(fell) == pytest.approx(BROWN_OUT_VOLTS)
    rail.cross()
    rail.draw("in reset", fell)
    rail.connect(True, fell)
    assert rail.volts(rail.crosses_at - RELEASE_S) == pytest.approx(RESTART_VOLTS)
    rail.cross()
    assert (rail.is_up, rail.crosses_at) == (True, inf)


def test_a_source_that_cannot_carry_the_reset_chip_never_lets_it_start() -> None:
    rail = Rail(PowerSupply(3.3, 10.0, 1e-5, limit_amps=1.0, board_amps=0.05), seed=0)
    rail.draw("erasing", 0.0)
    rail.cross()
    rail.draw("in reset", 1.0)
    assert rail.crosses_at == inf
    assert 2.7 < rail.volts(2.0) < 2.85


def test_a_load_that_repeats_itself_is_the_same_after_a_year() -> None:
    rail = Rail(PowerSupply(3.3, 4.0, 1e-3, limit_amps=1.0), seed=0)
    rail.draw("transmitting", 0.0)
    period = DRAWS["transmitting"].period_s
    assert rail.volts(3 * period + 0.001) < rail.volts(3 * period) - 0.1, "a frame goes out"
    assert rail.volts(300_000_000 * period + 0.001) == pytest.approx(rail.volts(3 * period + 0.001), abs=1e-5)


def test_what_cannot_be_a_supply_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be above 0") as error:
        PowerSupply(3.3, 0.0, 1e-6, 1.0)
    assert error.value.hint == 'use supply="ideal" for a supply without faults'


def test_every_activity_that_follows_another_has_its_line() -> None:
    assert {draw.then for draw in DRAWS.values()} - {""} <= set(DRAWS)
    assert SUPPLIES["ideal"] is None
