"""Changing a flash: backup, guards, the cut in the middle, the proof."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.cli.flash.conftest import Bench, board, written
from wattrail.flasher import Flasher
from wattrail.twin.bootrom import BootPhase

pytestmark = pytest.mark.usefixtures("new_bin")


def backups(home: Path) -> list[Path]:
    return sorted((home / "data" / "wattrail" / "boards" / "simulated").glob("*/backup-*.bin"))


def test_an_image_is_written_after_a_backup_and_the_board_starts(flash: Type, bench: Bench, home: Path) -> None:
    said = flash("write", "new.bin")
    assert said.code == 0
    assert bench.flash == written()
    (kept,) = backups(home)
    assert kept.read_bytes() == bench.before
    assert said.out.splitlines()[:5] == [
        "SIMULATED: a digital twin is at the other end, not a board",
        "new.bin: done and verified",
        "board       bk7231n-1560eb-cde5e5f9",
        "sectors     86 changed, 212 were right already",
        "commands    86 programmed, 19 erased (344 KiB)",
    ]
    assert f"backup      {kept}" in said.out
    assert f"the flash as it is now is kept in {kept}" in said.err
    assert said.err.splitlines()[-1] == "reboot sent: the board starts its firmware"
    bench.clock.sleep(1.0)
    assert bench.twin.phase is BootPhase.APP


def test_a_chip_may_be_left_ready_for_the_next_command(flash: Type, bench: Bench) -> None:
    assert flash("write", "new.bin", "--no-reboot").code == 0
    bench.clock.sleep(1.0)
    assert bench.twin.phase is BootPhase.LINKED


def test_a_report_for_programs_says_that_it_was_verified(flash: Type) -> None:
    shown = json.loads(flash("write", "new.bin", "--json").out)
    assert (shown["verified"], shown["simulated"], shown["touched"], shown["resumed"]) == (True, True, 86, False)
    manual = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
    section = manual.partition("\n## wattrail flash write\n")[2].partition("\n## ")[0]
    assert {field for field in shown if f"`{field}`" not in section} == set()


def test_a_dry_run_says_what_would_change_and_changes_nothing(flash: Type, bench: Bench, home: Path) -> None:
    said = flash("write", "new.bin", "--dry-run")
    assert said.code == 0
    assert "app         0x011000  86 of 281 sectors differ" in said.out
    assert "dry run: 86 sectors would be changed, after a backup; nothing was" in said.err
    shown = json.loads(flash("write", "new.bin", "--dry-run", "--json").out)
    assert (shown["dry_run"], shown["same"]) == (True, False)
    assert (bench.flash, backups(home)) == (bench.before, [])


def test_one_partition_is_written_and_no_other(flash: Type, bench: Bench) -> None:
    dump = bytearray(board("N", 2).dump)
    dump[0x1D1000:0x1D1010] = bytes(16)
    Path("dump.bin").write_bytes(dump)
    assert flash("write", "dump.bin", "--part", "config").code == 0
    assert bench.flash == bench.before[:0x1D1000] + bytes(16) + bench.before[0x1D1010:]


def test_the_backup_goes_to_the_file_given(flash: Type, bench: Bench, home: Path) -> None:
    assert flash("write", "new.bin", "--backup", "stock.bin").code == 0
    assert Path("stock.bin").read_bytes() == bench.before
    assert backups(home) == []


def test_a_backup_is_left_out_only_if_allowed(flash: Type, home: Path) -> None:
    said = flash("write", "new.bin", "--allow", "no-backup")
    assert said.code == 0
    assert "backup      none: that was allowed" in said.out
    assert backups(home) == []


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (("--backup", "new.bin"), "new.bin exists already", "name another file: a backup replaces nothing"),
        (("--backup", "b", "--allow", "no-backup"), "--backup and --allow no-backup exclude each other", ""),
        (
            ("--allow", "wrong-chp"),
            "--allow: 'wrong-chp' is not known; known: wrong-chip, ",
            "did you mean wrong-chip?",
        ),
        (("--part", "ap"), "--part: 'ap' is not known; known: ", "did you mean app?"),
        (("--baud", "9600"), "", "see wattrail flash write --help"),
        (("--reset", "cts"), "", "see wattrail flash write --help"),
    ],
)
def test_what_is_mistyped_is_refused_before_a_port_is_opened(
    flash: Type, bench: Bench, words: tuple[str, ...], error: str, hint: str
) -> None:
    said = flash("write", "new.bin", *words)
    assert said.code == 2
    assert f"error: {error}" in said.err
    assert hint in said.err
    assert bench.opened == []


def test_the_image_of_another_chip_is_refused_naming_what_allows_it(flash: Type, bench: Bench) -> None:
    Path("t.bin").write_bytes(board("T").qio)
    said = flash("write", "t.bin")
    assert said.code == 5
    assert "use --allow wrong-chip to override" in said.err
    assert "hint: take the image for the BK7231N" in said.err
    assert "half-written" not in said.err
    assert bench.flash == bench.before


def test_an_image_at_another_place_is_refused(flash: Type, bench: Bench) -> None:
    said = flash("write", "new.bin", "--start", "0x11000")
    assert said.code == 5
    assert "error: the QIO image belongs at 0x0, not at 0x11000" in said.err
    assert "--allow wrong-place" in said.err
    assert "hint: leave the start away" in said.err
    assert bench.flash == bench.before


def test_an_image_that_was_cut_short_is_refused(flash: Type, bench: Bench) -> None:
    Path("short.bin").write_bytes(Path("new.bin").read_bytes()[:-100])
    said = flash("write", "short.bin")
    assert said.code == 5
    assert "error: the image is damaged: " in said.err
    assert bench.flash == bench.before


def test_bytes_that_say_nothing_need_a_place_and_a_word(flash: Type, bench: Bench) -> None:
    Path("notes.txt").write_bytes(b"shopping list")
    assert flash("write", "notes.txt").code == 5
    assert flash("write", "notes.txt", "--start", "0x1d1000").code == 5
    assert flash("write", "notes.txt", "--start", "0x1d1000", "--allow", "unknown-image").code == 0
    assert bench.flash == bench.before[:0x1D1000] + b"shopping list" + bench.before[0x1D100D:]


def test_a_folder_that_cannot_hold_a_backup_stops_everything(flash: Type, bench: Bench) -> None:
    Path("file").touch()
    said = flash("write", "new.bin", "--boards", "file")
    assert said.code == 2
    assert "cannot be used: " in said.err
    assert said.err.splitlines()[-1] == "Nothing in flash was changed."
    assert bench.flash == bench.before


# ---- cut in the middle


def test_ctrl_c_states_what_the_flash_holds_and_the_same_command_resumes(flash: Type, bench: Bench, home: Path) -> None:
    bench.ctrl_c("writing", 0.3)
    cut = flash("write", "new.bin")
    (kept,) = backups(home)
    assert (cut.code, cut.out) == (130, "")
    assert cut.err.splitlines()[-1] == (
        "stopped. The flash may be half-written, and the board may not start. Run the same command again to resume."
        f" Its previous content is kept in {kept}."
    )
    assert bench.flash not in (bench.before, written())

    said = flash("write", "new.bin")
    assert said.code == 0
    assert "a write of 'new.bin', begun 2026-06-21T12:00:" in said.err
    assert f"did not end: this one resumes it; the previous content is kept in {kept}" in said.err
    assert "new.bin: done and verified, resumed after an interruption" in said.out
    assert bench.flash == written()
    assert backups(home) == [kept]


def test_the_very_first_block_counts_as_half_written_too(flash: Type, bench: Bench) -> None:
    bench.only_a_person_resets()
    bench.when("reading", 1.0, lambda: setattr(bench, "helpful", False))
    bench.twin.faults.power_fails_in("page", 3, returns=False)
    said = flash("write", "new.bin", "--patience", "3")
    assert said.code == 4
    assert "The flash may be half-written, and the board may not start." in said.err


def test_ctrl_c_before_anything_is_written_says_that(flash: Type, bench: Bench) -> None:
    bench.ctrl_c("reading")
    said = flash("write", "new.bin")
    assert (said.code, said.err.splitlines()[-1]) == (130, "stopped. Nothing in flash was changed.")
    assert bench.flash == bench.before


def test_ctrl_c_after_the_proof_says_that_all_is_well(
    flash: Type, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(_flasher: Flasher) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Flasher, "reboot", pressed)
    said = flash("write", "new.bin")
    assert (said.code, said.err.splitlines()[-1]) == (130, "stopped. Before that the flash was written and verified.")
    assert bench.flash == written()


def test_a_supply_that_dies_is_reported_with_causes_and_state_of_flash(flash: Type, bench: Bench) -> None:
    bench.only_a_person_resets()
    bench.when("writing", 0.3, bench.goes_dead)
    said = flash("write", "new.bin", "--patience", "5")
    assert said.code == 4
    assert "link lost: " in said.err
    assert "\n1. " in said.err
    assert "docs/troubleshooting.md#" in said.err
    assert said.err.splitlines()[-1].startswith("The flash may be half-written, and the board may not start.")
    bench.twin.power(True)
    bench.only_a_person_resets()
    assert flash("write", "new.bin").code == 0
    assert bench.flash == written()


def test_a_flash_that_is_worn_out_fails_its_proof(flash: Type, bench: Bench) -> None:
    bench.twin.flash.wear_out(0x20007, bits=0xFF)
    said = flash("write", "new.bin")
    assert said.code == 6
    assert "failed verification after 8 attempts" in said.err
    assert "The flash may be half-written" in said.err


def test_a_protected_flash_is_reported_and_not_as_half_written(flash: Type, bench: Bench) -> None:
    # In no list, protected as it leaves the factory: libretiny #279, ltchiptool #32, bk7231tools #19.
    bench.build("N", flash_id=0x15AABB)
    said = flash("write", "new.bin", "--allow", "no-backup")
    assert said.code == 5
    assert "error: the flash is write-protected: the sector at 0x" in said.err
    assert "docs/troubleshooting.md#protected" in said.err
    assert "Nothing in flash was changed." in said.err
    assert "half-written" not in said.err
    assert bench.flash == bench.before


# ---- erase


def test_a_partition_is_erased(flash: Type, bench: Bench, home: Path) -> None:
    said = flash("erase", "--part", "config")
    assert said.code == 0
    assert "erase: done and verified" in said.out
    assert bench.flash == bench.before[:0x1D1000] + b"\xff" * 0x1000 + bench.before[0x1D2000:]
    assert backups(home)[0].read_bytes() == bench.before


def test_an_erase_can_be_previewed(flash: Type, bench: Bench) -> None:
    said = flash("erase", "--start", "0x1d0000", "--length", "0x2000", "--dry-run")
    assert said.code == 0
    assert "config      0x1d1000  1 of 1 sectors differ" in said.out
    assert "left out    the RF block at 0x1d0000 stays as it is" in said.out
    assert bench.flash == bench.before


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "nothing was named to erase"),
        (("--start", "0x1000"), "nothing was named to erase"),
        (("--start", "0x100", "--length", "0x1000"), "0x1000 bytes from 0x100 are not whole sectors of 0x1000"),
        (("--start", "0x1000", "--length", "0"), "0x0 bytes from 0x1000 are not whole sectors of 0x1000"),
    ],
)
def test_an_erase_without_clear_bounds_is_refused(
    flash: Type, bench: Bench, words: tuple[str, ...], error: str
) -> None:
    said = flash("erase", *words)
    assert (said.code, said.err.splitlines()[0]) == (2, f"error: {error}")
    assert bench.opened == []


def test_the_radios_calibration_is_erased_only_if_allowed(flash: Type, bench: Bench) -> None:
    said = flash("erase", "--part", "rf")
    assert said.code == 5
    assert "they exist on this board only" in said.err
    assert "--allow rf" in said.err
    assert bench.flash == bench.before
    assert flash("erase", "--part", "rf", "--allow", "rf").code == 0
    assert bench.flash[0x1D0000:0x1D1000] == b"\xff" * 0x1000


def test_the_bootloader_of_a_t_is_erased_only_if_allowed(flash: Type, bench: Bench) -> None:
    bench.build("T")
    said = flash("erase", "--part", "bootloader")
    assert said.code == 5
    assert "if writing it fails, nothing ever answers again" in said.err
    assert bench.flash == bench.before


# ---- restore


def test_the_newest_backup_of_this_board_is_put_back(flash: Type, bench: Bench, home: Path) -> None:
    assert flash("write", "new.bin").code == 0
    (kept,) = backups(home)
    said = flash("restore")
    assert said.code == 0
    assert f"putting back {kept}\n" in said.err
    assert bench.flash == bench.before


def test_a_restore_can_be_previewed(flash: Type, bench: Bench) -> None:
    assert flash("write", "new.bin").code == 0
    said = flash("restore", "--dry-run")
    assert "app         0x011000  86 of 281 sectors differ" in said.out
    assert bench.flash == written()


def test_without_a_backup_a_dump_must_be_named(flash: Type, bench: Bench) -> None:
    said = flash("restore")
    assert said.code == 5
    assert "error: no backup of the board bk7231n-1560eb-cde5e5f9 is kept" in said.err
    assert said.err.splitlines()[-1] == "hint: name a dump of it: wattrail flash restore PORT DUMP"
    Path("dump.bin").write_bytes(board("N", 2).dump)
    assert flash("restore", "dump.bin").code == 0
    assert bench.flash == board("N", 2).dump


def test_another_boards_dump_is_refused_for_its_radio(flash: Type, bench: Bench) -> None:
    foreign = bytearray(board("N", 2).dump)
    foreign[0x1D0030] ^= 1
    Path("foreign.bin").write_bytes(foreign)
    said = flash("restore", "foreign.bin")
    assert said.code == 5
    assert "use --allow rf to override" in said.err
    assert bench.flash == bench.before
    assert flash("restore", "foreign.bin", "--allow", "rf").code == 0
    assert bench.flash == bytes(foreign)


def test_an_image_is_not_a_dump(flash: Type) -> None:
    said = flash("restore", "new.bin")
    assert said.code == 5
    assert "this is not a dump of the whole flash" in said.err
