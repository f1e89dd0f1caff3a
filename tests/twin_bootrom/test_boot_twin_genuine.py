"""What the genuine bootloader of a BK7231T does, seen when it ran on the emulated module: the twin does it as well."""

from __future__ import annotations

import pytest

from wattrail.bootrom import commands as c

LINKED = "04 0E 05 01 E0 FC 01 00"


@pytest.mark.parametrize(
    ("mid", "after_crc", "after_erase"),
    [
        (0x15701C, 0x427C, 0x4200),
        (0x1523C2, 0x423C, 0x4200),
        (0x1540C8, 0x007C, 0x0000),
        (0x17400B, 0x0014, 0x0000),
        (0x1560EB, 0x0000, 0x0000),
    ],
    ids=["one register", "Macronix", "two registers: the others are lost", "8 MiB", "a part it does not know"],
)
def test_a_crc_protects_only_a_part_that_the_bootloader_knows(
    make_bench, mid: int, after_crc: int, after_erase: int
) -> None:
    bench = make_bench("T", flash_id=mid, sr=0x4200)
    bench.do(c.CHECK_CRC, start=0, end=0xFF)
    assert bench.twin.flash.sr == after_crc

    bench.do(c.LINK_CHECK)
    bench.do(c.ERASE, size=0x20, address=0x1F8000)
    assert bench.twin.flash.sr == after_erase


def test_the_bootloader_looks_at_no_length(loader) -> None:
    assert loader.say("01 E0 FC 02 00 01") == LINKED
    assert loader.say("01 E0 FC 02 11 01").startswith("04 0E 14 01 E0 FC 11 42 4B")
    whole = loader.say("01 E0 FC 09 10 00 00 00 00 FF 00 00 00")
    assert loader.say("01 E0 FC 0A 10 00 00 00 00 FF 00 00 00 00") == whole
    assert loader.say("01 E0 FC 05 10 00 00 00 00") == whole, "the end that the command before it left"


def test_an_erase_compares_signed_and_a_read_does_not(loader) -> None:
    assert loader.say("01 E0 FC FF F4 06 00 0F 20 00 20 01 80").split()[10] == "06"
    answer = loader.say("01 E0 FC FF F4 05 00 09 00 10 01 80", 1.0).split()
    assert answer[10] == "00"
    assert len(answer) == 15 + 4096


def test_a_refused_write_changes_nothing_behind_the_limit_either(loader) -> None:
    loader.unprotect()
    before = bytes(loader.twin.flash.data)
    answer = loader.say(bytes.fromhex("01 E0 FC FF F4 05 10 07 00 20 00 00") + bytes(4096), 1.0)
    assert answer.endswith("07 06 E0 20 00 00")
    assert loader.twin.flash.data == before
