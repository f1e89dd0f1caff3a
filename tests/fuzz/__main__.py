"""Run fuzz targets for longer: ``make fuzz ARGS="image chip --seconds 60 --seed 2"``; without names, all of them.

Every run tries other inputs and prints its seed; ``--seed`` with that number repeats it. ``properties`` is the target
of all property tests of the suite, under fresh examples. ``--again FILE`` runs one target on an input that was kept.
"""

# ruff: noqa: T201 - a program for people

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.fuzz.runner import FOLDER, run
from tests.fuzz.targets import TARGETS

PROPERTIES: Final = "properties"
KNOWN: Final = (*TARGETS, PROPERTIES)
ROOT: Final = Path(__file__).parents[2]


def main(words: Sequence[str] | None = None, *, folder: Path = FOLDER) -> int:
    """The exit code: 0 if every promise was kept, 1 if one was broken, 2 for a command line that makes no sense."""
    asked = _asked(words)
    if asked.again is not None:
        (name,) = asked.targets
        TARGETS[name].function(bytes.fromhex(asked.again.read_text(encoding="ascii")))
        print(f"{name} keeps its promise for {asked.again}")
        return 0
    print(f"seed {asked.seed}: repeat this run with --seed {asked.seed}", file=sys.stderr, flush=True)
    broken = 0
    for name in asked.targets or KNOWN:
        if name == PROPERTIES:
            if try_properties(asked.seed):
                print(f"a property does not hold: repeat it with properties --seed {asked.seed}", flush=True)
                broken += 1
            continue
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


def try_properties(seed: int, *where: str) -> int:
    """Run the property tests (those in these files, or all) on examples that the seed chooses; pytest's exit code."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "hypothesis", f"--hypothesis-seed={seed}", *where]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"HYPOTHESIS_PROFILE": "fresh"}, check=False).returncode


def _asked(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description="Decoders under damaged bytes.")
    parser.add_argument("targets", nargs="*", metavar="target", help=f"of {', '.join(KNOWN)}")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each target (10)")
    fresh = random.SystemRandom().randrange(1 << 32)
    parser.add_argument("--seed", type=int, default=fresh, help="repeat the run that printed it (another on each run)")
    parser.add_argument("--again", type=Path, metavar="FILE", help="one kept input, with one target")
    asked = parser.parse_args(words)
    if unknown := [name for name in asked.targets if name not in KNOWN]:
        parser.error(f"no target {', '.join(unknown)}; known: {', '.join(KNOWN)}")
    if asked.again is not None and (len(asked.targets) != 1 or asked.targets == [PROPERTIES]):
        parser.error("--again needs the one target that the input is for")
    return asked


if __name__ == "__main__":
    sys.exit(main())
