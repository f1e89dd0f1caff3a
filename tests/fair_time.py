"""How long something took, less what other programs took of the processors meanwhile: limits that a busy machine keeps.

A process beside the one under test calculates for a moment, rests, and calculates again. Alone on a processor it needs
as much time as processor time; where others want the processor as well it needs more, and so does whatever is tried at
that moment. On a machine that does nothing else the share is one, and a limit is as strict as it reads.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["FairTime", "fair_time"]

_CALCULATE = """
import select, sys, time
print(flush=True)
wall = processor = 0.0
while True:
    began, used = time.monotonic(), time.process_time()
    while time.process_time() - used < 0.01:
        pass
    wall += time.monotonic() - began
    processor += time.process_time() - used
    if select.select([sys.stdin], [], [], 0.04)[0]:
        break
print(processor / wall)
"""


MIN_SHARE = 0.25
"""However busy the machine is: what blocks for ever, or for half a minute, is not excused by it."""


@dataclass
class FairTime:
    """What a block took: ``elapsed_s`` by the clock, and the ``share`` of a processor that was to be had meanwhile."""

    elapsed_s: float = 0.0
    share: float = 1.0

    @property
    def seconds(self) -> float:
        """Seconds that it would have taken alone on the machine, at a quarter of ``elapsed_s`` the least."""
        return self.elapsed_s * self.share


@contextmanager
def fair_time() -> Iterator[FairTime]:
    """Measure a block; the answer is complete once it is left."""
    with subprocess.Popen(
        [sys.executable, "-S", "-c", _CALCULATE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as beside:
        assert beside.stdin is not None
        assert beside.stdout is not None
        beside.stdout.readline()
        taken, began = FairTime(), time.monotonic()
        try:
            yield taken
        finally:
            taken.elapsed_s = time.monotonic() - began
            beside.stdin.close()
            taken.share = max(MIN_SHARE, min(1.0, float(beside.stdout.readline())))
