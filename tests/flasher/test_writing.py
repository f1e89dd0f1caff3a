"""Writing: what was asked for, proven, and nothing beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.flasher.desk import Desk, board, known_image, over
from wattrail.errors import LinkFailed, TargetError, VerifyError, WriteProtected, WriteRefused
from wattrail.flasher import Note, Progress, Risk
from wattrail.flasher.events import RateChanged
from wattrail.image import recognise

CHIPS = pytest.mark.parametrize("chip", ["N", "M", "T"])


@CHIPS
def test_an_image_is_written_and_nothing_beside_it(tmp_path: Path, chip: str) -> None:
    desk, image = Desk(tmp_path, chip), known_image(chip)
    report = desk.write(image, name="new.bin")
    assert desk.flash == over(desk.before, image)
    assert (report.image, report.simulated, report.losses, report.repeated) == ("new.bin", True, 0, 0)
    assert report.backup is not None
    assert report.backup.read_bytes() == desk.before


@CHIPS
def test_stock_firmware_is_put_back_bit_for_bit(tmp_path: Path, chip: str) -> None:
    desk = Desk(tmp_path, chip)
    desk.write(known_image(chip))
    with desk.session() as flasher:
        (stock,) = flasher.kept_backups()
        flasher.restore(recognise(stock.read_bytes()), name=stock.name)
    assert desk.flash == desk.before


@CHIPS
def test_protection_stands_afterwards_as_it_stood_before(tmp_path: Path, chip: str) -> None:
    desk = Desk(tmp_path, chip)
    before = desk.twin.flash.sr
    desk.write(known_image(chip))
    assert desk.twin.flash.sr == before


def test_the_same_image_again_touches_nothing(tmp_path: Path) -> None:
    desk, image = Desk(tmp_path), known_image()
    desk.write(image)
    sr, erases = desk.twin.flash.sr, desk.twin.flash.dirty.copy()
    report = desk.write(image)
    assert (report.touched, report.erases, report.programs) == (0, 0, 0)
    assert (desk.twin.flash.sr, desk.twin.flash.dirty) == (sr, erases)


@pytest.mark.parametrize("backup", [True, False])
def test_only_sectors_that_differ_are_touched(tmp_path: Path, backup: bool) -> None:
    desk = Desk(tmp_path)
    new = bytearray(desk.before)
    for sector in (0x11, 0x12, 0x55, 0x129):
        new[sector * 0x1000 + 5] ^= 0xFF
    image = recognise(bytes(new[:0x12A000]))
    report = desk.write(image, allow=[Risk.DAMAGED, *([] if backup else [Risk.NO_BACKUP])])
    assert desk.flash == bytes(new)
    assert (report.touched, report.programs) == (4, 4)
    assert report.untouched == 0x12A - 4


def test_blank_sectors_are_erased_and_not_programmed(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.session() as flasher:
        report = flasher.erase(0x20000, 0x30000)
    assert desk.flash == desk.before[:0x20000] + b"\xff" * 0x30000 + desk.before[0x50000:]
    assert (report.erases, report.programs) == (3, 0)


def test_erasing_keeps_the_radio_calibration_unless_allowed(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.session() as flasher:
        report = flasher.erase(0x1C0000, 0x20000)
        assert desk.flash[0x1D0000:0x1D1000] == desk.before[0x1D0000:0x1D1000]
        assert report.kept
        flasher.erase(0x1D0000, 0x1000, allow=[Risk.RF])
        assert desk.flash[0x1D0000:0x1D1000] == b"\xff" * 0x1000


def test_an_image_that_ends_inside_a_sector_leaves_its_rest_alone(tmp_path: Path) -> None:
    before = bytearray(board("N").dump)
    before[0x129F70:0x12A000] = b"\x5a" * 0x90
    desk, image = Desk(tmp_path, image=bytes(before)), known_image()
    desk.write(image)
    assert desk.flash[0x129F70:0x12A000] == b"\x5a" * 0x90


@CHIPS
def test_a_worn_out_sector_is_named_and_never_called_a_success(tmp_path: Path, chip: str) -> None:
    desk = Desk(tmp_path, chip)
    desk.twin.flash.wear_out(0x42123, 0x40)
    blank = bytearray(desk.before)
    blank[0x42000:0x43000] = bytes(0x1000)
    with pytest.raises(
        VerifyError, match=r"1 sector.s. from 0x42000 on failed verification after 8 attempts"
    ) as caught:
        desk.write(recognise(bytes(blank)), allow=[Risk.DAMAGED])
    assert (caught.value.offset, caught.value.length) == (0x42000, 0x1000)
    with desk.session() as flasher:
        assert flasher.unfinished is not None


def test_a_flash_nobody_has_listed_is_not_unlocked_by_guessing(tmp_path: Path) -> None:
    # Until now the words were "erased three times and is not blank: ... write-protected, or its supply gives way".
    desk = Desk(tmp_path, flash_id=0x15ABCD)
    with pytest.raises(WriteProtected, match="flash is write-protected: the sector at 0x") as caught:
        desk.write(known_image())
    assert "15abcd is in no list" in str(caught.value.hint)
    assert not caught.value.elsewhere
    assert desk.flash == desk.before


def half_blank() -> bytes:
    """A module's flash with 64 KiB of nothing behind its code."""
    flash = bytearray(board("N").dump)
    flash[0x1B0000:0x1C0000] = b"\xff" * 0x10000
    return bytes(flash)


@pytest.mark.parametrize("data", [b"\x5a" * 0x4000, b"\x5a" * 0x1000 + b"\xff" * 0x3000])
def test_a_blank_place_of_a_protected_flash_is_reported_as_protected(tmp_path: Path, data: bytes) -> None:
    # Protected as it leaves the factory: libretiny #279, ltchiptool #32, bk7231tools #19. A blank place needs no
    # erase, and it was the erase alone whose effect was proven.
    desk, image = Desk(tmp_path, flash_id=0x15AABB, image=half_blank()), recognise(data)
    with desk.session() as flasher:
        with pytest.raises(WriteProtected, match="0x1b0000 was erased or programmed 3 times") as caught:
            flasher.write(image, start=0x1B0000, allow=[Risk.UNKNOWN, Risk.NO_BACKUP])
        assert flasher.diagnosis.symptom == "protected"
    assert not caught.value.elsewhere
    assert desk.flash == desk.before
    assert not any("damaged" in event.why for event in desk.events_of(RateChanged)), "the rate is not to blame"


@pytest.mark.parametrize("backup", [True, False])
def test_a_write_that_a_protected_flash_did_not_take_is_not_unfinished(tmp_path: Path, backup: bool) -> None:
    desk = Desk(tmp_path, flash_id=0x15AABB)
    with desk.session() as flasher:
        with pytest.raises(WriteProtected):
            flasher.write(known_image(), allow=[] if backup else [Risk.NO_BACKUP])
        assert flasher.unfinished is None
    desk.events.clear()
    with desk.session() as flasher:
        assert flasher.unfinished is None
        assert [kept.origin for kept in flasher.backups()] == ["original"] * backup
    assert not any("did not end" in event.words for event in desk.events_of(Note))
    assert desk.flash == desk.before


def test_a_flash_that_stays_protected_is_not_left_unfinished(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.twin.flash.locked = True
    with desk.session() as flasher:
        with pytest.raises(TargetError, match="stays protected"):
            flasher.write(known_image())
        assert flasher.unfinished is None


def test_a_protected_flash_leaves_an_earlier_cut_write_unfinished(tmp_path: Path) -> None:
    desk, image = Desk(tmp_path, flash_id=0x15AABB, sr=0), known_image()
    with desk.session() as flasher:
        desk.clock.at(desk.clock.monotonic() + 10, lambda: desk.twin.faults.cut_power())
        with pytest.raises(LinkFailed):
            flasher.write(image, name="first.bin")
    desk.twin.power(True)
    half = desk.flash
    assert half != desk.before
    desk.twin.flash.protect_above(0)
    with desk.session() as flasher:
        with pytest.raises(WriteProtected) as caught:
            flasher.write(image, name="second.bin")
        assert not caught.value.elsewhere
        assert flasher.unfinished is not None
        assert flasher.unfinished.image == "first.bin"
    assert desk.flash == half


def test_a_flash_protected_in_a_part_is_reported_as_protected_there(tmp_path: Path) -> None:
    # Block protection bits cover a range on every listed part: an erase that works proves its own sector only.
    desk = Desk(tmp_path, flash_id=0x15AABB, sr=0)
    desk.twin.flash.protect_above(0x80000)  # the image differs from what stands there at 0x129000
    with pytest.raises(WriteProtected, match="the sector at 0x129000 was erased or programmed 3 times") as caught:
        desk.write(known_image(), allow=[Risk.NO_BACKUP])
    with desk.session() as flasher:
        assert flasher.unfinished is not None
    assert caught.value.elsewhere, "what lies below was written"
    assert desk.flash[0x80000:] == desk.before[0x80000:]


def test_a_flash_nobody_has_listed_is_written_if_nothing_protects_it(tmp_path: Path) -> None:
    desk, image = Desk(tmp_path, flash_id=0x15ABCD, sr=0), known_image()
    desk.write(image)
    assert desk.flash == over(desk.before, image)


def test_a_status_register_is_not_written_where_nothing_changes(tmp_path: Path) -> None:
    desk, image = Desk(tmp_path, flash_id=0x152085, sr=0), known_image()
    desk.twin.flash.rewrite_locks = True  # a part that locks itself when an unchanged value is written
    desk.write(image)
    assert desk.flash == over(desk.before, image)
    assert not desk.twin.flash.locked


def test_a_flash_whose_status_register_is_locked_is_named(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.twin.flash.locked = True
    with pytest.raises(TargetError, match="TH25Q16HB stays protected: its status register reads 0x4004"):
        desk.write(known_image())
    assert desk.flash == desk.before


def test_a_half_finished_write_is_resumed_and_keeps_the_first_backup(tmp_path: Path) -> None:
    desk, image = Desk(tmp_path, reset=None), known_image()
    with desk.session(patience_s=3) as flasher:
        desk.helpful = False  # nobody there to reset it a second time
        desk.twin.faults.power_fails_in("page", 700, returns=False)
        with pytest.raises(LinkFailed, match="no link after 3 s"):
            flasher.write(image, name="new.bin")
    desk.helpful = True
    desk.twin.power(True)
    assert desk.flash != over(desk.before, image)
    report = desk.write(image, name="new.bin")
    assert desk.flash == over(desk.before, image)
    assert report.resumed
    assert report.backup is not None
    assert report.backup.read_bytes() == desk.before


def test_the_journal_says_that_it_is_a_twins(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write(known_image())
    (path,) = tmp_path.rglob("journal.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["event"] == "begin"
    assert lines[0]["simulated"] is True
    assert lines[-1]["event"] == "done"


def test_verify_says_which_sectors_differ_and_changes_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    changed = bytearray(desk.before)
    changed[0x33333] ^= 1
    changed[0x1D0030] ^= 1
    with desk.session() as flasher:
        assert flasher.verify(recognise(desk.before)).same
        assert flasher.verify(recognise(bytes(changed))).differing == (0x33000, 0x1D0000)
    assert desk.flash == desk.before


def test_a_preview_refuses_and_counts_as_the_write_would(tmp_path: Path) -> None:
    desk, image = Desk(tmp_path), known_image()
    with desk.session() as flasher:
        seen = flasher.preview(image)
        assert desk.flash == desk.before
        assert len(seen.differing) == flasher.write(image).touched


def test_a_flash_of_a_t_without_bootloader_version_is_not_written(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "T", version=None)
    with pytest.raises(TargetError, match="not known which chip"):
        desk.write(known_image("T"))
    assert desk.flash == desk.before


def test_a_block_to_be_blank_in_part_differs_in_the_rest_alone(tmp_path: Path) -> None:
    blank = b"\xff" * 0x200000
    desk = Desk(tmp_path, image=blank)
    half = recognise(blank[:0x28000] + bytes(range(256)) * 16 + blank[0x29000:])
    with desk.session() as flasher:
        assert flasher.verify(half, start=0).differing == (0x28000,)


def test_the_backup_before_a_second_write_reads_only_what_has_changed(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write(known_image())
    desk.twin.flash.data[0x1D1010] ^= 0xFF  # the firmware has kept a setting meanwhile
    between = desk.flash
    with desk.session(max_baud=115200) as flasher:
        began = desk.clock.monotonic()
        assert flasher.backup().data == between
        assert desk.clock.monotonic() - began < 10  # the chip's summing; 64 s of wire otherwise


def test_progress_comes_sector_by_sector(tmp_path: Path) -> None:
    told: list[int] = []
    desk = Desk(tmp_path)
    desk._hear = lambda event: told.append(event.done) if isinstance(event, Progress) else None  # type: ignore[method-assign]
    with desk.session() as flasher:
        flasher.read(0x11000, 0x20000)
        assert told == sorted(told)
        assert len(told) >= 0x20
        told.clear()
        flasher.write(known_image(), allow=[Risk.NO_BACKUP])
    assert told == sorted(told)
    assert len(told) > 80


def test_erasing_only_the_radio_calibration_is_refused_not_called_done(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.session() as flasher, pytest.raises(WriteRefused, match="they exist on this board only"):
        flasher.erase(0x1D0000, 0x1000)
    assert desk.flash == desk.before
