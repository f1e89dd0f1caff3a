"""Limits, classes and causes, on errors worked out by hand."""

from __future__ import annotations

import math

import pytest

from wattrail.metrology.accuracy import (
    Figure,
    NoLoad,
    PointResult,
    Start,
    Verdict,
    best_class,
    causes,
    judge,
    phase_lead_degrees,
)
from wattrail.metrology.iec62053 import CLASSES, BasicRange, LoadPhase, LoadPoint, limit_at, no_load_minutes, points_for

RANGE = BasicRange()
BY_NAME = {class_.name: class_ for class_ in CLASSES}


def result(point: LoadPoint, error: float, uncertainty: float = 0.05) -> PointResult:
    figure = Figure(error, uncertainty)
    return PointResult(
        point=point, reference_watts=point.watts, watts=point.watts * (1 + error / 100), power=figure, energy=figure,
        counts=10, seconds=60.0, one_count=10.0,
    )  # fmt: skip


def all_points(*, ratio: float = 0.0, lead: float = 0.0) -> list[PointResult]:
    """Every load on a front end with a ratio error (a share) and a leading current channel (degrees)."""
    found = []
    for point in points_for(RANGE):
        phi = math.acos(point.phase.power_factor) * (-1 if point.phase.leads else 1)
        error = (1 + ratio) * math.cos(phi - math.radians(lead)) / math.cos(phi) - 1
        found.append(result(point, 100 * error))
    return found


@pytest.mark.parametrize(
    ("amps", "phase", "half", "one", "two"),
    [
        (0.05, LoadPhase.UNITY, 1.0, None, None),
        (0.25, LoadPhase.UNITY, 0.5, 1.5, 2.5),
        (0.5, LoadPhase.UNITY, 0.5, 1.0, 2.0),
        (50.0, LoadPhase.UNITY, 0.5, 1.0, 2.0),
        (0.1, LoadPhase.INDUCTIVE, 1.0, None, None),
        (0.5, LoadPhase.INDUCTIVE, 0.6, 1.5, 2.5),
        (1.0, LoadPhase.INDUCTIVE, 0.6, 1.0, 2.0),
        (1.0, LoadPhase.CAPACITIVE, 0.6, 1.0, None),
    ],
)
def test_limits_are_those_of_the_standards_tables(amps, phase, half, one, two) -> None:
    point = LoadPoint(230.0, amps, phase)
    assert [limit_at(BY_NAME[name], point, RANGE) for name in ("0.5 S", "1", "2")] == [half, one, two]


def test_the_points_go_from_the_smallest_current_to_the_largest() -> None:
    amps = {phase: [point.amps for point in points_for(RANGE) if point.phase is phase] for phase in LoadPhase}
    shifted = [0.1, 0.5, 1.0, 2.5, 5.0, 25.0, 50.0]
    assert amps == {
        LoadPhase.UNITY: [0.05, 0.25, 0.5, 1.0, 2.5, 5.0, 25.0, 50.0],
        LoadPhase.INDUCTIVE: shifted,
        LoadPhase.CAPACITIVE: shifted,
    }
    small = [point.amps for point in points_for(BasicRange(basic_amps=5.0, max_amps=2.0))]
    assert small[:5] == [0.05, 0.25, 0.5, 1.0, 2.0]  # half the basic current and more is beyond it


def test_the_no_load_test_of_class_1_lasts_as_long_as_its_formula_says() -> None:
    # 600e6 / (k m Un Imax) = 600e6 / (1000 * 1 * 230 * 50) = 52.17 min
    assert no_load_minutes(BY_NAME["1"], RANGE, 1000.0) == pytest.approx(52.17, abs=0.01)


@pytest.mark.parametrize(
    ("error", "uncertainty", "verdict"),
    [(0.8, 0.1, Verdict.HOLDS), (0.95, 0.1, Verdict.OPEN), (1.05, 0.1, Verdict.OPEN), (-1.2, 0.1, Verdict.FAILS)],
)
def test_a_limit_within_the_uncertainty_is_left_open(error, uncertainty, verdict) -> None:
    assert Figure(error, uncertainty).against(1.0) is verdict


def test_a_perfect_meter_is_of_the_strictest_class_and_has_no_cause() -> None:
    points = all_points()
    best = best_class(RANGE, points, [], None)
    assert best is not None
    assert best.name == "0.5 S"
    assert causes(points) == ()


def test_two_degrees_are_six_per_cent_at_half_a_power_factor() -> None:
    # inductive: cos(60 - 2) / cos 60 - 1 = 0.529919 / 0.5 - 1 = +5.98 %; lagging by 2: cos 62 / cos 60 - 1 = -6.11 %
    # capacitive: cos(36.87 + 2) / 0.8 - 1 = 0.778577 / 0.8 - 1 = -2.68 %
    by_phase = {p.point.phase: p.figure.error for p in all_points(lead=2.0)}
    assert by_phase[LoadPhase.INDUCTIVE] == pytest.approx(5.98, abs=0.01)
    assert by_phase[LoadPhase.CAPACITIVE] == pytest.approx(-2.68, abs=0.01)
    assert by_phase[LoadPhase.UNITY] == pytest.approx(-0.06, abs=0.01)
    assert {p.point.phase: p.figure.error for p in all_points(lead=-2.0)}[LoadPhase.INDUCTIVE] == pytest.approx(
        -6.11, abs=0.01
    )


@pytest.mark.parametrize("ratio", [-0.03, 0.0, 0.02])
@pytest.mark.parametrize("lead", [-1.0, 0.3, 2.0])
def test_phase_and_ratio_are_told_apart(ratio: float, lead: float) -> None:
    points = all_points(ratio=ratio, lead=lead)
    assert phase_lead_degrees(points) == pytest.approx(lead, abs=1e-6)
    told = " ".join(causes(points))
    assert ("leads by" if lead > 0 else "lags by") in told
    assert ("ratio error" in told) is (abs(ratio) > 0.001)


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (-2.0, "the sign is turned"),
        (-1.0, "nothing is seen"),
        (1.0, "2 times the current"),
        (2.0, "3 times the current"),
    ],
)
def test_gross_errors_are_traced_to_wires(ratio: float, words: str) -> None:
    (cause,) = causes(all_points(ratio=ratio))
    assert words in cause


def test_three_per_cent_fail_every_class_and_the_first_reason_is_given() -> None:
    points = all_points(ratio=-0.03)
    assert best_class(RANGE, points, [], None) is None
    verdict, against = judge(BY_NAME["2"], RANGE, points, [], None)
    assert verdict is Verdict.FAILS
    assert against[0] == "0.25 A at 1: -3.00 ± 0.05 %, limit 2.5 %"


def test_a_meter_that_creeps_or_does_not_start_fails_one_class_or_all() -> None:
    points, sleepy = all_points(), Start(class_name="1", amps=0.02, started=False, counts=0, seconds=400.0)
    assert judge(BY_NAME["1"], RANGE, points, [sleepy], None) == (Verdict.FAILS, ("does not start at 20 mA",))
    assert judge(BY_NAME["2"], RANGE, points, [sleepy], None)[0] is Verdict.HOLDS
    creeping = NoLoad(volts=264.5, minutes=17.7, counts=5)
    assert best_class(RANGE, points, [], creeping) is None


def test_nothing_measured_meets_no_class() -> None:
    assert best_class(RANGE, [], [], None) is None
    assert causes([]) == ()
