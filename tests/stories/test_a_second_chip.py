"""A plug with a BL0940: found by either variant of its frames, read, calibrated, and booked both ways."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wattrail import ManualClock, Meter, open_meter
from wattrail.chips import BL0940
from wattrail.chips.bl0940.registers import CF_CNT, MODE
from wattrail.errors import UrlError
from wattrail.front_end import FRONT_ENDS
from wattrail.gateway import Feed, MeterPlan
from wattrail.gateway.worker import Worker
from wattrail.ledger import EntryKind
from wattrail.meter.calibration import measure
from wattrail.meter.wave import obstacle
from wattrail.metrology.calibrate import Given, Reference
from wattrail.metrology.calibration_checks import diagnose
from wattrail.metrology.fitting import fit
from wattrail.store import Store, open_store
from wattrail.transport import open_port
from wattrail.twin import open_twin
from wattrail.twin.twin import Twin

PLUG = BL0940.scaling.calibration_of(FRONT_ENDS["bw-shp10"])
COUNT_WH = BL0940.scaling.wh_per_count(PLUG)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def plug(clock: ManualClock) -> Twin:
    twin = open_twin("bw-shp10", clock=clock, watts=1150.0)
    clock.advance(5)
    return twin


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "w.sqlite") as opened:
        yield opened


class Household:
    """The plug's worker, second by second on the plug's own clock."""

    def __init__(self, plug: Twin, clock: ManualClock, store: Store) -> None:
        self.clock, self.store = clock, store
        self.feed = Feed(clock)
        plan = MeterPlan(name="plug", url="twin://bw-shp10")
        self.worker = Worker(
            plan, store, self.feed, clock=clock, opener=lambda _plan, _clock: Meter(plug.carrier(), PLUG, chip=BL0940)
        )

    def run(self, seconds: float) -> None:
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            self.clock.advance(self.worker.step())

    @property
    def totals_wh(self) -> tuple[float, float]:
        view = self.feed.view("plug")
        assert view is not None
        assert view.total is not None, view.error
        return view.total.import_mwh / 1000, view.total.export_mwh / 1000

    @property
    def kinds(self) -> list[EntryKind]:
        row = self.store.meter("plug")
        assert row is not None
        return [entry.kind for entry in self.store.entries(row.id) if entry.kind is not EntryKind.COUNTED]


@pytest.mark.parametrize("heads", ["58", "50"])
def test_either_variant_of_the_frames_is_found_without_being_named(heads: str, clock: ManualClock) -> None:
    with open_meter(f"twin://bw-shp10?watts=-500&heads={heads}", clock=clock) as meter:
        meter.connect()
        reading = meter.read()
    assert reading.watts == pytest.approx(-500, abs=0.5)
    assert (reading.hertz, reading.power_factor) == (None, pytest.approx(-1, abs=0.001))
    assert reading.celsius == pytest.approx(25, abs=0.2)


def test_a_variant_that_is_named_wrongly_is_refused_with_the_right_one(clock: ManualClock) -> None:
    carrier = open_port("twin://bw-shp10?heads=50", clock=clock)
    meter = Meter(carrier, PLUG, chip=BL0940, read_head=0x58)
    with meter, pytest.raises(Exception, match="no answer") as caught:
        meter.connect()
    assert "the chip answers to heads 50 and A0: open it with heads=50" in str(getattr(caught.value, "hint", ""))


def test_a_reading_keeps_its_counts_and_its_calibration(plug: Twin) -> None:
    with Meter(plug.carrier(), PLUG, chip=BL0940) as meter:
        meter.connect()
        reading = meter.read()
    assert reading.calibration is PLUG
    assert reading.sample.counts["v_rms"] == round(230 * PLUG.counts_per_volt)
    assert reading.quantities == reading.sample.quantities(PLUG)
    (shown,) = reading.registers
    assert shown.register == BL0940.energy_register(PLUG)
    assert 0 <= plug.chip.peek(CF_CNT) - shown.count <= 1, "a pulse may have come since"


def test_import_and_export_are_booked_apart_though_the_counter_falls(
    plug: Twin, clock: ManualClock, store: Store
) -> None:
    house = Household(plug, clock, store)
    house.run(60)
    began = plug.truth.import_wh, plug.truth.export_wh
    booked = house.totals_wh
    for watts in (1150.0, -800.0, 300.0, -800.0):
        plug.set(watts=watts)
        house.run(600)
    assert plug.chip.peek(CF_CNT) > 1 << 23, "the counter has fallen through zero"
    imported, exported = (now - before for now, before in zip(house.totals_wh, booked, strict=True))
    assert imported == pytest.approx(plug.truth.import_wh - began[0], abs=2 * COUNT_WH + 0.7)  # 2 s at 1150 W
    assert exported == pytest.approx(plug.truth.export_wh - began[1], abs=2 * COUNT_WH + 0.7)
    assert house.kinds == [EntryKind.START]


def test_a_restart_is_known_by_the_mark_that_was_set(plug: Twin, clock: ManualClock, store: Store) -> None:
    house = Household(plug, clock, store)
    house.run(600)
    booked, true = house.totals_wh[0], plug.truth.import_wh
    plug.faults.brown_out()
    house.run(600)
    assert plug.chip.peek(MODE) == BL0940.settings[MODE]
    assert EntryKind.RESTART in house.kinds
    assert house.totals_wh[0] - booked == pytest.approx(plug.truth.import_wh - true, abs=3 * 1150 / 3600 + 2 * COUNT_WH)


def test_it_is_calibrated_by_what_a_reference_shows(plug: Twin, clock: ManualClock) -> None:
    off = BL0940.scaling.calibration_of(FRONT_ENDS["reference"])
    with Meter(plug.carrier(), off, chip=BL0940) as meter:
        meter.connect()
        point = measure(meter, clock, reference=Reference(volts=Given(230.0), amps=Given(5.0), watts=Given(1150.0)))
        found = fit([point])
        meter.calibration = found.completed(off)
        reading = meter.read()
    assert diagnose([point], found, before=PLUG) == ()
    assert (reading.volts, reading.watts) == (pytest.approx(230, abs=0.1), pytest.approx(1150, abs=0.5))
    assert reading.registers[0].register == BL0940.energy_register(meter.calibration)


def test_what_it_cannot_do_is_said_with_what_to_do_instead(plug: Twin) -> None:
    with pytest.raises(UrlError, match="the BL0940 is read over UART only") as caught:
        open_meter("spi:///dev/spidev0.0?chip=bl0940")
    assert "leave its SEL pin open" in str(caught.value.hint)
    told = obstacle(Meter(plug.carrier(), PLUG, chip=BL0940))
    assert told is not None
    assert "no waveform from a BL0940" in told[0]
    with pytest.raises(UrlError, match="this chip has no address"):
        open_meter("twin://bw-shp10", address=2)
    with pytest.raises(UrlError, match="unknown chip 'bl0941'; known: bl0942, bl0940"):
        open_meter("tcp://127.0.0.1:1?chip=bl0941")


def test_the_url_and_the_configuration_must_not_name_two_chips() -> None:
    with pytest.raises(UrlError, match="is a bl0940, and bl0942 is configured"):
        open_meter("tcp://127.0.0.1:1?chip=bl0940", chip="bl0942")
    with pytest.raises(UrlError, match="is a bl0940, and bl0942 is configured"):
        open_meter("twin://bw-shp10", chip="bl0942")
