"""A newer program takes over a database, an older one refuses it, and a copy of the state before lies beside it."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.store.test_opening import FIXTURES, TOTALS, pragma
from wattrail.errors import StoreError
from wattrail.ledger import Totals
from wattrail.store import open_store, open_to_read, version_copy
from wattrail.store.schema import migrate, migrations

NEWEST = len(migrations())


def old_database(folder: Path, version: int) -> Path:
    path = folder / "w.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FIXTURES / f"version_{version:04d}.sql").read_text(encoding="utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")
    return path


def copy_of(path: Path, target: int = NEWEST) -> Path:
    return path.with_name(f"{path.name}.before-version-{target}")


def totals(path: Path) -> Totals:
    with open_store(path) as store:
        row = store.meter("house")
        assert row is not None
        ledger = store.ledger(row.id)
        assert ledger is not None
        return ledger.totals()


def migrated(path: Path, *, to: int) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, path, migrations()[:to])


def test_a_database_is_copied_before_it_is_changed(tmp_path: Path) -> None:
    path = old_database(tmp_path, 7)
    path.chmod(0o640)
    assert totals(path) == TOTALS
    copy = copy_of(path)
    assert (pragma(path, "user_version"), pragma(copy, "user_version")) == (NEWEST, 7)
    assert copy.stat().st_mode & 0o777 == 0o640
    with closing(sqlite3.connect(copy)) as old:
        assert old.execute("SELECT count(*) FROM entry").fetchone() == (4,)
    assert not [file.name for file in tmp_path.iterdir() if "unfinished" in file.name]


def test_a_new_database_and_one_of_this_version_are_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "w.sqlite"
    for _ in range(2):
        open_store(path).close()
    assert not copy_of(path).exists()


def test_a_folder_that_cannot_be_synced_does_not_stop_an_upgrade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fsync = old_database(tmp_path, 7), os.fsync

    def refuse_folders(number: int) -> None:
        if stat.S_ISDIR(os.fstat(number).st_mode):  # as CIFS does, which a NAS is mounted by
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(number)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    assert totals(path) == TOTALS
    assert pragma(copy_of(path), "user_version") == 7


def test_only_the_last_two_copies_are_kept(tmp_path: Path) -> None:
    path = old_database(tmp_path, 4)
    for version in (5, 6, 7, 8):
        migrated(path, to=version)
    assert sorted(file.name for file in tmp_path.glob("*.before-*")) == [
        "w.sqlite.before-version-7", "w.sqlite.before-version-8",
    ]  # fmt: skip


def test_the_older_program_refuses_and_names_the_copy_that_it_knows(tmp_path: Path) -> None:
    path = old_database(tmp_path, 7)
    assert totals(path) == TOTALS
    before = path.read_bytes()
    with pytest.raises(
        StoreError, match=f"has schema version {NEWEST}; this program knows versions up to 7"
    ) as refused:
        migrated(path, to=7)
    assert f"cp {copy_of(path)} {path}" in (refused.value.hint or "")
    assert "the copy of schema version 7, without what was stored since" in (refused.value.hint or "")
    assert path.read_bytes() == before

    path.rename(tmp_path / "away")  # as the hint says
    path.write_bytes(copy_of(path).read_bytes())
    migrated(path, to=7)
    assert totals(path) == TOTALS, "and the newer program takes it again"


KILLED_IN_A_MIGRATION = """
import os, sys
from pathlib import Path
from wattrail.store import open_store, schema

schema._AFTER = {**schema._AFTER, int(sys.argv[2]): lambda _cursor: os.kill(os.getpid(), 9)}
open_store(Path(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is of POSIX")
@pytest.mark.parametrize("step", [4, 6, NEWEST])
def test_a_program_killed_in_a_migration_leaves_the_version_before(tmp_path: Path, step: int) -> None:
    path = old_database(tmp_path, 3)
    command = [sys.executable, "-c", KILLED_IN_A_MIGRATION, str(path), str(step)]
    assert subprocess.run(command, timeout=60, check=False).returncode == -signal.SIGKILL
    assert pragma(path, "user_version") == step - 1
    assert totals(path) == TOTALS
    assert pragma(copy_of(path), "user_version") == 3, "the copy is still that of the first attempt"


def test_after_a_way_back_the_next_update_copies_what_is_there_then(tmp_path: Path) -> None:
    path = old_database(tmp_path, 7)
    copy_of(path).write_bytes(b"an older copy")
    open_store(path).close()
    assert pragma(copy_of(path), "user_version") == 7


class _Usage(NamedTuple):
    free: int


def test_without_room_for_a_copy_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old_database(tmp_path, 7)
    monkeypatch.setattr(version_copy.shutil, "disk_usage", lambda _path: _Usage(20_000))
    with pytest.raises(StoreError, match=r"0\.\d MB are needed in .*, 0\.0 MB are free") as refused:
        open_store(path)
    assert "free some space" in (refused.value.hint or "")
    assert pragma(path, "user_version") == 7


def test_a_disk_that_fills_during_the_copy_leaves_no_half_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old_database(tmp_path, 7)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"must be copied to .*before-version-\d+ before this version changes it"):
        open_store(path)
    monkeypatch.undo()
    assert pragma(path, "user_version") == 7
    assert not list(tmp_path.glob("*before*"))
    assert totals(path) == TOTALS


def test_a_reader_of_an_older_program_names_the_copy_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old_database(tmp_path, 8)
    open_store(path).close()
    monkeypatch.setattr("wattrail.store.schema.migrations", lambda: ("",) * 8)
    with pytest.raises(StoreError, match="this program reads version 8") as refused, open_to_read(path):
        pass
    assert str(copy_of(path)) in (refused.value.hint or "")
