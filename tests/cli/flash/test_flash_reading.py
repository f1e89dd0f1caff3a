"""Looking at a board: who answers, what its flash holds, how it compares. Nothing is changed by any of it."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.cli.flash.conftest import PORT, Bench, board
from wattrail.flasher import Flasher

SIMULATED = "SIMULATED: a digital twin is at the other end, not a board"


def test_a_board_says_who_it_is_and_why_we_think_so(flash: Type) -> None:
    said = flash("info")
    assert said.code == 0
    assert said.out.splitlines() == [
        SIMULATED,
        "chip        BK7231N",
        "  chip number 0x7231c: BK7231N or BK7231M",
        "  eFuse key 93 B0 0F 51 DC EA CB A3 7E A1 93 59 03 EB AD C7, Tuya's",
        "flash       id 1560eb, TH25Q16HB, 2048 KiB",
        "protection  on; it is taken off for a write and put back (status 0x4004)",
        "RF block    present at 0x1d0000",
        "board       bk7231n-1560eb-cde5e5f9",
        "rate        2000000 baud",
    ]
    assert "linked at 115200 baud after " in said.err
    assert "2000000 baud: " in said.err


def test_a_board_without_radio_calibration_and_with_a_bootloader_says_so(flash: Type, bench: Bench) -> None:
    bench.build("T", image=board("T").dump[:0x1E0000] + b"\xff" * 0x20000)
    said = flash("info")
    assert "chip        BK7231T" in said.out
    assert "flash       2048 KiB; a bootloader does not report its id" in said.out
    assert "protection  not known" in said.out
    assert "RF block    blank at 0x1e0000: radio calibration and MAC address are lost" in said.out


def test_a_program_gets_every_field_the_manual_lists(flash: Type) -> None:
    shown = json.loads(flash("info", "--json").out)
    manual = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
    section = manual.partition("\n## wattrail flash info\n")[2].partition("\n## ")[0]
    assert {field for field in shown if f"`{field}`" not in section} == set()
    assert (shown["simulated"], shown["chip"], shown["flash_id"], shown["protected"]) == (
        True,
        "BK7231N",
        "1560eb",
        True,
    )
    assert (shown["unfinished"], shown["backups"]) == (None, [])


def test_the_whole_flash_goes_into_a_file_and_its_digest_is_shown(flash: Type, bench: Bench) -> None:
    said = flash("read", "dump.bin")
    assert said.code == 0
    assert Path("dump.bin").read_bytes() == bench.flash
    assert said.out.splitlines() == [
        SIMULATED,
        "dump.bin: 2097152 bytes from 0x0 on, every block with the chip's CRC",
        f"sha256 {sha256(bench.flash).hexdigest()}",
    ]


def test_progress_without_a_terminal_is_a_line_for_each_tenth(flash: Type) -> None:
    lines = [line for line in flash("read", "dump.bin").err.splitlines() if line.startswith("reading")]
    assert 10 <= len(lines) <= 11
    assert lines[-2].startswith("reading    90 %   1856 of 2048 KiB  ")
    assert lines[-2].endswith(" s left")
    assert "kB/s" in lines[-2]
    assert "left" not in lines[-1]


def test_the_same_command_resumes_an_interrupted_read(flash: Type, bench: Bench) -> None:
    bench.ctrl_c("reading", 0.5)
    cut = flash("read", "dump.bin")
    assert cut.code == 130
    assert cut.err.splitlines()[-1] == (
        "stopped. Nothing in flash was changed. What was read is kept in dump.bin.part; run the same command again"
        " to resume."
    )
    assert not Path("dump.bin").exists()
    kept = Path("dump.bin.part").stat().st_size
    assert kept >= 0xF0000  # whole blocks

    began = bench.clock.monotonic()
    assert flash("read", "dump.bin").code == 0
    rest = bench.clock.monotonic() - began
    began = bench.clock.monotonic()
    flash("read", "again.bin")
    assert Path("dump.bin").read_bytes() == Path("again.bin").read_bytes() == bench.flash
    assert rest < 0.8 * (bench.clock.monotonic() - began)


@pytest.mark.parametrize(
    ("words", "start", "length"),
    [
        (("--part", "config"), 0x1D1000, 0x1000),
        (("--start", "0x11010", "--length", "0x20"), 0x11010, 0x20),
        (("--start", "0x1fff00"), 0x1FFF00, 0x100),
        (("--length", "100"), 0, 100),
    ],
)
def test_a_part_of_the_flash_is_read(
    flash: Type, bench: Bench, words: tuple[str, ...], start: int, length: int
) -> None:
    shown = json.loads(flash("read", "part.bin", *words, "--json").out)
    assert Path("part.bin").read_bytes() == bench.flash[start : start + length]
    assert (shown["start"], shown["bytes"], shown["simulated"]) == (start, length, True)
    assert shown["sha256"] == sha256(Path("part.bin").read_bytes()).hexdigest()


def test_a_file_is_replaced_only_on_demand_and_by_a_part_only(flash: Type, bench: Bench) -> None:
    Path("mine.bin").write_bytes(b"mine")
    part = ("--part", "config")
    said = flash("read", "mine.bin", *part)
    assert (said.code, said.err) == (
        2, "error: mine.bin exists already\nhint: name another file, or say --overwrite\n",
    )  # fmt: skip
    said = flash("read", "mine.bin", "--overwrite")
    assert (said.code, said.err.splitlines()[-1]) == (
        2, "hint: name another file: a dump of the whole flash replaces nothing",
    )  # fmt: skip
    assert Path("mine.bin").read_bytes() == b"mine"
    assert bench.opened == []
    assert flash("read", "mine.bin", *part, "--overwrite").code == 0
    assert Path("mine.bin").read_bytes() == bench.flash[0x1D1000:0x1D2000]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--part", "apps"), "--part: 'apps' is not known; known: bootloader, app, "),
        (("--part", "app", "--start", "0"), "--part and a range exclude each other; keep one of them"),
        (("--start", "0x1ff000", "--length", "0x2000"), "0x2000 bytes from 0x1ff000 are not inside the 0x200000 bytes"),
        (("--length", "0"), "0x0 bytes from 0x0 are not inside the 0x200000 bytes of flash"),
        (("--part", "lt-kv"), "BK7231N: --part: 'lt-kv' is not known; known: bootloader, app, download, rf"),
    ],
)
def test_a_range_that_cannot_be_meant_is_refused(flash: Type, words: tuple[str, ...], error: str) -> None:
    said = flash("read", "out.bin", *words)
    assert said.code == 2
    assert f"error: {error}" in said.err
    assert not Path("out.bin").exists()


def test_a_place_that_cannot_be_written_is_named(flash: Type) -> None:
    Path("file").touch()
    said = flash("read", "file/dump.bin")
    assert said.code == 2
    assert "error: file cannot be used: " in said.err
    assert "Traceback" not in said.err


def test_flash_that_holds_an_image_is_verified(flash: Type, bench: Bench) -> None:
    Path("own.bin").write_bytes(bench.before)
    said = flash("verify", "own.bin")
    assert said.code == 0
    assert "rf          0x1d0000  same" in said.out.splitlines()
    assert "differ" not in said.out


def test_an_image_without_a_place_of_its_own_needs_a_start(flash: Type, home: Path) -> None:
    Path("junk.bin").write_bytes(b"shopping list")
    said = flash("verify", "junk.bin")
    assert said.code == 1
    assert "error: the image does not say where it belongs in flash" in said.err
    assert "hint: say where it begins, for example --start 0x11000" in said.err


def test_what_differs_is_reported_by_partition(flash: Type, bench: Bench, new_bin: Path) -> None:
    said = flash("verify", str(new_bin))
    assert said.code == 6
    assert said.out.splitlines() == [
        SIMULATED,
        "bootloader  0x000000  same",
        "app         0x011000  86 of 281 sectors differ",
        "  0x011000 to 0x065fff",
        "  0x129000 to 0x129fff",
    ]
    assert bench.flash == bench.before
    shown = json.loads(flash("verify", str(new_bin), "--json").out)
    assert (shown["same"], shown["simulated"]) == (False, True)
    assert [(part["name"], part["sectors"], len(part["differing"])) for part in shown["partitions"]] == [
        ("bootloader", 17, 0),
        ("app", 281, 86),
    ]


def test_a_flash_full_of_differences_is_not_listed_without_end(flash: Type, bench: Bench) -> None:
    spotted = bytearray(bench.before)
    for at in range(0x21000, 0x40000, 0x2000):
        spotted[at] ^= 0xFF
    Path("spotted.bin").write_bytes(spotted)
    lines = flash("verify", "spotted.bin", "--part", "app").out.splitlines()
    assert lines[1] == "app         0x011000  16 of 281 sectors differ"
    assert lines[-1] == "  and 8 more ranges"


def test_a_flash_larger_than_the_map_is_compared_to_its_end(flash: Type, bench: Bench) -> None:
    bench.build("N", image=bench.before + bytes(0x200000), flash_id=0x1640C8)
    Path("whole.bin").write_bytes(bench.flash[:-1] + b"x")
    said = flash("verify", "whole.bin")
    assert said.code == 6
    assert "beyond      0x200000  1 of 512 sectors differ" in said.out.splitlines()


def test_a_backup_and_an_unfinished_write_are_part_of_what_is_known(flash: Type, bench: Bench, new_bin: Path) -> None:
    bench.ctrl_c("writing", 0.2)
    assert flash("write", str(new_bin)).code == 130
    said = flash("info")
    assert "unfinished  a write of 'new.bin', begun 2026-06-21T12:00:" in said.out
    assert "did not end: flash may be half-written" in said.out
    shown = json.loads(flash("info", "--json").out)
    assert shown["unfinished"]["image"] == "new.bin"
    assert shown["backups"] == [shown["unfinished"]["backup"]]
    assert Path(shown["backups"][0]).read_bytes() == bench.before
    assert shown["backups"][0].endswith("-simulated.bin")


def test_nothing_is_opened_for_an_image_that_cannot_be_read(flash: Type, bench: Bench) -> None:
    for verb in ("write", "verify", "restore", "recover"):
        said = flash(verb, "nowhere.bin")
        assert (said.code, said.err) == (2, "error: nowhere.bin does not exist\nhint: check its name\n")
    assert bench.opened == []


def test_a_bug_is_not_dressed_as_an_error(wattrail: Type, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(_flasher: Flasher) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Flasher, "connect", bug)
    with pytest.raises(ZeroDivisionError):
        wattrail("flash", "info", PORT)
