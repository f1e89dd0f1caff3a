"""The power goes at any moment: of what was not flushed, any part is on the disk. No entry is lost, no page damaged."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.store.recorded_writes import Recorder, is_possible
from tests.store.rig import START, look, never_stopped, register
from wattrail.ledger import Ledger
from wattrail.store import open_store
from wattrail.store.file_check import require_sound

pytestmark = pytest.mark.skipif(not is_possible(), reason="Python's sqlite3 has its own libsqlite3 inside")

SECONDS = 700


def test_a_power_cut_at_any_moment_leaves_every_entry_and_no_damage(tmp_path: Path) -> None:
    chance, recorder = random.Random(20261129), Recorder()
    moments = sorted(chance.sample(range(2, SECONDS), 60))
    cuts: list[tuple[Path, int, int]] = []
    recorder.start()
    try:
        with open_store(tmp_path / "w.sqlite") as store:
            writer: Any = store._writer
            writer._connection.execute("PRAGMA wal_autocheckpoint = 60")  # the log is folded into the file often
            meter_id = register(store)
            ledger, booked = Ledger(store.meters()[0].epoch), 0
            for second in range(SECONDS):
                reading, seen = look(second)
                entries = ledger.observe(seen)
                store.append(meter_id, reading, seen, entries)
                booked = entries[-1].sequence if entries else booked
                if second in moments:
                    folder = tmp_path / f"cut-{second}"
                    recorder.cut(folder, chance)
                    cuts.append((folder / "w.sqlite", second, booked))
    finally:
        recorder.stop()
    assert recorder.flushes > 20
    for path, second, booked in cuts:
        check(path, second, booked)


def check(path: Path, second: int, booked: int) -> None:
    """What the disk has after a cut: whole, with every entry that was stored; and it counts on to the same energy."""
    with open_store(path) as store:
        ledger = store.ledger(1)
        assert ledger is not None
        assert store.entries(1)[-1].sequence >= booked, f"cut at {second}: an entry is missing"
        last = store.latest(1)
        assert last is not None
        kept = round((last.at - START).total_seconds())
        entries, whole = never_stopped(range(kept + 1), epoch_of=store)
        assert list(store.entries(1)) == entries
        assert ledger.totals() == whole.totals()
    require_sound(path)


def test_the_recorder_would_see_a_store_that_does_not_flush(tmp_path: Path) -> None:
    """The same story with flushes left out loses entries: the recorder proves something."""
    chance, recorder = random.Random(5), Recorder()
    recorder.start()
    try:
        with open_store(tmp_path / "w.sqlite") as store:
            meter_id = register(store)
            ledger = Ledger(store.meters()[0].epoch)
            for second in range(200):
                reading, seen = look(second)
                store.append_all([(meter_id, reading, seen, ())])  # no entry: nothing waits for the disk
                ledger.observe(seen)
            recorder.cut(tmp_path / "cut", chance)
    finally:
        recorder.stop()
    with open_store(tmp_path / "cut" / "w.sqlite") as store:
        last = store.latest(1)
        lost = 200 - (0 if last is None else 1 + round((last.at - START).total_seconds()))
    assert lost > 0
