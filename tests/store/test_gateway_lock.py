"""One gateway a database: a second one is refused with the name of the first, and a killed one leaves nothing stale."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.store import GatewayLock, lock_holder, open_store, open_to_read

LONGEST_S = 180.0
HOLD = """
import sys
from wattrail.store import GatewayLock
with GatewayLock(sys.argv[1]) as lock:
    lock.set_address("http://127.0.0.1:8042/")
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder_of(database: DatabaseAddress) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a database until its input ends."""
    command = [sys.executable, "-c", HOLD, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        guard = threading.Timer(LONGEST_S, process.kill)
        guard.start()
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            guard.cancel()
            process.kill()


def test_a_second_gateway_is_refused_with_the_name_of_the_first(address: DatabaseAddress) -> None:
    with holder_of(address) as first:
        with (
            pytest.raises(StoreError, match=f"another gateway uses .*: process {first.pid} on ") as caught,
            GatewayLock(address),
        ):
            pass
        assert "page http://127.0.0.1:8042/" in str(caught.value)
        assert ("database=FILE" if isinstance(address, Path) else "?schema=attic") in str(caught.value.hint)


def test_a_gateway_that_was_killed_leaves_the_database_free(address: DatabaseAddress) -> None:
    with holder_of(address) as first:
        first.send_signal(signal.SIGKILL)
        first.wait(LONGEST_S)
        with GatewayLock(address):
            pass


def test_a_database_is_held_under_each_of_its_names(tmp_path: Path) -> None:
    database, other = tmp_path / "w.sqlite", tmp_path / "link.sqlite"
    other.symlink_to(database)
    with holder_of(database), pytest.raises(StoreError, match="another gateway"), GatewayLock(other):
        pass


def test_whoever_reads_or_states_beside_a_gateway_is_not_refused(address: DatabaseAddress) -> None:
    open_store(address).close()
    with holder_of(address):
        with open_to_read(address) as reader:
            assert reader.meters() == ()
        open_store(address).close()


def test_a_lock_whose_text_is_damaged_still_refuses(tmp_path: Path) -> None:
    database = tmp_path / "w.sqlite"
    with holder_of(database):
        (tmp_path / "w.sqlite.gateway").write_bytes(b"\x1b[31m\xff")
        with pytest.raises(StoreError, match="has not given its name"), GatewayLock(database):
            pass


def test_a_lock_that_is_given_back_can_be_taken_again(address: DatabaseAddress) -> None:
    for _ in range(2):
        with GatewayLock(address):
            pass
    if isinstance(address, Path):
        assert address.with_name(f"{address.name}.gateway").read_bytes() == b""


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(StoreError, match="cannot be made"), GatewayLock(tmp_path / "file" / "w.sqlite"):
        pass


def test_who_holds_a_database_is_seen_without_taking_it(address: DatabaseAddress) -> None:
    open_store(address).close()
    assert lock_holder(address) is None
    with holder_of(address) as first:
        seen = lock_holder(address)
        assert seen is not None
        assert (seen.pid, seen.address) == (first.pid, "http://127.0.0.1:8042/")
        first.send_signal(signal.SIGKILL)
        first.wait(LONGEST_S)
        with GatewayLock(address):  # once the place is free
            pass
    # A database server ends the session of a closed connection in its own time.
    patience = time.monotonic() + LONGEST_S
    while lock_holder(address) is not None:
        assert time.monotonic() < patience


@pytest.mark.parametrize("kind", ["tables", "text", "named"])
def test_nothing_is_left_beside_a_file_of_another_program(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photos.sqlite"
    if kind == "text":
        path.write_text("dear diary, today the meter said nothing")
    else:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE photo (id INTEGER)")
            connection.execute(f"PRAGMA application_id = {7 if kind == 'named' else 0}")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"another program|no database"), GatewayLock(path):
        pass
    assert (list(tmp_path.iterdir()), path.read_bytes()) == ([path], before)


def test_an_empty_file_and_one_without_tables_get_their_lock(tmp_path: Path) -> None:
    (tmp_path / "empty.sqlite").touch()
    with closing(sqlite3.connect(tmp_path / "bare.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 0")
        connection.execute("VACUUM")
    for name in ("empty", "bare"):
        with GatewayLock(tmp_path / f"{name}.sqlite") as lock:
            assert (tmp_path / f"{name}.sqlite.gateway").exists()
            open_store(tmp_path / f"{name}.sqlite", lock=lock).close()
