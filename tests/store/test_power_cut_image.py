"""The power goes under a real file system: what its disk holds at a moment is copied, repaired and opened.

An ext4 image is mounted, and the store writes into it. What the kernel has given to the disk by then is in the file
behind the mount, and what it has not is in no copy of that file: that is a power cut, of a disk which keeps the order
of its writes. Disks that do not are in ``test_power_cuts``.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.store.rig import look, register
from tests.store.test_power_cuts import check
from wattrail.ledger import Ledger
from wattrail.store import GatewayLock, open_store

SECONDS = 700
PROGRAMS = ("mount", "umount", "mkfs.ext4", "e2fsck")
pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="mounting needs root"),
    pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason="there are no ext4 programs here"),
    pytest.mark.skipif(not Path("/dev/loop-control").exists(), reason="this kernel has no loop devices"),
]


def carry_out(*command: str | Path, fine: tuple[int, ...] = (0,)) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in fine, done


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    at.mkdir()
    carry_out("mount", "-o", "loop", image, at)
    try:
        yield at
    finally:
        carry_out("umount", at)


def disk_now(image: Path, copy: Path) -> None:
    """What is on the disk; two copies that are alike were made while nothing was written."""
    for _ in range(20):
        content = image.read_bytes()
        if content == image.read_bytes():
            copy.write_bytes(content)
            return
    raise AssertionError("the disk is written all the time")


def test_a_power_cut_under_a_file_system_leaves_every_entry(tmp_path: Path) -> None:
    image, chance = tmp_path / "disk", random.Random(20261129)
    moments = set(chance.sample(range(2, SECONDS), 12))
    cuts: list[tuple[Path, int, int]] = []
    with image.open("wb") as file:
        file.truncate(24 << 20)
    carry_out("mkfs.ext4", "-q", "-F", image)
    with mounted(image, tmp_path / "mount") as folder:
        path = folder / "w.sqlite"
        with GatewayLock(path) as lock, open_store(path, lock=lock) as store:
            writer: Any = store._writer
            writer._connection.execute("PRAGMA wal_autocheckpoint = 60")
            meter_id = register(store)
            ledger, booked = Ledger(store.meters()[0].epoch), 0
            for second in range(SECONDS):
                reading, seen = look(second)
                entries = ledger.observe(seen)
                store.append(meter_id, reading, seen, entries)
                booked = entries[-1].sequence if entries else booked
                if second % 97 == 17:
                    carry_out("sync", "-f", folder)  # as the kernel does by itself some tens of seconds after a write
                if second in moments:
                    disk_now(image, tmp_path / f"cut-{second}")
                    cuts.append((tmp_path / f"cut-{second}", second, booked))
    for cut, second, booked in cuts:
        carry_out("e2fsck", "-f", "-p", cut, fine=(0, 1))  # 1: it has played the journal of the file system
        with mounted(cut, tmp_path / f"mount-{second}") as folder:
            check(folder / "w.sqlite", second, booked)
