"""Reading a device in memory: what cannot be proven is an error that says where, and never data."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flasher.scripted import MemoryDevice
from wattrail.clock import ManualClock
from wattrail.errors import VerifyError
from wattrail.flasher.backup_store import BackupStore, BoardHome
from wattrail.flasher.device import MAX_REREADS, FlashReader, KnownBytes
from wattrail.flasher.events import Progress
from wattrail.flasher.write_image import compare_plan, take_backup
from wattrail.flasher.write_plan import Segment, WritePlan

FLASH = bytes(range(256)) * 0x2000


def test_a_sector_that_never_arrives_whole_is_named_with_the_remedy() -> None:
    device = MemoryDevice(FLASH)
    device.read_sector = lambda at: bytes(0x1000)  # type: ignore[method-assign]
    with pytest.raises(VerifyError, match="4096 bytes at 0x30000 do not come over without damage") as caught:
        FlashReader(device).read(0x30000, 0x10000)  # type: ignore[arg-type]
    assert (caught.value.offset, caught.value.length) == (0x30000, 0x1000)
    assert "max_baud=115200" in str(caught.value.hint)
    assert device.acts == [("differs", 0)] * MAX_REREADS, "the session learns of each, and lowers the rate"


def test_a_flash_that_changes_while_it_is_read_is_not_called_damage() -> None:
    device = MemoryDevice(FLASH)

    def erases_instead(at: int) -> bytes:
        device.fault_generation += 1
        device.flash[0x30000:0x31000] = b"\xff" * 0x1000
        return b"\xff" * 0x1000

    device.read_sector = erases_instead  # type: ignore[method-assign]
    with pytest.raises(VerifyError, match="the flash changed between 0x30000 and 0x40000 while it was read") as caught:
        FlashReader(device).read(0x30000, 0x10000)  # type: ignore[arg-type]
    assert (caught.value.offset, caught.value.length) == (0x30000, 0x10000)
    assert "compare with an earlier dump" in str(caught.value.hint)


def test_a_backup_across_a_lost_link_is_proven_from_the_first_block_on(tmp_path: Path) -> None:
    """Somebody may have put another board on the wires: its first block differs already."""
    device = MemoryDevice(FLASH)
    read = device.read_sector

    def another_board(at: int) -> bytes:
        if at == 0x1F0000:
            device.fault_generation += 1
            device.flash[0x100:0x200] = bytes(0x100)
        return read(at)

    device.read_sector = another_board  # type: ignore[method-assign]
    home = BoardHome(BackupStore(tmp_path, ManualClock()), device.sink)
    home.find(device.target, device.crc)
    with pytest.raises(VerifyError, match=r"between 0x0 and 0x10000 is not what was read before the link was lost"):
        take_backup(device, home, None)  # type: ignore[arg-type]
    assert list(tmp_path.rglob("backup-*.bin")) == []


def test_bytes_known_to_stand_there_need_no_reading() -> None:
    device, read = MemoryDevice(FLASH), list[int]()
    device.read_sector = lambda at: (read.append(at), FLASH[at : at + 0x1000])[1]  # type: ignore[method-assign,func-returns-value]
    known = bytearray(FLASH)
    known[0x31234] ^= 1
    assert FlashReader(device, [KnownBytes(0, bytes(known))]).read(0x20000, 0x20000) == FLASH[:0x20000]  # type: ignore[arg-type]
    assert read == [0x31000], "the one sector that differs from what was known"


def test_a_comparison_counts_up_to_all_that_is_compared() -> None:
    device = MemoryDevice(FLASH)
    plan = WritePlan((Segment(0x1F000, b"\x22" * 0x2000),))
    compare_plan(device, plan, frozenset())  # type: ignore[arg-type]
    told = [(event.what, event.done, event.total) for event in device.events if isinstance(event, Progress)]
    assert told == [("comparing", 0x1000, 0x2000), ("comparing", 0x2000, 0x2000)]
