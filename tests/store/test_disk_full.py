"""The disk is full in every phase of a database's life: nothing is damaged, and the step succeeds once there is room.

A limit on the size of files (RLIMIT_FSIZE) makes every growth of a file fail, without root and on any disk.
"""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.store.rig import live_through, look, register
from wattrail.errors import StoreError, StoreUnavailable
from wattrail.store import Retention, open_store
from wattrail.store.backup import back_up
from wattrail.store.file_check import file_findings, open_file, require_sound
from wattrail.store.restore import restore
from wattrail.store.vacuum import vacuum

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 11, 29, 13, tzinfo=UTC)


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may become larger than this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def ten_minutes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("house") / "w.sqlite"
    with open_store(path) as store:
        live_through(store, register(store), range(600))
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, ten_minutes: bytes) -> Path:
    path = tmp_path / "w.sqlite"
    path.write_bytes(ten_minutes)
    return path


def is_whole(path: Path) -> bool:
    with open_file(path) as connection:
        return file_findings(connection, path) == ()


@pytest.mark.parametrize("size", [0, 1024, 4096, 20_000])
def test_a_new_database_without_room_is_made_once_there_is_some(tmp_path: Path, size: int) -> None:
    path = tmp_path / "new.sqlite"
    with room_for(size), pytest.raises(StoreError):
        open_store(path)
    with open_store(path) as store:
        live_through(store, register(store), range(70))
    assert is_whole(path)


@pytest.mark.parametrize("size", [0, 30_000, 60_000, 90_000])
def test_an_old_database_without_room_stays_or_is_brought_up_to_date(tmp_path: Path, size: int) -> None:
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FIXTURES / "version_0003.sql").read_text(encoding="utf-8"))
    with room_for(size), suppress(StoreError):
        open_store(path).close()
    with open_store(path) as store:
        assert len(store.entries(1)) == 4
    assert is_whole(path)


def test_booking_fails_at_any_size_of_the_log_and_goes_on_in_order(path: Path) -> None:
    """From no room at all upwards: each try stores some readings, then one is refused, and none is half there."""
    with open_store(path) as store:
        ledger = store.ledger(1)
        assert ledger is not None
        second = 600
        waiting = []
        for size in range(4096, 160_000, 6_000):
            with room_for(size):
                for _ in range(20):
                    reading, seen = look(second)
                    waiting.append((1, reading, seen, ledger.observe(seen)))
                    second += 1
                    with suppress(StoreUnavailable):
                        store.append_all(waiting, wait_s=0)
                        waiting.clear()
        store.append_all(waiting)
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM reading").fetchone()
    assert count == second
    assert is_whole(path)


STEPS: dict[str, Callable[[Path, Path], object]] = {
    "backup": lambda path, other: back_up(path, other, pause=lambda _s: None),
    "restore": lambda path, other: restore(other.with_name("good.sqlite"), path, at=NOW),
    "vacuum": lambda path, _other: vacuum(path),
    "purge": lambda path, _other: _purge(path),
}


def _purge(path: Path) -> None:
    with open_store(path) as store:
        store.purge(Retention(readings=timedelta(seconds=1)))


@pytest.mark.parametrize("size", [0, 8_192, 30_000])
@pytest.mark.parametrize("step", STEPS)
def test_a_verb_without_room_changes_nothing_and_succeeds_later(
    path: Path, tmp_path: Path, step: str, size: int
) -> None:
    back_up(path, tmp_path / "good.sqlite", pause=lambda _s: None)
    readings = require_sound(path).meters[0].entries
    with room_for(size), suppress(StoreError):
        STEPS[step](path, tmp_path / "b.sqlite")
    assert require_sound(path).meters[0].entries == readings
    assert is_whole(path)
    assert not [file.name for file in tmp_path.iterdir() if "part" in file.name or "restoring" in file.name]
    (tmp_path / "b.sqlite").unlink(missing_ok=True)
    STEPS[step](path, tmp_path / "b.sqlite")
    assert is_whole(path)
