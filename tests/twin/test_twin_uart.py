"""The UART engine: golden frames both ways, timing, silence, and what hosts send at start."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from wattrail.chips.bl0942.registers import (
    CF_CNT,
    CREEP,
    FREQ,
    GAIN_CR,
    I_FAST_RMS_TH,
    I_ZX_LOW,
    MODE,
    OT_FUNX,
    STATUS,
    USR_WRPROT,
    WA_CREEP,
)
from wattrail.clock import Deadline
from wattrail.errors import PortTimeout
from wattrail.twin.chip_tables import UartTiming
from wattrail.twin.front_end import Deviation
from wattrail.twin.uart_line import as_received

UNLOCK = "A8 1D 55 00 00 E5"

WRITES = [
    ("A8 1A 03 00 00 3A", "AA 1A 03 00 00 38", GAIN_CR, 3),
    ("A8 14 33 00 00 10", "AA 14 33 00 00 0E", WA_CREEP, 0x33),
    ("A8 15 34 12 00 FC", "AA 15 34 12 00 FA", I_FAST_RMS_TH, 0x1234),
    ("A8 19 8F 00 00 AF", "AA 19 8F 00 00 AD", MODE, 0x08F),
    ("A8 19 AF 00 00 8F", "AA 19 AF 00 00 8D", MODE, 0x0AF),
    ("A8 19 0F 00 00 2F", "AA 19 0F 00 00 2D", MODE, 0x00F),
    ("A8 19 CF 00 00 6F", "AA 19 CF 00 00 6D", MODE, 0x0CF),
    ("A8 19 8F 02 00 AD", "AA 19 8F 02 00 AB", MODE, 0x28F),
    ("A8 19 8F 03 00 AC", "AA 19 8F 03 00 AA", MODE, 0x38F),
]


@pytest.mark.parametrize(("frame", "at_two", "register", "count"), WRITES)
def test_golden_writes_reach_their_register(make_plug, frame, at_two, register, count) -> None:
    plug, second = make_plug(), make_plug(address=2)
    for meter, unlock, text in ((plug, UNLOCK, frame), (second, "AA 1D 55 00 00 E3", at_two)):
        assert meter.ask(unlock) == "", "a write is not acknowledged"
        assert meter.ask(text) == ""
        assert meter.twin.chip.peek(register) == count


def test_golden_replies_to_register_reads(plug) -> None:
    assert plug.ask("58 19") == "87 00 00 07"
    assert plug.ask("58 1D") == "00 00 00 8A"
    assert plug.ask("58 14") == "0B 00 00 88"
    assert plug.ask("58 15") == "FF FF 00 94"
    plug.send(UNLOCK)
    assert plug.ask("58 1D") == "01 00 00 89"
    plug.send("A8 19 8F 00 00 AF")
    assert plug.ask("58 19") == "8F 00 00 FF"
    plug.twin.chip.stick(STATUS, 0x300)
    plug.twin.chip.stick(FREQ, 0x4E20)
    assert plug.ask("58 09") == "00 03 00 9B"
    assert plug.ask("58 08") == "20 4E 00 31"
    assert plug.ask("58 04") == "30 BE 37 7E"


def test_golden_packet_of_a_kettle_on_the_reference_circuit(make_plug) -> None:
    for address, head, last in ((0, "58 AA", "E1"), (2, "5A AA", "DF")):
        plug = make_plug(address=address)
        plug.clock.advance(2)
        plug.twin.chip.stick(CF_CNT, 1200)
        plug.twin.chip.stick(STATUS, 0x000)
        assert plug.ask(head) == (f"55 83 2A 13 30 BE 37 10 F5 06 67 F0 0A B0 04 00 1E 4E 00 00 00 00 {last}")


def test_golden_packet_of_export_and_of_no_load(make_plug) -> None:
    roof = make_plug(amps=10.0, pf=-0.8)
    roof.clock.advance(2)
    roof.twin.chip.stick(CF_CNT, 1200)
    roof.twin.chip.stick(STATUS, 0x001)
    assert roof.ask("58 AA") == "55 07 55 26 30 BE 37 21 EA 0D 5B 7F EE B0 04 00 1E 4E 00 01 00 00 AA"
    idle = make_plug(amps=0.0, deviation=Deviation(dc_mv=17200 / (0.363 / 0.9003163 * 305978 / 1.218)))
    idle.clock.advance(2)
    idle.twin.chip.stick(CF_CNT, 1200)
    assert idle.ask("58 AA") == "55 00 00 00 30 BE 37 30 43 00 00 00 00 B0 04 00 1E 4E 00 02 01 00 97"


def test_the_first_packet_after_boot_without_mains_is_the_captured_one(make_plug) -> None:
    plug = make_plug(volts=0.0, amps=0.0)
    captured = _captures()["tas-23775-1"]
    assert plug.ask("58 AA") == captured


@pytest.mark.parametrize("name", ["tas-14829-1", "lt-153-1", "esph-10136-1", "esph-15280-1"])
def test_pins_as_on_a_captured_device_give_the_same_kind_of_packet(make_plug, name: str) -> None:
    captured = bytes.fromhex(_captures()[name])
    volts = int.from_bytes(captured[4:7], "little") / 15883.341
    offset = int.from_bytes(captured[7:10], "little") / (0.363 / 0.9003163 * 305978 / 1.218)
    hertz = 1e6 / int.from_bytes(captured[16:18], "little")
    plug = make_plug(volts=volts, amps=0.0, hertz=hertz, deviation=Deviation(dc_mv=offset), toggling=True)
    plug.clock.advance(2)
    ours = bytes.fromhex(plug.ask("58 AA"))
    assert ours[4:7] == captured[4:7]
    assert ours[16:18] == captured[16:18]
    assert ours[1:4] == captured[1:4] == bytes(3)
    assert ours[10:13] == captured[10:13]
    assert abs(int.from_bytes(ours[7:10], "little") - int.from_bytes(captured[7:10], "little")) <= 1
    assert ours[20] == captured[20] == 1
    assert ours[19] & ~0x20 == captured[19] & ~0x20 == CREEP.mask
    assert (ours[18], ours[21]) == (captured[18], captured[21]) == (0, 0)


def test_status_bit_five_moves_by_chance_and_only_with_mains(make_plug) -> None:
    plug, dead = make_plug(toggling=True), make_plug(toggling=True, volts=0.0, amps=0.0)
    seen = set()
    for _ in range(40):
        plug.clock.advance(0.4)
        dead.clock.advance(0.4)
        seen.add(plug.twin.chip.peek(STATUS) & 0x20)
        assert dead.twin.chip.peek(STATUS) == 0x300
    assert seen == {0, 0x20}


def test_a_reply_begins_half_a_bit_after_the_request_and_has_no_gaps(plug) -> None:
    bit = 1 / 4800
    started = plug.clock.monotonic()
    plug.send("58 19")
    first = plug.port.read(Deadline.after(1, plug.clock))
    assert first == b"\x87"
    assert plug.clock.monotonic() - started == pytest.approx((20 + 0.5 + 10) * bit, abs=1e-5)
    plug.clock.advance(30 * bit)
    assert plug.port.drain() == bytes.fromhex("00 00 07")


def test_the_older_datasheets_wait_150_microseconds_instead(make_plug) -> None:
    plug = make_plug(timing=UartTiming(frame_s=0.020, reply_bits=0, reply_s=150e-6))
    started = plug.clock.monotonic()
    plug.send("58 19")
    plug.port.read(Deadline.after(1, plug.clock))
    assert plug.clock.monotonic() - started == pytest.approx(30 / 4800 + 150e-6, abs=1e-5)


@pytest.mark.parametrize(
    "frame",
    ["59 19", "59 AA", "50 AA", "A0 19 8F 00 00 B7", "00 00", "A9 1D 55 00 00 E4"],
    ids=["other address", "other packet", "BL0940", "BL0940 write", "junk", "other write"],
)
def test_frames_for_others_are_met_with_silence_and_the_next_one_counts(plug, frame: str) -> None:
    assert plug.ask(frame) == ""
    assert plug.ask("58 19") == "87 00 00 07"


def test_a_foreign_frame_is_listened_past_until_the_frame_limit(make_plug) -> None:
    third = make_plug(address=2)
    third.send("58 AA")  # for address 0; AA alone would be our write head
    third.clock.advance(0.010)
    assert third.ask("5A 19") == ""
    assert third.ask("5A 19") == "87 00 00 05"


def test_a_write_with_a_wrong_checksum_is_dropped(plug) -> None:
    plug.send(UNLOCK)
    plug.send("A8 19 8F 00 00 AE")
    assert plug.ask("58 19") == "87 00 00 07"


def test_a_frame_slower_than_sixteen_milliseconds_is_forgotten(plug) -> None:
    plug.send("A8 1D")
    plug.clock.advance(0.017)
    plug.send("55 00 00 E5")
    assert plug.twin.chip.peek(USR_WRPROT) == 0
    plug.clock.advance(0.1)
    plug.send("A8 1D")
    plug.clock.advance(0.009)  # two bytes took 4 ms, four more take 8
    plug.send("55 00 00 E5")
    assert plug.twin.chip.peek(USR_WRPROT) == 1


def test_a_long_break_resets_the_receiver_and_no_register(plug) -> None:
    plug.send(UNLOCK)
    plug.send("A8 19")
    plug.twin.uart.line_break(0.008, plug.twin.now())
    assert plug.ask("58 1D") == "01 00 00 89"


def test_writes_without_any_gap_are_all_taken(plug) -> None:
    plug.send(UNLOCK + "A8 19 8F 00 00 AF" + "A8 14 33 00 00 10")
    assert (plug.twin.chip.peek(MODE), plug.twin.chip.peek(WA_CREEP)) == (0x8F, 0x33)


def test_a_request_during_a_reply_is_not_heard(plug) -> None:
    plug.send("58 AA")
    plug.clock.advance(0.020)
    plug.send("58 19")
    got = plug.listen()
    assert len(bytes.fromhex(got)) == 23


def test_the_rate_switches_with_the_frame_after_the_write(plug) -> None:
    plug.send(UNLOCK)
    plug.send("A8 19 8F 02 00 AD")
    assert plug.ask("58 19") == "", "the host still speaks 4800"
    plug.port.set_baud(19200)
    assert plug.ask("58 19") == "8F 02 00 FD"


def test_a_strap_for_9600_is_strange_to_a_host_at_4800(make_plug) -> None:
    plug = make_plug(strap=9600, baud=4800)
    assert plug.ask("58 AA") == ""
    plug.port.set_baud(9600)
    assert len(bytes.fromhex(plug.ask("58 AA"))) == 23


def test_a_chip_strapped_to_spi_never_answers(make_plug) -> None:
    assert make_plug(sel="spi").ask("58 AA") == ""


def test_receivers_forgive_four_per_cent_and_garble_the_rest() -> None:
    data = bytes(range(256))
    assert as_received(data, 9600, 9700) == data
    assert as_received(data, 9600, 4800) != data
    assert as_received(b"\x58\xaa", 4800, 9600) != b"\x58\xaa"
    assert as_received(b"", 4800, 9600) == b""


CLEARING = "A8 19 CF 00 00 6F"


@pytest.mark.parametrize(("request_", "place"), [("58 07", 0), ("58 AA", 13)])
def test_clear_on_read_clears_by_register_and_by_packet(plug, request_: str, place: int) -> None:
    plug.send(UNLOCK)
    plug.send(CLEARING)
    plug.clock.advance(20)
    first = bytes.fromhex(plug.ask(request_))[place : place + 3]
    again = bytes.fromhex(plug.ask(request_))[place : place + 3]
    assert int.from_bytes(first, "little") == pytest.approx(34, abs=1)
    assert int.from_bytes(again, "little") <= 1


def test_a_reply_that_is_lost_takes_its_energy_with_it(plug) -> None:
    plug.send(UNLOCK)
    plug.send(CLEARING)
    plug.clock.advance(20)
    plug.twin.faults.drop()
    assert plug.ask("58 07") == ""
    assert int.from_bytes(bytes.fromhex(plug.ask("58 07"))[:3], "little") <= 1


# ---- what hosts send at start


def test_openbeken_starts_and_polls(plug) -> None:
    plug.send("A8 1D 55 00 00 E5")
    plug.send("A8 19 8F 00 00 AF")
    for _ in range(3):
        plug.clock.advance(1)
        assert len(bytes.fromhex(plug.ask("58 AA"))) == 23
    assert plug.twin.chip.peek(USR_WRPROT) == 1, "it leaves the chip unlocked"


@pytest.mark.parametrize(
    ("mode", "verify"), [("A8 19 8F 00 00 AF", "8F 00 00 FF"), ("A8 19 AF 00 00 8F", "AF 00 00 DF")]
)
def test_esphome_resets_sets_mode_locks_and_verifies(plug, mode: str, verify: str) -> None:
    plug.clock.advance(60)
    for frame in ("A8 1D 55 00 00 E5", "A8 1C 5A 5A 5A 2D", mode, "A8 1D 00 00 00 3A"):
        plug.send(frame)
        plug.clock.advance(0.001)
    assert plug.ask("58 19") == verify
    assert plug.twin.chip.peek(CF_CNT) <= 1
    assert plug.twin.chip.peek(USR_WRPROT) == 0


def test_esphome_before_2024_9_changes_nothing_as_its_checksums_are_wrong(plug) -> None:
    frames = ("A8 19 5A 5A 5A 38", "A8 1A 55 00 00 F0", "A8 18 00 10 00 37", "A8 1B FF 47 00 FE", "A8 10 1C 18 00 1B")
    for frame in frames:
        plug.send(frame)
    chip = plug.twin.chip
    assert (chip.peek(MODE), chip.peek(GAIN_CR), chip.peek(OT_FUNX)) == (0x87, 2, 0x24)
    assert len(bytes.fromhex(plug.ask("58 AA"))) == 23


def test_tasmota_never_writes_and_is_answered(plug) -> None:
    plug.clock.advance(2)
    packet = bytes.fromhex(plug.ask("58 AA"))
    assert packet[0] == 0x55
    assert packet[20] == I_ZX_LOW.get(plug.twin.chip.peek(STATUS))


def test_shelly_resets_before_it_unlocks_which_is_ignored(make_plug) -> None:
    plug = make_plug(strap=9600)
    plug.clock.advance(30)
    for frame in ("A8 1C 5A 5A 5A 2D", "A8 1D 55 00 00 E5", "A8 19 8F 00 00 AF", "A8 14 33 00 00 10"):
        plug.send(frame)
    chip = plug.twin.chip
    assert (chip.peek(MODE), chip.peek(WA_CREEP)) == (0x8F, 0x33)
    assert chip.peek(CF_CNT) > 40


def test_silence_is_a_timeout_of_the_port(plug) -> None:
    plug.twin.faults.silence()
    plug.send("58 AA")
    with pytest.raises(PortTimeout, match="nothing arrived before the deadline"):
        plug.port.read(Deadline.after(0.1, plug.clock))
    plug.twin.faults.silence(False)
    assert plug.ask("58 19") == "87 00 00 07"


def _captures() -> dict[str, str]:
    path = Path(__file__).parents[1] / "captures" / "bl0942.csv"
    with path.open(encoding="utf-8") as lines:
        return {row["id"]: row["hex"] for row in csv.DictReader(lines)}
