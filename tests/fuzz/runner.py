"""One target for a while: executions counted, the first input that breaks the promise kept, a hang ended.

An execution that takes longer than ``HANG_S``, or needs ``MEMORY`` more than all before it, breaks the promise too.
"""

from __future__ import annotations

import faulthandler
import hashlib
import os
import random
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fuzz.inputs import draw
from tests.fuzz.targets import TARGETS

__all__ = ["FOLDER", "HANG_S", "Outcome", "run"]

FOLDER: Final = Path(__file__).parents[2] / "build" / "fuzz"
HANG_S: Final = 20.0
MEMORY: Final = 512 << 20
WARM: Final = 50
"""Executions after which what a target keeps (tables, caches) is there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How often a target ran, for how many seconds; where the input that broke it lies, and what it broke."""

    executions: int
    seconds: float
    slowest_s: float
    found: Path | None = None
    trace: str = ""


def run(name: str, *, seconds: float, seed: int, folder: Path = FOLDER) -> Outcome:
    """Run a target for so long, or until its promise is broken."""
    target, chance = TARGETS[name], random.Random(f"{name} {seed}")
    seeds = target.seeds()
    began, slowest, count, memory = time.monotonic(), 0.0, 0, 0
    while (now := time.monotonic()) - began < seconds:
        data = draw(target, seeds, chance)
        try:
            with _Watchdog(name, data, folder):
                target.function(data)
            slowest = max(slowest, time.monotonic() - now)
            memory = _judge_memory(memory, settled=count > WARM)
        except Exception:
            return Outcome(count + 1, now - began, slowest, _keep(name, data, folder), traceback.format_exc())
        count += 1
    return Outcome(count, time.monotonic() - began, slowest)


def _judge_memory(before: int, *, settled: bool) -> int:
    now = _peak_bytes()
    assert not settled or now - before <= MEMORY, f"{(now - before) >> 20} MiB more than anything before it"
    return now


def _peak_bytes() -> int:
    """The most memory this process has had; 0 where the system does not tell."""
    try:
        import resource
    except ModuleNotFoundError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _keep(name: str, data: bytes, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}.hex"
    path.write_text(data.hex() + "\n", encoding="ascii")
    return path


class _Watchdog:
    """Ends the process with the input kept if an execution hangs: a loop without end cannot be known otherwise."""

    def __init__(self, name: str, data: bytes, folder: Path) -> None:
        self._timer = threading.Timer(HANG_S, self._bark, (name, data, folder))
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    @staticmethod
    def _bark(name: str, data: bytes, folder: Path) -> None:
        sys.stderr.write(f"{name}: no end after {HANG_S:g} s; the input is in {_keep(name, data, folder)}\n")
        faulthandler.dump_traceback()
        os._exit(1)
