"""How long ``wattrail --help`` takes from a cold start, beside an interpreter that does nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

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


def main() -> None:
    took = measure()
    print(f"wattrail --help   {took.help_ms:6.1f} ms   median of {took.runs} cold processes, goal {GOAL_MS:.0f} ms")
    print(f"python -c pass    {took.bare_ms:6.1f} ms")
    print(f"ratio             {took.ratio:6.2f}")


if __name__ == "__main__":
    main()
