"""The verbs about images, typed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.image.boards import Board, damaged
from wattrail.image import recognise


@pytest.fixture
def files(home: Path, n: Board) -> Path:
    for name in ("ua", "qio", "dump", "rotated", "code"):
        Path(f"{name}.bin").write_bytes(getattr(n, name))
    return Path()


pytestmark = pytest.mark.usefixtures("files")


def test_an_image_is_described_to_people(wattrail: Type) -> None:
    said = wattrail("image", "info", "dump.bin")
    assert (said.code, said.err) == (0, "")
    for line in (
        "dump.bin: flash dump, certain; 2097152 bytes",
        "chip: BK7231N, certain",
        "code key: tuya",
        "bootloader: BK7231N 1.0.1",
        "RBL at 0x129f0a: app 1.2.3, 1970-01-02, 327696 bytes, compression none, encryption none",
        "MAC address: C8:47:8C:01:02:FE",
        "  rf          0x1d0000  0x1d0000      4096",
    ):
        assert line in said.out.splitlines()


def test_an_image_is_described_to_programs(wattrail: Type) -> None:
    told = json.loads(wattrail("image", "info", "rotated.bin", "--json").out)
    assert (told["kind"], told["chip"], told["code_key"]) == ("rotated flash dump", "BK7231N", "tuya")
    assert told["problems"][0]["what"].startswith("it is rotated")
    assert {p["name"]: p["file_offset"] for p in told["partitions"]}["app"] == 0


def test_the_name_of_a_file_says_nothing(wattrail: Type) -> None:
    Path("OpenBK7231T_QIO.bin").write_bytes(Path("ua.bin").read_bytes())
    assert "UA image, certain" in wattrail("image", "info", "OpenBK7231T_QIO.bin").out


def test_a_rotated_dump_is_straightened(wattrail: Type, n: Board) -> None:
    said = wattrail("image", "convert", "rotated.bin", "straight.bin", "--to", "dump")
    assert (said.code, said.out) == (0, "")
    assert "note: it is rotated" in said.err
    assert "straight.bin: 2097152 bytes written" in said.err
    assert Path("straight.bin").read_bytes() == n.dump


def test_an_app_and_a_bootloader_make_a_qio_image(wattrail: Type, n: Board) -> None:
    assert wattrail("image", "convert", "ua.bin", "out.bin", "--to", "qio", "--bootloader", "dump.bin").code == 0
    assert Path("out.bin").read_bytes() == n.qio
    said = wattrail("image", "convert", "ua.bin", "more.bin", "--to", "qio")
    assert "hint: --bootloader: give a file that has one" in said.err
    said = wattrail("image", "convert", "ua.bin", "more.bin", "--to", "qio", "--bootloader", "ua.bin")
    assert (said.code, "has no whole bootloader" in said.err) == (2, True)


def test_plain_code_gets_its_header_under_the_key_given(wattrail: Type, n: Board) -> None:
    words = ("image", "convert", "code.bin", "out.bin", "--to", "ua", "--version", "1.2.3", "--timestamp", "86400")
    said = wattrail(*words).err
    assert "error: nothing in this plain code says which code key" in said
    assert "hint: --key: give the code key" in said
    assert wattrail(*words, "--key", "tuya").code == 0
    assert Path("out.bin").read_bytes() == n.ua


def test_a_file_is_never_replaced_unless_asked_for(wattrail: Type, n: Board) -> None:
    words = ("image", "convert", "dump.bin", "ua.bin", "--to", "ua")
    Path("ua.bin").write_bytes(b"mine")
    said = wattrail(*words)
    assert (said.code, said.err.splitlines()[-2:]) == (
        2,
        ["error: ua.bin exists already", "hint: name another file, or say --overwrite"],
    )
    assert Path("ua.bin").read_bytes() == b"mine"
    assert wattrail(*words, "--overwrite").code == 0
    assert Path("ua.bin").read_bytes() == n.ua
    said = wattrail("image", "convert", "dump.bin", "dump.bin", "--to", "ua", "--overwrite")
    assert (said.code, "dump.bin is what is read from" in said.err) == (2, True)


def test_a_dry_run_writes_nothing(wattrail: Type) -> None:
    said = wattrail("image", "convert", "dump.bin", "new.bin", "--to", "plain", "--dry-run")
    assert (said.code, "new.bin: 327680 bytes would be written" in said.err) == (0, True)
    assert not Path("new.bin").exists()


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(wattrail: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out.bin").write_bytes(b"mine")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    said = wattrail("image", "convert", "dump.bin", "out.bin", "--to", "ua", "--overwrite")
    assert (said.code, said.err.splitlines()[-1]) == (2, "error: out.bin cannot be written: No space left on device")
    assert Path("out.bin").read_bytes() == b"mine"
    assert not list(Path().glob(".out*"))


def test_damaged_code_is_named_and_nothing_is_written(wattrail: Type, n: Board) -> None:
    Path("bad.bin").write_bytes(damaged(n.ua, 1000))
    said = wattrail("image", "strip-crc", "bad.bin", "out.bin")
    assert (said.code, Path("out.bin").exists()) == (1, False)
    assert "error: block 29 at 0x3da: CRC-16 is" in said.err


def test_packing_and_unpacking_undo_each_other(wattrail: Type, n: Board) -> None:
    assert wattrail("image", "add-crc", "code.bin", "packed.bin", "--key", "tuya").code == 0
    assert recognise(Path("packed.bin").read_bytes()).kind.value == "packed code"
    assert wattrail("image", "strip-crc", "packed.bin", "plain.bin", "--key", "tuya").code == 0
    assert Path("plain.bin").read_bytes() == n.code
    assert wattrail("image", "add-crc", "code.bin", "crc.bin").code == 0
    assert wattrail("image", "strip-crc", "crc.bin", "same.bin").code == 0
    assert Path("same.bin").read_bytes() == n.code


@pytest.mark.parametrize("address", ["0x10001", "home", "-4"])
def test_an_address_that_is_none_is_refused(wattrail: Type, address: str) -> None:
    said = wattrail("image", "add-crc", "code.bin", "out.bin", "--key", "tuya", f"--address={address}")
    assert (said.code, said.err.startswith(f"error: --address {address}: ")) == (2, True)


def test_two_images_are_compared(wattrail: Type, n: Board) -> None:
    Path("other.bin").write_bytes(damaged(n.dump, 0x1D1010))
    said = wattrail("image", "diff", "dump.bin", "other.bin")
    assert said.code == 6
    assert (
        "config      0x1d1000  1 of 1 sectors differ, 1 bytes\n  sector 0x1d1000: 1 bytes, first at 0x1d1010"
        in said.out
    )
    assert "app         0x011000  same" in said.out
    told = json.loads(wattrail("image", "diff", "dump.bin", "other.bin", "--json").out)
    assert (told["same"], [len(p["sectors"]) for p in told["partitions"]]) == (False, [0, 0, 0, 0, 1, 0, 0, 0, 0])
    assert wattrail("image", "diff", "dump.bin", "rotated.bin").code == 0


def test_a_file_that_cannot_be_read_is_named(wattrail: Type) -> None:
    said = wattrail("image", "info", "nowhere.bin")
    assert (said.code, said.err) == (2, "error: nowhere.bin does not exist\nhint: check its name\n")


def test_many_sectors_are_counted_and_not_all_listed(wattrail: Type, n: Board) -> None:
    Path("other.bin").write_bytes(n.dump[:0x1EF000] + bytes(0x11000))
    out = wattrail("image", "diff", "dump.bin", "other.bin").out
    assert "17 of 17 sectors differ" in out
    assert "(differs from board to board)" in out
    assert "  and 9 more sectors" in out
