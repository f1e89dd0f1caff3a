"""The journal: what a cut leaves behind, and what the next session makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from wattrail.bootrom import Chip, Identity, Responder
from wattrail.clock import ManualClock
from wattrail.flasher.journal import Journal, Shelf
from wattrail.flasher.target import Target

TARGET = Target(
    Identity(Chip.N, Responder.BOOT_ROM, ()), Responder.BOOT_ROM, 0x200000, True, flash_id=0x1560EB, sr=0x4004, rf_crc=1
)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "boards", ManualClock())


def begin(
    journal: Journal, *, image: str = "a.bin", target: Target = TARGET, rf_after: int = 1, backup: Path | None = None
) -> None:
    journal.begin(target, image=image, sha256="00", rf_after=rf_after, backup=backup, simulated=True)


def test_a_write_that_ended_leaves_nothing_to_do(shelf: Shelf) -> None:
    journal = shelf.journal(TARGET)
    begin(journal)
    journal.touching(0x11000, 0x1000)
    journal.done()
    assert shelf.unfinished(TARGET) is None


def test_a_write_that_was_cut_is_found_again(shelf: Shelf, tmp_path: Path) -> None:
    backup = tmp_path / "backup.bin"
    backup.write_bytes(b"x")
    begin(shelf.journal(TARGET), backup=backup)
    found = shelf.unfinished(TARGET)
    assert found is not None
    assert (found.image, found.backup, found.sr) == ("a.bin", backup, 0x4004)


def test_a_second_attempt_keeps_the_first_ones_backup_and_protection(shelf: Shelf, tmp_path: Path) -> None:
    first, second = tmp_path / "1.bin", tmp_path / "2.bin"
    first.write_bytes(b"1")
    second.write_bytes(b"2")
    begin(shelf.journal(TARGET), backup=first)
    begin(shelf.journal(TARGET), image="b.bin", target=replace(TARGET, sr=0), backup=second)
    found = shelf.unfinished(TARGET)
    assert found is not None
    assert (found.image, found.backup, found.sr) == ("b.bin", first, 0x4004)


def test_a_backup_that_was_deleted_is_not_promised(shelf: Shelf, tmp_path: Path) -> None:
    begin(shelf.journal(TARGET), backup=tmp_path / "gone.bin")
    found = shelf.unfinished(TARGET)
    assert found is not None
    assert found.backup is None


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_last_line_is_no_line(shelf: Shelf, cut: int) -> None:
    journal = shelf.journal(TARGET)
    begin(journal)
    journal.done()
    path = journal.folder / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    assert shelf.unfinished(TARGET) is not None, "the line that said done was torn: it is not done"
    journal.done()
    assert shelf.unfinished(TARGET) is None


def test_the_board_is_told_by_its_radio_calibration(shelf: Shelf) -> None:
    begin(shelf.journal(TARGET))
    assert shelf.unfinished(replace(TARGET, rf_crc=2)) is None
    assert shelf.unfinished(replace(TARGET, flash_id=0x15701C)) is None


def test_a_board_whose_calibration_was_being_replaced_is_known_before_and_after_and_torn(shelf: Shelf) -> None:
    journal = shelf.journal(TARGET)
    begin(journal, rf_after=7)
    assert shelf.unfinished(replace(TARGET, rf_crc=7)) is not None
    assert shelf.unfinished(replace(TARGET, rf_crc=99)) is None
    journal.touching(0x1D0000, 0x10000)
    assert shelf.unfinished(replace(TARGET, rf_crc=99)) is not None


def test_two_boards_have_two_journals(shelf: Shelf) -> None:
    other = replace(TARGET, rf_crc=2)
    begin(shelf.journal(TARGET))
    begin(shelf.journal(other), target=other, rf_after=2)
    shelf.journal(other).done()
    assert shelf.unfinished(TARGET) is not None
    assert shelf.unfinished(other) is None


def test_the_name_of_a_board_tells_no_address() -> None:
    assert TARGET.board == "bk7231n-1560eb-00000001"
    assert replace(TARGET, rf_blank=True).board == "bk7231n-1560eb-without-rf"


def test_a_backup_of_a_twin_says_so_in_its_name(shelf: Shelf) -> None:
    assert shelf.new_backup(TARGET, simulated=True).name == "backup-20260621T000000Z-simulated.bin"
    assert shelf.new_backup(TARGET, simulated=False).name == "backup-20260621T000000Z.bin"


def test_a_backup_never_takes_a_name_that_exists(shelf: Shelf) -> None:
    first = shelf.new_backup(TARGET, simulated=False)
    first.parent.mkdir(parents=True)
    first.write_bytes(b"1")
    assert shelf.new_backup(TARGET, simulated=False) != first


@pytest.mark.parametrize(
    "line", ['{"event": "begin"}', "[" * 3000, '{"event": "begin", "backup": "' + "x" * 5000 + '"}', "\xff\xfe", "null"]
)
def test_a_line_that_makes_no_sense_bars_no_board_from_being_flashed(shelf: Shelf, line: str) -> None:
    journal = shelf.journal(TARGET)
    begin(journal)
    with (journal.folder / "journal.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    shelf.unfinished(TARGET)
    begin(shelf.journal(TARGET))
    shelf.journal(TARGET).done()
    assert shelf.unfinished(TARGET) is None
