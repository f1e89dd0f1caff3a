"""Reading: right, whole, and no more of it than is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flasher.desk import Desk, board
from wattrail.errors import PortLost, VerifyError
from wattrail.flasher import BackedUp, KnownBytes

CHIPS = pytest.mark.parametrize("chip", ["N", "M", "T"])


@CHIPS
def test_the_whole_flash_is_read_as_it_is(tmp_path: Path, chip: str) -> None:
    desk = Desk(tmp_path, chip)
    with desk.session() as flasher:
        assert flasher.read() == desk.flash


@CHIPS
def test_any_range_is_read_to_the_byte(tmp_path: Path, chip: str) -> None:
    desk = Desk(tmp_path, chip)
    with desk.session() as flasher:
        for start, length in ((0, 1), (0x10FFF, 2), (0x12345, 0x3210), (0x1FFFFF, 1), (0x1D0024, 6)):
            assert flasher.read(start, length) == desk.flash[start : start + length]


def test_a_range_outside_the_flash_is_refused(tmp_path: Path) -> None:
    with Desk(tmp_path).session() as flasher:
        for start, length in ((-1, 5), (0, 0), (0x1FFFFF, 2), (0x200000, 1)):
            with pytest.raises(ValueError, match="not inside"):
                flasher.read(start, length)


def test_reading_changes_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path, sr=0)
    with desk.session() as flasher:
        flasher.read()
    assert desk.flash == desk.before
    assert desk.twin.flash.sr == 0


def test_blank_flash_costs_no_time_on_the_wire(tmp_path: Path) -> None:
    desk = Desk(tmp_path, image=b"\xff" * 0x200000)
    with desk.session(max_baud=115200) as flasher:
        began = desk.clock.monotonic()
        assert flasher.read() == desk.before
        assert desk.clock.monotonic() - began < 6  # the chip's own summing; 183 s of wire otherwise


def test_what_is_known_and_still_there_is_not_read(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    changed = bytearray(desk.before)
    changed[0x1D1100] ^= 1
    with desk.session(max_baud=460800) as flasher:
        began = desk.clock.monotonic()
        assert flasher.read(known=[KnownBytes(0, bytes(changed))]) == desk.before
        took = desk.clock.monotonic() - began
    with desk.session(max_baud=460800) as flasher:
        began = desk.clock.monotonic()
        flasher.read()
        assert took < (desk.clock.monotonic() - began) / 3


def test_what_was_read_in_this_session_is_not_read_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.session(max_baud=115200) as flasher:
        flasher.read()
        began = desk.clock.monotonic()
        desk.twin.flash.data[0x33000] ^= 1  # but looked at again
        assert flasher.backup().data == desk.flash
        assert desk.clock.monotonic() - began < 7  # the chip's summing, and one sector


def test_what_is_known_wrongly_is_never_believed(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.session() as flasher:
        assert flasher.read(known=[KnownBytes(0, board("N", 9).dump), KnownBytes(0x1000, b"short")]) == desk.before


def test_a_backup_is_the_flash_and_says_that_it_is_simulated(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.session() as flasher:
        backup = flasher.backup()
    assert backup.path.read_bytes() == desk.before
    assert backup.path.name.endswith("-simulated.bin")
    assert desk.events_of(BackedUp)[0].sha256 == backup.sha256


def test_a_backup_that_was_cut_goes_on_where_it_stopped(tmp_path: Path) -> None:
    desk = Desk(tmp_path, helpful=False)
    path = tmp_path / "mine.bin"
    with desk.session(max_baud=115200) as flasher:
        began = desk.clock.monotonic()
        flasher.read()
        whole = desk.clock.monotonic() - began
    desk.clock.at(desk.clock.monotonic() + whole * 0.9, desk.twin.faults.unplug)
    with pytest.raises(PortLost, match="unplugged"), desk.session(max_baud=115200) as flasher:
        flasher.backup(path)
    assert not path.exists()
    desk.twin.faults.replug()
    with desk.session(max_baud=115200) as flasher:
        began = desk.clock.monotonic()
        assert flasher.backup(path).data == desk.before
        assert desk.clock.monotonic() - began < whole * 0.25
    assert path.read_bytes() == desk.before
    assert not list(tmp_path.glob("*.part"))


def test_a_dead_line_makes_no_backup(tmp_path: Path) -> None:
    desk = Desk(tmp_path, image=bytes(0x200000))
    with desk.session() as flasher, pytest.raises(VerifyError, match="nothing but 00"):
        flasher.backup()
    assert not list(tmp_path.rglob("backup-*"))


@CHIPS
def test_a_sector_that_arrives_damaged_is_read_again(tmp_path: Path, chip: str) -> None:
    desk = Desk(tmp_path, chip)
    with desk.session() as flasher:
        desk.twin.faults.late(0)  # the block's CRC
        desk.twin.faults.flip_bit(byte=2000, bit=3)
        assert flasher.read(0x11000, 0x4000) == desk.flash[0x11000:0x15000]


def test_a_sector_that_never_arrives_whole_is_not_a_success(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.session() as flasher:
        desk.twin.faults.noise(1e-3)
        with pytest.raises(Exception, match=r"do not come over|no link|again and again|answered properly"):
            flasher.read(0x11000, 0x4000)


def test_a_request_that_became_an_erase_is_noticed(tmp_path: Path) -> None:
    """One flipped bit in the opcode of Read4K, on a flash that is not protected."""
    desk = Desk(tmp_path, sr=0)
    with desk.session() as flasher:
        desk.twin.faults.flip_request_bit(99)  # none: the block's CRC is asked first
        desk.twin.faults.flip_request_bit(7, 1)  # 09 becomes 0B
        with pytest.raises(VerifyError, match="changed between 0x11000 and 0x15000 while it was read"):
            flasher.read(0x11000, 0x4000)
    assert desk.flash != desk.before
