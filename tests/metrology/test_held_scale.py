"""Which constants hold, where several places say something: one function, one order."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from wattrail.calibration import Calibration
from wattrail.chips import BL0942
from wattrail.front_end import FRONT_ENDS
from wattrail.metrology import scale_origin
from wattrail.metrology.scale_origin import CALIBRATED, Scale, ScaleClaims, ScaleOrigin, ScaleSource

held_scale = partial(scale_origin.held_scale, scaling=BL0942.scaling)
USUAL = Scale(BL0942.scaling.calibration_of(FRONT_ENDS["reference"]), ScaleOrigin(ScaleSource.ASSUMED, "reference"))
GIVEN, KEPT = Calibration(15_900, 138_000, 343), Calibration(15_800, 137_000, 341)
EVERYTHING = ScaleClaims(override="lspa9", given=GIVEN, kept=KEPT, front_end="pziot-e01")


def named(name: str) -> Scale:
    return Scale(BL0942.scaling.calibration_of(FRONT_ENDS[name]), ScaleOrigin(ScaleSource.NAMED, name))


@pytest.mark.parametrize(
    ("silent", "holds"),
    [
        ((), named("lspa9")),
        (("override",), Scale(GIVEN, CALIBRATED)),
        (("override", "given"), Scale(KEPT, CALIBRATED)),
        (("override", "given", "kept"), named("pziot-e01")),
        (("override", "given", "kept", "front_end"), USUAL),
    ],
    ids=["this run's front end", "the file's constants", "what is kept", "the file's front end", "the usual parts"],
)
def test_the_first_that_says_something_holds(silent: tuple[str, ...], holds: Scale) -> None:
    assert held_scale(replace(EVERYTHING, **dict.fromkeys(silent)), USUAL, simulated=False) == holds


@pytest.mark.parametrize("claims", [EVERYTHING, ScaleClaims(kept=KEPT), ScaleClaims()])
def test_a_wire_that_passes_the_other_way_flips_whatever_holds(claims: ScaleClaims) -> None:
    plain, flipped = (
        held_scale(claims, USUAL, simulated=False),
        held_scale(replace(claims, inverted=True), USUAL, simulated=False),
    )
    assert flipped == Scale(replace(plain.calibration, inverted=True), plain.origin)


def test_constants_that_were_measured_inverted_stay_so() -> None:
    assert held_scale(
        ScaleClaims(kept=replace(KEPT, inverted=True)), USUAL, simulated=False, scaling=BL0942.scaling
    ).calibration.inverted


@pytest.mark.parametrize("of_twin", [False, True])
def test_a_twin_and_a_meter_lend_each_other_no_constants(of_twin: bool) -> None:
    claims = ScaleClaims(kept=KEPT, kept_of_twin=of_twin)
    assert held_scale(claims, USUAL, simulated=of_twin).calibration == KEPT
    assert held_scale(claims, USUAL, simulated=not of_twin) == USUAL
