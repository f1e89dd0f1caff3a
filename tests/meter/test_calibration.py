"""A twin is calibrated against its own truth, and every way in which that goes wrong is recognised."""

from __future__ import annotations

import pytest

from wattrail import ManualClock, open_twin
from wattrail.calibration import Calibration
from wattrail.chips import BL0942
from wattrail.front_end import FRONT_ENDS, CurrentTransformer, Divider, FrontEnd
from wattrail.meter.calibration import Probe, measure, reading_probe, settle
from wattrail.meter.meter import Meter
from wattrail.metrology.calibrate import CalibrationError, CalibrationPoint, Given, LoadCounts, Reference, turned
from wattrail.metrology.calibration_checks import FindingCause, diagnose
from wattrail.metrology.fitting import fit
from wattrail.twin.front_end import Deviation
from wattrail.twin.twin import Twin
from wattrail.units import Reading

PZIOT = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])
TWO_TURNS = FrontEnd("two-turns", CurrentTransformer(2000, 1.1, turns=2), Divider(5 * 390e3, 510), "a story")


class Bench:
    """A twin, a meter on it, and loads."""

    def __init__(self, twin: Twin, clock: ManualClock, scale: Calibration = PZIOT) -> None:
        self.twin, self.clock = twin, clock
        self.meter = Meter(twin.carrier(), scale)
        self.meter.connect()

    def truth(self) -> Probe:
        def probe() -> Reference:
            now = self.twin.truth.state
            volts, amps, watts = (Given(float(values[0])) for values in (now.volts, now.amps, now.watts))
            return Reference(volts=volts, amps=amps, watts=watts, vars=float(now.vars[0]))

        return probe

    def load(self, amps: float, pf: float = 1.0) -> CalibrationPoint:
        self.twin.set(amps=amps, pf=pf)
        return measure(self.meter, self.clock, reference=self.truth())

    def errors(self, amps: float) -> tuple[float, float, float]:
        """Of volts, amperes and watts, as fractions of the truth, at a resistive load."""
        self.twin.set(amps=amps, pf=1.0)
        self.clock.sleep(3)
        reading, truth = self.meter.read(), self.twin.truth
        return reading.volts / truth.volts - 1, reading.amps / truth.amps - 1, reading.watts / truth.watts - 1


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def bench(clock: ManualClock, **options: object) -> Bench:
    given: dict[str, object] = {"volts": 230.0, "amps": 5.0, **options}
    return Bench(open_twin("pziot-e01", clock=clock, powered_for=10, **given), clock)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(1, 9))
def test_parts_off_by_five_per_cent_end_within_a_thousandth(clock: ManualClock, seed: int) -> None:
    twin = bench(clock, tolerance=5.0, seed=seed)
    assert max(map(abs, twin.errors(10.0))) > 0.002
    points = [twin.load(10.0)]
    found = fit(points)
    assert not any(finding.stops for finding in diagnose(points, found, before=PZIOT))
    twin.meter.calibration = found.completed(PZIOT)
    for amps in (2.0, 10.0, 25.0):
        assert max(map(abs, twin.errors(amps))) < 0.001


def test_a_reversed_transformer_is_recognised_and_set_right(clock: ManualClock) -> None:
    twin = bench(clock)
    twin.twin.faults.reverse_transformer()
    points = [twin.load(10.0)]
    found = fit(points)
    (finding,) = diagnose(points, found, before=PZIOT)
    assert finding.cause is FindingCause.WRONG_WAY
    assert not finding.stops
    twin.meter.calibration = found.completed(PZIOT)
    assert twin.meter.calibration.inverted
    assert twin.meter.read().watts == pytest.approx(2300, rel=1e-3)


def test_a_wire_that_passes_twice_is_recognised(clock: ManualClock) -> None:
    twin = bench(clock, front_end=TWO_TURNS)
    points = [twin.load(10.0)]
    found = fit(points)
    (finding,) = diagnose(points, found, before=PZIOT)
    assert finding.cause is FindingCause.TURNS
    assert "then say turns=2" in finding.text
    assert diagnose(points, found, before=turned(PZIOT, 2), turns=2) == ()


@pytest.mark.parametrize("degrees", [2.0, -2.0, 0.5])
@pytest.mark.parametrize("loads", [[(10.0, 1.0), (10.0, 0.5)], [(10.0, 0.5)]], ids=["two loads", "one load"])
def test_a_phase_error_is_measured_to_a_tenth_of_a_degree(
    clock: ManualClock, degrees: float, loads: list[tuple[float, float]]
) -> None:
    twin = bench(clock, deviation=Deviation(phase_degrees=degrees, noise_uv=3.0))
    found = fit([twin.load(amps, pf) for amps, pf in loads])
    assert found.phase is not None
    assert found.phase.degrees == pytest.approx(degrees, abs=0.1)
    twin.meter.calibration = found.completed(PZIOT)
    assert max(map(abs, twin.errors(10.0))) < 0.001


def test_a_load_that_fluctuates_is_refused_with_the_reason(clock: ManualClock) -> None:
    twin = bench(clock)
    restless = Restless(twin, [4.0, 5.0])
    with pytest.raises(
        CalibrationError, match=r"the load is not steady: after 60 s the (current|power) moved by"
    ) as no:
        measure(restless, clock, reference=twin.truth())
    assert "kettle" in str(no.value.hint)


def test_a_load_that_moves_later_is_refused_too(clock: ManualClock) -> None:
    twin = bench(clock)
    restless = Restless(twin, [5.0] * 8 + [5.2] * 100)
    with pytest.raises(
        CalibrationError, match=r"the load is not steady: the (current|power) moved by .* within 10 readings"
    ):
        measure(restless, clock, reference=twin.truth())


def test_a_heater_that_warms_up_is_waited_for(clock: ManualClock) -> None:
    twin = bench(clock)
    before = clock.monotonic()
    warming = Restless(twin, [5.0 - 0.5 * 0.7**step for step in range(100)])
    settle(warming, clock)
    assert 5 < clock.monotonic() - before < 60


def test_a_step_is_given_two_refreshes(clock: ManualClock) -> None:
    twin = bench(clock)
    twin.twin.set(amps=10.0)
    clock.sleep(0.1)
    before = clock.monotonic()
    point = measure(twin.meter, clock, reference=twin.truth())
    assert clock.monotonic() - before > 1.6 + 9 * 0.8
    assert point.i_rms.value == pytest.approx(10 * PZIOT.counts_per_amp, rel=1e-4)
    assert len(point.samples) == 10


def test_a_reference_that_moves_is_refused(clock: ManualClock) -> None:
    twin = bench(clock)
    values = iter(range(100, 1000))
    with pytest.raises(CalibrationError, match="the reference is not steady: its volts went from 100 to 109"):
        measure(twin.meter, clock, reference=lambda: Reference(volts=Given(next(values))))


def test_few_readings_are_refused(clock: ManualClock) -> None:
    twin = bench(clock)
    with pytest.raises(CalibrationError, match="9 readings are too few"):
        measure(twin.meter, clock, readings=9, reference=twin.truth())


def test_another_meter_on_the_same_wire_is_a_reference(clock: ManualClock) -> None:
    twin = bench(clock, tolerance=5.0, seed=3)
    found = fit([twin.load(10.0)]).completed(PZIOT)
    good = Meter(twin.twin.carrier(), found)
    good.connect()
    second = fit([measure(twin.meter, clock, reference=reading_probe(good))]).completed(PZIOT)
    assert second.counts_per_volt == pytest.approx(found.counts_per_volt, rel=1e-4)
    assert second.counts_per_amp == pytest.approx(found.counts_per_amp, rel=1e-4)
    assert second.counts_per_watt == pytest.approx(found.counts_per_watt, rel=1e-4)


def test_several_loads_on_a_noisy_front_end_beat_a_small_one(clock: ManualClock) -> None:
    noisy = bench(clock, noise=60.0, seed=5)
    small, large = noisy.load(1.0), noisy.load(20.0)
    scale = PZIOT.counts_per_watt
    one, both = fit([small]).watts, fit([small, large]).watts
    assert one is not None
    assert both is not None
    assert abs(both.value / scale - 1) < abs(one.value / scale - 1)
    assert both.error < one.error
    assert max(map(abs, both.residuals)) == pytest.approx(abs(both.residuals[0]))


class Restless(Meter):
    """A meter whose load changes before every reading."""

    def __init__(self, twin: Bench, amps: list[float]) -> None:
        super().__init__(twin.twin.carrier(), PZIOT)
        self.connect()
        self._bench, self._amps, self._turn = twin, amps, 0

    def read(self) -> Reading:
        self._bench.twin.set(amps=self._amps[self._turn % len(self._amps)])
        self._turn += 1
        self._bench.clock.sleep(1.7)
        return super().read()


def test_counts_come_back_from_a_reading_exactly(clock: ManualClock) -> None:
    twin = bench(clock, noise=0.0)
    point = twin.load(5.0)
    assert point.samples[0] == LoadCounts(3_653_168, 690_837, 394_297)
