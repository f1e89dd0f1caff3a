"""Links under junk, cuts and damage: whole, byte by byte, with neighbours, corrupted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.chips import BL0940, BL0942
from wattrail.chips.bl0942.registers import FREQ, MODE, REGISTERS, V_RMS, WATT
from wattrail.chips.events import NEED_DATA, Damaged, PacketRead, RegisterRead, Silence, Truncated
from wattrail.chips.spi import SpiLink
from wattrail.chips.uart import BUFFER_LIMIT, UartLink
from wattrail.wire import Register, inverted_sum

PACKET = bytes.fromhex("55 07 55 26 30 BE 37 21 EA 0D 5B 7F EE B0 04 00 1E 4E 00 01 00 00 AA")
registers = st.sampled_from(REGISTERS)


def uart_link(address: int = 0) -> UartLink:
    assert BL0942.uart is not None
    (heads,) = BL0942.uart.candidates(address)
    return UartLink(BL0942.uart, heads)


@st.composite
def counted(draw: st.DrawFn) -> tuple[Register, int]:
    register = draw(registers)
    return register, draw(st.integers(register.lowest, register.highest))


def uart_reply(register: Register, count: int, address: int = 0) -> bytes:
    data = register.encode(count).to_bytes(3, "little")
    return data + bytes((inverted_sum(bytes((0x58 | address, register.address)) + data),))


def spi_reply(register: Register, count: int) -> bytes:
    data = register.encode(count).to_bytes(3, "big")
    return b"\xff\xff" + data + bytes((inverted_sum(bytes((0x58, register.address)) + data),))


@given(counted(), st.integers(0, 3))
def test_any_register_comes_back_over_uart_whole_and_byte_by_byte(pair: tuple[Register, int], address: int) -> None:
    register, count = pair
    reply = uart_reply(register, count, address)
    whole, dripping = uart_link(address), uart_link(address)
    for link in (whole, dripping):
        link.read_register(register)
    whole.receive(reply)
    for byte in reply:
        assert dripping.next_event() is NEED_DATA
        dripping.receive(bytes((byte,)))
    assert whole.next_event() == dripping.next_event() == RegisterRead(register, count, reply)


@given(counted())
def test_any_register_comes_back_over_spi_in_any_portions(pair: tuple[Register, int]) -> None:
    register, count = pair
    frame = spi_reply(register, count)
    for cut in range(7):
        link = SpiLink()
        link.read_register(register)
        link.receive(frame[:cut])
        link.receive(frame[cut:])
        assert link.next_event() == RegisterRead(register, count, frame)


@given(st.binary(max_size=40).filter(lambda junk: 0x55 not in junk), st.binary(max_size=10))
def test_a_packet_is_found_between_junk(before: bytes, after: bytes) -> None:
    link = uart_link()
    link.read_packet()
    link.receive(before + PACKET + after)
    event = link.next_event()
    assert isinstance(event, PacketRead)
    assert (event.frame, event.skipped) == (PACKET, before)


@given(st.binary(max_size=60))
def test_behind_junk_full_of_headers_a_valid_packet_is_found(before: bytes) -> None:
    link = uart_link()
    link.read_packet()
    link.receive(before + PACKET)
    event = link.next_event()
    assert isinstance(event, PacketRead)  # a false packet inside the junk would have to hold together itself
    assert event.frame == PACKET or inverted_sum(b"\x58" + event.frame[:-1]) == event.frame[-1]


@given(st.integers(1, 22))
def test_a_packet_cut_anywhere_is_truncated(length: int) -> None:
    link = uart_link()
    link.read_packet()
    link.receive(PACKET[:length])
    assert link.next_event() is NEED_DATA
    assert link.end() == Truncated(PACKET[:length], 23)


@given(st.integers(0, 22), st.integers(0, 7))
def test_one_flipped_bit_is_always_noticed_in_a_packet(byte: int, bit: int) -> None:
    damaged = bytearray(PACKET)
    damaged[byte] ^= 1 << bit
    link = uart_link()
    link.read_packet()
    link.receive(bytes(damaged))
    assert isinstance(link.end(), Damaged | Truncated)


@given(counted(), st.integers(0, 3), st.integers(0, 7))
def test_one_flipped_bit_is_always_noticed_in_a_register(pair: tuple[Register, int], byte: int, bit: int) -> None:
    register, count = pair
    for link, reply, skip in (
        (uart_link(), uart_reply(register, count), 0),
        (SpiLink(), spi_reply(register, count), 2),
    ):
        damaged = bytearray(reply)
        damaged[skip + byte] ^= 1 << bit
        link.read_register(register)
        link.receive(bytes(damaged))
        assert not isinstance(link.end(), RegisterRead)


@given(st.lists(st.binary(max_size=64), max_size=20), registers)
def test_no_bytes_whatever_upset_a_link(portions: list[bytes], register: Register) -> None:
    for link in (uart_link(), SpiLink()):
        link.read_register(register)
        for portion in portions:
            link.receive(portion)
            link.next_event()
        link.end()


def test_the_buffer_of_a_link_is_bounded_and_keeps_the_newest() -> None:
    link = uart_link()
    link.read_packet()
    link.receive(b"\x00" * 10 * BUFFER_LIMIT + PACKET)
    event = link.next_event()
    assert isinstance(event, PacketRead)
    assert len(event.skipped) == BUFFER_LIMIT - len(PACKET)


def test_silence_is_silence() -> None:
    link = uart_link()
    link.read_register(MODE)
    assert link.end() == Silence()


@pytest.mark.parametrize("level", [0x00, 0xFF])
def test_a_line_nobody_drives_is_silence_and_not_a_count(level: int) -> None:
    link = SpiLink()
    link.read_register(V_RMS)
    link.receive(bytes((level,)) * 6)
    assert link.next_event() == Silence(level)


def test_bits_above_the_register_are_refused_though_the_checksum_holds() -> None:
    data = bytes((0x1E, 0x4E, 0x01))  # FREQ has 16 bits
    reply = data + bytes((inverted_sum(bytes((0x58, FREQ.address)) + data),))
    link = uart_link()
    link.read_register(FREQ)
    link.receive(reply)
    event = link.end()
    assert isinstance(event, Damaged)
    assert "FREQ has no bits above its 16" in event.why


@pytest.mark.parametrize("offset", [18, 21])
def test_a_packet_with_non_zero_padding_is_refused_despite_its_checksum(offset: int) -> None:
    packet = bytearray(PACKET)
    packet[offset] = 1
    packet[22] = (packet[22] - 1) & 0xFF
    link = uart_link()
    link.read_packet()
    link.receive(bytes(packet))
    event = link.end()
    assert isinstance(event, Damaged)
    assert f"byte {offset} of the packet is 01, always 00" in event.why


def test_a_wrong_checksum_is_shown_beside_the_one_it_should_be() -> None:
    reply = uart_reply(MODE, 0x8F)
    link = uart_link()
    link.read_register(MODE)
    link.receive(reply[:3] + bytes((reply[3] ^ 0x40,)))
    # 58 + 19 + 8F = 100, and the complement of its low byte is FF
    assert link.end() == Damaged(bytes.fromhex("8F 00 00 BF"), "checksum BF, expected FF")


def test_a_packet_word_above_its_registers_bits_is_shown_with_its_place() -> None:
    packet = bytearray(PACKET)
    packet[20] = 0x80  # STATUS has 10 bits
    packet[22] = (packet[22] - 0x80) & 0xFF
    link = uart_link()
    link.read_packet()
    link.receive(bytes(packet))
    event = link.end()
    assert isinstance(event, Damaged)
    assert event.why == "bytes 19 to 20 of the packet hold 01 80, more than STATUS has bits"


def test_junk_in_front_of_a_register_reply_is_handed_over_beside_it() -> None:
    reply = uart_reply(MODE, 0x8F)
    link = uart_link()
    link.read_register(MODE)
    link.receive(b"\x01\x02" + reply)
    assert link.next_event() == RegisterRead(MODE, 0x8F, reply, skipped=b"\x01\x02")


def test_a_new_question_forgets_the_rest_of_an_old_answer() -> None:
    link = uart_link()
    link.read_register(WATT)
    link.receive(b"\x01\x02")
    link.read_register(MODE)
    link.receive(uart_reply(MODE, 0x8F))
    assert link.next_event() == RegisterRead(MODE, 0x8F, uart_reply(MODE, 0x8F))


def test_bytes_nobody_asked_for_are_not_an_event() -> None:
    link = uart_link()
    link.receive(PACKET)
    assert link.next_event() is NEED_DATA


def test_a_count_that_does_not_fit_is_not_sent() -> None:
    with pytest.raises(ValueError, match=r"MODE: 1024 does not fit 0\.\.1023"):
        uart_link().write_register(MODE, 1024)


def test_there_are_four_addresses() -> None:
    with pytest.raises(ValueError, match="address 4 is not 0 to 3"):
        uart_link(4)


def test_a_read_head_that_is_named_is_the_only_one_tried() -> None:
    assert BL0942.uart is not None
    assert [heads.read for heads in BL0942.uart.candidates(0, 0x5A)] == [0x5A]
    with pytest.raises(ValueError, match="read head 42 is unknown; known: 58, 59, 5A, 5B"):
        BL0942.uart.candidates(0, 0x42)


def test_a_chip_without_addresses_is_tried_by_all_of_its_heads() -> None:
    assert BL0940.uart is not None
    assert [heads.read for heads in BL0940.uart.candidates(0)] == [0x58, 0x50]
    with pytest.raises(ValueError, match="this chip has no address"):
        BL0940.uart.candidates(1)
