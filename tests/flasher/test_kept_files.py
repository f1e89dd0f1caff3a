"""Files between processes: what is kept of a board holds that board, and nothing of anybody's is replaced."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flasher.desk import Desk, board, known_image, over
from wattrail.errors import FileError, TargetError, VerifyError, WriteRefused
from wattrail.exclusive_file import FileLock, PartFile, port_lock
from wattrail.flasher import Note, Progress
from wattrail.flasher.backup_store import BoardFolder

HOLDER = """
import sys
from pathlib import Path
from wattrail.exclusive_file import FileLock
FileLock(Path(sys.argv[1]), "it").acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_of_another_process_holds_until_that_one_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(FileError, match=f"it is in use by process {holder.pid}"):
            FileLock(path, "it").acquire()
        holder.kill()
        holder.wait(60)
        lock = FileLock(path, "it")
        lock.acquire()
        lock.release()
    assert not path.exists()


def test_without_locks_of_the_system_a_dead_processs_lock_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_FCNTL", None), ("_MSVCRT", None), ("_HAS_LOCKS", False)):
        monkeypatch.setattr(f"wattrail.exclusive_file.{name}", value)
    path = tmp_path / "a.lock"
    first = FileLock(path, "it")
    first.acquire()
    with pytest.raises(FileError, match=f"in use by process {os.getpid()}"):
        FileLock(path, "it").acquire()
    first.release()
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait(60)
    path.write_text(f"{gone.pid}\n")
    second = FileLock(path, "it")
    second.acquire()
    second.release()
    assert not path.exists()


def test_a_port_has_one_lock_under_one_name() -> None:
    first = port_lock("serial:///dev/of-this-test")
    first.acquire()
    with pytest.raises(FileError, match="the port serial:///dev/of-this-test is in use"):
        port_lock("serial:///dev/of-this-test").acquire()
    first.release()


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    desk, path = Desk(tmp_path / "boards"), tmp_path / "dump.bin"

    def appear(event: object) -> None:
        if isinstance(event, Progress) and event.done > 0x100000 and not path.exists():
            path.write_bytes(b"somebody's")

    with desk.session() as flasher:
        flasher._state._listener = appear
        with pytest.raises(WriteRefused, match=r"dump\.bin exists already"):
            flasher.backup(path)
    assert path.read_bytes() == b"somebody's"
    assert (tmp_path / "dump.bin.part").read_bytes() == desk.before, "what was read is not lost"


def test_two_that_read_into_one_file_do_not_mix(tmp_path: Path) -> None:
    one, other = Desk(tmp_path / "1"), Desk(tmp_path / "2", image=board("N", 2).dump)
    path = tmp_path / "dump.bin"
    busy = pytest.raises(FileError, match=r"dump\.bin\.part is in use by process")
    with PartFile(tmp_path / "dump.bin.part"), other.session() as flasher, busy:
        flasher.backup(path)
    with one.session() as flasher:
        flasher.backup(path)
    assert path.read_bytes() == one.before


@pytest.mark.parametrize("what", ["pipe", "link", "folder", "device"])
def test_what_is_not_a_regular_file_is_not_written_to(tmp_path: Path, what: str) -> None:
    desk, part, mine = Desk(tmp_path / "boards"), tmp_path / "dump.bin.part", tmp_path / "mine"
    mine.write_bytes(b"mine")
    match what:
        case "pipe":
            os.mkfifo(part)
        case "link":
            part.symlink_to(mine)
        case "folder":
            part.mkdir()
        case "device":
            part.symlink_to("/dev/zero")
    with desk.session() as flasher, pytest.raises(FileError, match="is not a regular file"):
        flasher.backup(tmp_path / "dump.bin")
    assert mine.read_bytes() == b"mine"


def test_a_part_that_has_its_final_name_already_is_not_written_to_again(tmp_path: Path) -> None:
    """A process was killed between giving the name and removing the other one."""
    done, part = tmp_path / "done.bin", tmp_path / "dump.bin.part"
    done.write_bytes(b"whole")
    part.hardlink_to(done)
    with PartFile(part) as file:
        assert file.begun == b""
        file.put(0, b"x")
    assert done.read_bytes() == b"whole"


def test_a_file_system_without_links_gets_a_whole_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    desk, path = Desk(tmp_path / "boards"), tmp_path / "dump.bin"
    with desk.session() as flasher:
        flasher.backup(path)
    assert path.read_bytes() == desk.before
    with PartFile(tmp_path / "b.part") as part:
        part.put(0, b"other")
        with pytest.raises(WriteRefused, match="exists already"):
            part.publish(path, b"other")
    assert path.read_bytes() == desk.before


def test_a_disk_that_garbles_what_is_written_is_noticed(tmp_path: Path) -> None:
    with PartFile(tmp_path / "a.part") as part:
        part.put(0, b"right")
        (tmp_path / "a.part").write_bytes(b"wrong")
        with pytest.raises(FileError, match="does not hold what was written to it"):
            part.publish(tmp_path / "a.bin", b"right")
    assert not (tmp_path / "a.bin").exists()


def test_a_full_disk_in_a_cache_does_not_make_a_proven_write_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(BoardFolder, "remember", full)
    desk, image = Desk(tmp_path), known_image()
    report = desk.write(image)
    assert desk.flash == over(desk.before, image)
    assert report.touched
    assert any("No space left on device" in note.words for note in desk.events_of(Note))


@pytest.mark.parametrize("what", ["journal.done", "backups.note"])
def test_a_full_disk_after_the_proof_is_said_and_decides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    module, name = {
        "journal.done": ("journal.Journal", "done"),
        "backups.note": ("backups.BackupCatalog", "note"),
    }[what]
    monkeypatch.setattr(f"wattrail.flasher.{module}.{name}", full)
    desk, image = Desk(tmp_path), known_image()
    assert desk.write(image).touched
    assert any("No space left on device" in note.words for note in desk.events_of(Note))
    monkeypatch.undo()
    with desk.session() as flasher:
        assert (flasher.unfinished is not None) == (what == "journal.done"), "doubt is said rather than forgotten"
        assert [kept.path.read_bytes() for kept in flasher.originals()] == [desk.before]


def test_a_cache_that_is_a_pipe_or_garbage_costs_time_only(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write(known_image())
    (cache,) = tmp_path.rglob("last-written.bin")
    for spoil in (lambda: os.mkfifo(cache), lambda: cache.write_bytes(random.Random(1).randbytes(99))):
        cache.unlink()
        spoil()
        with desk.session() as flasher:
            assert flasher.backup().data == desk.flash


def test_the_first_content_is_what_a_board_is_taken_back_to(tmp_path: Path) -> None:
    """Stock, another firmware, the same again: the newest backup is then the other firmware."""
    desk = Desk(tmp_path)
    for seed in (2, 2, 3):
        desk.write(known_image(seed=seed))
    with desk.session() as flasher:
        (original,) = flasher.originals()
        assert original.path.read_bytes() == desk.before
        assert flasher.kept_backups()[0] == original.path
        assert len(flasher.backups()) == 2, "the write that changed nothing has kept nothing"


def test_a_backup_elsewhere_is_listed_after_a_cut_in_the_list_too(tmp_path: Path) -> None:
    desk, elsewhere = Desk(tmp_path / "boards"), tmp_path / "first.bin"
    with desk.session() as flasher:
        folder = desk.folder / flasher.target.board
        folder.mkdir(parents=True)
        (folder / "backups.jsonl").write_bytes(b'{"file": "backup-2026')  # the power went in the midst of a line
        flasher.write(known_image(), backup=elsewhere)
        assert [(kept.path, kept.origin) for kept in flasher.backups()] == [(elsewhere, "original")]


def test_a_write_that_changes_nothing_leaves_no_files(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.session() as flasher:
        image = flasher.read_image()
        report = flasher.restore(image)
    assert (report.touched, report.backup) == (0, None)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_content_that_is_kept_already_is_not_kept_twice(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write(known_image(seed=2))
    with desk.session() as flasher:
        first = flasher.backup()
        again = flasher.backup()
    assert (first.path, first.is_new, again.is_new) == (again.path, True, False)


def without_rf(seed: int) -> bytes:
    flash = bytearray(board("N", seed).dump)
    flash[0x1D0000:0x1D1000] = b"\xff" * 0x1000
    flash[0x1D1000:0x1D2000] = random.Random(seed).randbytes(0x1000)
    return bytes(flash)


def put_another_on_the_wires(desk: Desk, other: bytes) -> None:
    """Somebody takes the board away in the middle of a session, and connects the next one."""
    desk.twin.flash.data[:] = other
    desk.twin.faults.brown_out()


@pytest.mark.parametrize("what", ["reading", "writing"])
def test_a_board_without_rf_block_swapped_on_the_wires_is_not_written(tmp_path: Path, what: str) -> None:
    """Blank RF sectors are all the same: before, any board without one passed for the first."""
    desk, other = Desk(tmp_path, image=without_rf(1)), without_rf(2)
    hear = desk._hear
    done: list[int] = []

    def change(event: object) -> None:
        hear(event)  # type: ignore[arg-type]
        if isinstance(event, Progress) and event.what == what and event.done > 0x30000 and not done:
            done.append(event.done)
            put_another_on_the_wires(desk, other)

    desk._hear = change  # type: ignore[method-assign]
    with (
        desk.session() as flasher,
        pytest.raises((TargetError, VerifyError), match=r"another board|is not what was|changed between"),
    ):
        flasher.write(known_image(seed=3))
    touched = [at for at in range(0, len(other), 0x1000) if desk.flash[at : at + 0x1000] != other[at : at + 0x1000]]
    assert touched == []
    assert done


def test_a_board_without_rf_block_survives_a_brown_out_in_its_write(tmp_path: Path) -> None:
    desk, image = Desk(tmp_path, image=without_rf(1)), known_image(seed=3)
    with desk.session() as flasher:
        desk.twin.faults.power_fails_in("page", 300)
        report = flasher.write(image)
    assert report.losses
    assert desk.flash == over(desk.before, image)
