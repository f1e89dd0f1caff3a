"""What happens to the energy when the chip, the cable or the counter does something else than count."""

from __future__ import annotations

import pytest

from tests.ledger.rig import chip_epoch
from wattrail import ManualClock, Meter
from wattrail.chips import BL0942
from wattrail.chips.bl0942.registers import CF_CNT, MODE, UNLOCK_KEY, USR_WRPROT
from wattrail.errors import PortLost
from wattrail.front_end import FRONT_ENDS
from wattrail.gateway.account import observation
from wattrail.ledger import Entry, EntryKind, Ledger, Totals
from wattrail.twin import open_twin

WATTS = 3000
CALIBRATION = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])
COUNT_MWH = BL0942.scaling.wh_per_count(CALIBRATION) * 1000


class Bench:
    """A twin at three kilowatts, a meter on it, a ledger behind it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.twin = open_twin("pziot-e01", clock=self.clock, volts=230.0, watts=WATTS)
        self.clock.advance(5)  # the averages settle
        self.ledger = Ledger(chip_epoch(1, CALIBRATION.counts_per_watt))
        self.entries: list[Entry] = []
        self.began_wh = 0.0
        self.plug_in()

    def plug_in(self) -> None:
        self.meter = Meter(self.twin.carrier(), CALIBRATION)
        self.meter.connect()
        self._before: float | None = None

    def look(self, seconds: int = 1) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            reading = self.meter.read()
            elapsed = None if self._before is None else round((reading.monotonic - self._before) * 1e6)
            self._before = reading.monotonic
            self.entries += self.ledger.observe(observation(reading, elapsed))

    def begin_again(self) -> None:
        """Forget what was booked; the next reading is the first."""
        self.ledger = Ledger(chip_epoch(1, CALIBRATION.counts_per_watt))
        self.entries.clear()
        self.look()
        self.began_wh = self.twin.truth.import_wh

    @property
    def true_mwh(self) -> float:
        """What flowed since the first look."""
        return (self.twin.truth.import_wh - self.began_wh) * 1000

    def kinds(self) -> list[EntryKind]:
        return [entry.kind for entry in self.entries if entry.kind is not EntryKind.COUNTED]


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.begin_again()
    return bench


def mwh(seconds: float) -> float:
    """Energy of so many seconds."""
    return WATTS * 1000 * seconds / 3600


def test_a_chip_that_resets_loses_at_most_the_second_it_happened_in(bench: Bench) -> None:
    bench.look(600)
    bench.twin.faults.brown_out()
    bench.look(600)
    assert EntryKind.RESTART in bench.kinds()
    assert bench.ledger.totals().import_mwh == pytest.approx(bench.true_mwh, abs=mwh(3) + 2 * COUNT_MWH)


def test_a_counter_that_falls_to_zero_by_itself_books_no_megawatt_hours(bench: Bench) -> None:
    bench.look(3600)
    bench.twin.faults.counter_reset()
    bench.look(3600)
    assert EntryKind.RESTART in bench.kinds()
    assert bench.ledger.totals().import_mwh == pytest.approx(bench.true_mwh, abs=mwh(3) + 2 * COUNT_MWH)


def test_a_counter_that_wraps_goes_on_as_if_nothing_had_been(bench: Bench) -> None:
    bench.twin.chip.poke(CF_CNT, 0xFFFFF0)
    bench.begin_again()
    bench.look(600)
    assert bench.kinds() == [EntryKind.START]
    assert any("wrapped" in entry.note for entry in (*bench.entries, *bench.ledger.close()))
    assert bench.ledger.totals().import_mwh == pytest.approx(bench.true_mwh, abs=2 * COUNT_MWH)


def test_a_cable_pulled_for_ten_minutes_loses_no_energy_and_books_a_gap(bench: Bench) -> None:
    bench.look(60)
    bench.twin.faults.unplug()
    with pytest.raises(PortLost):
        bench.look()
    bench.clock.advance(600)
    bench.twin.faults.replug()
    bench.plug_in()
    bench.look(60)
    (gap,) = (entry for entry in bench.entries if entry.kind is EntryKind.GAP)
    assert (gap.end - gap.start).total_seconds() == pytest.approx(602, abs=1)
    assert gap.positive * COUNT_MWH == pytest.approx(mwh(602), abs=2 * COUNT_MWH)
    assert bench.ledger.totals().import_mwh == pytest.approx(bench.true_mwh, abs=2 * COUNT_MWH)


@pytest.mark.parametrize("mode", [MODE.reset, 0x97])
def test_a_mode_set_by_another_program_does_not_book_the_counter_again(bench: Bench, mode: int) -> None:
    # The truth is the twin's own energy. OpenBeken and ESPHome write 0x87 at their start, the reset value; tests once
    # took that for a restart because only a restart of the twin ever wrote it.
    bench.look(3600)
    bench.clock.advance(3600)
    other = bench.meter.client
    other.write_register(USR_WRPROT, UNLOCK_KEY)
    other.write_register(MODE, mode)
    bench.plug_in()
    bench.look(60)
    assert EntryKind.RESTART not in bench.kinds()
    noted = [entry for entry in bench.entries if "somebody set MODE, or the chip restarted" in entry.note]
    assert len(noted) == (mode == MODE.reset)
    assert bench.ledger.totals().import_mwh == pytest.approx(bench.true_mwh, abs=mwh(3) + 2 * COUNT_MWH)


def test_a_chip_that_restarts_unobserved_books_what_it_shows_since(bench: Bench) -> None:
    bench.look(7200)
    bench.clock.advance(600)
    bench.twin.faults.brown_out()
    bench.clock.advance(1200)
    bench.plug_in()
    bench.look(60)
    assert EntryKind.RESTART in bench.kinds()
    lost = mwh(600)  # between the last reading and the brown-out: no register holds it any more
    assert bench.ledger.totals().import_mwh == pytest.approx(bench.true_mwh - lost, abs=mwh(3) + 2 * COUNT_MWH)


def test_the_whole_account_can_be_replayed_from_its_entries(bench: Bench) -> None:
    bench.look(200)
    bench.twin.faults.brown_out()
    bench.look(200)
    bench.entries += bench.ledger.close()
    epochs = {1: chip_epoch(1, CALIBRATION.counts_per_watt)}
    assert Ledger.replay(bench.entries, epochs).totals() == bench.ledger.totals() != Totals(0, 0)
