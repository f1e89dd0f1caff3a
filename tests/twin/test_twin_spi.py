"""The SPI engine, clock by clock."""

from __future__ import annotations

import pytest

from wattrail.chips.bl0942.registers import CF_CNT, MODE, USR_WRPROT, WA_CREEP
from wattrail.clock import Deadline
from wattrail.errors import PortTimeout

WRITES = [
    ("A8 1D 00 00 55 E5", USR_WRPROT, 1),
    ("A8 19 00 00 8F AF", MODE, 0x8F),
    ("A8 19 00 00 AF 8F", MODE, 0xAF),
    ("A8 19 00 00 0F 2F", MODE, 0x0F),
    ("A8 19 00 00 CF 6F", MODE, 0xCF),
    ("A8 14 00 00 33 10", WA_CREEP, 0x33),
]


@pytest.mark.parametrize(("frame", "register", "count"), WRITES)
def test_golden_writes_reach_their_register_and_read_back_at_once(rail, frame, register, count) -> None:
    rail.clock_in("A8 1D 00 00 55 E5")
    assert rail.clock_in(frame) == "FF FF FF FF FF FF"
    assert rail.twin.chip.peek(register) == count
    assert bytes.fromhex(rail.read(register.address))[2] == count


def test_golden_reads_come_high_byte_first(rail) -> None:
    assert rail.read(0x19) == "00 00 87 07"
    assert rail.read(0x1D) == "00 00 00 8A"
    assert rail.read(0x09) == "00 03 00 9B"
    assert rail.read(0x08) == "00 4E 20 31"
    assert rail.read(0x15) == "00 FF FF 94"
    rail.clock.advance(2)
    assert rail.read(0x04) == "37 BE 30 7E"


def test_openbeken_sends_two_bytes_pauses_and_takes_four(rail) -> None:
    for dummy in ("00 00 00 00", "FF FF FF FF"):
        rail.clock_in("58 19")
        rail.clock.advance(0.005)
        assert rail.clock_in(dummy) == "00 00 87 07"


def test_data_sent_low_byte_first_is_a_valid_frame_and_unlocks_nothing(rail) -> None:
    rail.clock_in("A8 1D 55 00 00 E5")
    assert rail.twin.chip.peek(USR_WRPROT) == 0


def test_a_write_with_a_wrong_checksum_is_dropped(rail) -> None:
    rail.clock_in("A8 1D 00 00 55 E4")
    assert rail.twin.chip.peek(USR_WRPROT) == 0


def test_a_write_while_locked_is_ignored(rail) -> None:
    rail.clock_in("A8 19 00 00 8F AF")
    assert rail.read(0x19) == "00 00 87 07"


@pytest.mark.parametrize("extra", [1, 3, 47])
def test_an_extra_clock_leaves_three_wires_out_of_step_until_48_ones(rail, extra: int) -> None:
    assert rail.read(0x19) == "00 00 87 07"
    rail.twin.spi.clock(0, extra)
    assert [rail.read(0x19) == "00 00 87 07" for _ in range(20)].count(True) == 0
    rail.clock_in("FF FF FF FF FF FF")
    assert rail.read(0x19) == "00 00 87 07"


def test_resynchronising_changes_no_register(rail) -> None:
    rail.clock_in("A8 1D 00 00 55 E5")
    rail.clock_in("A8 19 00 00 8F AF")
    rail.clock_in("FF FF FF FF FF FF")
    assert rail.read(0x19) == "00 00 8F FF"


def test_an_unknown_head_uses_up_its_clocks_and_nothing_else(rail) -> None:
    assert rail.clock_in("59 19 00 00 00 00") == "FF FF FF FF FF FF"
    assert rail.read(0x19) == "00 00 87 07"


def test_chip_select_aborts_a_frame_where_there_is_such_a_wire(rail) -> None:
    rail.twin.spi._chip_select = True
    rail.twin.spi.select(True)
    rail.twin.spi.transfer(b"\x58\x19\x00")
    rail.twin.spi.select(False)
    assert rail.twin.spi.transfer(b"\x58\x19") == b"\xff\xff", "clocks without select are not counted"
    assert rail.read(0x19) == "00 00 87 07"


def test_a_host_in_mode_zero_gets_every_bit_one_clock_late(make_rail) -> None:
    rail = make_rail(mode=0)
    want = int("00008707", 16)
    assert int(rail.read(0x19).replace(" ", ""), 16) == 1 << 31 | want >> 1
    rail.clock_in("A8 1D 00 00 55 E5")
    assert rail.twin.chip.peek(USR_WRPROT) == 1, "what it sends is understood"


def test_a_host_in_mode_three_is_not_understood(make_rail) -> None:
    rail = make_rail(mode=3)
    rail.clock_in("A8 1D 00 00 55 E5")
    assert rail.twin.chip.peek(USR_WRPROT) == 0


def test_a_chip_strapped_to_uart_keeps_its_output_high(make_rail) -> None:
    assert make_rail(sel="uart").clock_in("58 19 00 00 00 00") == "FF FF FF FF FF FF"


@pytest.mark.parametrize(("hz", "low", "high"), [(800_000, 0, 0), (850_000, 0.15, 0.35), (900_000, 0.4, 0.6)])
def test_too_fast_a_clock_breaks_frames_as_one_board_did(make_rail, hz: int, low: float, high: float) -> None:
    rail = make_rail(hz=hz, overclocking=True)
    broken = sum(rail.read(0x19) != "00 00 87 07" for _ in range(400)) / 400
    assert low <= broken <= high


def test_a_transfer_takes_its_clocks_and_a_refresh_can_fall_between_two(rail) -> None:
    before = rail.clock.monotonic()
    rail.read(0x03)
    assert rail.clock.monotonic() - before == pytest.approx(60e-6)


def test_a_deadline_that_has_passed_is_a_timeout(rail) -> None:
    deadline = Deadline.after(0, rail.clock)
    with pytest.raises(PortTimeout, match="before the first clock"):
        rail.bus.transfer(b"\x58\x19", deadline)


def test_reading_the_counter_clears_it_when_mode_says_so(rail) -> None:
    rail.twin.chip.poke(MODE, 0xCF)
    rail.clock.advance(60)
    assert rail.read(0x07) != "00 00 00 A0"
    assert rail.read(0x07) == "00 00 00 A0"
    assert rail.twin.chip.peek(CF_CNT) == 0
