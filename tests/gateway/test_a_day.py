"""A day of a gateway on a manual clock: it holds in the end what it held after the first hours."""

from __future__ import annotations

import gc
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.gateway.rig import Household, StubMeter
from tests.gateway.test_store_unavailable import locked
from wattrail.errors import PortLost
from wattrail.store import Retention
from wattrail.store.file_check import require_sound


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A locked database is not waited for: the clock of this story stands still meanwhile."""
    for room in ("account", "bookkeeping"):
        monkeypatch.setattr(f"wattrail.gateway.{room}.WRITE_WITHIN_S", 0.0)
    monkeypatch.setattr("wattrail.store.sqlite_database._BUSY_S", 0.0)


def test_a_day_with_an_hour_without_the_database_leaks_nothing(tmp_path: Path) -> None:
    """Objects, memory, files and threads after a day are those after its first two hours."""
    house = Household(tmp_path, StubMeter())
    house.start_worker(poll_s=8.0)
    reader = house.feed.subscribe("never reads", max_waiting=50)
    house.run(1.5 * 3600)
    with locked(house.path):
        house.run(600)
    house.run(600)
    before = footprint()
    house.run(10 * 3600)
    with locked(house.path):
        house.run(3600)
    house.meter.trouble.extend([PortLost("cable out")] * 30)
    house.run(10.8 * 3600)
    house.store.purge(Retention(readings=timedelta(hours=1)))
    after = footprint()
    reader.close()
    house.worker.close()
    house.store.close()
    assert (after.files, after.threads) == (before.files, before.threads)
    assert after.objects - before.objects < 2000
    assert after.bytes - before.bytes < 1_000_000
    assert require_sound(house.path)


class Footprint(NamedTuple):
    objects: int
    bytes: int
    files: int
    threads: int


def footprint() -> Footprint:
    """What this process holds."""
    gc.collect()
    kept = gc.get_objects()
    opened = Path("/proc/self/fd")
    files = len(list(opened.iterdir())) if opened.is_dir() else 0
    return Footprint(len(kept), sum(map(sys.getsizeof, kept)), files, threading.active_count())
