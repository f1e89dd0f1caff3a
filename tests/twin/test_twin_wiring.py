"""What passes the transformer's hole, and currents that lead."""

from __future__ import annotations

import pytest

from wattrail.chips.bl0942.registers import I_RMS, I_WAVE, V_RMS, WATT
from wattrail.clock import ManualClock
from wattrail.errors import UrlError
from wattrail.twin import open_twin
from wattrail.twin.front_end import Deviation
from wattrail.twin.options import THREADINGS
from wattrail.twin.twin import Twin


def settled(**options: object) -> Twin:
    clock = ManualClock()
    twin = open_twin("pziot-e01", clock=clock, deviation=Deviation(), **{"volts": 230.0, "amps": 5.0} | options)  # type: ignore[arg-type]
    clock.advance(2)
    return twin


@pytest.mark.parametrize("wiring", list(THREADINGS))
@pytest.mark.parametrize("samples", [False, True])
def test_the_chip_sees_what_passes_the_hole(wiring: str, samples: bool) -> None:
    line, twin = settled(samples=samples), settled(wiring=wiring, samples=samples)
    factor = THREADINGS[wiring]  # type: ignore[index]
    assert twin.chip.peek(V_RMS) == line.chip.peek(V_RMS)
    assert twin.chip.peek(WATT) == pytest.approx(factor * line.chip.peek(WATT), abs=2)
    assert twin.chip.peek(I_RMS) == pytest.approx(abs(factor) * line.chip.peek(I_RMS), abs=60)
    assert twin.chip.peek(I_WAVE) == pytest.approx(factor * line.chip.peek(I_WAVE), abs=2)
    assert twin.truth.watts == pytest.approx(1150)


def test_a_neutral_turned_round_is_a_line_again() -> None:
    twin = settled(wiring="neutral")
    twin.faults.reverse_transformer(True)
    twin.clock.advance(2)  # type: ignore[attr-defined]
    assert twin.chip.peek(WATT) > 0


def test_a_phase_error_on_a_leading_current_costs_power() -> None:
    # lead of the transformer 2 degrees: cos(36.87 + 2) / 0.8 = 0.9732 where the current leads, 1.0256 where it lags
    clock = ManualClock()
    twin = open_twin("pziot-e01", clock=clock, deviation=Deviation(phase_degrees=2.0), volts=230.0, amps=5.0, pf=0.8)
    clock.advance(2)
    lagging = twin.chip.peek(WATT)
    twin.set(leading=True)
    clock.advance(2)
    leading = twin.chip.peek(WATT)
    assert twin.truth.watts == pytest.approx(920)
    assert leading / lagging == pytest.approx(0.97322 / 1.02556, abs=1e-4)


def test_a_shunt_has_no_hole() -> None:
    with pytest.raises(UrlError, match="wiring=both needs a transformer"):
        open_twin("lspa9", clock=ManualClock(), wiring="both")
