"""Seeing what a flasher does: commands by name, decisions, and never what is an owner's secret."""

from __future__ import annotations

import re

import pytest

from tests.cli.conftest import Type
from tests.cli.flash.conftest import PORT, Bench
from wattrail.bootrom.constants import TUYA_KEY


def shown_bytes(err: str) -> bytes:
    """Everything that stands in the log as hex."""
    return b"|".join(bytes.fromhex(run) for run in re.findall(r"(?:\b[0-9A-F]{2} )+", err))


def test_reading_names_each_command_and_shows_its_request(flash: Type) -> None:
    said = flash("read", "dump.bin", "--debug")
    assert said.code == 0
    assert "flasher: -> Read4K address=0x11000\n" in said.err
    # Source: bk-boot/packets; a long request is 01 E0 FC FF F4, two of length, 09, and the address low byte first.
    assert "transport: -> 01 E0 FC FF F4 05 00 09 00 10 01 00  " in said.err
    assert "flasher: <- CheckCRC crc=0x" in said.err


def test_no_byte_of_the_flash_or_of_the_code_key_is_shown(flash: Type, bench: Bench) -> None:
    said = flash("read", "dump.bin", "--debug")
    assert "(4111 bytes, not shown: what the flash holds)" in said.err
    assert "flasher: <- ReadReg (not shown: a byte of the code key)" in said.err
    shown = shown_bytes(said.err)
    held = {bench.before[at : at + 8] for at in range(0, len(bench.before), 8)} - {b"\xff" * 8, bytes(8)}
    assert not [piece for piece in held if piece in shown]
    # An answer to ReadReg of the eFuse's result register would be this frame, and the byte of the key behind it.
    assert b"\x01\xe0\xfc\x03\x78\x00\x80\x00" not in re.sub(rb"\x01\xe0\xfc\x05\x03\x78\x00\x80\x00", b"", shown)
    assert TUYA_KEY.hex(" ").upper() not in said.err


@pytest.mark.parametrize("rate", [2e-5, 1e-4])
def test_on_a_line_that_damages_no_secret_slips_into_a_reason(flash: Type, bench: Bench, rate: float) -> None:
    bench.twin.faults.noise(rate)
    said = flash("read", "dump.bin", "--debug")
    assert "flasher: asking again, " in said.err
    shown = shown_bytes(said.err)
    held = {bench.before[at : at + 8] for at in range(0, len(bench.before), 8)} - {b"\xff" * 8, bytes(8)}
    assert not [piece for piece in held if piece in shown]


def test_a_write_says_what_it_decides(flash: Type, new_bin: object) -> None:
    said = flash("write", "new.bin", "-v")
    assert said.code == 0
    assert re.search(
        r"flasher: block 0x20000: 16 of 16 sectors differ; to erase: 1 units, to program: 16 sectors", said.err
    )
    assert "rate 2000000 baud" in said.err
    assert "Read4K" not in said.err


def test_the_older_command_line_takes_it_too(wattrail: Type, bench: Bench) -> None:
    said = wattrail("uartprogram", "--debug", "part.bin", "-d", PORT, "-r", "-l", "1000", "--reset", "rts")
    assert "-> Read4K address=0x11000" in said.err
