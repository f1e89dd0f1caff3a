"""A process that books three meters under load, and is killed at a moment; what it left is compared with the truth.

The process imports everything once. For each life it forks a child, which opens the database, books from where the
database stands, and writes a line for each reading that is stored. Its parent waits for its death.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.store.rig import START, look
from wattrail.ledger import Entry, Ledger
from wattrail.store import GatewayLock, Store, open_store
from wattrail.store.file_check import require_sound

__all__ = ["METERS", "Killed", "Truth", "check_after", "kill", "victim"]

METERS = ("attic", "barn", "cellar")

_VICTIM = """
import itertools, os, signal, sys, threading
from datetime import timedelta
from tests.store.kill_rig import METERS
from tests.store.rig import START, look, register
from wattrail.ledger import Ledger
from wattrail.store import GatewayLock, Retention, open_store

def live(path):
    lock = GatewayLock(path).__enter__()  # as the gateway opens it: with the journal of readings
    store = open_store(path, lock=lock)
    store._writer._connection.execute("PRAGMA wal_autocheckpoint = 40")  # folded into the file many times in a life
    ids = {name: register(store, name) for name in METERS}

    def book(name):
        meter_id = ids[name]
        ledger = store.ledger(meter_id) or Ledger(store.meter(name).epoch)
        last = store.latest(meter_id)
        first = 0 if last is None else round((last.at - START).total_seconds()) + 1
        for second in itertools.count(first):
            reading, seen = look(second)
            store.append_all([(meter_id, reading, seen, ledger.observe(seen))])
            os.write(1, f"{name} {second}\\n".encode())

    def forget():
        while True:
            store.purge(Retention(readings=timedelta(seconds=150)))

    threads = [threading.Thread(target=book, args=(name,)) for name in METERS] + [threading.Thread(target=forget)]
    for thread in threads:
        thread.start()

for line in sys.stdin:
    child = os.fork()
    if not child:
        live(line.strip())
        signal.pause()
    os.write(1, f"born {child}\\n".encode())
    os.waitpid(child, 0)
    os.write(1, b"dead\\n")
"""


@dataclass
class Truth:
    """Each meter as it would be had nobody died: the ledger, its entries, and the seconds so far."""

    ledgers: dict[str, Ledger] = field(default_factory=dict)
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    seconds: dict[str, int] = field(default_factory=dict)

    def until(self, name: str, second: int, store: Store) -> list[Entry]:
        """The entries of a meter after that second."""
        row = store.meter(name)
        assert row is not None
        ledger = self.ledgers.setdefault(name, Ledger(row.epoch))
        entries = self.entries.setdefault(name, [])
        for each in range(self.seconds.get(name, -1) + 1, second + 1):
            entries += ledger.observe(look(each)[1])
        self.seconds[name] = second
        return entries


@dataclass
class Killed:
    """What was seen of a number of lives."""

    lives: int = 0
    acknowledged: int = 0
    beyond: int = 0
    """Readings that were stored and not yet acknowledged."""
    entries: int = 0


class Victim:
    """The process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _VICTIM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip

    def live_and_die(self, path: Path, lines: int) -> dict[str, int]:
        """One life, which ends after so many acknowledgements; the last second that was acknowledged of each meter."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        acknowledged: dict[str, int] = {}
        child, count = 0, 0
        for line in self._process.stdout:
            word, *rest = line.split()
            if word == "dead":
                return acknowledged
            if word == "born":
                child = int(rest[0])
            else:
                acknowledged[word] = int(rest[0])
                count += 1
            if child and count >= lines:
                os.kill(child, signal.SIGKILL)
                child, lines = 0, sys.maxsize
        raise AssertionError("the process ended by itself")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def victim() -> Iterator[Victim]:
    """The process, until the end of the block."""
    with Victim() as process:
        yield process


def check_after(path: Path, acknowledged: dict[str, int], truth: Truth, killed: Killed) -> None:
    """Compare what stands in the file with what was acknowledged, and with the truth."""
    with GatewayLock(path) as lock, open_store(path, lock=lock) as store:
        for name in METERS:
            row = store.meter(name)
            if row is None:
                assert name not in acknowledged
                continue
            kept = store.latest(row.id)
            if kept is None:
                assert name not in acknowledged
                continue
            second = round((kept.at - START).total_seconds())
            assert second >= acknowledged.get(name, -1), f"{name}: an acknowledged reading is missing"
            before = truth.seconds.get(name, -1)
            killed.acknowledged += max(0, acknowledged.get(name, before) - before)
            killed.beyond += second - max(before, acknowledged.get(name, before))
            assert list(store.entries(row.id)) == truth.until(name, second, store), f"{name}: another account"
            again = store.ledger(row.id)
            assert again is not None
            assert again.totals() == truth.ledgers[name].totals(), f"{name}: another energy"
            killed.entries = sum(map(len, truth.entries.values()))
    require_sound(path)
    killed.lives += 1


def kill(path: Path, lives: int, *, seed: int) -> Killed:
    """So many lives of one database, each ended at a moment of its own. Raises AssertionError."""
    chance, truth, killed = random.Random(seed), Truth(), Killed()
    with victim() as process:
        for _ in range(lives):
            lines = chance.choice([0, 1, chance.randrange(10), chance.randrange(400)])
            check_after(path, process.live_and_die(path, lines), truth, killed)
    return killed
