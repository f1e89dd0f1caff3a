"""The power goes at any moment: of what was not flushed, any part is on the disk. No entry is lost, no page damaged."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.store.recorded_writes import Recorder, is_possible
from tests.store.rig import START, look, never_stopped, register
from wattrail.ledger import Ledger
from wattrail.store import GatewayLock, open_store, open_to_read
from wattrail.store.file_check import require_sound
from wattrail.store.reading_journal import journal_path

pytestmark = pytest.mark.skipif(not is_possible(), reason="Python's sqlite3 has its own libsqlite3 inside")

SECONDS = 700


def test_a_power_cut_at_any_moment_leaves_every_entry_and_no_damage(tmp_path: Path) -> None:
    chance, recorder = random.Random(20261129), Recorder()
    moments = sorted(chance.sample(range(2, SECONDS), 60))
    cuts: list[tuple[Path, int, int]] = []
    path = tmp_path / "w.sqlite"
    recorder.start()
    try:
        with recorder.beside(path), GatewayLock(path) as lock, open_store(path, lock=lock) as store:
            writer: Any = store._writer
            writer._connection.execute("PRAGMA wal_autocheckpoint = 60")  # the log is folded into the file often
            meter_id = register(store)
            ledger, booked = Ledger(store.meters()[0].epoch), 0
            for second in range(SECONDS):
                reading, seen = look(second)
                entries = ledger.observe(seen)
                store.append(meter_id, reading, seen, entries)
                booked = entries[-1].sequence if entries else booked
                if second % 30 == 17:
                    recorder.write_back(journal_path(path))
                if second in moments:
                    folder = tmp_path / f"cut-{second}"
                    recorder.cut(folder, chance)
                    cuts.append((folder / "w.sqlite", second, booked))
    finally:
        recorder.stop()
    assert recorder.flushes > 20
    from_journal = sum(check(cut, second, booked) for cut, second, booked in cuts)
    assert from_journal > 100  # readings after the last entry were on the disk, and were found


def check(path: Path, second: int, booked: int) -> int:
    """What the disk has after a cut: whole, with every entry that was stored; and it counts on to the same energy.

    Returns how many readings it has since the last entry.
    """
    with open_to_read(path) as reader:
        seen = reader.readings_page(1, START, START + timedelta(days=1), None, SECONDS)
    with GatewayLock(path) as lock, open_store(path, lock=lock) as store:
        ledger = store.ledger(1)
        assert ledger is not None
        assert store.entries(1)[-1].sequence >= booked, f"cut at {second}: an entry is missing"
        last = store.latest(1)
        assert last is not None
        kept = round((last.at - START).total_seconds())
        entries, whole = never_stopped(range(kept + 1), epoch_of=store)
        assert list(store.entries(1)) == entries
        assert ledger.totals() == whole.totals()
        assert len(seen) == kept + 1  # none is missing between others, whoever reads
        since_entry = kept + 1 - sum(entry.readings for entry in entries)
    require_sound(path)
    return since_entry


def test_the_recorder_would_see_a_store_that_does_not_flush(tmp_path: Path) -> None:
    """The same story with flushes left out loses entries: the recorder proves something."""
    chance, recorder = random.Random(5), Recorder()
    recorder.start()
    try:
        with open_store(tmp_path / "w.sqlite") as store:  # without a journal
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
