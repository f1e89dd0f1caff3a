"""Frames worked out by hand from the documented formulas; both buses, both directions."""

from __future__ import annotations

import pytest

from tests.bl0942.test_links import uart_link
from wattrail.chips.bl0942.registers import (
    FREQ,
    GAIN_CR,
    I_FAST_RMS_TH,
    LOCK_KEY,
    MODE,
    RESET_KEY,
    SOFT_RESET,
    STATUS,
    UNLOCK_KEY,
    USR_WRPROT,
    V_RMS,
    WA_CREEP,
    WATT,
)
from wattrail.chips.bl0942.sample import Bl0942Sample
from wattrail.chips.events import PacketRead, RegisterRead
from wattrail.chips.spi import RESYNCHRONISE, SpiLink
from wattrail.wire import Register

# register, count, UART address 0, UART address 2, SPI
WRITES = [
    (USR_WRPROT, UNLOCK_KEY, "A8 1D 55 00 00 E5", "AA 1D 55 00 00 E3", "A8 1D 00 00 55 E5"),
    (USR_WRPROT, LOCK_KEY, "A8 1D 00 00 00 3A", "AA 1D 00 00 00 38", "A8 1D 00 00 00 3A"),
    (SOFT_RESET, RESET_KEY, "A8 1C 5A 5A 5A 2D", "AA 1C 5A 5A 5A 2B", "A8 1C 5A 5A 5A 2D"),
    (MODE, 0x087, "A8 19 87 00 00 B7", "AA 19 87 00 00 B5", "A8 19 00 00 87 B7"),
    (MODE, 0x08F, "A8 19 8F 00 00 AF", "AA 19 8F 00 00 AD", "A8 19 00 00 8F AF"),
    (MODE, 0x0AF, "A8 19 AF 00 00 8F", "AA 19 AF 00 00 8D", "A8 19 00 00 AF 8F"),
    (MODE, 0x00F, "A8 19 0F 00 00 2F", "AA 19 0F 00 00 2D", "A8 19 00 00 0F 2F"),
    (MODE, 0x0CF, "A8 19 CF 00 00 6F", "AA 19 CF 00 00 6D", "A8 19 00 00 CF 6F"),
    (MODE, 0x28F, "A8 19 8F 02 00 AD", "AA 19 8F 02 00 AB", None),
    (MODE, 0x38F, "A8 19 8F 03 00 AC", "AA 19 8F 03 00 AA", None),
    (WA_CREEP, 0x33, "A8 14 33 00 00 10", "AA 14 33 00 00 0E", "A8 14 00 00 33 10"),
    (I_FAST_RMS_TH, 0x1234, "A8 15 34 12 00 FC", "AA 15 34 12 00 FA", "A8 15 00 12 34 FC"),
    (GAIN_CR, 3, "A8 1A 03 00 00 3A", "AA 1A 03 00 00 38", "A8 1A 00 00 03 3A"),
]

# register, count, UART reply, SPI reply
REPLIES = [
    (MODE, 0x87, "87 00 00 07", "00 00 87 07"),
    (MODE, 0x8F, "8F 00 00 FF", "00 00 8F FF"),
    (USR_WRPROT, 1, "01 00 00 89", "00 00 01 89"),
    (USR_WRPROT, 0, "00 00 00 8A", "00 00 00 8A"),
    (STATUS, 0x300, "00 03 00 9B", "00 03 00 9B"),
    (FREQ, 0x4E20, "20 4E 00 31", "00 4E 20 31"),
    (V_RMS, 3653168, "30 BE 37 7E", "37 BE 30 7E"),
    (WATT, -57352, "F8 1F FF 8B", "FF 1F F8 8B"),
    (WA_CREEP, 0x0B, "0B 00 00 88", "00 00 0B 88"),
    (I_FAST_RMS_TH, 0xFFFF, "FF FF 00 94", "00 FF FF 94"),
]


def example(**changes: int) -> Bl0942Sample:
    values = {"i_rms": 1256067, "v_rms": 3653168, "i_fast_rms": 455952, "watt": 716903, "cf_cnt": 1200, "freq": 19998}
    return Bl0942Sample(**{**values, "status": 0, **changes})


EXAMPLE_B = example(i_rms=2512135, i_fast_rms=911905, watt=-1147045, status=1)
NO_LOAD = example(i_rms=0, i_fast_rms=17200, watt=0, status=0x102)
PACKETS = [
    (0, example(), "55 83 2A 13 30 BE 37 10 F5 06 67 F0 0A B0 04 00 1E 4E 00 00 00 00 E1"),
    (2, example(), "55 83 2A 13 30 BE 37 10 F5 06 67 F0 0A B0 04 00 1E 4E 00 00 00 00 DF"),
    (0, EXAMPLE_B, "55 07 55 26 30 BE 37 21 EA 0D 5B 7F EE B0 04 00 1E 4E 00 01 00 00 AA"),
    (0, NO_LOAD, "55 00 00 00 30 BE 37 30 43 00 00 00 00 B0 04 00 1E 4E 00 02 01 00 97"),
]


@pytest.mark.parametrize(("register", "count", "uart", "uart_2", "spi"), WRITES)
def test_writes_are_the_golden_frames(register: Register, count: int, uart: str, uart_2: str, spi: str | None) -> None:
    assert uart_link().write_register(register, count) == bytes.fromhex(uart)
    assert uart_link(2).write_register(register, count) == bytes.fromhex(uart_2)
    if spi is not None:
        assert SpiLink().write_register(register, count) == bytes.fromhex(spi)


@pytest.mark.parametrize(("register", "count", "uart", "_spi"), REPLIES)
def test_uart_replies_are_understood(register: Register, count: int, uart: str, _spi: str) -> None:
    link = uart_link()
    assert link.read_register(register) == bytes((0x58, register.address))
    link.receive(bytes.fromhex(uart))
    assert link.next_event() == RegisterRead(register, count, bytes.fromhex(uart))


@pytest.mark.parametrize("idle", ["FF FF", "00 00", "5A C3"])
@pytest.mark.parametrize(("register", "count", "_uart", "spi"), REPLIES)
def test_spi_replies_are_understood_whatever_the_undriven_line_shows(
    register: Register, count: int, _uart: str, spi: str, idle: str
) -> None:
    link = SpiLink()
    assert link.read_register(register) == bytes((0x58, register.address, 0, 0, 0, 0))
    frame = bytes.fromhex(f"{idle} {spi}")
    link.receive(frame)
    assert link.next_event() == RegisterRead(register, count, frame)


@pytest.mark.parametrize(("address", "sample", "text"), PACKETS)
def test_packets_are_understood(address: int, sample: Bl0942Sample, text: str) -> None:
    link = uart_link(address)
    assert link.read_packet() == bytes((0x58 | address, 0xAA))
    link.receive(bytes.fromhex(text))
    event = link.next_event()
    assert isinstance(event, PacketRead)
    assert (Bl0942Sample.of(event.counts), event.frame) == (sample, bytes.fromhex(text))


def test_six_bytes_of_ones_resynchronise_spi() -> None:
    assert bytes.fromhex("FF FF FF FF FF FF") == RESYNCHRONISE


def test_the_byte_order_trap_a_frame_for_the_wrong_bus_keeps_its_checksum() -> None:
    uart, spi = uart_link().write_register(USR_WRPROT, 0x55), SpiLink().write_register(USR_WRPROT, 0x55)
    assert uart != spi
    assert uart[-1] == spi[-1]  # why a wrong byte order is never flagged by the chip: it stays locked in silence
