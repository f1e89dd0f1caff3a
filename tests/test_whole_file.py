"""Files that appear under their name whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from wattrail.whole_file import whole_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "house.toml").write_text("before", encoding="utf-8")
    return tmp_path / "house.toml"


def test_a_file_has_its_new_content_when_the_block_ends(path: Path) -> None:
    with whole_file(path, replace=True) as file:
        file.write(b"after")
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("ends_by", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_what_stood_there_and_nothing_beside(path: Path, ends_by: type[BaseException]) -> None:
    def write_half() -> None:
        with whole_file(path, replace=True) as file:
            file.write(b"half")
            raise ends_by

    with pytest.raises(ends_by):
        write_half()
    assert path.read_bytes() == b"before"
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_came_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    if not has_links:
        monkeypatch.setattr(os, "link", _refuse(errno.EPERM))
    path = tmp_path / "dump.bin"

    def write_late() -> None:
        with whole_file(path, replace=False):
            path.write_bytes(b"theirs")

    with pytest.raises(FileExistsError):
        write_late()
    assert path.read_bytes() == b"theirs"
    assert [*tmp_path.iterdir()] == [path]


def test_without_links_a_file_gets_its_name_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", _refuse(errno.EPERM))
    with whole_file(tmp_path / "dump.bin", replace=False) as file:
        file.write(b"ours")
    assert (tmp_path / "dump.bin").read_bytes() == b"ours"
    assert [one.name for one in tmp_path.iterdir()] == ["dump.bin"]


def test_of_two_writers_at_once_each_makes_a_whole_file(path: Path) -> None:
    with whole_file(path, replace=True) as first, whole_file(path, replace=True) as second:
        first.write(b"first")
        second.write(b"second")
    assert path.read_bytes() == b"first"
    assert [*path.parent.iterdir()] == [path]


def test_nobody_else_can_read_a_private_file_while_it_is_written(tmp_path: Path) -> None:
    with whole_file(tmp_path / "secrets", replace=True, mode=0o600):
        (beside,) = tmp_path.iterdir()
        assert stat.S_IMODE(beside.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o600


def test_its_content_is_on_the_disk_before_the_name_and_the_name_after(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[tuple[bool, bytes]] = []
    fsync = os.fsync

    def note(number: int) -> None:
        flushed.append((stat.S_ISDIR(os.fstat(number).st_mode), path.read_bytes()))
        fsync(number)

    monkeypatch.setattr(os, "fsync", note)
    with whole_file(path, replace=True) as file:
        file.write(b"after")
    assert flushed == [(False, b"before"), (True, b"after")]


@pytest.mark.parametrize(("number", "is_hidden"), [(errno.EINVAL, True), (errno.EIO, False), (errno.ENOSPC, False)])
def test_an_unflushable_folder_is_not_an_error_but_a_bad_disk_is(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_hidden: bool
) -> None:
    fsync = os.fsync

    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    if is_hidden:
        with whole_file(path, replace=True) as file:
            file.write(b"after")
    else:
        with pytest.raises(OSError, match=os.strerror(number)), whole_file(path, replace=True) as file:
            file.write(b"after")
    assert path.read_bytes() == b"after"


def _refuse(number: int) -> object:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse
