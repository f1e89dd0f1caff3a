"""How a meter comes to trust a reading, on a chip whose every answer is scripted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from wattrail.chips import BL0942
from wattrail.chips.bl0942.registers import (
    BY_ADDRESS,
    CF_CNT,
    FREQ,
    GAIN_CR,
    I_RMS,
    MODE,
    STATUS,
    USR_WRPROT,
    V_RMS,
    WATT,
)
from wattrail.clock import Deadline, ManualClock
from wattrail.errors import ChecksumError, ImplausibleReading, TargetError, UrlError
from wattrail.front_end import FRONT_ENDS
from wattrail.meter import Meter, open_meter
from wattrail.meter.meter import MAX_AGREEING, MAX_SAMPLES, MIN_AGREEING, TRUST_AFTER
from wattrail.transport.carrier import OpenCarrier
from wattrail.wire import Register, inverted_sum

STEADY = {I_RMS: 1_256_067, V_RMS: 3_653_168, WATT: 716_903, CF_CNT: 1200, FREQ: 19_998, STATUS: 0}


class ScriptedBus(OpenCarrier):
    """An SPI chip that holds what the script says for each sample; a sample begins with I_RMS."""

    def __init__(self, looks: Iterator[dict[Register, int]] | None = None) -> None:
        super().__init__("script:", ManualClock())
        self.held: dict[Register, int] = {MODE: 0x8F, GAIN_CR: 2, USR_WRPROT: 0, **STEADY}
        self.looks = looks
        self.looked = 0
        self.frozen: set[Register] = set()
        self.spoil: Callable[[bytes], bytes] = lambda frame: frame

    def transfer(self, data: bytes, deadline: Deadline) -> bytes:
        if data[0] == 0xA8:
            self._write(BY_ADDRESS[data[1]], int.from_bytes(data[2:5], "big"))
        if data[0] != 0x58:
            return b"\xff" * len(data)
        register = BY_ADDRESS[data[1]]
        if register is I_RMS:
            self.looked += 1
            if self.looks is not None:
                self.held.update(next(self.looks))
        word = register.encode(self.held.get(register, register.reset)).to_bytes(3, "big")
        return self.spoil(b"\xff\xff" + word + bytes((inverted_sum(data[:2] + word),)))

    def _write(self, register: Register, word: int) -> None:
        if register in self.frozen:
            return
        if register is USR_WRPROT:
            self.held[register] = 1 if word == 0x55 else 0
        elif self.held[USR_WRPROT]:
            self.held[register] = word

    def _release(self) -> None: ...


def meter_on(bus: ScriptedBus, *, trusted: bool = True) -> Meter:
    """A meter; ``trusted`` lets it get used to a quiet line first."""
    meter = Meter(bus, BL0942.scaling.calibration_of(FRONT_ENDS["reference"]))
    looks, bus.looks = bus.looks, None
    for _ in range(TRUST_AFTER if trusted else 0):
        meter.read()
    bus.looks, bus.looked = looks, 0
    return meter


def looks(*changes: dict[Register, int]) -> Iterator[dict[Register, int]]:
    """Looks that differ from the steady ones by so much; the last goes on for ever."""
    yield from ({**STEADY, **change} for change in changes)
    while True:
        yield {**STEADY, **changes[-1]}


def test_an_unknown_line_is_sampled_four_times_and_a_quiet_one_twice() -> None:
    bus = ScriptedBus()
    meter_on(bus, trusted=False).read()
    assert bus.looked == MAX_AGREEING
    bus = ScriptedBus()
    meter_on(bus).read()
    assert bus.looked == MIN_AGREEING


def test_a_refresh_during_a_sample_costs_more_samples_no_torn_reading() -> None:
    torn, after = {I_RMS: 2_512_135}, {I_RMS: 2_512_135, WATT: 1_433_806}
    bus = ScriptedBus(looks({}, torn, after))
    reading = meter_on(bus).read()
    assert reading.watt_count == 1_433_806
    assert bus.looked == 6  # steady, torn, then as many that agree as two disagreements ask for


def test_an_energy_pulse_between_two_samples_is_not_a_disagreement() -> None:
    bus = ScriptedBus(looks({CF_CNT: 1200}, {CF_CNT: 1201}, {CF_CNT: 1201}))
    meter = meter_on(bus)
    assert meter.read().energy_count == 1201
    assert meter.statistics.disagreements == 0


def test_at_full_load_each_sample_has_a_pulse_and_the_middle_one_is_taken() -> None:
    bus = ScriptedBus(looks({CF_CNT: 1200}, {CF_CNT: 1201}, {CF_CNT: 1202}))
    assert meter_on(bus).read().energy_count == 1201


def test_a_counter_that_jumps_between_two_samples_is_not_believed_at_once() -> None:
    bus = ScriptedBus(looks({CF_CNT: 1200}, {CF_CNT: 5296}, {CF_CNT: 1200}))
    assert meter_on(bus).read().energy_count == 1200


def test_the_unknown_status_bit_may_toggle_between_samples() -> None:
    bus = ScriptedBus(looks({STATUS: 0x00}, {STATUS: 0x20}))
    meter_on(bus).read()
    assert bus.looked == MIN_AGREEING


def test_samples_that_never_agree_are_given_up() -> None:
    bus = ScriptedBus({**STEADY, V_RMS: 3_600_000 + look} for look in range(1000))
    meter = meter_on(bus)
    with pytest.raises(ImplausibleReading, match=f"{MAX_SAMPLES} samples, and no 4 in a row agreed") as caught:
        meter.read()
    assert caught.value.hint is not None


def test_after_a_failure_the_line_has_to_earn_its_trust_again() -> None:
    bus = ScriptedBus()
    meter = meter_on(bus)
    frames = iter([b"\xff\xff\x12\x34\x56\x78"])
    bus.spoil = lambda frame: next(frames, frame)
    meter.read()
    bus.looked = 0
    meter.read()
    assert bus.looked == MAX_AGREEING


def test_power_beyond_volts_times_amps_is_given_time_to_settle() -> None:
    starting = {V_RMS: 365_317, I_RMS: 125_607, WATT: 71_690}  # everything began a tenth of a refresh ago
    bus = ScriptedBus(looks(starting, starting, {}))
    meter = meter_on(bus)
    before = bus.clock.monotonic()
    assert meter.read().watt_count == 716_903
    assert bus.clock.monotonic() - before == pytest.approx(0.8)


def test_power_beyond_volts_times_amps_that_stays_is_refused() -> None:
    with pytest.raises(ImplausibleReading, match="WATT 1400000 is more than volts times amps allow, 716903"):
        meter_on(ScriptedBus(looks({WATT: 1_400_000}))).read()


def test_a_chip_that_takes_no_writes_is_an_error_with_both_values() -> None:
    bus = ScriptedBus()
    bus.held[MODE] = 0x87
    bus.frozen = {MODE}
    with pytest.raises(TargetError, match="MODE at script:: wrote 0x8f, reads back 0x87") as caught:
        meter_on(bus, trusted=False).connect()
    assert "takes no writes" in (caught.value.hint or "")


def test_damage_that_does_not_end_is_an_error_with_the_bytes() -> None:
    bus = ScriptedBus()
    bus.spoil = lambda frame: frame[:-1] + bytes((frame[-1] ^ 1,))
    meter = meter_on(bus, trusted=False)
    with pytest.raises(ChecksumError, match=r"I_RMS at script:: checksum .., expected .. in FF FF 13 2A 83") as caught:
        meter.read()
    assert "SPI clock" in (caught.value.hint or "")
    assert meter.statistics.damaged == 4


def test_a_single_wrong_mode_does_not_make_a_restart() -> None:
    bus = ScriptedBus()
    meter = meter_on(bus)
    wrong = iter([bytes.fromhex("FF FF 00 00 87 07")])
    bus.spoil = lambda frame: next(wrong, frame) if frame.endswith(b"\x8f\xff") else frame
    assert not meter.read().evidence.is_reset
    assert meter.statistics.restarts == 0


def test_an_unknown_front_end_lists_the_known() -> None:
    with pytest.raises(UrlError, match="unknown front end 'pziot'; known: reference, lspa9, pziot-e01"):
        open_meter("twin://pziot-e01", front_end="pziot")
