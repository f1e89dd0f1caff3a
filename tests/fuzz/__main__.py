"""Run fuzz targets for longer: ``make fuzz ARGS="image chip --seconds 60 --seed 2"``; without names, all of them.

``--again FILE`` runs one target on an input that was kept.
"""

# ruff: noqa: T201 - a program for people

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.runner import FOLDER, run
from tests.fuzz.targets import TARGETS


def main(words: Sequence[str] | None = None, *, folder: Path = FOLDER) -> int:
    """The exit code: 0 if every promise was kept, 1 if one was broken, 2 for a command line that makes no sense."""
    asked = _asked(words)
    if asked.again is not None:
        (name,) = asked.targets
        TARGETS[name].function(bytes.fromhex(asked.again.read_text(encoding="ascii")))
        print(f"{name} keeps its promise for {asked.again}")
        return 0
    broken = 0
    for name in asked.targets or TARGETS:
        outcome = run(name, seconds=asked.seconds, seed=asked.seed, folder=folder)
        rate = outcome.executions / max(outcome.seconds, 1e-9)
        print(
            f"{name:<11} {outcome.executions:>9,} executions, {rate:>7,.0f} a second, the slowest "
            f"{outcome.slowest_s * 1000:,.0f} ms",
            flush=True,
        )
        if outcome.found is not None:
            print(f"{outcome.trace}\n{name} breaks its promise: the input is in {outcome.found}", flush=True)
            broken += 1
    return 1 if broken else 0


def _asked(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description="Decoders under damaged bytes.")
    parser.add_argument("targets", nargs="*", metavar="target", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each target (10)")
    parser.add_argument("--seed", type=int, default=0, help="another one tries other inputs (0)")
    parser.add_argument("--again", type=Path, metavar="FILE", help="one kept input, with one target")
    asked = parser.parse_args(words)
    if unknown := [name for name in asked.targets if name not in TARGETS]:
        parser.error(f"no target {', '.join(unknown)}; known: {', '.join(TARGETS)}")
    if asked.again is not None and len(asked.targets) != 1:
        parser.error("--again needs the one target that the input is for")
    return asked


if __name__ == "__main__":
    sys.exit(main())
