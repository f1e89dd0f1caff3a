"""Files in a LittleFS inside a dump: written by the reference implementation, read out of flash."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import pytest
from littlefs import LittleFS

from tests.image.boards import Board
from wattrail.image import stored_files
from wattrail.image.stored_files import find_file_systems

START = 0x1C8000
"""Where OpenBeken for N keeps 32 KiB of files: before the end of the area of updates."""

SCRIPT = b"startDriver BL0942\nsetChannelType 1 Power\n"


def file_system(blocks: int = 8, files: dict[str, bytes] | None = None) -> bytes:
    system = LittleFS(block_size=4096, block_count=blocks)
    system.mkdir("pages")
    for path, data in (files or {"autoexec.bat": SCRIPT, "pages/long.txt": b"text " * 2000}).items():
        with system.open(path, "wb") as file:
            file.write(data)
    return bytes(system.context.buffer)


def put(flash: bytes, at: int, data: bytes) -> bytes:
    return flash[:at] + data + flash[at + len(data) :]


def test_files_are_found_by_content_and_read(n: Board) -> None:
    (system,) = find_file_systems(put(n.dump, START, file_system()))
    assert (system.start, system.length, system.version) == (START, 0x8000, "2.1")
    assert {file.path: file.data for file in system.files} == {
        "/autoexec.bat": SCRIPT,
        "/pages": None,
        "/pages/long.txt": b"text " * 2000,
    }
    assert not system.problems


def test_what_openbekens_own_file_system_wrote_is_read() -> None:
    written = (Path(__file__).parent.parent / "captures/openbeken-littlefs.txt").read_text()
    (system,) = find_file_systems(b"\xff" * 4096 + zlib.decompress(base64.b64decode(written)), 0x1BF000)
    assert (system.start, system.length, system.version, system.problems) == (0x1C0000, 0x10000, "2.0", ())
    assert {file.path: file.data for file in system.files} == {
        "/autoexec.bat": SCRIPT,
        "/log.txt": b"one line of a log that grows\n" * 40,
        "/pages": None,
        "/pages/big.htm": b"0123456789abcdef" * 400,
    }


def test_a_file_system_that_is_cut_short_says_so() -> None:
    (system,) = find_file_systems(file_system()[: 7 * 4096])
    assert system.files[0].data == SCRIPT
    assert [problem.what for problem in system.problems] == ["4096 of its 32768 bytes are not here"]


def test_a_file_system_without_its_folders_is_damaged() -> None:
    (system,) = find_file_systems(file_system()[: 4 * 4096])
    assert system.files == ()
    assert "the file system is damaged" in str(system.problems[1])


def test_a_damaged_superblock_is_a_problem_and_no_crash() -> None:
    data = bytearray(file_system())
    for block in (0, 1):
        data[block * 4096 + 60 : block * 4096 + 4096] = b"\x55" * 4036
        data[block * 4096 + 44 : block * 4096 + 60] = b"\0" * 16
    (system,) = find_file_systems(bytes(data))
    assert system.files == ()
    assert "the file system is damaged" in str(system.problems[0])


def test_four_letters_in_code_are_not_a_file_system() -> None:
    assert find_file_systems(b"\0" * 4096 + b"littlefs" * 512) == ()
    assert find_file_systems(bytes(8) + b"littlefs" + b"\xff" * 4080) == ()


def test_reading_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_files, "MAX_READS", 5)
    (system,) = find_file_systems(file_system())
    assert "given up after 5 reads" in str(system.problems[-1])


def test_no_more_is_read_than_the_limits_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_files, "MAX_FILES", 3)
    monkeypatch.setattr(stored_files, "MAX_FILE", 100)
    (system,) = find_file_systems(file_system(32, {f"file{i}": b"x" * 500 for i in range(9)}))
    assert len(system.files) == 3
    assert {len(file.data or b"") for file in system.files if not file.is_folder} == {100}
