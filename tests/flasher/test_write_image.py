"""The write operation on a device in memory: backup, journal and report, without a session below it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flasher.scripted import MemoryDevice
from wattrail.clock import ManualClock
from wattrail.errors import PortLost, WriteProtected, WriteRefused
from wattrail.flasher.backup_store import BackupStore, BoardHome
from wattrail.flasher.events import BackedUp, Resumed
from wattrail.flasher.safety_checks import Risk
from wattrail.flasher.sector_writer import MAX_RETRIES
from wattrail.flasher.write_image import compare_plan, write_image
from wattrail.flasher.write_plan import Segment, WritePlan

OLD = b"\x11" * 0x200000
NOTHING = frozenset[Risk]()
PLAN = WritePlan((Segment(0x20800, b"\x22" * 0x1000),), ("the RF block stays",))


def home_of(device: MemoryDevice, folder: Path) -> BoardHome:
    home = BoardHome(BackupStore(folder, ManualClock()), device.sink)
    home.find(device.target, device.crc)
    return home


def test_a_torn_sector_keeps_what_stands_around_the_segment(tmp_path: Path) -> None:
    device = MemoryDevice(OLD)
    found = compare_plan(device, PLAN, NOTHING)  # type: ignore[arg-type]
    assert (found.compared, found.differing) == (((0x20000, 0x2000),), (0x20000, 0x21000))
    report = write_image(device, PLAN, "x", allow=NOTHING, home=home_of(device, tmp_path))  # type: ignore[arg-type]
    assert device.flash == OLD[:0x20800] + b"\x22" * 0x1000 + OLD[0x21800:]
    assert (report.touched, report.untouched, report.erases, report.programs) == (2, 0, 2, 2)
    assert report.kept == ("the RF block stays",)
    assert report.backup is not None
    assert report.backup.read_bytes() == OLD


def test_what_stands_there_already_needs_no_backup(tmp_path: Path) -> None:
    device = MemoryDevice(OLD)
    plan = WritePlan((Segment(0x20000, OLD[:0x1000]),))
    report = write_image(device, plan, "x", allow=NOTHING, home=home_of(device, tmp_path))  # type: ignore[arg-type]
    assert (report.touched, report.untouched, report.backup) == (0, 1, None)
    assert device.acts == []


def test_what_stands_there_on_a_line_with_a_fault_is_proven_again(tmp_path: Path) -> None:
    device = MemoryDevice(OLD)
    plan, crc = WritePlan((Segment(0x20000, OLD[:0x1000]),)), device.crc

    def crc_after_a_fault(start: int, length: int) -> int:
        device.fault_generation, device.crc = 1, crc  # type: ignore[method-assign]
        return crc(start, length)

    home = home_of(device, tmp_path)
    device.crc = crc_after_a_fault  # type: ignore[method-assign]
    report = write_image(device, plan, "x", allow=NOTHING, home=home)  # type: ignore[arg-type]
    # the chip may have restarted into other flash meanwhile, so one CRC before the fault does not end the write
    assert report.backup is not None
    assert (report.touched, device.erases, device.programs) == (0, 0, 0)
    assert home.unfinished is None


def test_without_a_place_for_a_backup_nothing_is_touched() -> None:
    device = MemoryDevice(OLD)
    with pytest.raises(WriteRefused, match="no path says where the backup goes") as caught:
        write_image(device, PLAN, "x", allow=NOTHING, home=None)  # type: ignore[arg-type]
    assert caught.value.risk == "no-backup"
    assert device.acts == []


def test_a_cut_write_is_resumed_with_the_protection_as_it_was_first(tmp_path: Path) -> None:
    device = MemoryDevice(OLD)

    def cut() -> None:
        raise KeyboardInterrupt

    device.fault = cut
    home = home_of(device, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        write_image(device, PLAN, "x", allow=NOTHING, home=home)  # type: ignore[arg-type]
    assert home.unfinished is not None
    report = write_image(device, PLAN, "x", allow=NOTHING, home=home)  # type: ignore[arg-type]
    assert report.resumed
    assert [event.image for event in device.events if isinstance(event, Resumed)] == ["x"]
    assert home.unfinished is None


def test_what_a_protected_flash_did_not_take_is_not_unfinished(tmp_path: Path) -> None:
    device = MemoryDevice(OLD)
    device.is_protected = True
    home = home_of(device, tmp_path)
    with pytest.raises(WriteProtected):
        write_image(device, PLAN, "x", allow=NOTHING, home=home)  # type: ignore[arg-type]
    assert home.unfinished is None
    assert len([event for event in device.events if isinstance(event, BackedUp)]) == 1


def test_a_cable_pulled_while_a_refusal_is_proven_hides_it_not(tmp_path: Path) -> None:
    device = MemoryDevice(OLD)
    device.is_protected = True
    home, answers = home_of(device, tmp_path), device.crc

    def unplugged_at_the_end(start: int, length: int) -> int:
        if device.acts.count(("unprotect again", 0)) == MAX_RETRIES:
            raise PortLost("unplugged")
        return answers(start, length)

    device.agreed_crc = unplugged_at_the_end  # type: ignore[method-assign]
    with pytest.raises(WriteProtected) as caught:
        write_image(device, PLAN, "x", allow=NOTHING, home=home)  # type: ignore[arg-type]
    assert caught.value.elsewhere, "that nothing has changed is not proven"
    assert home.unfinished is not None
