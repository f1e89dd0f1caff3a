"""What an owner with solar panels gets: a day of a house, its energy, and the sun at noon."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from bench.day import live

from tests.ledger.rig import chip_epoch
from wattrail import ManualClock, open_meter
from wattrail.chips import BL0942
from wattrail.front_end import FRONT_ENDS
from wattrail.gateway.account import observation
from wattrail.ledger import Ledger
from wattrail.ledger.ledger import GAP_AFTER_US

MIDSUMMER = datetime(2026, 6, 21, tzinfo=UTC)
LONGEST_POLL_S = GAP_AFTER_US / 1e6
"""Which way energy went is known over no longer pause, so no day is harder. The bench reads each second."""


@pytest.mark.parametrize("scenario", ["house", "cloudy"])
def test_import_and_export_of_a_day_are_what_flowed(scenario: str) -> None:
    day = live(scenario, poll_s=LONGEST_POLL_S)
    assert abs(day.import_error) < 0.001
    assert abs(day.export_error) < 0.001
    assert day.undirected == 0


def test_at_noon_the_house_exports_and_at_night_it_imports() -> None:
    for hour, sign in ((2, 1), (12, -1)):
        clock = ManualClock(MIDSUMMER.replace(hour=hour))
        with open_meter("twin://pziot-e01?scenario=house&seed=7", clock=clock) as meter:
            meter.connect()
            clock.advance(5)
            assert meter.read().watts * sign > 0


def test_nothing_of_the_noon_export_is_booked_as_import() -> None:
    clock = ManualClock(MIDSUMMER.replace(hour=12))
    ledger = Ledger(chip_epoch(1, BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"]).counts_per_watt))
    with open_meter("twin://pziot-e01?watts=-2500", clock=clock) as meter:
        meter.connect()
        clock.advance(5)
        for _ in range(600):
            clock.advance(1)
            ledger.observe(observation(meter.read(), 1_000_000))
    totals = ledger.totals()
    assert totals.import_mwh == 0
    assert totals.export_mwh == pytest.approx(2500 * 1000 * 600 / 3600, rel=0.005)
