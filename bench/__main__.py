"""Run benchmarks and print one table: ``make bench`` runs all, ``make bench ARGS=day`` those that are named.

With ``--readme`` all are run and the tables of the documents written: all rows to docs/numbers.md, ten to the README.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.table import Row, headlines, markdown, text

ROOT = Path(__file__).resolve().parent.parent
README, NUMBERS = ROOT / "README.md", ROOT / "docs/numbers.md"
PART = re.compile(r"(<!-- bench.*?-->\n).*?(<!-- end of bench -->)", re.DOTALL)


BENCHMARKS: Final = ("help_time", "twin_speed", "day", "bookkeeping", "corruption", "packing", "flashing")
"""The modules of the table, in its order. Each has ``rows()``."""
BY_NAME: Final = (
    "databases", "emulator", "gateway_load", "histories", "home_assistant", "kills", "network_meters", "one_core",
    "pages", "publishing", "wear", "years",
)  # fmt: skip
"""Minutes of a small machine each: they run only when they are named."""


def main(words: Sequence[str] | None = None) -> int:
    """The exit code: 0 if every goal was met, 1 if one was missed, 2 for a name that no benchmark has."""
    asked = _asked(words)
    rows: list[Row] = []
    for name in asked.names or BENCHMARKS:
        print(f"... {name}", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"bench.{name}").rows()
    machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, one run"
    print(text(rows), f"\n{machine}", sep="\n")
    if asked.readme:
        write_tables(rows, machine)
    return any(row.met is False for row in rows)


def _asked(words: Sequence[str] | None) -> argparse.Namespace:
    known = (*BENCHMARKS, *BY_NAME)
    parser = argparse.ArgumentParser("python -m bench", description="Measure, beside peers, in one run.")
    parser.add_argument("names", nargs="*", metavar="benchmark", help=f"of {', '.join(known)}; all of the table (none)")
    parser.add_argument("--readme", action="store_true", help="write the tables of the README and docs/numbers.md")
    asked = parser.parse_args(words)
    if unknown := [name for name in asked.names if name not in known]:
        parser.error(f"no benchmark {', '.join(unknown)}; known: {', '.join(known)}")
    if asked.readme and asked.names:
        parser.error("--readme writes whole tables: leave out the names")
    return asked


def write_tables(rows: Sequence[Row], machine: str, *, readme: Path = README, numbers: Path = NUMBERS) -> None:
    """Put the rows between the marks of both pages."""
    for path, shown in ((readme, headlines(rows)), (numbers, rows)):
        page, table = path.read_text(encoding="utf-8"), f"{markdown(shown)}\n\n{machine}.\n"
        path.write_text(PART.sub(lambda part, table=table: f"{part[1]}{table}{part[2]}", page), encoding="utf-8")  # type: ignore[misc]


if __name__ == "__main__":
    sys.exit(main())
