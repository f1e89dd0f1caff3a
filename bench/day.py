"""A day of a house, polled once a second: the ledger's registers against what the twin knows to have flowed.

The peer is what public firmware does with this chip: one counter of absolute energy, booked as import; and power polled
once a second, summed by sign.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.table import Row, text
from wattrail import ManualClock, Meter, Reading
from wattrail.chips import BL0942
from wattrail.front_end import FRONT_ENDS
from wattrail.gateway.account import observation
from wattrail.ledger import Epoch, Ledger
from wattrail.twin import open_twin

DAY_S = 86_400
GOAL = 0.001


@dataclass(frozen=True, slots=True)
class Day:
    """Watt-hours of one day: the truth, the ledger's, the two peers'; and how often power changed its sign."""

    true_import: float
    true_export: float
    ledger_import: float
    ledger_export: float
    undirected: float
    absolute_only: float
    polled_import: float
    polled_export: float
    crossings: int
    questions: int

    @property
    def import_error(self) -> float:
        """The ledger's import against the truth, as a fraction."""
        return self.ledger_import / self.true_import - 1

    @property
    def export_error(self) -> float:
        """The ledger's export against the truth, as a fraction."""
        return self.ledger_export / self.true_export - 1


def live(scenario: str, *, seconds: int = DAY_S, poll_s: float = 1.0, seed: int = 7) -> Day:
    """Read a twin PZIOT-E01 through a scenario and account for it."""
    clock = ManualClock()
    twin = open_twin("pziot-e01", clock=clock, scenario=scenario, seed=seed)
    calibration = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])
    ledger = Ledger(Epoch(number=1, registers=(BL0942.energy_register(calibration),)))
    polled, crossings, began = [0.0, 0.0], 0, (0.0, 0.0)
    before: Reading | None = None
    with Meter(twin.carrier(), calibration) as meter:
        meter.connect()
        next_poll = clock.monotonic()
        while clock.monotonic() < seconds:
            next_poll += poll_s
            clock.sleep(next_poll - clock.monotonic())
            reading = meter.read()
            if before is None:
                began = (twin.truth.import_wh, twin.truth.export_wh)
                elapsed = None
            else:
                elapsed = reading.monotonic - before.monotonic
                watts, watts_before = reading.watts or 0.0, before.watts or 0.0
                polled[watts < 0] += abs(watts) * elapsed / 3600
                crossings += (watts < 0) != (watts_before < 0)
            ledger.observe(observation(reading, None if elapsed is None else round(elapsed * 1e6)))
            before = reading
    totals = ledger.totals()
    return Day(
        true_import=twin.truth.import_wh - began[0],
        true_export=twin.truth.export_wh - began[1],
        ledger_import=totals.import_mwh / 1000,
        ledger_export=totals.export_mwh / 1000,
        undirected=totals.undirected_mwh / 1000,
        absolute_only=(totals.import_mwh + totals.export_mwh) / 1000,
        polled_import=polled[0],
        polled_export=polled[1],
        crossings=crossings,
        questions=meter.statistics.exchanges,
    )


def rows() -> list[Row]:
    return [row for scenario in ("house", "cloudy") for row in _rows(scenario, live(scenario))]


def _rows(scenario: str, day: Day) -> list[Row]:
    return [
        Row(
            f"a day of `{scenario}` ({day.crossings} crossings), {direction} {true / 1000:.3f} kWh",
            f"{ours / true - 1:+.3%}",
            f"{polled / true - 1:+.3%} polled power, {absolute / true - 1:+.0%} one absolute counter",
            f"{abs((ours - true) / (absolute - true)):.5f}",
            f"within {GOAL:.1%}",
            abs(ours / true - 1) <= GOAL,
        )
        for direction, true, ours, polled, absolute in (
            ("import", day.true_import, day.ledger_import, day.polled_import, day.absolute_only),
            ("export", day.true_export, day.ledger_export, day.polled_export, 0.0),
        )
    ]


if __name__ == "__main__":
    print(text(rows()))
