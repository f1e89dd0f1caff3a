"""Every verb reads a meter by the constants that hold for it, and they are the same for all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.cli.test_accuracy import QUICK
from wattrail.chips import BL0942
from wattrail.meter.opening import usual_scale
from wattrail.metrology.scale_origin import ScaleOrigin, ScaleSource

HOUSE = "twin://pziot-e01?watts=1000&volts=230&seed=1&tolerance=5"
BY_PARTS = ("--front-end", "pziot-e01")

pytestmark = pytest.mark.usefixtures("manual_clock")


@pytest.fixture(autouse=True)
def calibrated(home: Path, manual_clock: object, wattrail: Type) -> None:
    """A house with a meter of 5 % parts, calibrated against the truth: 1000 W is 1000 W."""
    Path("wattrail.toml").write_text(f'[[meter]]\nname = "house"\nurl = "{HOUSE}"\n')
    assert wattrail("meter", "calibrate", "house", "--reference", "twin", "--apply").code == 0
    raw = json.loads(wattrail("meter", "read", HOUSE, *BY_PARTS, "--json").out)["watts"]
    kept = json.loads(wattrail("meter", "read", "house", "--json").out)["watts"]
    assert abs(raw / 1000 - 1) > 0.02
    assert kept == pytest.approx(1000, rel=1e-3)


def test_curves_are_scaled_by_what_was_measured(wattrail: Type) -> None:
    found = json.loads(wattrail("meter", "wave", "house", "--json").out)
    assert found["watts_by_register"] == pytest.approx(1000, rel=2e-3)
    assert found["watts"] == pytest.approx(1000, rel=5e-3)


def test_accuracy_is_that_of_the_calibrated_meter(wattrail: Type) -> None:
    by_parts, found = (
        json.loads(wattrail("meter", "accuracy", "house", *QUICK, "--json", *words).out)["loads"]
        for words in (BY_PARTS, ())
    )
    at_unity = [place for place, load in enumerate(found) if load["power_factor"] == "1"]
    assert all(abs(by_parts[place]["power_error_percent"]) > 2 for place in at_unity)
    assert all(abs(found[place]["power_error_percent"]) < 0.1 for place in at_unity)


def test_a_front_end_named_for_one_run_is_where_a_calibration_begins(wattrail: Type) -> None:
    said = json.loads(wattrail("meter", "calibrate", "house", "--front-end", "reference", "--invert", "--json").out)
    parts = json.loads(wattrail("meter", "read", "house", "--front-end", "reference", "--json").out)["scale"]
    assert said["before"]["counts_per_watt"] == pytest.approx(parts["counts_per_watt"])


def test_a_twin_behind_a_recording_scales_as_its_own_board() -> None:
    plain = usual_scale("twin://lspa9", spi=False, chip=BL0942)
    assert plain.origin == ScaleOrigin(ScaleSource.TWIN, "lspa9")
    assert usual_scale("record:c.jsonl?of=twin://lspa9", spi=False, chip=BL0942) == plain


def test_constants_of_a_twin_scale_no_capture_of_a_meter(wattrail: Type) -> None:
    # The house was rehearsed on a twin under the name that the meter has now; the gateway refuses those constants, too.
    assert wattrail("meter", "record", "house", "c.jsonl", "--count", "2").code == 0
    Path("real.jsonl").write_text(Path("c.jsonl").read_text().replace('"simulated": true', '"simulated": false'))
    Path("wattrail.toml").write_text('[[meter]]\nname = "house"\nurl = "replay:real.jsonl"\n')
    said = json.loads(wattrail("meter", "read", "house", "--json").out)
    assert not said["simulated"]
    assert said["scale"]["source"] == "assumed"


def test_constants_of_a_twin_scale_its_capture(wattrail: Type) -> None:
    assert wattrail("meter", "record", "house", "c.jsonl", "--count", "2").code == 0
    Path("wattrail.toml").write_text('[[meter]]\nname = "house"\nurl = "replay:c.jsonl"\n')
    said = json.loads(wattrail("meter", "read", "house", "--json").out)
    assert said["simulated"]
    assert said["scale"]["source"] == "calibrated"
