"""Which constants a reading rests on is always said: the board in the case is not visible on the wire."""

from __future__ import annotations

import json

import pytest

from tests.meter.lines import COUNTS, Line, chip
from wattrail.calibration import Calibration
from wattrail.chips import BL0942
from wattrail.cli import reading_view
from wattrail.front_end import FRONT_ENDS
from wattrail.meter import Meter, open_meter
from wattrail.meter.opening import scale_finding
from wattrail.metrology.scale_origin import (
    CALIBRATED,
    MAINS_VOLTS,
    ScaleOrigin,
    ScaleSource,
    fitting_front_ends,
    is_mains_voltage,
)

URL = "tcp://192.168.1.20:8888"
LOAD_W = 1150.0


@pytest.fixture
def pziot_on_uart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PZIOT-E01 whose chip was rewired to UART: 230 V, 5 A, by the parts of its own front end."""
    scale = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])
    counts = {3: round(5 * scale.counts_per_amp), 4: round(230 * scale.counts_per_volt)}
    for address, count in {**counts, 6: round(LOAD_W * scale.counts_per_watt)}.items():
        monkeypatch.setitem(COUNTS, address, count)
    monkeypatch.setattr(
        "wattrail.meter.opening.open_port", lambda url, clock=None: Line(url, answers=chip(lambda: 0.05), fixed=True)
    )


def opened(**options: object) -> Meter:
    device = open_meter(URL, **options)  # type: ignore[arg-type]
    device.connect()
    return device


@pytest.mark.usefixtures("pziot_on_uart")
def test_a_board_that_nobody_named_is_shown_as_assumed() -> None:
    device = opened()
    reading = device.read()
    assert reading.watts == pytest.approx(632.5, abs=0.1), "the reference circuit's scale, wrong here"
    heading = reading_view.heading(device)
    assert "scale: front end reference, assumed because none was named" in heading
    assert "--front-end" in heading
    factor = float(heading.split(" on pziot-e01")[0].rsplit("x", 1)[1])
    assert reading.watts * factor == pytest.approx(LOAD_W, rel=0.002), "what is said leads to the right power"
    told = json.loads(reading_view.as_json(reading, device))["scale"]
    assert (told["source"], told["front_end"], told["doubt"]) == ("assumed", "reference", None)


@pytest.mark.usefixtures("pziot_on_uart")
def test_a_board_that_was_named_is_shown_by_its_name() -> None:
    device = opened(front_end="pziot-e01")
    assert device.read().watts == pytest.approx(LOAD_W, abs=0.1)
    assert reading_view.heading(device).endswith("scale: front end pziot-e01, not calibrated")


@pytest.mark.usefixtures("pziot_on_uart")
def test_measured_constants_are_shown_as_calibrated() -> None:
    device = opened(calibration=BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"]))
    assert device.scale == CALIBRATED
    assert reading_view.heading(device).endswith("scale: calibrated constants")


@pytest.mark.usefixtures("pziot_on_uart")
def test_a_voltage_that_no_mains_has_names_the_front_end_to_try() -> None:
    right = BL0942.scaling.calibration_of(FRONT_ENDS["zmpt107"])
    third = Calibration(3 * right.counts_per_volt, right.counts_per_amp, right.counts_per_watt)
    device = opened(calibration=third)
    reading = device.read()
    finding = scale_finding(device, reading)
    assert finding is not None
    assert "80.5 V is not a mains voltage" in finding
    assert "front_end=reference" in finding
    assert "--front-end reference" in str(reading_view.finding_words(device, reading))
    assert json.loads(reading_view.as_json(reading, device))["scale"]["doubt"] == finding


@pytest.mark.usefixtures("pziot_on_uart")
def test_a_voltage_that_fits_no_known_front_end_asks_for_a_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in (4, 6):
        monkeypatch.setitem(COUNTS, address, COUNTS[address] // 4)
    device = opened()
    assert "57.5 V is not a mains voltage" in str(finding := scale_finding(device, device.read()))
    assert "no known front end fits: calibrate the meter" in str(finding)


def test_a_twin_knows_its_own_parts() -> None:
    with open_meter("twin://lspa9?watts=60") as device:
        assert device.scale == ScaleOrigin(ScaleSource.TWIN, "lspa9")
    with open_meter("twin://lspa9?watts=60", front_end="reference") as device:
        assert device.scale == ScaleOrigin(ScaleSource.NAMED, "reference")


@pytest.mark.parametrize("volts", [*MAINS_VOLTS, 90, 207, 253])
def test_every_supply_within_its_tolerance_is_a_mains_voltage(volts: float) -> None:
    assert is_mains_voltage(volts)


@pytest.mark.parametrize("volts", [24, 60, 80, 165, 300, 400])
def test_what_lies_between_and_beyond_is_none(volts: float) -> None:
    assert not is_mains_voltage(volts)


def test_captured_voltages_fit_the_usual_divider() -> None:
    for v_rms in (3693130, 3398583):  # libretiny #153, esphome #10136
        assert "reference" in fitting_front_ends(v_rms, BL0942)
    assert fitting_front_ends(3653168 // 4, BL0942) == ()
