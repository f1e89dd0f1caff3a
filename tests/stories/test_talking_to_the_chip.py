"""From opening a URL to readings that can be trusted, on a twin and a manual clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wattrail import ManualClock, Meter, open_meter
from wattrail.chips import BL0942
from wattrail.chips.bl0942.registers import CF_CNT, GAIN_CR, MODE, USR_WRPROT, V_RMS, WA_CREEP
from wattrail.errors import ImplausibleReading, LinkError, NoAnswer, PortLost, WattrailError
from wattrail.front_end import FRONT_ENDS
from wattrail.twin import open_twin
from wattrail.twin.twin import Twin


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["pziot-e01", "lspa9"])
def twin(request: pytest.FixtureRequest, clock: ManualClock) -> Twin:
    """Both boards: SPI behind a transformer, UART behind a shunt. 230 V, 5 A."""
    return open_twin(request.param, clock=clock, volts=230.0, amps=5.0)


@pytest.fixture
def meter(twin: Twin, clock: ManualClock) -> Iterator[Meter]:
    with Meter(twin.carrier(), BL0942.scaling.calibration_of(FRONT_ENDS[twin.board.name])) as meter:
        meter.connect()
        clock.advance(3)
        yield meter


def test_a_first_reading_is_what_flows(meter: Meter, twin: Twin) -> None:
    reading = meter.read()
    assert reading.volts == pytest.approx(230, rel=1e-4)
    assert reading.amps == pytest.approx(5, rel=1e-3)
    assert reading.watts == pytest.approx(1150, rel=1e-3)
    assert reading.power_factor == pytest.approx(1, abs=1e-3)
    assert reading.hertz == pytest.approx(50, abs=0.02)  # the chip's own step
    assert reading.simulated


def test_connecting_sets_the_chip_up_and_locks_it_again(meter: Meter, twin: Twin) -> None:
    assert twin.chip.peek(MODE) == 0x08F
    assert twin.chip.peek(USR_WRPROT) == 0


def test_connecting_keeps_the_energy_counter(twin: Twin, clock: ManualClock) -> None:
    twin.chip.poke(CF_CNT, 123_456)
    with Meter(twin.carrier(), BL0942.scaling.calibration_of(FRONT_ENDS["reference"])) as meter:
        meter.connect()
        assert meter.read().energy_count >= 123_456


def test_a_gain_another_host_left_behind_is_put_right(twin: Twin, clock: ManualClock) -> None:
    twin.chip.poke(GAIN_CR, 3)
    with Meter(twin.carrier(), BL0942.scaling.calibration_of(FRONT_ENDS[twin.board.name])) as meter:
        meter.connect()
        clock.advance(3)
        assert twin.chip.peek(GAIN_CR) == 2
        assert meter.read().amps == pytest.approx(5, rel=1e-3)


def test_settings_that_are_not_ours_are_left_alone(twin: Twin) -> None:
    twin.chip.poke(WA_CREEP, 0x33)
    with Meter(twin.carrier(), BL0942.scaling.calibration_of(FRONT_ENDS["reference"])) as meter:
        meter.connect()
    assert twin.chip.peek(WA_CREEP) == 0x33


def test_every_register_can_be_read(meter: Meter, twin: Twin) -> None:
    counts = meter.read_registers()
    assert len(counts) == 19
    assert counts[MODE] == 0x8F
    assert counts[V_RMS] == twin.chip.peek(V_RMS)


def test_a_chip_that_resets_is_noticed_at_the_next_reading_and_set_up(meter: Meter, twin: Twin) -> None:
    assert meter.read().evidence.is_reset  # it had just been powered: its counter began then
    assert not meter.read().evidence.is_reset
    twin.faults.brown_out()
    reading = meter.read()
    assert reading.evidence.is_reset
    assert twin.chip.peek(MODE) == 0x08F
    assert not meter.read().evidence.is_reset
    assert meter.statistics.restarts == 1


def test_a_meter_whose_host_was_away_finds_the_chip_as_it_left_it(meter: Meter, twin: Twin, clock: ManualClock) -> None:
    meter.read()
    clock.advance(3600)
    with Meter(twin.carrier(), meter.calibration) as again:
        again.connect()
        assert not again.read().evidence.is_reset


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_reply_cut_short_is_asked_for_again_and_counted(meter: Meter, twin: Twin, cut: int) -> None:
    twin.faults.cut_reply(after=cut)
    assert meter.read().volts == pytest.approx(230, rel=1e-4)
    assert meter.statistics.retries == 1


def test_a_flipped_bit_never_becomes_a_reading(meter: Meter, twin: Twin) -> None:
    for bit in range(8):
        twin.faults.flip_bit(byte=2, bit=bit)
        assert meter.read().volts == pytest.approx(230, rel=1e-4)
    assert meter.statistics.damaged == 8


def test_a_late_and_a_doubled_reply_do_not_confuse_the_next_question(meter: Meter, twin: Twin) -> None:
    twin.faults.late(0.5)
    assert meter.read().amps == pytest.approx(5, rel=1e-3)
    twin.faults.double()
    assert meter.read().amps == pytest.approx(5, rel=1e-3)
    assert meter.read().watts == pytest.approx(1150, rel=1e-3)


def test_noise_on_the_line_costs_retries_and_never_a_wrong_reading(
    meter: Meter, twin: Twin, clock: ManualClock
) -> None:
    twin.faults.noise(1e-3)
    for _ in range(200):
        clock.advance(1)
        try:
            reading = meter.read()
        except LinkError:
            continue  # refused, with its reason: that is allowed
        assert reading.volts == pytest.approx(230, rel=1e-3)
        assert reading.watts == pytest.approx(1150, rel=2e-3)
        assert not reading.evidence.is_reset or meter.statistics.readings == 1
    assert meter.statistics.readings > 150
    assert meter.statistics.retries > 10


def test_a_register_stuck_at_nonsense_is_refused_with_the_reason(meter: Meter, twin: Twin) -> None:
    twin.chip.stick(V_RMS, 0xFFFFFF)
    with pytest.raises(ImplausibleReading, match="V_RMS 16777215 is above 6074631, where the pins clip") as caught:
        meter.read()
    assert caught.value.hint is not None


def test_a_pulled_cable_is_said_and_a_put_back_one_goes_on(meter: Meter, twin: Twin, clock: ManualClock) -> None:
    before = meter.read()
    twin.faults.unplug()
    with pytest.raises(PortLost):
        meter.read()
    clock.advance(60)
    twin.faults.replug()
    with Meter(twin.carrier(), meter.calibration) as again:
        again.connect()
        after = again.read()
    assert not after.evidence.is_reset  # the chip never lost its supply
    assert after.energy_count > before.energy_count


def test_without_mains_there_is_no_frequency_and_no_power_factor(twin: Twin, clock: ManualClock, meter: Meter) -> None:
    twin.set(volts=0.0, amps=0.0)
    clock.advance(5)
    reading = meter.read()
    assert (reading.volts, reading.watts) == (0, 0)
    assert reading.hertz is None
    assert reading.power_factor is None


def test_export_shows_as_negative_power(twin: Twin, clock: ManualClock, meter: Meter) -> None:
    twin.set(volts=230.0, amps=4.0, pf=-1.0)
    clock.advance(5)
    assert meter.read().watts == pytest.approx(-920, rel=1e-3)


def test_a_reversed_conductor_is_turned_round_by_the_calibration(twin: Twin, clock: ManualClock, meter: Meter) -> None:
    twin.faults.reverse_transformer()
    clock.advance(3)
    assert meter.read().watts == pytest.approx(-1150, rel=1e-3)
    inverted = BL0942.scaling.calibration_of(FRONT_ENDS[twin.board.name], inverted=True)
    with Meter(twin.carrier(), inverted) as again:
        again.connect()
        assert again.read().watts == pytest.approx(1150, rel=1e-3)


def test_a_wrong_baud_rate_is_found_out_and_the_right_url_is_named(clock: ManualClock) -> None:
    with (
        open_meter("twin://lspa9?volts=230&amps=1&strap=9600&baud=4800", clock=clock) as meter,
        pytest.raises(NoAnswer) as caught,
    ):
        meter.connect()
    assert caught.value.hint == (
        "the chip answers at 9600 baud: open twin://lspa9?volts=230&amps=1&strap=9600&baud=9600"
    )


def test_a_wrong_address_is_found_out(clock: ManualClock) -> None:
    with open_meter("twin://lspa9?volts=230&amps=1&address=2", clock=clock) as meter, pytest.raises(NoAnswer) as caught:
        meter.connect()
    assert caught.value.hint == "the chip has address 2: use address=2"
    with open_meter("twin://lspa9?volts=230&amps=1&address=2", address=2, clock=clock) as meter:
        meter.connect()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("twin://pziot-e01?sel=uart", "SEL is open or low, so the chip speaks UART and not SPI (tie SEL to VDD"),
        ("twin://lspa9?sel=spi", "SEL is tied to VDD, so the chip speaks SPI and not UART (leave SEL open"),
    ],
)
def test_a_chip_on_the_other_bus_is_silent_and_the_error_names_sel(url: str, told: str, clock: ManualClock) -> None:
    with open_meter(url, clock=clock) as meter, pytest.raises(NoAnswer) as caught:
        meter.connect()
    assert told in (caught.value.hint or "")


def test_an_spi_clock_that_is_too_fast_is_refused_or_read_right(clock: ManualClock) -> None:
    readings, refusals = [], []
    with open_meter("twin://pziot-e01?volts=230&amps=5&hz=900000&overclocking=yes", clock=clock) as meter:
        for _ in range(50):
            clock.advance(1)
            try:
                meter.connect()
                readings.append(meter.read())
            except WattrailError as error:
                refusals.append(error)
    assert all(reading.watts == pytest.approx(1150, rel=2e-3) for reading in readings[3:])
    assert refusals
    assert all(refusal.hint for refusal in refusals)


def test_a_bus_out_of_step_finds_back_by_itself(clock: ManualClock) -> None:
    twin = open_twin("pziot-e01", clock=clock, volts=230.0, amps=5.0)
    bus = twin.carrier()
    with Meter(bus, BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])) as meter:
        meter.connect()
        clock.advance(3)
        twin.spi.transfer(b"\x58\x04\x00", mode=1, hz=800_000)  # half a frame from somebody else
        assert meter.read().volts == pytest.approx(230, rel=1e-4)
        assert meter.statistics.retries >= 1
