"""BL0940 frames: worked out by hand from the documented formulas, and sent by real chips.

The captures are public ones of BW-SHP10 plugs, whose chip answers to the heads 50 and A0: five packets and two
registers; all of their checksums hold. Volts, amperes and watts beside them are by the constants that Tasmota and
ESPHome have for this plug, not by ours.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from wattrail.calibration import Calibration
from wattrail.chips import BL0940
from wattrail.chips.belling import Heads, RmsUpdate
from wattrail.chips.bl0940 import Bl0940Sample
from wattrail.chips.bl0940.constants import DATASHEET_HEADS, HEADS, PLUG_HEADS
from wattrail.chips.bl0940.registers import (
    BY_ADDRESS,
    CORNER,
    I_FAST_RMS_CTRL,
    LOCK_KEY,
    MODE,
    REGISTERS,
    RESET_KEY,
    RMS_UPDATE,
    SOFT_RESET,
    TPS_CTRL,
    UNLOCK_KEY,
    USR_WRPROT,
    WA_CREEP,
    WATT,
)
from wattrail.chips.bl0940.scaling import creep_watts
from wattrail.chips.events import Damaged, PacketRead, RegisterRead
from wattrail.chips.uart import UartLink
from wattrail.energy_register import Direction, Persistence
from wattrail.front_end import FRONT_ENDS
from wattrail.wire import Access, Register

PLUG = Calibration(33_000, 275_000, 1_430)
REFERENCE = BL0940.scaling.calibration_of(FRONT_ENDS["reference"])

# register, count, 58/A8, 50/A0
WRITES = [
    (USR_WRPROT, UNLOCK_KEY, "A8 1A 55 00 00 E8", "A0 1A 55 00 00 F0"),
    (USR_WRPROT, LOCK_KEY, "A8 1A 00 00 00 3D", "A0 1A 00 00 00 45"),
    (SOFT_RESET, RESET_KEY, "A8 19 5A 5A 5A 30", "A0 19 5A 5A 5A 38"),
    (MODE, 0x0100, "A8 18 00 01 00 3E", "A0 18 00 01 00 46"),
    (WA_CREEP, 0x1D, "A8 17 1D 00 00 23", "A0 17 1D 00 00 2B"),
]
# what Tasmota and ESPHome write at start, read in their code
HOST_WRITES = [
    (MODE, 0x1000, "A0 18 00 10 00 37"),
    (TPS_CTRL, 0x47FF, "A0 1B FF 47 00 FE"),
    (I_FAST_RMS_CTRL, 0x181C, "A0 10 1C 18 00 1B"),
]
REPLIES = [(MODE, 0x0100, "00 01 00 8E", "00 01 00 96"), (WATT, -156_906, "16 9B FD F1", "16 9B FD F9")]

EXAMPLE = Bl0940Sample(
    i_rms=266_013, v_rms=3_774_945, watt=156_906, cf_cnt=1200, i_fast_rms=191_529, tps1=432, tps2=0x3FE
)
PACKETS = [
    (
        EXAMPLE,
        "55 29 EC 02 1D 0F 04 00 00 00 E1 99 39 00 00 00 EA 64 02 00 00 00 B0 04 00 00 00 00 B0 01 00 FE 03 00",
        "A2",
        "AA",
    ),
    (
        Bl0940Sample(
            i_rms=266_013, v_rms=3_774_945, watt=-156_906, cf_cnt=0xFFFFFB, i_fast_rms=191_529, tps1=432, tps2=0x3FE
        ),
        "55 29 EC 02 1D 0F 04 00 00 00 E1 99 39 00 00 00 16 9B FD 00 00 00 FB FF FF 00 00 00 B0 01 00 FE 03 00",
        "FF",
        "07",
    ),
    (
        Bl0940Sample(i_rms=0, v_rms=3_946_533, watt=0, cf_cnt=1200, i_fast_rms=700, tps1=432, tps2=0x3FE),
        "55 BC 02 00 00 00 00 00 00 00 25 38 3C 00 00 00 00 00 00 00 00 00 B0 04 00 00 00 00 B0 01 00 FE 03 00",
        "95",
        "9D",
    ),
]
# volts, amperes, watts, CF_CNT, degrees, packet
CAPTURES = {
    "no load": (
        (227.8, 0.0, 0.0, 0, 26.7),
        "55 F2 03 00 00 00 00 7E 02 00 D4 B0 72 AC 01 00 00 00 00 02 01 00 00 00 00 00 00 00 BA 01 00 FE 03 00 83",
    ),
    "residue in creep": (
        (226.3, 0.0, 0.0, 0, 30.7),
        "55 88 02 00 49 00 00 FE 02 00 AF EF 71 D2 01 00 EB FF FF 49 01 00 00 00 00 02 00 00 CF 01 00 FE 03 00 9F",
    ),
    "14 watts": (
        (224.2, 0.065, 13.7, 9, 34.7),
        "55 B9 33 00 DE 45 00 94 02 00 CF E4 70 63 02 00 6C 4C 00 13 01 00 09 00 00 00 00 00 E4 01 00 FE 03 00 72",
    ),
    "25 watts": (
        (231.9, 0.107, 24.6, 171, 40.4),
        "55 B8 55 00 2F 73 00 D2 02 00 00 C6 74 F9 01 00 97 89 00 37 01 00 AB 00 00 2D 00 00 02 02 00 FE 03 00 6E",
    ),
    "no mains": (
        (0.0, 0.0, 0.0, 0, 25.2),
        "55 C1 02 00 00 00 00 00 00 00 15 02 00 DA 01 00 00 00 00 00 00 00 00 00 00 00 00 00 B2 01 00 FE 03 00 F1",
    ),
}
captured = pytest.mark.parametrize(("shown", "text"), CAPTURES.values(), ids=CAPTURES)


def link_with(heads: Heads = DATASHEET_HEADS) -> UartLink:
    assert BL0940.uart is not None
    return UartLink(BL0940.uart, heads)


def sample_in(text: str, heads: Heads) -> Bl0940Sample:
    link = link_with(heads)
    assert link.read_packet() == bytes((heads.read, 0xAA))
    link.receive(bytes.fromhex(text))
    event = link.next_event()
    assert isinstance(event, PacketRead)
    assert event.frame == bytes.fromhex(text)
    return Bl0940Sample.of(event.counts)


@pytest.mark.parametrize(("register", "count", "datasheet", "plug"), WRITES)
def test_writes_are_the_golden_frames(register: Register, count: int, datasheet: str, plug: str) -> None:
    assert link_with().write_register(register, count) == bytes.fromhex(datasheet)
    assert link_with(PLUG_HEADS).write_register(register, count) == bytes.fromhex(plug)


@pytest.mark.parametrize(("register", "count", "frame"), HOST_WRITES)
def test_writes_are_the_frames_of_other_hosts(register: Register, count: int, frame: str) -> None:
    assert link_with(PLUG_HEADS).write_register(register, count) == bytes.fromhex(frame)


@pytest.mark.parametrize(("register", "count", "datasheet", "plug"), REPLIES)
def test_replies_are_understood(register: Register, count: int, datasheet: str, plug: str) -> None:
    for heads, text in zip(HEADS, (datasheet, plug), strict=True):
        link = link_with(heads)
        assert link.read_register(register) == bytes((heads.read, register.address))
        link.receive(bytes.fromhex(text))
        assert link.next_event() == RegisterRead(register, count, bytes.fromhex(text))


@pytest.mark.parametrize(("register", "count", "text"), [(CORNER, 935, "A7 03 00 F9"), (MODE, 0, "00 00 00 97")])
def test_captured_replies_of_a_plug_are_understood(register: Register, count: int, text: str) -> None:
    link = link_with(PLUG_HEADS)
    link.read_register(register)
    link.receive(bytes.fromhex(text))
    assert link.next_event() == RegisterRead(register, count, bytes.fromhex(text))


@pytest.mark.parametrize(("sample", "body", "datasheet", "plug"), PACKETS)
def test_computed_packets_are_understood(sample: Bl0940Sample, body: str, datasheet: str, plug: str) -> None:
    assert sample_in(f"{body} {datasheet}", DATASHEET_HEADS) == sample
    assert sample_in(f"{body} {plug}", PLUG_HEADS) == sample


@pytest.mark.parametrize(("_sample", "body", "datasheet", "plug"), PACKETS)
def test_a_packet_of_the_other_heads_is_damaged(_sample: Bl0940Sample, body: str, datasheet: str, plug: str) -> None:
    for heads, checksum in ((DATASHEET_HEADS, plug), (PLUG_HEADS, datasheet)):
        link = link_with(heads)
        link.read_packet()
        link.receive(bytes.fromhex(f"{body} {checksum}"))
        assert isinstance(link.end(), Damaged)


@captured
def test_a_captured_packet_shows_what_was_published_with_it(shown: tuple[float, ...], text: str) -> None:
    sample = sample_in(text, PLUG_HEADS)
    volts, amps, watts, count, degrees = shown
    known = sample.quantities(PLUG)
    assert known.volts == pytest.approx(volts, abs=0.06)
    assert known.amps == pytest.approx(amps, abs=0.0006)
    assert known.watts == pytest.approx(watts, abs=0.06)
    assert (sample.cf_cnt, known.hertz) == (count, None)
    assert known.celsius == pytest.approx(degrees, abs=0.06)


@captured
def test_no_captured_packet_contradicts_physics(shown: tuple[float, ...], text: str) -> None:
    sample = sample_in(text, PLUG_HEADS)
    assert sample.contradictions() == ()
    assert sample.excess_power() == ""
    assert sample.sees_mains == (shown[0] > 0)


def test_the_bytes_between_the_registers_are_not_zero_on_real_chips() -> None:
    link = link_with(PLUG_HEADS)
    link.read_packet()
    packet = bytes.fromhex(CAPTURES["25 watts"][1])
    assert packet[7:10] + packet[13:16] + packet[19:22] + packet[25:28] == bytes.fromhex(
        "D2 02 00 F9 01 00 37 01 00 2D 00 00"
    )


def test_the_application_notes_check_comes_out() -> None:
    assert REFERENCE.counts_per_amp == pytest.approx(266_013, abs=0.5)
    assert REFERENCE.counts_per_volt == pytest.approx(17_158.9, abs=0.05)
    assert REFERENCE.counts_per_watt == pytest.approx(713.105, abs=0.001)
    known = EXAMPLE.quantities(REFERENCE)
    assert (known.volts, known.amps) == (pytest.approx(219.999, abs=1e-3), pytest.approx(1.0, abs=1e-5))
    assert known.watts == pytest.approx(220.032, abs=1e-3)
    assert known.celsius == pytest.approx(24.8, abs=0.05)
    assert 1.2 * BL0940.scaling.wh_per_count(REFERENCE) == pytest.approx(0.196, abs=5e-4)
    assert BL0940.scaling.counts_per_kwh(REFERENCE) == pytest.approx(6120.6, abs=0.05)


def test_a_count_of_a_plug_is_what_was_measured_of_one() -> None:
    assert 3600 * BL0940.scaling.wh_per_count(PLUG) == pytest.approx(293.3, abs=0.05)  # 297 J were measured


def test_ten_registers_are_measured_and_ten_are_set() -> None:
    assert len(REGISTERS) == len(BY_ADDRESS) == 20
    assert sum(register.access is Access.READ for register in REGISTERS) == 10
    assert [register.address for register in REGISTERS] == sorted(BY_ADDRESS)


def test_the_settings_differ_from_what_a_reset_leaves() -> None:
    assert RMS_UPDATE.get(BL0940.settings[MODE]) == RmsUpdate.MS_800
    assert BL0940.was_reset({MODE: 0})
    assert not BL0940.was_reset({MODE: 0x1000})  # Tasmota's own setting
    assert not BL0940.was_reset({})


def test_the_counter_falls_while_exporting_and_through_zero() -> None:
    assert BL0940.counts_between(2, 0xFFFFFB) == -7
    assert BL0940.counts_between(0xFFFFFE, 3) == 5
    register = BL0940.energy_register(REFERENCE)
    assert (register.direction, register.persistence) == (Direction.NET, Persistence.VOLATILE)
    assert register.modulus == 1 << 24
    assert float(register.step_mwh) == pytest.approx(163.38, abs=0.01)


def test_more_current_than_the_pins_carry_contradicts_physics() -> None:
    # 324004 * 50 mV / 1.218 = 13300656.8 counts: a square wave that just touches the limit, and nothing is larger
    assert replace(EXAMPLE, i_rms=13_300_657).contradictions() == ()
    (found,) = replace(EXAMPLE, i_rms=13_300_658).contradictions()
    assert found == "I_RMS 13300658 is above 13300657, where the pins clip"


def test_the_creep_threshold_is_a_power() -> None:
    # 0x1D steps of 24.4140625 WATT counts are 708.008; of the reference's 713.105 a watt
    assert creep_watts(0x1D, REFERENCE) == pytest.approx(0.99285, abs=1e-5)
