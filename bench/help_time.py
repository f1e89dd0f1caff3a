"""How long ``wattrail --help`` takes from a cold start, beside an interpreter that does nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.table import Row, text

GOAL_MS = 150.0


@dataclass(frozen=True, slots=True)
class HelpTime:
    """Medians over the runs, in milliseconds."""

    runs: int
    help_ms: float
    bare_ms: float

    @property
    def ratio(self) -> float:
        """Help over bare."""
        return self.help_ms / self.bare_ms


def measure(runs: int = 15) -> HelpTime:
    """Start both so many times, in turns, each in a process of its own; one start of each warms the disk."""
    help_page, bare = ("-m", "wattrail", "--help"), ("-c", "pass")
    times: dict[tuple[str, ...], list[float]] = {help_page: [], bare: []}
    for _ in range(runs + 1):
        for arguments, taken in times.items():
            taken.append(_once(arguments))
    return HelpTime(runs, median(times[help_page][1:]), median(times[bare][1:]))


def _once(arguments: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1e3


def rows() -> list[Row]:
    took = measure()
    return [
        Row(
            "`wattrail --help`, cold process",
            f"{took.help_ms:.0f} ms",
            f"{took.bare_ms:.0f} ms, `python -c pass`",
            f"{took.ratio:.1f}",
            f"under {GOAL_MS:.0f} ms",
            took.help_ms < GOAL_MS,
        )
    ]


if __name__ == "__main__":
    print(text(rows()))
