"""Is this the board of that journal? Known by the content of its flash, where no RF block says so."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.flasher.desk import Desk, board
from tests.flasher.scripted import TARGET_N, MemoryDevice
from wattrail.bootrom.requests import wire_crc
from wattrail.clock import ManualClock
from wattrail.errors import FileError
from wattrail.flasher import Risk, backup_store
from wattrail.flasher.backup_store import BackupStore, BoardHome
from wattrail.flasher.write_image import take_backup
from wattrail.image import recognise

NOBODYS = replace(TARGET_N, rf_blank=True)
"""Like thousands of others: its RF sector is blank."""

BEFORE = random.Random(1).randbytes(NOBODYS.size)
NEW = b"\x22" * 0x1000
AT, CUT = 0x20000, 0x21000


def cut_write(folder: Path) -> BackupStore:
    """A write of two sectors that was cut in the second one."""
    store = BackupStore(folder, ManualClock())
    home = store.new_home(NOBODYS)
    backup = folder / "before.bin"
    backup.write_bytes(BEFORE)
    home.journal.begin(NOBODYS, image="new.bin", sha256="", rf_after=0, backup=backup, simulated=True)
    home.journal.touching({AT: wire_crc(NEW)})
    home.journal.touching({CUT: wire_crc(NEW)})
    home.lock.release()
    return store


def with_sector(flash: bytes, at: int, sector: bytes) -> bytes:
    return flash[:at] + sector + flash[at + len(sector) :]


@pytest.mark.parametrize(
    ("flash", "is_it"),
    [
        pytest.param(with_sector(BEFORE, AT, NEW), True, id="the first sector is written"),
        pytest.param(with_sector(BEFORE, AT, b"\xff" * 0x1000), True, id="the first sector is erased"),
        pytest.param(with_sector(BEFORE, CUT, b"torn" * 0x400), True, id="the second one is torn"),
        pytest.param(BEFORE, False, id="no trace of a cut: another board of the same content"),
        pytest.param(with_sector(BEFORE, AT, b"else" * 0x400), False, id="the first sector holds something else"),
        pytest.param(with_sector(with_sector(BEFORE, AT, NEW), 0, NEW), False, id="what nobody touched differs"),
    ],
)
def test_a_board_without_identity_is_known_by_the_trace_of_its_cut(tmp_path: Path, flash: bytes, is_it: bool) -> None:
    asked: list[tuple[int, int]] = []

    def crc_of(start: int, length: int) -> int:
        asked.append((start, length))
        return wire_crc(flash[start : start + length])

    found = cut_write(tmp_path).unfinished(NOBODYS, crc_of)
    assert (found is not None) == is_it
    assert {(start % 0x1000, length % 0x1000) for start, length in asked} == {(0, 0)}, "a T counts whole blocks only"


def test_one_damaged_crc_does_not_make_it_another_board(tmp_path: Path) -> None:
    flash, damaged = with_sector(BEFORE, AT, NEW), [AT, 0]

    def crc_of(start: int, length: int) -> int:
        if start in damaged:
            damaged.remove(start)
            return 1
        return wire_crc(flash[start : start + length])

    assert cut_write(tmp_path).unfinished(NOBODYS, crc_of) is not None
    assert damaged == []


def test_a_full_folder_of_boards_without_identity_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_store, "MAX_FOLDERS", 2)
    store = cut_write(tmp_path)
    with pytest.raises(FileError, match=r"holds 2 boards without identity") as caught:
        store.new_home(NOBODYS)
    assert caught.value.hint == "move some of them away"


def test_a_board_given_an_rf_block_is_known_by_it_in_the_same_session(tmp_path: Path) -> None:
    stock = board("N").dump
    rf = stock[0x1D0000:0x1D1000]
    desk = Desk(tmp_path, image=with_sector(stock, 0x1D0000, b"\xff" * 0x1000))
    with desk.session() as flasher:
        before = flasher.target
        flasher.write(recognise(rf), start=0x1D0000, allow=[Risk.RF, Risk.UNKNOWN])
        now = flasher.target
        assert (before.has_identity, now.has_identity) == (False, True)
        assert now.board == f"bk7231n-1560eb-{wire_crc(rf):08x}"
        assert (flasher.unfinished, flasher.backups()) == (None, []), "its own folder, which is new"
        (original,) = flasher.originals()
        assert original.path.read_bytes() == desk.before, "the flash from before is what it goes back to"


def test_the_same_flash_of_a_board_without_identity_is_kept_once(tmp_path: Path) -> None:
    """Each session with such a board has a folder of its own: a hundred readings would be a hundred files."""
    taken = []
    for flash in (BEFORE, BEFORE, with_sector(BEFORE, AT, NEW)):
        device = MemoryDevice(flash, NOBODYS)
        home = BoardHome(BackupStore(tmp_path, ManualClock()), device.sink)
        home.find(device.target, device.crc)
        taken.append(take_backup(device, home, None))  # type: ignore[arg-type]
        home.release()
    first, again, other = taken
    assert (first.is_new, again.is_new, other.is_new) == (True, False, True)
    assert again.path == first.path
    assert other.path.read_bytes() != first.path.read_bytes() == BEFORE
