"""Both responders against golden frames, byte for byte."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bootrom.golden import GOLDEN, REFUSALS, SECTOR
from wattrail.bootrom import Responder
from wattrail.bootrom import commands as c

SELF_MADE = {c.CHECK_CRC, c.ERASE_ALL, c.READ_SR, c.SET_BAUD}
"""Their reply depends on the chip's state; they have stories of their own."""


def image() -> bytes:
    data = bytearray(b"\xff" * 0x200000)
    data[0x11000:0x12000] = SECTOR
    return bytes(data)


@pytest.mark.parametrize("chip", ["N", "T"])
@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: row[0].name)
def test_each_responder_answers_what_it_knows_and_nothing_else(make_bench, chip: str, row) -> None:
    command, _, _, request, reply, _ = row
    if command in SELF_MADE:
        return
    bench = make_bench(chip, image=image())
    responder = Responder.BOOTLOADER if chip == "T" else Responder.BOOT_ROM
    known = reply is not None and responder in command.known
    assert bench.say(request, 1.0) == (bytes.fromhex(reply).hex(" ").upper() if known else "")


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row[0].name)
def test_the_bootloader_refuses_in_its_own_words(loader, row) -> None:
    command, fields, data, reply = row
    assert loader.say(loader.link.request(command, data, **fields), 1.0) == reply
    assert not loader.twin.flash.dirty


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row[0].name)
def test_the_rom_guards_nothing(rom, row) -> None:
    command, fields, data, _ = row
    assert rom.do(command, data, **fields).status == 0


def test_the_crc_of_a_blank_sector_is_the_known_one(rom, loader) -> None:
    for bench in (rom, loader):
        assert bench.say("01 E0 FC 09 10 00 10 01 00 FF 1F 01 00") == "04 0E 08 01 E0 FC 10 F5 98 AB 0E"


def test_the_rom_counts_the_last_byte_and_the_bootloader_whole_blocks(make_bench) -> None:
    first = bytearray(b"\xff" * 0x200000)
    first[:9] = b"123456789"
    rom, loader = make_bench("N", image=bytes(first)), make_bench("T", image=bytes(first))
    assert rom.do(c.CHECK_CRC, start=0, end=8)["crc"] == 0x340BC6D9
    assert loader.do(c.CHECK_CRC, start=0, end=8)["crc"] == 0xFFFFFFFF, "no block at all"
    both = {loader.do(c.CHECK_CRC, start=0, end=end)["crc"] for end in (0xFF, 0x100, 0x1FE)}
    assert both == {rom.do(c.CHECK_CRC, start=0, end=0xFF)["crc"]}
    assert rom.do(c.CHECK_CRC, start=0, end=0x100)["crc"] not in both


def test_the_rom_says_nothing_to_an_absurd_crc(rom) -> None:
    assert rom.say("01 E0 FC 09 10 02 00 00 00 00 00 00 00", 1.0) == ""


def test_a_set_baud_reply_comes_late_and_at_the_new_rate(rom, loader) -> None:
    for bench, delay, earliest in ((rom, 20, 0.020), (loader, 20, 0.042), (rom, 200, 0.2), (loader, 200, 0.402)):
        bench.twin.reset()
        bench.port.set_baud(115200)
        bench.connect()
        bench.port.write(bench.link.request(c.SET_BAUD, baud=921600, delay_ms=delay))
        bench.clock.sleep(0.0009 + delay / 2000)
        bench.port.set_baud(921600)
        assert bench.listen(earliest - delay / 2000 - 0.001) == b""
        frame = bytes.fromhex("04 0E 09 01 E0 FC 0F 00 10 0E 00") + bytes((delay,))
        assert bench.listen(0.1) == frame
        assert bench.twin.baud == 921600


def test_a_host_that_changes_too_late_reads_garbage(rom) -> None:
    rom.port.write(rom.link.request(c.SET_BAUD, baud=921600, delay_ms=20))
    got = rom.listen(0.2)
    assert b"\x04\x0e" not in got
    assert rom.say("01 E0 FC 01 00") == "", "and the chip hears garbage"


def test_the_same_rate_again_and_junk_behind_the_command_do_no_harm(rom, loader) -> None:
    for bench in (rom, loader):
        assert bench.set_baud(115200, 200).frame.hex().startswith("040e09")
        bench.port.write(bench.link.request(c.SET_BAUD, baud=921600, delay_ms=15) + bytes.fromhex("D4 9E 9E 9E"))
        bench.clock.sleep(0.01)
        bench.port.set_baud(921600)
        bench.listen(0.2)
        assert bench.say("01 E0 FC 01 00") == "04 0E 05 01 E0 FC 01 00"


def test_three_megabaud_is_3_7_per_cent_off_and_still_heard(rom) -> None:
    rom.set_baud(3_000_000)
    assert rom.twin.engine.baud == pytest.approx(2_888_889, abs=1)
    rom.do(c.LINK_CHECK)


def test_register_writes_with_three_zero_bytes_behind_them_are_understood(rom) -> None:
    assert rom.say("01 E0 FC 09 01 00 00 40 00 0D F0 00 00 00 00 00") == "04 0E 0C 01 E0 FC 01 00 00 40 00 0D F0 00 00"
    assert rom.do(c.READ_REG, address=0x400000)["value"] == 0xF00D


def test_registers_worth_reading(rom) -> None:
    assert rom.do(c.READ_REG, address=0x800004)["value"] == 0x20521024
    assert rom.do(c.READ_REG, address=0x44010004)["value"] == 0
    assert rom.do(c.READ_REG, address=0x100)["value"] == rom.do(c.READ_REG, address=0x100)["value"] != 0


def test_erase_all_answers_at_once_and_shows_itself_busy(rom) -> None:
    rom.do(c.WRITE_4K, SECTOR, address=0x11000)
    answer = rom.do(c.ERASE_ALL)
    assert rom.took < 0.01
    assert rom.do(c.READ_SR, register=5)["sr"] & 1
    rom.clock.advance(answer["timeout_s"])
    assert not rom.do(c.READ_SR, register=5)["sr"] & 1
    assert set(rom.twin.flash.data) == {0xFF}


def test_the_page_s_example_runs() -> None:
    page = Path(__file__).parents[2] / "docs" / "protocols" / "bk7231-boot.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    assert len(blocks) == 1
    exec(blocks[0], {})
