"""What a process and its children cost, as Linux counts it: processor time, memory, bytes handed to the disk."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cost", "Meter", "Usage", "processes_of"]

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class Usage:
    """So far: processor seconds, and bytes that went to the disk."""

    at: float
    cpu_s: float
    disk_bytes: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Over a stretch of time; memory in megabytes at its end. ``pss`` shares what several processes use."""

    seconds: float
    cpu_s: float
    disk_bytes: int
    rss: float
    pss: float

    @property
    def cores(self) -> float:
        """Of one core."""
        return self.cpu_s / self.seconds


class Meter:
    """Measures a process and all its descendants from now on. Linux only."""

    def __init__(self, process: int) -> None:
        self._processes = processes_of(process)
        self._before = _usage(self._processes)

    def cost(self) -> Cost:
        """Since the beginning."""
        now = _usage(self._processes)
        rss, pss = (sum(_megabytes(one, kind) for one in self._processes) for kind in ("Rss", "Pss"))
        before = self._before
        return Cost(now.at - before.at, now.cpu_s - before.cpu_s, now.disk_bytes - before.disk_bytes, rss, pss)


def processes_of(process: int) -> tuple[int, ...]:
    """A process and its descendants."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int(_stat(int(folder.name))[1])
            except OSError:
                continue  # it has ended meanwhile
    found = [process]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return tuple(found)


def _usage(processes: tuple[int, ...]) -> Usage:
    cpu = sum(int(field) for one in processes for field in _stat(one)[11:13]) / _TICKS
    written = 0
    for one in processes:
        lines = dict(line.split(": ") for line in Path(f"/proc/{one}/io").read_text(encoding="ascii").splitlines())
        written += int(lines["write_bytes"])
    return Usage(time.monotonic(), cpu, written)


def _stat(process: int) -> list[str]:
    """The fields after the name: state, parent, ..., user and system time at 11 and 12."""
    return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()


def _megabytes(process: int, kind: str) -> float:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:")) / 1024
