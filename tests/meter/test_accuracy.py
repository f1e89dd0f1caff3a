"""A meter tested on twins whose errors are known."""

from __future__ import annotations

import pytest

from wattrail.chips import BL0942
from wattrail.cli.meter.accuracy import TwinLoads
from wattrail.clock import ManualClock
from wattrail.front_end import FRONT_ENDS
from wattrail.meter import Meter
from wattrail.meter.accuracy import AccuracyPlan, AccuracyReport, run, usual_range
from wattrail.metrology.accuracy import PointResult, best_class, causes, phase_lead_degrees
from wattrail.metrology.iec62053 import BasicRange, LoadPhase, LoadPoint
from wattrail.twin import open_twin
from wattrail.twin.front_end import Deviation

PZIOT = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])


def measured(*, plan: AccuracyPlan | None = None, board: str = "pziot-e01", **options: object) -> AccuracyReport:
    clock = ManualClock()
    twin = open_twin(board, clock=clock, powered_for=10, **options)  # type: ignore[arg-type]
    scale = BL0942.scaling.calibration_of(FRONT_ENDS[board])
    meter = Meter(twin.carrier(), scale)
    meter.connect()
    return run(meter, TwinLoads(twin), plan or AccuracyPlan(range=usual_range(scale, BL0942)))


def at(report: AccuracyReport, amps: float, phase: LoadPhase) -> PointResult:
    return next(p for p in report.points if (p.point.amps, p.point.phase) == (amps, phase))


def test_a_perfect_front_end_holds_the_strictest_class() -> None:
    report = measured(deviation=Deviation())
    assert len(report.points) == report.planned == 22
    for result in report.points:
        assert abs(result.power.error) < 0.02
        assert result.energy is not None
        assert abs(result.energy.error) <= max(0.02, 2 * result.energy.uncertainty)
    best = best_class(report.range, report.points, report.starts, report.no_load)
    assert best is not None
    assert best.name == "0.5 S"
    assert all(start.started for start in report.starts)
    assert report.no_load is not None
    assert report.no_load.counts == 0
    assert report.simulated


def test_a_bad_front_end_shows_the_errors_worked_out_by_hand() -> None:
    # ratio -3 %, lead 2 degrees:
    # unity       0.97 * cos 2                    - 1 = 0.97 * 0.999391 - 1 = -3.06 %
    # inductive   0.97 * cos(60 - 2) / cos 60     - 1 = 0.97 * 1.059839 - 1 = +2.80 %
    # capacitive  0.97 * cos(36.87 + 2) / 0.8     - 1 = 0.97 * 0.973216 - 1 = -5.60 %
    report = measured(deviation=Deviation(amps_ratio=-0.03, phase_degrees=2.0, noise_uv=10.0))
    for phase, percent in ((LoadPhase.UNITY, -3.06), (LoadPhase.INDUCTIVE, 2.80), (LoadPhase.CAPACITIVE, -5.60)):
        for amps in (1.0, 5.0, 50.0):
            result = at(report, amps, phase)
            assert result.power.error == pytest.approx(percent, abs=0.03 + result.power.uncertainty)
            assert result.energy is not None
            assert result.energy.error == pytest.approx(percent, abs=0.03 + result.energy.uncertainty)
    assert best_class(report.range, report.points, report.starts, report.no_load) is None
    assert phase_lead_degrees(report.points) == pytest.approx(2.0, abs=0.02)
    told = causes(report.points)
    assert "leads by 2.0" in told[0]
    assert "ratio error of -3.06 %" in told[1]


def test_noise_widens_the_uncertainty_of_power_at_small_loads() -> None:
    quiet, loud = (measured(plan=_QUICK, deviation=Deviation(noise_uv=uv)) for uv in (0.0, 30.0))
    small = (0.05, LoadPhase.UNITY)
    assert at(loud, *small).power.uncertainty > 5 * at(quiet, *small).power.uncertainty
    assert abs(at(loud, *small).power.error) < 2.5 * at(loud, *small).power.uncertainty


_QUICK = AccuracyPlan(range=BasicRange(), energy_s=0.0, starts=False, no_load=False)


@pytest.mark.parametrize(
    ("wiring", "percent", "words"),
    [
        ("neutral", -200.0, "the sign is turned"),
        ("both", -100.0, "nothing is seen"),
        ("twice", 100.0, "2 times the current"),
        ("off-centre", -0.3, "ratio error of -0.30 %"),
    ],
)
def test_what_a_transformer_makes_of_its_wiring_shows(wiring: str, percent: float, words: str) -> None:
    report = measured(plan=_QUICK, wiring=wiring)
    assert at(report, 5.0, LoadPhase.UNITY).power.error == pytest.approx(percent, abs=0.02)
    assert words in causes(report.points)[0]


def test_threaded_twice_the_largest_current_clips() -> None:
    report = measured(plan=_QUICK, wiring="twice")
    assert at(report, 50.0, LoadPhase.UNITY).power.error < 40
    assert "at 50 A it falls behind" in causes(report.points)[1]


def test_the_energy_of_a_turned_wire_counts_as_export() -> None:
    plan = AccuracyPlan(range=BasicRange(), energy_s=1.0, starts=False, no_load=False)
    energy = at(measured(plan=plan, wiring="neutral"), 50.0, LoadPhase.UNITY).energy
    assert energy is not None
    assert energy.error == pytest.approx(-200.0, abs=0.2)


def test_one_count_is_reported_and_timing_edges_beats_it() -> None:
    result = at(measured(plan=AccuracyPlan(starts=False, no_load=False), deviation=Deviation()), 5.0, LoadPhase.UNITY)
    # 1150 W at 0.33996 Wh a count is a count in 1.064 s: 57 in a minute, one of them 1.75 %
    assert result.counts == 57
    assert result.one_count == pytest.approx(1.75, abs=0.01)
    assert result.energy is not None
    assert result.energy.uncertainty < 0.02


def test_a_meter_with_a_high_threshold_does_not_start() -> None:
    clock = ManualClock()
    twin = open_twin("pziot-e01", clock=clock, powered_for=10, deviation=Deviation())
    meter = Meter(twin.carrier(), PZIOT)
    meter.connect()
    from wattrail.chips.bl0942.registers import WA_CREEP

    twin.chip.poke(WA_CREEP, 255)  # 255 * 3125 / 256 counts = 9.1 W, more than 25 mA
    report = run(meter, TwinLoads(twin), AccuracyPlan(energy_s=0.0, no_load=False))
    assert [start.started for start in report.starts] == [False, False, False]
    assert at(report, 0.05, LoadPhase.UNITY).power.error == pytest.approx(0.0, abs=0.1)
    assert best_class(report.range, report.points, report.starts, None) is None


def test_a_uart_meter_is_tested_the_same_way() -> None:
    report = measured(plan=AccuracyPlan(range=BasicRange(max_amps=30.0), starts=False, no_load=False), board="lspa9")
    best = best_class(report.range, report.points, (), None)
    assert best is not None
    assert best.name == "0.5 S"


class Skipping(TwinLoads):
    """A person who leaves out reactive loads and goes home before the last tests."""

    def set_load(self, point: LoadPoint, what: str) -> bool:
        if what == "no load":
            raise EOFError
        return point.phase is LoadPhase.UNITY and super().set_load(point, what)


def test_skipped_loads_are_missing_from_the_report_and_a_stop_keeps_it() -> None:
    clock = ManualClock()
    twin = open_twin("pziot-e01", clock=clock, powered_for=10, deviation=Deviation())
    meter = Meter(twin.carrier(), PZIOT)
    meter.connect()
    told: list[str] = []
    report = run(meter, Skipping(twin), AccuracyPlan(energy_s=0.0), progress=told.append)
    assert {p.point.phase for p in report.points} == {LoadPhase.UNITY}
    assert (len(report.points), report.planned) == (8, 22)
    assert len(report.starts) == 3
    assert report.no_load is None
    assert phase_lead_degrees(report.points) is None
    assert "ended before its last point" in told[-1]


def test_the_usual_range_ends_within_the_chips() -> None:
    assert usual_range(PZIOT, BL0942).max_amps == 50.0  # full scale 54.5 A
    assert usual_range(BL0942.scaling.calibration_of(FRONT_ENDS["reference"]), BL0942).max_amps == 30.0
