"""What a meter hands to the system in a day, for the log, the file and the readings beside it.

The process asks the system how many bytes it has written (``/proc/self/io``). That is an upper bound for the disk: what
is written over again before it is flushed reaches it once.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench.table import Row

__all__ = ["mb_a_day", "rows"]

DAY_S: Final = 86_400
BEFORE_MB: Final = {1: 250.0, 100: 191.0}
"""As it was with a transaction for each batch of readings, measured by this module."""
GOAL: Final = 4.0

_WRITER: Final = """
import sys
from datetime import timedelta
from pathlib import Path
from tests.store.rig import START, look, register
from wattrail.ledger import Ledger
from wattrail.store import GatewayLock, open_store

path, meters, seconds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])

def written():
    lines = dict(line.split(": ") for line in open("/proc/self/io").read().splitlines())
    return int(lines["wchar"])

with GatewayLock(path) as lock, open_store(path, lock=lock) as store:
    ids = [register(store, f"m{number}") for number in range(meters)]
    ledgers = {each: Ledger(store.meters()[0].epoch) for each in ids}
    begins = {each: 60 * place // meters for place, each in enumerate(ids)}  # entries do not come in one second
    before = written()
    for second in range(seconds + 60):
        reading, seen = look(second)
        if second == 60:
            before = written()
        store.append_all(
            [(each, reading, seen, ledgers[each].observe(seen)) for each in ids if second >= begins[each]]
        )
print(written() - before)
"""


def mb_a_day(meters: int, seconds: int) -> float:
    """Megabytes that each of some meters writes in a day, read every second."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _WRITER, str(Path(folder) / "w.sqlite"), str(meters), str(seconds)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1], timeout=600
        )
    return int(done.stdout) * DAY_S / seconds / meters / 1e6


def rows(alone_s: int = 4 * 3600, together_s: int = 900) -> list[Row]:
    """One row for a meter that is alone, one for a hundred, each from that many seconds of readings."""
    found = []
    for meters, seconds in ((1, alone_s), (100, together_s)):
        ours, before = mb_a_day(meters, seconds), BEFORE_MB[meters]
        found.append(
            Row(
                f"wear: written for each of {meters} meters in a day, from {seconds // 60} min", f"{ours:.1f} MB",
                f"{before:.0f} MB, a transaction a second", f"{ours / before:.3f}", "a quarter at most",
                ours * GOAL <= before,
            )
        )  # fmt: skip
    return found
