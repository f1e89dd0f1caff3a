"""A board that does not start: what is wrong with it, and what is written to repair it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.cli.flash.conftest import Bench, board, written

APP = 0x11000


def tear(bench: Bench, start: int = 0x20000, length: int = 0x8000) -> None:
    """Erase a piece of flash behind everybody's back, as a cut update does."""
    bench.twin.flash.data[start : start + length] = b"\xff" * length


def test_a_healthy_board_is_left_alone(flash: Type, bench: Bench) -> None:
    said = flash("recover")
    assert said.code == 0
    assert said.out.splitlines()[1:] == ["nothing is wrong in flash, as far as can be seen"]
    assert said.out.startswith("SIMULATED")
    assert "nothing keeps this board from starting: nothing was written" in said.err
    assert bench.flash == bench.before


def test_a_torn_app_is_put_back_from_the_newest_backup_that_starts(flash: Type, bench: Bench, home: Path) -> None:
    stock = bench.flash
    assert flash("erase", "--part", "config").code == 0  # takes a good backup
    tear(bench)
    assert flash("erase", "--start", "0x40000", "--length", "0x1000").code == 0  # takes one of the torn flash
    good, torn = sorted((home / "data/wattrail/boards/simulated").glob("*/backup-*.bin"))
    said = flash("recover")
    assert said.code == 0
    assert "app         at 0x1fffe: block 1807 of the app: " in said.out
    assert f"putting back {good}, the newest backup that should start" in said.err
    assert f"{torn}" not in said.err
    assert bench.flash == stock


def test_a_backup_of_another_format_is_passed_over(flash: Type, bench: Bench, home: Path) -> None:
    """Somebody flashed the download as it came; the next write kept that too, as the newest backup."""
    stock = bench.flash
    assert flash("erase", "--part", "config").code == 0  # takes a good backup
    bench.twin.flash.data[:3] = b"\x1f\x8b\x08"  # gzip
    assert flash("erase", "--start", "0x40000", "--length", "0x1000").code == 0
    good, other = sorted((home / "data/wattrail/boards/simulated").glob("*/backup-*.bin"))
    assert other.read_bytes().startswith(b"\x1f\x8b\x08")
    said = flash("recover")
    assert said.code == 0
    assert f"putting back {good}, the newest backup that should start" in said.err
    assert bench.flash == stock


def test_a_torn_app_without_a_backup_needs_an_image(flash: Type, bench: Bench, new_bin: Path) -> None:
    tear(bench)
    torn = bench.flash
    said = flash("recover")
    assert said.code == 5
    assert "no bootable backup is kept of the board bk7231n-1560eb-cde5e5f9, and no image was given" in said.err
    assert said.err.splitlines()[-1] == "hint: name the firmware or a dump: wattrail flash recover PORT IMAGE"
    assert "Nothing in flash was changed." in said.err
    assert bench.flash == torn
    said = flash("recover", str(new_bin))
    assert said.code == 0
    assert "writing what new.bin needs" in said.err
    assert bench.flash == written()


@pytest.mark.parametrize(
    ("start", "length", "words"),
    [
        (APP, 0x119000, "app         it is blank"),
        (0, APP, "bootloader  it is blank"),
        (0, 0x200000, "app         it is blank"),
    ],
)
def test_what_is_blank_is_named(flash: Type, bench: Bench, start: int, length: int, words: str) -> None:
    tear(bench, start, length)
    said = flash("recover")
    assert said.code == 5
    assert words in said.out.splitlines()


def test_a_lost_radio_block_is_reported_and_no_image_restores_it(flash: Type, bench: Bench) -> None:
    tear(bench, 0x1D0000, 0x1000)
    said = flash("recover")
    assert said.code == 5
    assert "rf          it is blank: radio calibration and MAC address are lost, and no image has them" in said.out
    assert said.err.splitlines()[-1] == (
        "hint: a dump of this very board has: wattrail flash restore PORT DUMP --allow rf"
    )


def test_an_update_that_was_cut_is_named(flash: Type, bench: Bench, new_bin: Path) -> None:
    tear(bench, 0x40000, 0x80000)
    shown = json.loads(flash("recover", str(new_bin), "--dry-run", "--json").out)
    assert shown["dry_run"]
    assert {found["partition"] for found in shown["found"]} == {"app"}
    assert all(found["fatal"] for found in shown["found"])
    assert shown["unfinished"] is None


def test_a_cut_write_is_finished_with_its_image(flash: Type, bench: Bench, new_bin: Path) -> None:
    bench.ctrl_c("writing", 0.3)
    assert flash("write", str(new_bin)).code == 130
    said = flash("recover", str(new_bin))
    assert said.code == 0
    assert "a write of 'new.bin', begun 2026-06-21T12:00:" in said.out
    assert "resuming with new.bin" in said.err
    assert bench.flash == written()


def test_a_cut_write_is_undone_without_its_image(flash: Type, bench: Bench, new_bin: Path) -> None:
    bench.ctrl_c("writing", 0.3)
    assert flash("write", str(new_bin)).code == 130
    looked = flash("recover", "--dry-run")
    assert looked.code == 0
    assert bench.flash != bench.before
    said = flash("recover")
    assert said.code == 0
    assert "taken before the write that did not end" in said.err
    assert bench.flash == bench.before
    assert "unfinished" not in flash("info").out


def test_a_cut_restore_of_the_radio_is_undone_too(flash: Type, bench: Bench) -> None:
    foreign = bytearray(board("N", 2).dump)
    foreign[0x1D0030] ^= 1
    Path("foreign.bin").write_bytes(foreign)
    bench.ctrl_c("writing", 0.95)
    assert flash("restore", "foreign.bin", "--allow", "rf").code == 130
    assert bench.flash[0x1D0000:0x1D1000] != bench.before[0x1D0000:0x1D1000]
    assert flash("recover").code == 0
    assert bench.flash == bench.before


def test_a_program_gets_what_was_found_and_what_was_done(flash: Type, bench: Bench, new_bin: Path) -> None:
    tear(bench)
    shown = json.loads(flash("recover", str(new_bin), "--json").out)
    assert (shown["verified"], shown["simulated"], shown["unfinished"]) == (True, True, None)
    assert shown["found"][0]["partition"] == "app"
    healthy = json.loads(flash("recover", "--json").out)
    assert (healthy["found"], healthy["simulated"]) == ([], True)
