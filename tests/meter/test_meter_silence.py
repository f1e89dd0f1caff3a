"""What a meter says about a line on which its chip does not answer: what is heard there, or how late it is.

The truth comes from public captures of other talkers and from reports of bridges, not from our twins, on which the line
is silent or the chip's.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.meter.lines import Line, chip
from tests.meter.test_meter import ScriptedBus, meter_on
from wattrail.chips import BL0942
from wattrail.chips.bl0942.registers import MODE
from wattrail.chips.spi import bits_late
from wattrail.errors import ChecksumError, NoAnswer, TargetError, WattrailError
from wattrail.front_end import FRONT_ENDS
from wattrail.meter import Meter
from wattrail.meter.answer_time import NETWORK, WIRE, AnswerTime, bounds_of

CSE7766 = bytes.fromhex("55 5A 02 E9 50 00 03 31 00 3E 9E 00 0D 30 4F 44 F8 00 12 65 F1 81 76 72")  # espurna #867
HEARTBEAT = bytes.fromhex("55 AA 00 00 00 00 FF")  # the module's side of a PJ-MGW1103, TuyaMCUAnalyzer's samples
REPORT = bytes.fromhex("55 AA 03 07 00 08 12 02 00 04 00 00 00 00 29")  # the microcontroller's side of it
BOOT_LOG = b"V:BK7231N_1.0.1\r\nCPSR:000000D3\r\n"
REQUEST = bytes.fromhex("58 AA")  # what a module's own firmware asks a BL0942

BRIDGE = "tcp://192.168.1.20:8888"


def meter(line: Line) -> Meter:
    return Meter(line, BL0942.scaling.calibration_of(FRONT_ENDS["reference"]))


def refusal(line: Line) -> tuple[str, str]:
    """The message and the hint of a meter that finds no chip."""
    with pytest.raises((NoAnswer, ChecksumError)) as caught:
        meter(line).connect()
    return str(caught.value), str(caught.value.hint)


# ---- others talk

TALKERS = {
    "a CSE7766": (Line(says=CSE7766, every_s=0.105), "another metering chip talks on this line", "OpenBeken"),
    "a TuyaMCU's module": (Line(says=HEARTBEAT, at_baud=9600), "a module and a microcontroller talk", "move the wires"),
    "a TuyaMCU": (Line(says=REPORT, at_baud=9600), "a module and a microcontroller talk", "move the wires"),
    "a boot log": (Line(says=BOOT_LOG, every_s=0.3, at_baud=115200), "this is the log of a module", "log UART"),
    "another master": (Line(says=REQUEST), "somebody else asks this chip", "hold the module in reset"),
    "zeros": (Line(says=bytes(30), every_s=0.1), "only zeros come", "3.3 V"),
    "noise": (
        Line(says=random.Random(3).randbytes(40), every_s=0.3), "makes no sense at any rate", "join the grounds",
    ),
    "an echo": (Line(answers=lambda data: [(0.01, data)]), "only our own requests come back", "local echo"),
    "an echo over a bridge": (
        Line(BRIDGE, answers=lambda data: [(0.1, data)], fixed=True), "only our own requests come back", "local echo",
    ),
    "a CSE7766 over a bridge": (
        Line(BRIDGE, says=CSE7766, every_s=0.105, fixed=True), "another metering chip talks", "OpenBeken",
    ),
}  # fmt: skip


@pytest.mark.parametrize("who", TALKERS)
def test_whoever_talks_in_place_of_the_chip_is_named(who: str) -> None:
    line, what, remedy = TALKERS[who]
    message, hint = refusal(line)
    assert what in message
    assert remedy in hint
    assert "swapped" not in hint


def test_silence_lists_power_and_ground_before_swapped_wires() -> None:
    _, hint = refusal(Line())
    places = [hint.index(cause) for cause in ("no 3.3 V", "grounds are not joined", "RX and TX are swapped", "SEL")]
    assert places == sorted(places)


def test_bytes_that_look_like_a_chip_which_takes_no_writes_are_named_too() -> None:
    # Four bytes of anybody's stream may have the checksum of a register: 1 in 256, for as long as it repeats itself.
    answer = chip(lambda: 0.05)
    line = Line(answers=lambda data: answer(data) if data[0] == 0x58 and data[1] != 0x19 else [], says=CSE7766)
    line.answers = lambda data: [(0.02, b"\x87\x00\x00\x07")] if data == b"\x58\x19" else answer(data)
    with pytest.raises(WattrailError, match="another metering chip talks") as caught:
        meter(line).connect()
    assert not isinstance(caught.value, TargetError)


# ---- late answers


@pytest.mark.parametrize(("url", "late_s"), [(BRIDGE, 0.3), (BRIDGE, 0.8), (BRIDGE, 2.0), ("serial:///dev/x", 0.3)])
def test_a_chip_that_answers_late_is_read(url: str, late_s: float) -> None:
    device = meter(Line(url, answers=chip(lambda: late_s), fixed=True))
    device.connect()
    assert device.read().energy_count == 0
    assert device.statistics.silent == 0


def test_round_trips_that_scatter_are_followed() -> None:
    # esp-link #275 saw 250 ms; a packet that is sent again comes a second later.
    chance = random.Random(7)
    device = meter(Line(BRIDGE, answers=chip(lambda: chance.choice((0.15, 0.25, 0.3, 0.35, 1.2))), fixed=True))
    device.connect()
    for _ in range(30):
        assert device.read().watt_count == 31170


def test_a_silent_bridge_is_given_up_within_half_a_minute() -> None:
    line = Line(BRIDGE, fixed=True)
    refusal(line)
    assert line.clock.monotonic() < 30


@pytest.mark.parametrize(("url", "late_s"), [("serial:///dev/rfcomm0", 1.5), (BRIDGE, 4.0)])
def test_a_chip_later_than_any_limit_is_reported_as_late(url: str, late_s: float) -> None:
    _, hint = refusal(Line(url, answers=chip(lambda: late_s), fixed=True))
    assert f"its answers are whole and late, by {late_s:.2f} s" in hint


def test_the_limit_follows_the_round_trips_within_its_bounds() -> None:
    time = AnswerTime(NETWORK)
    assert time.limit_s == NETWORK.longest_s, "a late chip is noticed by the first question"
    for _ in range(30):
        time.answered(0.3)
    assert time.limit_s == NETWORK.shortest_s
    for _ in range(9):
        time.missed()
    assert time.limit_s == NETWORK.longest_s


def test_what_never_answered_is_not_waited_for_long() -> None:
    time = AnswerTime(WIRE)
    time.missed()
    assert (time.limit_s, time.grace_s) == (WIRE.silent_s, WIRE.noticed_s - WIRE.longest_s), (
        "one answer may still be under way"
    )
    time.missed()
    assert (time.limit_s, time.grace_s) == (WIRE.silent_s, 0.0)


def test_bounds_go_by_the_carrier_seen_through_a_recording() -> None:
    assert bounds_of(BRIDGE) is bounds_of("rfc2217://10.0.0.2:2217") is bounds_of("spi+tcp://127.0.0.1:4942") is NETWORK
    assert bounds_of(f"record:x.jsonl?of={BRIDGE}") is NETWORK
    assert bounds_of("serial:///dev/ttyUSB0") is bounds_of("twin://pziot-e01") is bounds_of("script:") is WIRE


# ---- a bit late


def shifted(bits: int) -> Callable[[bytes], bytes]:
    """What a master sees that takes each bit too early (1: the line's last state first) or too late (-1)."""

    def shift(frame: bytes) -> bytes:
        word = int.from_bytes(frame, "big")
        word = word >> 1 | 1 << 47 if bits > 0 else word << 1 & (1 << 48) - 1 | 1
        return word.to_bytes(6, "big")

    return shift


@pytest.mark.parametrize(("bits", "where"), [(1, "late"), (-1, "early")])
def test_answers_a_bit_off_are_reported_as_a_wrong_spi_mode(bits: int, where: str) -> None:
    bus = ScriptedBus()
    bus.spoil = shifted(bits)
    with pytest.raises(ChecksumError, match=f"every answer is whole and one bit {where}: the SPI mode") as caught:
        meter_on(bus, trusted=False).connect()
    assert "mode 1" in str(caught.value.hint)


def test_noise_on_an_spi_bus_is_not_a_wrong_mode() -> None:
    bus, chance = ScriptedBus(), random.Random(5)
    bus.spoil = lambda _: chance.randbytes(6)
    with pytest.raises(ChecksumError) as caught:
        meter_on(bus, trusted=False).connect()
    assert "mode" not in str(caught.value)


def test_an_answer_in_place_is_neither_late_nor_early() -> None:
    frame = bytes.fromhex("FF FF 00 00 8F FF")  # MODE 0x8F: 58 + 19 + 8F = 100, so the checksum is FF
    assert bits_late(MODE, frame) == 0
    assert bits_late(MODE, shifted(1)(frame)) == 1
    assert bits_late(MODE, shifted(-1)(frame)) == -1
